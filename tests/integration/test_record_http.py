"""The record of a statement: before, after, refused; sealed; found altered when it is."""

from __future__ import annotations

import json
import shutil
import sqlite3

import pytest

from jupyter_gov.errors import GovError
from tests.conftest import populate
from tests.support.gateway import running

NAME = "Zebulon Quärtermain"
WHO = ("principal", "on_behalf_of", "session", "kernel", "server", "isolation")


@pytest.fixture(scope="module")
def site(make_site):
    """A gateway whose whole log is looked at."""
    with running(make_site()) as gateway:
        yield populate(gateway)


class TestAStatement:
    def test_before_and_after(self, site, analyst, con):
        """The intent says who, why, under what; the outcome what came of it."""
        frame = con.query(
            "SELECT ssn, full_name FROM patients WHERE state = :state LIMIT 7", state="OR"
        )
        gov, view = frame.attrs["gov"], analyst.whoami()
        (intent,) = site.gateway.recorded("intent", record=gov["record"])
        outcome = site.gateway.outcome(gov["record"])
        for record in (intent, outcome):
            assert [record[field] for field in WHO[:3]] == ["evaluation|ana", "", view.session]
            assert record["kernel"].startswith("K-")
            assert record["server"].startswith("N-")
            assert record["isolation"] == "same-user: evaluation"
            assert (record["connection"], record["grant"]) == ("clinic", gov["grant"])
        said = intent["says"]
        assert said["sql"] == "SELECT ssn , full_name FROM patients WHERE state = : state LIMIT ?"
        assert (said["action"], said["relations"]) == ("read", ["patients"])
        assert (said["purpose"], said["eligibility"]) == ("Quality improvement", "analysts")
        assert said["limit"] is None
        said = outcome["says"]
        assert (said["result"], said["rows"], said["cut"]) == ("completed", len(frame), False)
        assert {"patients.ssn", "patients.full_name", "patients.state"} <= set(said["reads"])
        assert said["treated"] == {"patients.ssn": "partial", "patients.full_name": "withhold"}
        assert 0 < said["bytes_sent"] <= said["bytes_produced"]
        assert said["digest"].startswith("sha256:")
        assert intent["seq"] < outcome["seq"]
        assert intent["at"] <= outcome["at"]

    def test_a_refusal(self, site, con):
        """Recorded before it is answered, under the record that the error names."""
        with pytest.raises(GovError) as refused:
            con.query("DELETE FROM patients WHERE ssn = '900-12-3456'")
        (record,) = site.gateway.recorded("refusal", record=refused.value.record)
        assert record["says"]["code"] == "statement_refused"
        assert record["says"]["sql"] == "DELETE FROM patients WHERE ssn = ?"
        assert not site.gateway.recorded("intent", record=refused.value.record)

    def test_a_failure_in_the_database(self, site, con):
        """Its intent is closed with the error's code; the error names that record."""
        with pytest.raises(GovError) as failed:
            con.query("SELECT nmae FROM patients")
        assert site.gateway.outcome(failed.value.record)["says"]["result"] == "unknown_name"

    @pytest.mark.parametrize("result", ["whole", "cut"])
    def test_a_cut_result_is_recorded_as_one(self, site, con, result):
        """With what cut it."""
        limit = 3 if result == "cut" else 500
        frame = con.query("SELECT * FROM patients", limit=limit, on_limit="truncate")
        said = site.gateway.outcome(frame.attrs["gov"]["record"])["says"]
        assert (said["cut"], said["cut_by"]) == ((True, "limit") if limit == 3 else (False, ""))


