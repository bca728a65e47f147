"""The example clinic: what the generator promises, and that its tags fit."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sqlite3
import stat
import sys
import time
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from traitlets.config.loader import Config, PyFileConfigLoader

EXAMPLES = Path(__file__).parents[2] / "examples"
TABLES = ("patients", "encounters", "claims", "medications", "providers")
PATIENTS = 300


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("example_clinic", EXAMPLES / "clinic.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


clinic = _load()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("clinic") / "clinic.db"
    clinic.generate(path, patients=PATIENTS)
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as opened:
        yield opened


def _dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as opened:
        return list(opened.iterdump())


def _one(database: sqlite3.Connection, sql: str) -> Any:
    (value,) = database.execute(sql).fetchone()
    return value


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f"PRAGMA table_info({table})")]


# ---------------------------------------------------------------- the generator


def test_the_same_seed_gives_the_same_rows(tmp_path: Path) -> None:
    """Two runs with one seed cannot be told apart, whatever the file is called."""
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    assert clinic.generate(first, patients=60, seed=7) == clinic.generate(
        second, patients=60, seed=7
    )
    assert _dump(first) == _dump(second)


def test_another_seed_gives_other_people(tmp_path: Path) -> None:
    """The seed decides who there is."""
    first, second = tmp_path / "first.db", tmp_path / "second.db"
    clinic.generate(first, patients=60, seed=7)
    clinic.generate(second, patients=60, seed=8)
    assert _dump(first) != _dump(second)


def test_the_counts_are_the_rows(tmp_path: Path) -> None:
    """What generate returns is what the file holds."""
    path = tmp_path / "clinic.db"
    counts = clinic.generate(path, patients=40, seed=1)
    with contextlib.closing(sqlite3.connect(path)) as opened:
        for table in TABLES:
            assert getattr(counts, table) == _one(opened, f"SELECT count(*) FROM {table}")


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """An old file makes way, nothing else is left beside it, and only the owner may read it."""
    path = tmp_path / "clinic.db"
    path.write_text("something else")
    clinic.generate(path, patients=5)
    assert [entry.name for entry in tmp_path.iterdir()] == ["clinic.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert _dump(path)


def test_a_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a clinic is never seen."""
    path = tmp_path / "clinic.db"
    path.write_text("the old one")
    monkeypatch.setattr(clinic, "INDEXES", "CREATE INDEX broken ON nothing (x);")
    with pytest.raises(sqlite3.Error):
        clinic.generate(path, patients=5)
    assert path.read_text() == "the old one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["clinic.db"]


def test_one_patient_is_enough_and_none_is_not(tmp_path: Path) -> None:
    """The smallest clinic has one patient."""
    assert clinic.generate(tmp_path / "one.db", patients=1).patients == 1
    with pytest.raises(ValueError, match="at least one"):
        clinic.generate(tmp_path / "none.db", patients=0)
    assert not (tmp_path / "none.db").exists()


