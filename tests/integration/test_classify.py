"""
`jupyter gov classify`: on the demo's clinic, on PostgreSQL, and on data that nobody here wrote.

What counts is recall: a column that holds PHI and is proposed as harmless is a leak if somebody
believes it.  One that is withheld by mistake is only a nuisance, and is counted too.
"""

from __future__ import annotations

import json
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from jupyter_gov.bootstrap.compose import audit_path
from jupyter_gov.cli.main import main
from jupyter_gov.connections.contents import Contents
from jupyter_gov.connections.described import Described, Source
from jupyter_gov.connections.proposals import HARMLESS, propose
from jupyter_gov.engines.postgres.sample import PostgresSource
from jupyter_gov.engines.sqlite.sample import SqliteSource
from jupyter_gov.store.audit_log import read_leaves
from tests.conftest import demo_config
from tests.integration.test_synthea import DATA, POLICY
from tests.integration.test_synthea import file as synthea_file  # noqa: F401
from tests.support.gateway import ROOT
from tests.support.postgres import Server

UNTAGGED = "c.GovConnections.tags = {}; "
CASES = ROOT / "tests" / "cases"
LAWFUL = {"date", "birth_date", "state", "key", "subject", "identifier"}
"""Identifiers all the same, of which the cases' own policy says nothing."""
Columns = dict[str, dict[str, str]]


@pytest.fixture
def classify(tmp_path, clinic_db, monkeypatch, capsys):
    """Runs the command with the demo's configuration and more; returns code and both outputs."""
    monkeypatch.setenv("CLINIC_DB", str(clinic_db))
    monkeypatch.setenv("JUPYTER_GOV_STATE", str(tmp_path / "state"))

    def run(connection: str, *arguments: str, more: str = UNTAGGED) -> tuple[int, str, str]:
        config = demo_config(tmp_path, more)
        code = main(["classify", "--config", str(config), connection, *arguments])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def proposed(text: str, connection: str) -> Columns:
    found: dict[str, Columns] = tomllib.loads(text)
    return found[connection]


def score(
    found: Columns, phi: Mapping[str, list[str]], every: Mapping[str, list[str]]
) -> tuple[list[str], list[str]]:
    """PHI columns that were proposed as harmless, and others that were not."""
    missed, alarms = [], []
    for table, columns in every.items():
        for name in columns:
            tag = found.get(table, {}).get(name, "")
            harmless = tag in HARMLESS
            if name in phi.get(table, ()) and (harmless or tag in LAWFUL - {"birth_date"}):
                missed.append(f"{table}.{name}: {tag}")
            if name not in phi.get(table, ()) and tag and not harmless and tag not in LAWFUL:
                alarms.append(f"{table}.{name}: {tag}")
    return missed, alarms