class TestWhatIsSealed:
    def test_only_the_key_opens_it(self, site, con):
        """`audit show` gives statement, binds and note back; a copy without the key does not."""
        sql = "SELECT count(*) AS n FROM patients WHERE full_name = :who  -- the complaint"
        record = con.query(sql, who=NAME, note="a complaint").attrs["gov"]["record"]
        shown = site.gateway.here("audit", "show", record)
        opened = json.loads(shown.stdout)["says"]["opened"]
        assert opened == {"sql": sql, "binds": {"who": NAME, "--note": "a complaint"}}
        log = site.gateway.state_dir / "audit" / "log.sqlite"
        copy = site.gateway.here("audit", "show", record, "--log", str(log))
        assert "opened" not in json.loads(copy.stdout)["says"]
        assert "no key of that id is here" in copy.stderr

    def test_what_is_typed_stays_out_of_every_file(self, site, analyst, con):
        """In a literal, an alias, a comment, a bind, a note, a name: nowhere in the clear."""
        attempts = [
            f"SELECT count(*) FROM patients WHERE full_name = '{NAME}'",
            f'SELECT 1 AS "{NAME}"',
            f"SELECT 1 AS Zebulon /* {NAME} */ -- {NAME}",
            f'SELECT "{NAME}" FROM patients',
            "SELECT Zebulon FROM patients",
            "SELECT * FROM Zebulon",
            "SELECT Zebulon(1)",
            "SELECT p.Zebulon FROM patients AS Zebulon",
            f"SELECT [{NAME}], `{NAME}` FROM patients",
            "WITH Zebulon AS (SELECT 1 AS Quartermain) SELECT * FROM Zebulon",
            f"SELECT '{NAME}",
            f"DROP TABLE \"{NAME}\"",
            f"SELECT x'{NAME.encode().hex()}'",
            f"EXPLAIN SELECT '{NAME}'",
            f"SELECT 1; SELECT '{NAME}'",
        ]  # fmt: skip
        for sql in attempts:
            try:
                con.query(sql, note=NAME)
            except GovError:
                continue
        con.query("SELECT :zebulon AS a, :other AS b", zebulon=NAME, other=NAME.encode())
        for refused in (
            lambda: con.query("SELECT :other", zebulon=NAME),
            lambda: con.query("SELECT 1", grant=NAME),
            lambda: analyst.connect(NAME).query("SELECT 1"),
            lambda: analyst.request(NAME, note=NAME),
            lambda: analyst.request("clinic", eligibility=NAME, note=NAME),
            lambda: analyst.request("clinic", duration=NAME),
        ):
            try:
                refused()
            except GovError:
                continue
        analyst.request("clinic", note=NAME)
        marks = [b"ebulon", b"uartermain", NAME.encode(), json.dumps(NAME)[1:-1].encode()]
        files = [p for p in site.gateway.state_dir.rglob("*") if p.is_file()]
        assert {"log.sqlite", "log.sqlite-wal", "state.sqlite"} <= {p.name for p in files}
        for path in [*files, site.gateway.log]:
            found = [mark for mark in marks if mark.lower() in path.read_bytes().lower()]
            assert not found, f"{found} in {path.name}"


class TestTheCommands:
    def test_list_is_readable_and_harmless(self, site, con):
        """One line a record; what could drive a terminal is shown and not obeyed."""
        record = con.query("SELECT 1").attrs["gov"]["record"]
        listed = site.gateway.here("audit", "list", "--last", "3").stdout.splitlines()
        assert len(listed) == 3
        assert any(record in line and "intent" in line and "SELECT ?" in line for line in listed)
        kinds = site.gateway.here("audit", "list", "--kind", "attach.confirmed").stdout
        assert "by evaluation|ana for Quality improvement" in kinds

    def test_verify_a_whole_log(self, site, con):
        """Size and root, to note outside; the same root proves the log's beginning later."""
        con.query("SELECT 1")
        done = site.gateway.here("audit", "verify")
        assert done.returncode == 0
        assert "the log is whole" in done.stdout
        noted = done.stdout.split("--against ")[1].split()[0]
        con.query("SELECT 2")
        again = site.gateway.here("audit", "verify", "--against", noted)
        assert again.returncode == 0

    @pytest.mark.parametrize(
        ("harm", "says"),
        [
            (
                "UPDATE leaf SET body = CAST(replace(CAST(body AS TEXT), '|ana', '|rui') AS BLOB)",
                "its bytes do not match its hash",
            ),
            ("DELETE FROM leaf WHERE seq = 5", "missing"),
            ("UPDATE leaf SET kind = 'refusal' WHERE kind = 'intent'", "says otherwise"),
            ("DELETE FROM leaf WHERE seq > 10", "were noted earlier"),
            ("UPDATE leaf SET body = x'7b7d' WHERE seq = 3", "its bytes do not match its hash"),
            ("UPDATE leaf SET body = '{}' WHERE seq = 3", "record 3: its body is not bytes"),
        ],
        ids=["changed", "removed", "renamed", "truncated", "emptied", "retyped"],
    )
    def test_verify_finds_what_was_altered(self, site, con, tmp_path, harm, says):
        """On a copy whose triggers were dropped: exit code 1 and the record."""
        noted = site.gateway.here("audit", "verify").stdout.split("--against ")[1].split()[0]
        copy = tmp_path / "log.sqlite"
        with sqlite3.connect(site.gateway.state_dir / "audit" / "log.sqlite") as source:
            target = sqlite3.connect(copy)
            source.backup(target)
        source.close()
        for name in ("leaf_is_not_changed", "leaf_is_not_removed"):
            target.execute(f"DROP TRIGGER {name}")
        target.execute(harm)
        target.commit()
        target.close()
        done = site.gateway.here("audit", "verify", "--log", str(copy), "--against", noted)
        assert done.returncode == 1
        assert "PROBLEM" in done.stdout
        assert says in done.stdout
        assert "the log is NOT whole" in done.stdout

    def test_the_log_itself_refuses_changes(self, site, tmp_path):
        """Accidents are stopped where they happen."""
        source = site.gateway.state_dir / "audit"
        shutil.copytree(source, tmp_path / "audit")
        log = sqlite3.connect(tmp_path / "audit" / "log.sqlite")
        for harm in ("UPDATE leaf SET kind = 'x'", "DELETE FROM leaf"):
            with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                log.execute(harm)
        log.close()
