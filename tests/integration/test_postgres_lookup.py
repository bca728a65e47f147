"""A pseudonym as a condition: the rows it stands for, through the column's own index."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import Server
from tests.support.postgres_wall import Wall, hospital, walls
from tests.support.waiting import until

ROWS = 20_000


@pytest.fixture(scope="module")
def wall(postgres: Server, hospital_template: str) -> Iterator[Wall]:
    """The hospital with many more patients, provisioned."""
    postgres.create("lookup_template", hospital_template)
    with postgres.connect("lookup_template") as dba:
        dba.execute(
            "INSERT INTO patients (patient_id, mrn, ssn, full_name, dob, sex, zip, state,"
            " risk_score, registered_on) SELECT n, 'M-' || n, '901-' || lpad((n / 10000)::text,"
            " 2, '0') || '-' || lpad((n % 10000)::text, 4, '0'), 'N', '1980-01-01', 'F', '98101',"
            " 'WA',"
            f" 1, '2024-01-01' FROM generate_series(1000, {1000 + ROWS}) n"
        )
        dba.execute("ANALYZE patients")
    profile, tags, schemas = hospital()
    with walls(postgres, "lookup_template", {"file": profile}, tags, schemas) as made:
        made["file"].ask("SELECT 1")
        yield made["file"]
    postgres.drop("lookup_template")


@pytest.fixture
def token(wall: Wall) -> str:
    """The pseudonym of patient 7's record number."""
    return str(wall.ask("SELECT mrn FROM patients WHERE patient_id = 7").rows[0][0])


def scans(wall: Wall, postgres: Server) -> int:
    """How often the base table was read as a whole; a session tells of it when it ends."""
    wall.forget_sessions()
    with postgres.connect(wall.database) as dba:
        alive = "SELECT count(*) FROM pg_stat_activity WHERE usename ~ '^gov_e_'"
        until(lambda: dba.execute(alive).fetchone() == (0,), "its sessions have ended")
        row = dba.execute(
            "SELECT seq_scan FROM pg_stat_user_tables WHERE relid = 'public.patients'::regclass"
        ).fetchone()
        assert row is not None
        return int(row[0])


STATEMENTS = [
    ("SELECT patient_id FROM patients WHERE mrn = :p", [(7,)]),
    ("SELECT p.patient_id FROM public.patients AS p WHERE p.mrn = :p AND p.state = 'AK'", [(7,)]),
    ("SELECT patient_id FROM patients WHERE :p = mrn", [(7,)]),
    ("SELECT patients.patient_id FROM patients WHERE (mrn = :p)", [(7,)]),
    ("SELECT x.patient_id FROM (SELECT * FROM patients WHERE mrn = :p) x", [(7,)]),
    (
        "WITH one AS (SELECT * FROM patients WHERE mrn = :p) SELECT e.encounter_id FROM one"
        " JOIN encounters e USING (patient_id) ORDER BY 1 LIMIT 1",
        [(5018,)],
    ),
    ("SELECT count(*) FROM encounters e JOIN patients p USING (patient_id) WHERE p.mrn = :p",
     [(1,)]),
    ("SELECT count(*) FROM patients WHERE mrn = :p AND state = 'WA'", [(0,)]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rows"), STATEMENTS)
def test_finds_the_rows_without_reading_the_table(wall, postgres, token, sql, rows):
    """The same rows as the condition alone would give, by the index of the base column."""
    before = scans(wall, postgres)
    seen = wall.ask(sql, {"p": token})
    assert seen.error is None
    assert seen.rows == rows
    assert scans(wall, postgres) == before
    assert wall.ask(sql.replace("mrn =", "mrn || '' =").replace("= mrn", "= mrn || ''"),
                    {"p": token}).rows == rows  # fmt: skip


def test_a_literal_is_as_good_as_a_parameter(wall, token):
    assert wall.ask(f"SELECT patient_id FROM patients WHERE mrn = '{token}'").rows == [(7,)]


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT count(*) FROM patients WHERE mrn = :p OR state = 'AK'", 8),
        ("SELECT count(*) FROM patients WHERE NOT mrn = :p", 30 + ROWS),
        ("SELECT count(*) FROM patients WHERE mrn = :p || ''", 1),
        ("SELECT count(*) FROM patients WHERE (mrn = :p) IS FALSE", 30 + ROWS),
    ],
)
def test_what_does_not_have_to_hold_narrows_nothing(wall, token, sql, rows):
    """Only a condition that every row must fulfil."""
    assert wall.ask(sql, {"p": token}).rows == [(rows,)]


def test_an_unknown_pseudonym_is_looked_for_the_long_way(wall, postgres, token):
    """A patient who came after the last time is found at once, if slowly."""
    with postgres.connect(wall.database) as dba:
        dba.execute("UPDATE patients SET mrn = 'MRN-NEW' WHERE patient_id = 13")
    fresh = wall.ask("SELECT mrn FROM patients WHERE patient_id = 13").rows[0][0]
    assert wall.ask("SELECT patient_id FROM patients WHERE mrn = :p", {"p": fresh}).rows == [(13,)]


def test_a_raw_value_finds_nothing(wall):
    """The condition is on the pseudonym."""
    seen = wall.ask("SELECT patient_id FROM patients WHERE mrn = :p", {"p": "MRN-7700123"})
    assert seen.rows == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM gov_private.token",
        "SELECT gov_admin.known('hospital/mrn', 'x')",
        "SELECT value FROM gov_private.token",
    ],
)
def test_what_the_tokens_stand_for_is_nobodys_to_read(wall, sql):
    """Not with the doorman asleep, either."""
    seen = wall.ask(sql, doorman=False)
    assert seen.error is not None
    assert seen.rows == []


def test_the_functions_show_treated_rows_only(wall, token):
    """Called by hand they are the projection, narrowed."""
    (way,) = {
        w
        for (table, column), w in wall.engine._look().by_pseudonym[wall.profile.profile_id].items()
        if (table, column) == ("patients", "mrn")
    }
    seen = wall.ask(f"SELECT * FROM {way.schema}.{way.function}('{token}')", doorman=False)
    assert len(seen.rows) == 1
    for value in ("MRN-7700123", "900-11-2233", "Zebulon", "1931-02-28", "555-0142"):
        assert value not in seen.everything