class TestTheClinic:
    @pytest.mark.parametrize(
        ("how", "more"),
        [((), {}), (("--no-content",), {"encounters.reason": ("category", None)})],
        ids=["content", "names only"],
    )
    def test_it_agrees_with_the_tags_written_by_hand(self, classify, how, more):
        """Each of the 52 columns, but for a city, which is a place, and a date of hiring."""
        tags = proposed((ROOT / "examples" / "clinic-tags.toml").read_text(), "clinic")
        code, out, _ = classify("clinic", *how)
        assert code == 0
        found = proposed(out, "clinic")
        differ = {
            f"{table}.{name}": (tag, found[table].get(name))
            for table, columns in tags.items()
            for name, tag in columns.items()
            if found[table].get(name) != tag
        }
        assert differ == {
            "patients.city": ("city", "place"),
            "providers.hired_on": ("provider", "date"),
            **more,
        }

    def test_it_can_be_used_as_the_tags(self, classify, tmp_path):
        """As it stands, with a treatment for the one tag that the demo does not have."""
        _, out, _ = classify("clinic")
        (tmp_path / "found.toml").write_text(out)
        more = (
            f'c.GovConnections.tags = "{tmp_path / "found.toml"}"\n'
            'c.GovMasking.treatments["place"] = "withhold"'
        )
        assert '#   "place": "withhold",' in out
        assert main(["config", "check", "--config", str(demo_config(tmp_path, more))]) == 0
        assert classify("clinic", "--check", more=more)[0] == 0

    def test_no_value_is_printed(self, classify, clinic_db):
        """No name, number, address or note of any patient."""
        _, out, err = classify("clinic", "--sample", "400")
        with closing(sqlite3.connect(clinic_db)) as connection:
            rows = connection.execute(
                "SELECT mrn, ssn, full_name, street, phone, email, notes FROM patients"
            ).fetchall()
        values = {str(value) for row in rows for value in row if value}
        assert len(values) > 1000
        assert [value for value in values if value in out + err] == []

    def test_the_look_is_recorded_before_it_is_taken(self, classify, tmp_path, clinic_db):
        """Which tables, how many rows; and no record without a look."""
        classify("clinic", "--no-content")
        assert not audit_path(tmp_path / "state").exists()
        classify("clinic", "--sample", "7")
        (leaf,) = read_leaves(audit_path(tmp_path / "state"))
        body = json.loads(leaf.body)
        assert (body["kind"], body["connection"]) == ("catalog.sampled", "clinic")
        assert body["says"] == {
            "tables": ["claims", "encounters", "medications", "patients", "providers"],
            "columns": 52,
            "sampled_rows": 7,
        }

    def test_without_a_record_nothing_is_read(self, classify, tmp_path):
        """A state folder that cannot be written stops it."""
        (tmp_path / "state").write_text("in the way")
        code, out, _ = classify("clinic")
        assert code == 2
        assert "[clinic" not in out


class TestCheck:
    def test_a_column_without_a_tag_fails_it(self, classify):
        """Exit code 1, and each is named."""
        more = "import tomllib; tags = tomllib.loads((here / 'clinic-tags.toml').read_text());"
        more += "del tags['clinic']['patients']['ssn']; c.GovConnections.tags = tags"
        code, out, err = classify("clinic", "--check", more=more)
        assert (code, out) == (1, "")
        assert "clinic: patients.ssn has no tag" in err
        assert "1 of 52 columns have no tag" in err

    def test_the_demo_passes(self, classify):
        """Every column of it has one."""
        code, out, _ = classify("clinic", "--check", more="")
        assert (code, out) == (0, "every one of the 52 columns of clinic has a tag\n")

    def test_a_mistake_on_the_command_line_is_named(self, classify):
        """Exit code 2."""
        assert "no such connection" in classify("clinc")[2]
        assert "--sample: write a whole number above 0" in classify("clinic", "--sample", "0")[2]
        wrong = ("--dba-secret", "hunter2")
        more = UNTAGGED + "c.GovConnections.connections['pg'] = {'url': 'postgresql://g@/d'}"
        code, _, err = classify("pg", *wrong, more=more)
        assert code == 2
        assert "--dba-secret: write env:NAME" in err
        assert "hunter2" not in err


@pytest.fixture(scope="module")
def database(postgres: Server, hospital_template: str) -> Iterator[str]:
    postgres.create("to_classify", template=hospital_template)
    with postgres.connect("to_classify") as session:
        session.execute(
            "CREATE TABLE big AS SELECT n AS id, 'MRN-' || (7000000 + n) AS chart,"
            " now() AS seen FROM generate_series(1, 20000) AS n;"
            "COMMENT ON COLUMN big.chart IS 'the medical record number'; ANALYZE big;"
            "CREATE ROLE knows_nothing LOGIN PASSWORD 'x'"
        )
    yield "to_classify"
    with postgres.connect() as session:
        session.execute("DROP DATABASE to_classify WITH (FORCE); ")
        session.execute("DROP ROLE knows_nothing")


