"""From a fresh kernel to a person and back, with the code typed on the gateway's page."""

from __future__ import annotations

import pytest

from jupyter_gov.errors import DecisionRefused
from tests.support.gateway import find_code

MORNING = [
    "%load_ext jupyter_gov",
    "%gov login",
    "%%govsql admissions << clinic\nSELECT count(*) AS n FROM encounters",
    "int(admissions.n[0])",
]
"""A notebook that somebody runs from top to bottom every morning."""


def log_in(kernel, person, *, agent: str = "", suggested: str = "") -> str:
    """`%gov login` as typed, with the code confirmed; returns what the cell printed."""
    cell = kernel.begin(f"%gov login --agent {suggested}" if suggested else "%gov login")
    cell.until(r"\b[A-Z]{4}-[A-Z]{4}\b")
    person.attach(find_code(cell.stdout), purpose="quality", agent=agent)
    return cell.result().stdout


class TestUnattached:
    def test_a_fresh_kernel_is_refused_with_the_one_command(self, kernel):
        """No stack of ours, no data: the refusal, and what to run."""
        kernel.run("%load_ext jupyter_gov")
        error = kernel.fail("%%govsql clinic\nSELECT 1").error
        assert "NotAttached: this kernel is not attached to a person" in error
        assert "Run: %gov login" in error
        assert "Traceback" not in error
        assert "attached to nobody: run %gov login" in kernel.run("%gov whoami").stdout


class TestPerson:
    def test_the_code_is_shown_while_the_cell_waits(self, deployment, kernel):
        """Address and code; after the confirmation, who one is and for what."""
        kernel.run("%load_ext jupyter_gov")
        said = log_in(kernel, deployment.people["ana"])
        assert f"Open {deployment.gateway.page_url} and type the code" in said
        assert "attached: ana, for: Quality improvement" in said

    def test_run_all_after_a_restart_asks_nothing(self, deployment, kernel):
        """The second time, no code is shown and nobody is needed."""
        kernel.run(MORNING[0])
        log_in(kernel, deployment.people["ana"])
        first = [kernel.run(cell).text for cell in MORNING[2:]]
        kernel.restart()
        again = [kernel.run(cell).text for cell in MORNING]
        assert again[1].strip() == "attached: ana, for: Quality improvement"
        assert again[-1] == first[-1]

    def test_a_refused_code_pauses_this_kernel(self, deployment, kernel):
        """The person says no: the cell ends, and a new code has to wait."""
        kernel.run("%load_ext jupyter_gov")
        cell = kernel.begin("%gov login")
        cell.until(r"\b[A-Z]{4}-[A-Z]{4}\b")
        ana = deployment.people["ana"]
        ana.decide(ana.look(find_code(cell.stdout)), decision="refuse")
        assert "Denied: the code was refused" in cell.result().error
        assert (
            "Busy: the last request of this kernel was refused" in kernel.fail("%gov login").error
        )

    def test_logging_out_ends_the_grants(self, deployment, kernel):
        """Detached at once; the next statement is refused."""
        kernel.attach(deployment.people["ana"])
        kernel.run("%gov request clinic --for 30m")
        kernel.run("%gov logout")
        assert "NotAttached" in kernel.fail("%%govsql clinic\nSELECT 1").error
        ended = deployment.record("session.ended", why="signed out in the kernel")
        grant = deployment.record("grant.ended")
        assert ended["session"] == grant["session"]


class TestAgent:
    def test_becoming_an_agent_ends_the_person_and_coming_back_takes_a_restart(
        self, deployment, kernel
    ):
        """One principal at a time; the agent's memory is not handed back to the person."""
        ana = deployment.people["ana"]
        kernel.attach(ana)
        session = kernel.value("__import__('jupyter_gov').whoami().session")
        said = log_in(kernel, ana, agent="recon", suggested="recon")
        assert "attached: agent recon on behalf of ana" in said
        ended = deployment.record("session.ended", why="the kernel was attached anew")
        assert ended["session"] == session
        assert "recon (agent of ana)" in kernel.run("%gov whoami").stdout

        kernel.run("%gov logout")
        cell = kernel.begin("%gov login")
        cell.until(r"\b[A-Z]{4}-[A-Z]{4}\b")
        with pytest.raises(DecisionRefused, match="this kernel acts as an agent"):
            ana.attach(find_code(cell.stdout), purpose="quality")
        kernel.interrupt()
        assert "KeyboardInterrupt" in cell.result().error

        kernel.restart()
        kernel.run("%load_ext jupyter_gov")
        assert "attached: ana" in log_in(kernel, ana)


class TestListings:
    def test_connections_grants_and_requests(self, analyst):
        """What one may ask for, the asking, and what one holds then."""
        assert "clinic" in analyst.run("%gov connections").text
        said = analyst.run('%gov request clinic --for 20m --note "monthly review"').stdout
        grant = said.split()[1]
        assert said.startswith("grant G-")
        assert "on clinic for 19 min" in said or "on clinic for 20 min" in said
        held = analyst.run("%gov grants").text
        assert grant in held
        assert "active" in held
        assert f"  {grant} clinic:" in analyst.run("%gov whoami").stdout

    def test_asking_for_longer_than_allowed_names_the_rule(self, analyst):
        """The eligibility, its limit, and the line that stays within it."""
        error = analyst.fail("%gov request clinic --for 9h").error
        assert "OutOfScope: the eligibility analysts gives at most 4h at a time" in error
        assert "Next: %gov request clinic --for 4h" in error

    def test_tables_and_one_tables_columns(self, analyst):
        """Tags, treatments, and types before and after."""
        assert "v_readmissions" in analyst.run("%gov tables clinic").text
        rows = analyst.value(
            "get_ipython().run_line_magic('gov', 'tables clinic patients')"
            ".set_index('name').loc[['mrn', 'ssn', 'full_name', 'birth_date'],"
            " ['tag', 'treatment', 'enforcement']].values.tolist()"
        )
        assert rows == [
            ["mrn", "pseudonym", "engine-treated"],
            ["ssn", "partial", "engine-treated"],
            ["name", "withhold", "withheld"],
            ["birth_date", "year", "engine-treated"],
        ]

    def test_an_unknown_word_lists_the_commands(self, analyst):
        """A slip of the pen is answered with what there is."""
        error = analyst.fail("%gov whomai").text
        assert "%gov has no command whomai" in error
        assert "%gov whoami" in error
