"""Every treatment through PostgreSQL's own wall, as the grant's role and the frame see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jupyter_gov.connections.model import Paths
from jupyter_gov.masking.dates import days_of
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from tests.support.postgres import Server
from tests.support.postgres_wall import Wall, hospital, walls

KEY = b"k" * 32
BY_TAG = {
    "mrn": ColumnPolicy(Treatment.PSEUDONYM, "mrn", "s"),
    "part": ColumnPolicy(Treatment.PARTIAL),
    "moved": ColumnPolicy(Treatment.DATE_SHIFT, space="s", days=365),
    "month": ColumnPolicy(Treatment.MONTH),
    "age": ColumnPolicy(Treatment.AGE),
    "bucket": ColumnPolicy(Treatment.BUCKET, width=Decimal(20)),
    "round": ColumnPolicy(Treatment.ROUND, to=Decimal(100)),
    "zip": ColumnPolicy(Treatment.ZIP3),
    "year": ColumnPolicy(Treatment.YEAR),
    "subject": ColumnPolicy(Treatment.CLEAR),
    "plain": ColumnPolicy(Treatment.CLEAR),
}
TAGS = {
    "patients": {
        "patient_id": "subject", "mrn": "mrn", "ssn": "part", "dob": "moved", "zip": "zip",
        "registered_on": "month", "alt_phones": "part", "risk_score": "bucket", "phone": "part",
    },
    "encounters": {"encounter_id": "plain", "patient_id": "subject", "started_at": "moved",
                   "ended_at": "moved"},
    "claims": {"claim_id": "plain", "patient_id": "subject", "billed_amount": "round"},
    "fhir_resources": {
        "resource_id": "plain", "patient_id": "subject",
        "doc": Paths((("resourceType", "plain"), ("birthDate", "year"),
                      ("name", Paths((("family", "part"),))))),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def wall(postgres: Server, hospital_template: str) -> Iterator[Wall]:
    """The hospital under a profile with every treatment that an engine does."""
    profile, _, schemas = hospital()
    profile = replace(profile, by_tag=BY_TAG, tags=TAGS)
    with walls(postgres, hospital_template, {"one": profile}, TAGS, schemas) as made:
        yield made["one"]


@pytest.fixture(scope="module")
def raw(postgres: Server, hospital_template: str) -> Any:
    """What the database itself says."""
    database = "treatments_raw"
    postgres.create(database, hospital_template)

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with postgres.connect(database) as session:
            return session.execute(sql).fetchall()

    yield ask
    postgres.drop(database)


def seen(wall: Wall, sql: str) -> list[tuple[Any, ...]]:
    """The rows; no cell may have been withheld for its shape."""
    found = wall.ask(sql)
    assert found.error is None, found.error
    assert found.fault is None, found.fault
    assert found.mismatched == 0
    return found.rows


def test_dates_of_a_patient_move_together_over_tables(wall, raw):
    """Birth and visits by the same days, so that ages and lengths of stay are as they were."""
    sql = (
        "SELECT p.patient_id, p.dob, e.started_at, e.ended_at - e.started_at FROM patients p"
        " JOIN encounters e USING (patient_id) ORDER BY e.encounter_id"
    )
    shift_of = days_of(KEY, 365)
    shown = seen(wall, sql)
    assert len(shown) > 20
    for made, true in zip(shown, raw(sql), strict=True):
        by = timedelta(days=shift_of(true[0]) or 0)
        assert by
        assert made[0] == true[0]
        assert date.fromisoformat(str(made[1])[:10]) == true[1] + by
        assert made[2].to_pydatetime() == true[2] + by
        assert made[3].to_pytimedelta() == true[3]


@pytest.mark.parametrize(
    ("shown", "true"),
    [
        ("SELECT sum(risk_score) FROM patients", "SELECT sum(risk_score / 20 * 20) FROM patients"),
        ("SELECT sum(billed_amount)::bigint FROM claims",
         "SELECT sum(round(billed_amount / 100) * 100)::bigint FROM claims"),
        ("SELECT count(DISTINCT mrn), min(length(mrn)) FROM patients",
         "SELECT count(DISTINCT mrn), 22 FROM patients"),
        ("SELECT zip, count(*) FROM patients GROUP BY 1 ORDER BY 1",
         "SELECT left(zip, 3), count(*) FROM patients GROUP BY 1 ORDER BY 1"),
        ("SELECT ssn FROM patients ORDER BY patient_id",
         "SELECT '***-**-' || right(ssn, 4) FROM patients ORDER BY patient_id"),
        ("SELECT patient_id, x FROM patients, unnest(alt_phones) x ORDER BY 1, 2",
         "SELECT patient_id, '+*-***-***-' || right(x, 4) FROM patients, unnest(alt_phones) x"
         " ORDER BY 1, 2"),
        ("SELECT doc ->> 'birthDate', doc -> 'name' -> 0 ->> 'family', doc ? 'identifier'"
         " FROM fhir_resources ORDER BY resource_id LIMIT 2",
         "VALUES ('1936-01-01', '*******main', false), ('1988-01-01', '**********-**afor', false)"),
        ("SELECT min(registered_on)::text FROM patients",
         "SELECT date_trunc('month', min(registered_on))::date::text FROM patients"),
        ("SELECT count(full_name), count(email), count(notes) FROM patients", "SELECT 0, 0, 0"),
    ],
    ids=["bucket", "round", "pseudonym", "zip3", "partial", "array", "jsonb", "month", "untagged"],
)  # fmt: skip
def test_what_a_statement_meets(wall, raw, shown, true):
    """Of the column's own type, so that ordinary SQL goes on working."""
    assert [tuple(map(str, row)) for row in seen(wall, shown)] == [
        tuple(map(str, row)) for row in raw(true)
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM patients",
        "SELECT * FROM encounters",
        "SELECT * FROM claims",
        "SELECT * FROM fhir_resources",
        "SELECT alt_phones, dob, registered_on, risk_score, zip, ssn FROM patients",
    ],
)
def test_treated_columns_have_their_shape(wall, sql):
    """The frame's last look withholds none of them."""
    assert seen(wall, sql)