class TestTheHospital:
    """The cases' own, in PostgreSQL; policy.json says which of its columns hold PHI."""

    @pytest.fixture
    def ask(self, classify, postgres, database, monkeypatch):
        monkeypatch.setenv("DBA_PASSWORD", postgres.password)
        monkeypatch.setenv("OTHER", "x")
        address = f"127.0.0.1:{postgres.port}/{database}"
        spec = {"url": f"postgresql://gov_gateway@{address}", "schemas": ["public", "billing"]}
        more = UNTAGGED + f"c.GovConnections.connections['hospital'] = {spec!r}"

        def run(*arguments: str, user: str = "dba", secret: str = "env:DBA_PASSWORD") -> Any:
            login = ("--dba-url", f"postgresql://{user}@{address}", "--dba-secret", secret)
            return classify("hospital", *login, *arguments, more=more)

        return run

    @pytest.mark.parametrize("how", [(), ("--no-content",)], ids=["content", "names only"])
    def test_every_column_with_phi_is_found(self, ask, postgres, database, how, record_property):
        """Recall 1.0, and no column beside them; dates and keys are identifiers by law."""
        code, out, err = ask(*how)
        assert (code, err) == (0, "")
        policy = json.loads((CASES / "policy.json").read_text())
        phi: dict[str, list[str]] = {}
        listed = [*policy["masked"].items(), *policy["content_detection_only"].items()]
        for table, columns in listed:
            phi.setdefault(table.removeprefix("public."), []).extend(columns)
        with postgres.connect(database) as session:
            every: dict[str, list[str]] = {}
            for schema, table, name in session.execute(
                "SELECT table_schema, table_name, column_name FROM information_schema.columns"
                " JOIN information_schema.tables USING (table_schema, table_name)"
                " WHERE table_schema IN ('public', 'billing') AND table_type = 'BASE TABLE'"
                " AND table_name NOT LIKE 'messages\\_%' AND table_name <> 'big'"
            ):
                known = table if schema == "public" else f"{schema}.{table}"
                every.setdefault(known, []).append(name)
        missed, alarms = score(proposed(out, "hospital"), phi, every)
        found = sum(map(len, phi.values())) - len(missed)
        record_property("recall", f"{found} of {sum(map(len, phi.values()))}")
        record_property("alarms", len(alarms))
        assert missed == []
        assert alarms == []

    def test_comments_count(self, ask):
        """A column whose name says nothing."""
        _, out, _ = ask("--no-content")
        assert 'chart = "mrn"  # 0.81: the comment' in out

    def test_partitions_are_their_tables(self, ask):
        """A partition has its parent's tags, so it is not listed."""
        _, out, _ = ask("--no-content")
        assert "messages" in proposed(out, "hospital")
        assert "messages_2024" not in out

    def test_no_value_is_printed_or_sent(self, ask, postgres, database):
        """Not in the output, and not in any statement that the server was given."""
        before = len(postgres.log)
        _, out, err = ask()
        logged = postgres.log[before:]
        assert "LIMIT 200" in logged
        with postgres.connect(database) as session:
            rows = session.execute(
                "SELECT mrn, ssn, full_name, phone, email, address, notes FROM patients"
                " UNION ALL SELECT memo, body, subscriber_ref, NULL, NULL, NULL, NULL"
                " FROM claims, messages"
            ).fetchall()
        values = {value for row in rows for value in row if value and len(value) > 8}
        assert "CANARY-SMS3 bring insurance card" in values
        assert [value for value in values if value in out + err + logged] == []

    def test_a_large_table_is_sampled_all_over(self, ask, postgres):
        """By pages chosen at random, and not its first rows only."""
        before = len(postgres.log)
        _, out, _ = ask("--sample", "50")
        assert 'FROM "public"."big" TABLESAMPLE SYSTEM (' in postgres.log[before:]
        assert "different values look like record numbers" in out

    def test_the_session_can_only_read(self, ask, postgres):
        """In a transaction that says so, whatever the login may do."""
        before = len(postgres.log)
        ask()
        assert "BEGIN READ ONLY" in postgres.log[before:]
        assert "UPDATE" not in postgres.log[before:]

    def test_a_table_that_cannot_be_read_stops_no_other(self, ask, postgres, database):
        """It is named, with exit code 1; of its columns the names speak."""
        with postgres.connect(database) as session:
            session.execute("CREATE ROLE reads_some LOGIN PASSWORD 'x'")
            session.execute("GRANT USAGE ON SCHEMA public TO reads_some")
            session.execute("GRANT SELECT ON patients TO reads_some")
            try:
                code, out, err = ask(user="reads_some", secret="env:OTHER")
            finally:
                session.execute("DROP OWNED BY reads_some; DROP ROLE reads_some")
        assert code == 1
        assert "hospital: claims was not looked at: " in err
        assert "patients" not in err
        found = proposed(out, "hospital")
        assert (found["patients"]["ssn"], found["claims"]["memo"]) == ("ssn", "free_text")
        assert "30 of 30 different values look like social security numbers" in out

    def test_a_login_that_may_not_read_is_told_so(self, ask):
        """By the state's code; the server's own words could hold a value."""
        code, out, err = ask(user="knows_nothing", secret="env:OTHER")
        assert (code, out) == (2, "")
        assert "cannot be read (42501)" in err
        assert "give one that may by --dba-url" in err


