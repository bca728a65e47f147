"""Explaining over PostgreSQL, through the policy-test kit: no role is made, nothing is asked."""

from __future__ import annotations

import json
import os
import time

import pytest

from jupyter_gov.testing import (
    PolicyGateway,
    assert_no_value,
    assert_pseudonym,
    assert_refused,
    assert_withheld,
)
from tests.support.postgres_site import make


@pytest.fixture(scope="module")
def hospital(postgres, hospital_template, tmp_path_factory):
    """Provisioned, by an admin who keeps the state folder."""
    site = make(postgres, hospital_template, tmp_path_factory.mktemp("explained"))
    code, _, errors = site.provision()
    assert code == 0, errors
    yield site
    postgres.drop(site.database)


@pytest.fixture(scope="module")
def gateway(hospital):
    """A gateway for policy tests, with the keys that the projections use."""
    before = {name: os.environ.get(name) for name in hospital.gateway.env}
    os.environ.update(hospital.gateway.env)
    with PolicyGateway(hospital.gateway.config, state_dir=hospital.gateway.state_dir) as made:
        yield made
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def columns_of(told):
    return {
        f"{table.name}.{column.name}": column.treatment
        for table in told.tables
        for column in table.columns
    }


class TestExplain:
    def test_before_there_is_a_role(self, hospital, gateway):
        """What it may read, each with its treatment; and still no role afterwards."""
        ana = gateway.client("ana")
        told = ana.explain("hospital", "SELECT p.ssn, count(*) FROM patients AS p GROUP BY 1")
        assert (told.decision, told.eligibility, told.exact) == ("open", "analysis", False)
        assert columns_of(told) == {"patients.ssn": "pseudonym"}
        assert hospital.roles() == []

    def test_a_row_as_a_value(self, gateway):
        """Every column of it may be read."""
        told = gateway.client("ana").explain("hospital", "SELECT row_to_json(p) FROM patients p")
        (table,) = told.tables
        assert {"ssn", "mrn", "full_name", "patient_id"} <= {c.name for c in table.columns}

    @pytest.mark.parametrize(
        ("who", "sql", "code", "place"),
        [
            ("ana", "SELECT ssnn FROM patients", "unknown_name", 7),
            ("ana", "SELECT 1,\n  pg_sleep(10)", "statement_refused", 12),
            ("ivo", "SELECT * FROM claims", "out_of_scope", 14),
            ("noa", "SELECT pg_sleep(10)", "no_grant", None),
        ],
    )
    def test_a_refusal(self, hospital, gateway, who, sql, code, place):
        """With the error and the place that running it gives."""
        client = gateway.client(who)
        told = client.explain("hospital", sql)
        assert told.error.code == code
        assert (told.error.position.offset if told.error.position else None) == place
        with assert_refused(code) as refused:
            client.query("hospital", sql)
        assert refused.error.position == told.error.position

    def test_a_statement_without_end(self, gateway):
        """Is explained at once."""
        began = time.monotonic()
        sql = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) FROM t"
        assert gateway.client("ana").explain("hospital", sql).decision == "open"
        assert time.monotonic() - began < 2

    def test_from_the_configuration_alone(self, hospital, gateway):
        """The command finds the same."""
        sql = "SELECT ssn FROM patients"
        done = hospital.gateway.here("explain", "hospital", sql, "--as", "ana", "--json")
        told = json.loads(done.stdout)
        assert (told["decision"], told["eligibility"]) == ("open", "analysis")
        assert [t["columns"][0]["treatment"] for t in told["tables"]] == ["pseudonym"]


class TestAPolicyTest:
    def test_over_a_provisioned_database(self, hospital, gateway):
        """Queries run under the grant's own role, which ends with the gateway."""
        ana = gateway.client("ana")
        frame = ana.query("hospital", "SELECT mrn, full_name FROM patients")
        assert_withheld(frame, "full_name")
        assert_pseudonym(frame, "mrn")
        assert_no_value(frame, ["Zebulon", "Quartermain"])
        assert hospital.roles()
