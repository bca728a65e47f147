"""An admin's own policy tests: a folder with a config, a database and tests, run by pytest."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import psutil
import pytest

from tests.conftest import demo_config
from tests.support.gateway import ROOT
from tests.support.waiting import until

CONFIG = """
from pathlib import Path
c = get_config()
here = Path(__file__).parent
c.GovGateway.state_dir = "/nowhere/in/production"
c.GovGateway.port = 1
c.GovConnections.connections = {"ward": {"url": f"sqlite:///{here / 'ward.db'}"}}
c.GovConnections.tags = "tags.toml"
c.GovMasking.treatments = {
    "key": "clear", "mrn": "pseudonym", "ssn": "withhold", "notes": "seal", "birth_date": "year",
    "zip": "zip3", "phone": "partial", "age": "age",
}
c.GovAccess.purposes = {"care": "Care of patients"}
c.GovAccess.eligibilities = {
    "ward": {"who": ["nurse", "group:doctors"], "agents": "yes", "connection": "ward",
             "tables": ["patients"], "max_queries": 3},
}
"""
TAGS = """\
[ward.patients]
patient_id = "key"
mrn = "mrn"
ssn = "ssn"
notes = "notes"
birth_date = "birth_date"
born = "age"
zip = "zip"
phone = "phone"
empty = "key"
[ward.staff]
staff_id = "key"
"""
SCHEMA = """
CREATE TABLE patients (patient_id INTEGER PRIMARY KEY, mrn TEXT, ssn TEXT, notes TEXT,
                       birth_date DATE, born DATE, zip TEXT, phone TEXT, empty TEXT);
INSERT INTO patients VALUES (1, 'MRN-00071', '900-11-2233', 'Zebulon called', '1950-05-17',
                             '1950-05-17', '97201-1234', '503-555-0142', NULL);
INSERT INTO patients VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE staff (staff_id INTEGER);
"""
PEOPLE = """
import pytest

@pytest.fixture(scope="session")
def gov_people():
    return {"dora": ["doctors"]}
"""
HEAD = "import pytest\nfrom jupyter_gov.testing import *\nALL = 'SELECT * FROM patients'\n"
PASSING = """
@pytest.fixture(scope="module")
def frame(gov_gateway):
    return gov_gateway.client("nurse").query("ward", ALL)

def test_treatments(frame):
    assert_withheld(frame, "ssn")
    assert_withheld(frame, "notes")
    assert_pseudonym(frame, "mrn")
    assert_treated(frame, "birth_date", "year")
    assert_treated(frame, "born", "age")
    assert_treated(frame, "zip", "zip3")
    assert_treated(frame, "phone", "partial")
    assert_clear(frame, "patient_id")
    assert_absent(frame, "name")
    assert_no_value(frame, ["900-11-2233", "zebulon", "MRN-00071", "97201", "555"])

def test_another_name(gov_gateway):
    frame = gov_gateway.client("nurse").query("ward", "SELECT mrn AS id FROM patients")
    assert_pseudonym(frame, "id", source="patients.mrn")

def test_people_of_ours(gov_gateway):
    dora = gov_gateway.client("dora", agent="recon", purpose="a question of our own")
    told = dora.explain("ward", "SELECT ssn FROM patients")
    assert (told.decision, told.purpose) == ("open", "a question of our own")
    assert gov_gateway.client("dora").whoami().purpose == "Care of patients"
    assert list(dora.tables("ward")["table"]) == ["patients"]

def test_refusals(gov_gateway):
    nurse = gov_gateway.client("nurse")
    with assert_refused("out_of_scope") as refused:
        nurse.query("ward", "SELECT * FROM staff")
    assert refused.error.record
    for _ in range(3):
        nurse.query("ward", "SELECT patient_id FROM patients WHERE patient_id = :n", n=1)
    with assert_refused("budget_spent"):
        nurse.query("ward", ALL)
    with pytest.raises(ValueError, match="knows no mallory; it knows dora, nurse"):
        gov_gateway.client("mallory")
"""
FAILING = {
    "withheld": 'assert_withheld(frame, "zip")',
    "withheld_but_only_empty": 'assert_withheld(frame, "empty")',
    "clear": 'assert_clear(frame, "mrn")',
    "clear_but_empty": 'assert_clear(frame, "empty")',
    "treated": 'assert_treated(frame, "mrn", "year")',
    "no_such_treatment": 'assert_treated(frame, "mrn", "hash")',
    "shape": 'frame.loc[0, "mrn"] = "MRN-00071"; assert_pseudonym(frame, "mrn")',
    "came_through": 'frame.loc[0, "ssn"] = "900"; assert_withheld(frame, "ssn")',
    "no_such_column": 'assert_withheld(frame, "sssn")',
    "no_rows": 'assert_withheld(frame.head(0), "ssn")',
    "no_attrs": 'frame.attrs.clear(); assert_withheld(frame, "ssn")',
    "absent": 'assert_absent(frame, "SSN")',
    "value": 'assert_no_value(frame, ["p_"])',
    "nothing_to_look_at": 'assert_no_value(None, ["x"])',
    "not_refused": 'with assert_refused("no_grant"): pass',
    "other_code": """
    with assert_refused("no_grant"):
        client.query("ward", "SELECT FROM")""",
}  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """What an admin has: a config, the file it names, a database; and nothing of ours."""
    folder = tmp_path_factory.mktemp("policy")
    (folder / "jupyter_server_config.py").write_text(CONFIG)
    (folder / "tags.toml").write_text(TAGS)
    (folder / "conftest.py").write_text(PEOPLE)
    with closing(sqlite3.connect(folder / "ward.db")) as connection:
        connection.executescript(SCHEMA)
    return folder


def run(folder, *arguments, **env):
    """`pytest`, as the admin runs it, with no warning let pass."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**own, **env},
    )  # fmt: skip