class TestContentAlone:
    """Every name hidden: a legacy database with columns called f1, f2, f3."""

    def test_no_column_with_phi_is_called_harmless(self, postgres, database, clinic_db):
        """Most are found; the rest get no proposal, and so stay withheld."""
        policy = json.loads((CASES / "policy.json").read_text())
        phi = {
            (table.removeprefix("public."), name)
            for part in ("masked", "content_detection_only")
            for table, columns in policy[part].items()
            for name in columns
        }
        tags = proposed((ROOT / "examples" / "clinic-tags.toml").read_text(), "clinic")
        harmless = {*HARMLESS, "subject", "key", "date", "state"}
        phi |= {(t, c) for t, columns in tags.items() for c, g in columns.items()
                if g not in harmless}  # fmt: skip
        sources: tuple[Source, ...] = (
            PostgresSource("h", postgres.conninfo(database), ("public", "billing")),
            SqliteSource("c", clinic_db),
        )
        found = {}
        contents = Contents()
        for source in sources:
            with closing(source):
                for table, group in groupby(source.columns(), key=lambda c: c.table):
                    listed = list(group)
                    for column, values in zip(
                        listed, source.sample(table, listed, 200), strict=True
                    ):
                        hidden = Described(table="f", name="f1", type="text")
                        tag = propose(hidden, contents.look(values)).tag
                        found[table, column.name] = tag
        assert phi <= found.keys()
        shown = {*HARMLESS, "state", "key", "subject"}
        assert {at: found[at] for at in phi if found[at] in shown} == {}
        assert sum(bool(found[at]) for at in phi) >= 0.8 * len(phi)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"there is no Synthea data in {DATA}")
class TestSynthea:
    IDENTIFYING = frozenset({"subject", "encounter", "date", "ssn", "name", "document", "place",
                             "zip"})  # fmt: skip

    def test_no_column_of_a_patient_is_called_harmless(self, classify, synthea_file: Path):  # noqa: F811
        """Every column that the policy by hand treats, of 134 in nine tables."""
        more = UNTAGGED + (
            f"c.GovConnections.connections['synthea'] = {{'url': 'sqlite:///{synthea_file}'}}"
        )
        code, out, _ = classify("synthea", more=more)
        assert code == 0
        found = proposed(out, "synthea")
        missed = [
            f"{table}.{name}: {found[table][name]}"
            for table, columns in POLICY["tags"].items()
            for name, tag in columns.items()
            if tag in self.IDENTIFYING and found[table].get(name) in HARMLESS
        ]
        assert missed == []
        coordinates = {found["patients"].get(name) for name in ("LAT", "LON")}
        assert coordinates == {"street"}