def test_the_command_line_says_what_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python clinic.py OUT.db --patients N --seed S` writes, and prints the counts."""
    out = tmp_path / "clinic.db"
    clinic.main([str(out), "--patients", "12", "--seed", "3"])
    assert "12 patients" in capsys.readouterr().out
    assert out.exists()


@pytest.mark.parametrize("wrong", [["{}/no/such/folder/x.db"], ["{}"], ["{}/x.db", "--patients=0"]])
def test_the_command_line_explains_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: list[str]
) -> None:
    """A folder that is not there, a folder for a file, or nobody at all: usage, no traceback."""
    with pytest.raises(SystemExit) as stopped:
        clinic.main([part.format(tmp_path) for part in wrong])
    assert stopped.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_the_full_clinic_has_its_size_and_is_made_quickly(tmp_path: Path) -> None:
    """5,000 patients have about 30,000 encounters, 23,000 claims and 20,000 medications."""
    began = time.process_time()
    counts = clinic.generate(tmp_path / "clinic.db")
    assert time.process_time() - began < 5
    assert (counts.patients, counts.providers) == (5000, 60)
    assert counts.encounters == pytest.approx(30_000, rel=0.1)
    assert counts.encounters / counts.claims == pytest.approx(1.3, rel=0.1)
    assert counts.medications == pytest.approx(20_000, rel=0.1)


# ---------------------------------------------------------------- the rows


def test_no_identifier_can_be_anybodys(database: sqlite3.Connection) -> None:
    """SSNs, taxpayer numbers, NPIs, phones and addresses lie where none was ever issued."""
    ssns = [row[0] for row in database.execute("SELECT ssn FROM patients WHERE ssn IS NOT NULL")]
    assert len(ssns) > 0.9 * PATIENTS
    assert len(set(ssns)) == len(ssns)
    assert all(re.fullmatch(r"9\d\d-[1-4]\d-(?!0000)\d{4}", ssn) for ssn in ssns)
    for (npi,) in database.execute("SELECT npi FROM providers"):
        assert re.fullmatch(r"9\d{9}", npi)
    for (phone,) in database.execute("SELECT phone FROM patients WHERE phone IS NOT NULL"):
        assert re.fullmatch(r"\d{3}-555-01\d\d", phone)
    for (email,) in database.execute("SELECT email FROM patients WHERE email IS NOT NULL"):
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+@mail\.example", email)


def test_every_phone_in_a_text_is_a_fictional_one(database: sqlite3.Connection) -> None:
    """However it is written."""
    for column, table in (
        ("notes", "patients"),
        ("triage_note", "encounters"),
        ("prescriber_note", "medications"),
    ):
        for (text,) in database.execute(f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"):
            assert "{" not in text
            for line in re.findall(r"\d{3}\)?[-. ]+(\d{3}[-.]\d{4})", text):
                assert re.fullmatch(r"555[-.]01\d\d", line)


def test_mrns_are_unique(database: sqlite3.Connection) -> None:
    """One patient, one MRN."""
    assert _one(database, "SELECT count(DISTINCT mrn) FROM patients") == PATIENTS


def test_every_reference_leads_somewhere(database: sqlite3.Connection) -> None:
    """No foreign key dangles, and a claim or a medication is of its encounter's patient."""
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    for table in ("claims", "medications"):
        strays = _one(
            database,
            f"SELECT count(*) FROM {table} x JOIN encounters e USING (encounter_id)"
            " WHERE x.patient_id <> e.patient_id",
        )
        assert strays == 0


def test_every_foreign_key_and_the_mrn_are_indexed(database: sqlite3.Connection) -> None:
    """A join looks up; it does not scan."""
    for table in TABLES:
        wanted = {row[3] for row in database.execute(f"PRAGMA foreign_key_list({table})")}
        if table == "patients":
            wanted.add("mrn")
        first = {
            database.execute(f"PRAGMA index_info({row[1]})").fetchone()[2]
            for row in database.execute(f"PRAGMA index_list({table})")
        }
        assert wanted <= first


def test_time_runs_forward(database: sqlite3.Connection) -> None:
    """Born, registered, seen, billed: in this order, and nothing after the last day."""
    for wrong in (
        "patients WHERE registered_on < birth_date",
        "encounters WHERE ended_at <= started_at",
        "encounters e JOIN patients p USING (patient_id) WHERE e.started_at < p.registered_on",
        "encounters e JOIN providers v USING (provider_id) WHERE e.started_at < v.hired_on",
        "claims c JOIN encounters e USING (encounter_id) WHERE c.submitted_on < e.started_at",
        "medications WHERE stopped_on < started_on",
        f"encounters WHERE date(ended_at) > '{clinic.LAST_DAY}'",
        f"claims WHERE submitted_on > '{clinic.LAST_DAY}'",
        f"medications WHERE coalesce(stopped_on, started_on) > '{clinic.LAST_DAY}'",
    ):
        assert _one(database, f"SELECT count(*) FROM {wrong}") == 0, wrong


def test_nobody_is_in_two_places(database: sqlite3.Connection) -> None:
    """A patient's next encounter starts when the one before is over."""
    overlaps = _one(
        database,
        "WITH e AS (SELECT ended_at, lead(started_at) OVER"
        " (PARTITION BY patient_id ORDER BY started_at) AS next_at FROM encounters)"
        " SELECT count(*) FROM e WHERE next_at < ended_at",
    )
    assert overlaps == 0


def test_ages_reach_from_the_cradle_to_past_ninety(database: sqlite3.Connection) -> None:
    """There are children, and people whose age alone would name them."""
    today = clinic.LAST_DAY
    born = [
        date.fromisoformat(row[0]) for row in database.execute("SELECT birth_date FROM patients")
    ]
    assert min(born) < date(today.year - 91, today.month, today.day)
    assert sum(day.year > today.year - 18 for day in born) > 0.08 * PATIENTS
    assert max(born) <= today


def test_some_live_where_few_do(database: sqlite3.Connection) -> None:
    """Most ZIP codes may show three digits; some lie in areas where that is too much."""
    zips = [row[0] for row in database.execute("SELECT zip FROM patients")]
    assert all(re.fullmatch(r"\d{5}(-\d{4})?", code) for code in zips)
    small = sum(code[:3] in {"036", "059", "692", "821", "878"} for code in zips)
    assert 0.03 * PATIENTS < small < 0.3 * PATIENTS


def test_most_notes_hold_somebodys_name_and_phone(database: sqlite3.Connection) -> None:
    """What makes free text hard is in there: names, relatives, phones, dates, MRNs."""
    rows = database.execute(
        "SELECT notes, full_name, mrn FROM patients WHERE notes IS NOT NULL"
    ).fetchall()
    assert 0.75 * PATIENTS < len(rows) < PATIENTS

    def share(found: int) -> float:
        return found / len(rows)

    assert share(sum(name.split(" ", 1)[1] in text for text, name, _ in rows)) > 0.7
    assert share(sum(bool(re.search(r"555[-.]01\d\d", text)) for text, _, _ in rows)) > 0.5
    assert share(sum(mrn[2:] in text for text, _, mrn in rows)) > 0.1
    assert share(sum(bool(re.search(r"MC\d{7}", text)) for text, _, _ in rows)) > 0.2
    kin = re.compile(r"\b(son|daughter|wife|husband|mother|father|sister|brother)\b")
    assert share(sum(bool(kin.search(text)) for text, _, _ in rows)) > 0.3


def test_some_triage_notes_name_somebody_and_some_do_not(database: sqlite3.Connection) -> None:
    """So that neither answer is always right."""
    rows = database.execute(
        "SELECT triage_note, full_name FROM encounters JOIN patients USING (patient_id)"
        " WHERE triage_note IS NOT NULL"
    ).fetchall()
    named = sum(name.split(" ", 1)[1] in text for text, name in rows)
    assert 0.02 * len(rows) < named < 0.5 * len(rows)


def test_the_clinic_is_worth_asking_about(database: sqlite3.Connection) -> None:
    """Stays are long, winter is busy, the old take more medicines, and one payer denies."""

    def rate(sql: str) -> float:
        return float(_one(database, f"SELECT {sql}"))

    hours = "avg(julianday(ended_at) - julianday(started_at)) * 24 FROM encounters"
    assert rate(f"{hours} WHERE encounter_type = 'inpatient'") > 24
    assert rate(f"{hours} WHERE encounter_type = 'office'") < 1.5
    colds = "count(*) FROM encounters WHERE icd10 LIKE 'J0%' AND substr(started_at, 6, 2)"
    assert rate(f"{colds} IN ('12', '01', '02')") > 2 * rate(f"{colds} IN ('06', '07', '08')")
    drugs = (
        "avg(n) FROM (SELECT count(DISTINCT drug) AS n FROM patients"
        " LEFT JOIN medications USING (patient_id) WHERE birth_date {} '1960' GROUP BY patient_id)"
    )
    assert rate(drugs.format("<")) > 1.3 * rate(drugs.format(">="))
    denied = "avg(status IN ('denied', 'appealed')) FROM claims WHERE payer"
    assert rate(f"{denied} = 'Northway HMO'") > 1.5 * rate(f"{denied} <> 'Northway HMO'")


def test_paid_claims_alone_have_a_payment(database: sqlite3.Connection) -> None:
    """A pending or denied claim paid nothing, and none paid more than was billed."""
    wrong = _one(
        database,
        "SELECT count(*) FROM claims WHERE (status = 'paid') <> (paid_amount IS NOT NULL)"
        " OR paid_amount > billed_amount",
    )
    assert wrong == 0


def test_the_views_agree_with_the_tables(database: sqlite3.Connection) -> None:
    """One row a stay in v_readmissions; v_department_load adds up to every encounter."""
    stays = "SELECT count(*) FROM encounters WHERE encounter_type = 'inpatient'"
    assert _one(database, "SELECT count(*) FROM v_readmissions") == _one(database, stays)
    assert 0 < _one(database, "SELECT avg(readmitted) FROM v_readmissions") < 0.5
    late = "SELECT count(*) FROM v_readmissions WHERE readmitted AND days_to_next > 30"
    assert _one(database, late) == 0
    total = _one(database, "SELECT sum(encounters) FROM v_department_load")
    assert total == _one(database, "SELECT count(*) FROM encounters")


# ---------------------------------------------------------------- the tags and the config


def _tags() -> dict[str, dict[str, str]]:
    tags = tomllib.loads((EXAMPLES / "clinic-tags.toml").read_text())
    assert list(tags) == ["clinic"]
    found: dict[str, dict[str, str]] = tags["clinic"]
    return found


def _config() -> Config:
    config: Config = PyFileConfigLoader("jupyter_server_config.py", str(EXAMPLES)).load_config()
    return config


def test_every_column_is_tagged_and_every_tag_has_a_column(database: sqlite3.Connection) -> None:
    """Tags and tables are one list, in one order."""
    tags = _tags()
    names = {
        row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    assert tags.keys() == {name for name in names if not name.startswith("sqlite_")}
    for table, columns in tags.items():
        assert list(columns) == _columns(database, table)


def test_every_tag_has_a_treatment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example config says what becomes of each tag, and names no tag that is not used."""
    monkeypatch.delenv("CLINIC_DB", raising=False)
    config = _config()
    used = {tag for columns in _tags().values() for tag in columns.values()}
    assert set(config.GovMasking.treatments) == used
    assert config.GovMasking.untagged == "withhold"
    for eligibility in config.GovAccess.eligibilities.values():
        assert {*eligibility.get("clear", ()), *eligibility.get("treatments", {})} <= used


def test_the_config_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """CLINIC_DB and JUPYTER_GOV_STATE move the database and the gateway's state."""
    monkeypatch.setenv("CLINIC_DB", str(tmp_path / "other.db"))
    monkeypatch.setenv("JUPYTER_GOV_STATE", str(tmp_path / "state"))
    config = _config()
    url = config.GovConnections.connections["clinic"]["url"]
    assert url == f"sqlite:///{tmp_path}/other.db"
    assert config.GovGateway.state_dir == str(tmp_path / "state")


def test_the_config_names_tables_that_exist(database: sqlite3.Connection) -> None:
    """An eligibility for a table that is not there would grant nothing."""
    listed = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
    for eligibility in _config().GovAccess.eligibilities.values():
        assert set(eligibility["tables"]) <= listed
        assert eligibility["connection"] in _config().GovConnections.connections