def gateways():
    return {
        process.pid for process in psutil.process_iter(["cmdline"])
        if "--managed" in (process.info["cmdline"] or ())
        and any("jupyter-gov-test-" in word for word in process.info["cmdline"])
    }  # fmt: skip


@pytest.fixture(scope="module")
def done(project):
    """One run of tests that hold and of tests that do not."""
    tests = [
        "@pytest.fixture(scope='module')\ndef client(gov_gateway):\n"
        "    return gov_gateway.client('nurse')\n"
        "@pytest.fixture(scope='module')\ndef asked(client):\n"
        "    return client.query('ward', ALL)\n"
        "@pytest.fixture\ndef frame(asked):\n"
        "    made = asked.copy()\n    made.attrs = dict(asked.attrs)\n    return made\n"
    ]
    tests += [f"def test_{name}(frame, client):\n    {code}\n" for name, code in FAILING.items()]
    (project / "test_failing.py").write_text(HEAD + "\n".join(tests))
    (project / "test_passing.py").write_text(HEAD + PASSING)
    return run(project, "--tb=line", "-rA", "test_passing.py", "test_failing.py")


class TestAProject:
    def test_what_holds_passes(self, done):
        """With nothing but the config and the tests."""
        passed = set(re.findall(r"^PASSED (.+)$", done.stdout, re.M))
        names = re.findall(r"def (test_\w+)", PASSING)
        assert passed == {f"test_passing.py::{name}" for name in names}, done.stdout + done.stderr

    def test_what_does_not_hold_fails(self, done):
        """Each assertion, for the reason it is there for."""
        assert done.returncode == 1
        failed = set(re.findall(r"^FAILED test_failing.py::test_(\w+)", done.stdout, re.M))
        assert failed == set(FAILING)
        for reason in (
            "zip came as zip3; it is not withheld",
            "empty is NULL in every row, which shows nothing",
            "mrn holds values without the shape of pseudonym",
            "the frame has no rows, which shows nothing",
            "refused with bad_syntax, not with no_grant",
        ):
            assert reason in done.stdout

    def test_a_config_that_is_wrong(self, tmp_path):
        """Is said as `config check` says it, in place of a stack."""
        (tmp_path / "mine.py").write_text("c.GovMasking.treatments = {'mrn': 'pseudonim'}\n")
        (tmp_path / "test_any.py").write_text("def test_any(gov_gateway): pass\n")
        done = run(tmp_path, "--gov-config", "mine.py")
        assert done.returncode == 1
        assert 'treatments["mrn"]' in done.stdout
        assert "did you mean 'pseudonym'?" in done.stdout
        assert "Traceback" not in done.stdout

    def test_a_folder_without_a_config(self, tmp_path):
        """Is told which fixture to give; a run that asks for no gateway starts none."""
        (tmp_path / "test_any.py").write_text(
            "def test_one(gov_gateway): pass\ndef test_two(): pass\n"
        )
        done = run(tmp_path)
        assert "there is no jupyter_server_config.py" in done.stdout
        assert "1 passed, 1 error" in done.stdout

    def test_no_gateway_is_left(self, project):
        """Not of the runs above, and not of one that is killed."""
        (project / "test_killed.py").write_text(
            "import os, signal\n"
            "def test_killed(gov_gateway):\n"
            "    gov_gateway.client('nurse')\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        before = gateways()
        assert run(project, "test_killed.py").returncode == -9
        until(lambda: not gateways() - before, "the end of the gateway")


class TestTheHowTo:
    def test_it_works_as_it_is_written(self, clinic_db, tmp_path):
        """Its tests, copied beside the example's configuration, pass."""
        demo_config(tmp_path)
        page = (ROOT / "docs" / "howto" / "test-a-policy.md").read_text(encoding="utf-8")
        (block,) = re.findall(r"^`test_policy\.py`:\n\n```python\n(.*?)^```", page, re.S | re.M)
        (tmp_path / "test_policy.py").write_text(block)
        done = run(tmp_path, CLINIC_DB=str(clinic_db))
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{block.count('def test_')} passed" in done.stdout


class TestWithoutPytest:
    def test_it_can_be_imported(self):
        """All but the plugin."""
        code = (
            "import sys; sys.modules['pytest'] = None\n"
            "from jupyter_gov import testing\n"
            "assert [getattr(testing, name) for name in testing.__all__]\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
