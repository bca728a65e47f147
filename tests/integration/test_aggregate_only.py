"""An aggregate-only grant counts groups of at least so many people, and shows no row."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from jupyter_gov.errors import GovError, StatementRefused, UnknownName
from tests.conftest import populate
from tests.support.gateway import running

LAB = """
c.GovConnections.connections["counts"] = dict(c.GovConnections.connections["clinic"])
c.GovAccess.eligibilities["counts"] = {
    "who": ["group:analysts"], "connection": "counts",
    "tables": ["patients", "encounters", "providers", "v_readmissions"],
    "aggregate_only": True, "min_group": 11,
}
"""


@pytest.fixture(scope="module")
def site(make_site):
    """The demo with one more connection, of which only groups may be seen."""
    made = make_site(LAB)
    tags = made.config.with_name("clinic-tags.toml")
    text = tags.read_text()
    tags.write_text(text + text.replace("[clinic.", "[counts."))
    with running(made) as gateway:
        yield populate(gateway)


@pytest.fixture(scope="module")
def counts(site):
    return site.analyst().connect("counts")


def truth(clinic_db, sql: str) -> list[tuple[object, ...]]:
    """What the bare file says."""
    with closing(sqlite3.connect(clinic_db)) as connection:
        return connection.execute(sql).fetchall()


class TestExplained:
    def test_what_it_is_held_to(self, counts):
        """The size of a group, and the column that says whom a row is about."""
        told = counts.explain("SELECT sex, count(*) AS n FROM patients GROUP BY sex")
        assert (told.error, told.min_group) == (None, 11)
        assert {c.name for t in told.tables for c in t.columns} == {"sex", "patient_id"}

    @pytest.mark.parametrize("sql", ["SELECT sex FROM patients", "SELECT sexx, count(*) FROM "
                                     "patients GROUP BY 1"])  # fmt: skip
    def test_a_refusal(self, counts, sql):
        """Is the one that running it gives, with the place in the user's own text."""
        told = counts.explain(sql)
        with pytest.raises(GovError) as refused:
            counts.query(sql)
        assert (told.rule, told.error.position) == (refused.value.message, refused.value.position)


class TestGroups:
    def test_small_ones_are_left_out_and_others_are_whole(self, counts, clinic_db):
        """Each group that is shown has eleven people, and none that has is missing."""
        sql = "SELECT language, race, count(*) AS n FROM patients GROUP BY 1, 2"
        bare = truth(clinic_db, sql)
        large = [n for _, _, n in bare if n >= 11]
        assert 0 < len(large) < len(bare)
        assert sorted(counts.query(sql).n) == sorted(large)

    def test_people_count_and_not_rows(self, counts, clinic_db):
        """A hundred visits of three people are a group of three."""
        sql = "SELECT icd10, count(*) AS n, count(DISTINCT patient_id) AS people FROM encounters"
        shown = counts.query(f"{sql} GROUP BY icd10")
        bare = truth(clinic_db, f"{sql} GROUP BY icd10")
        assert sorted(shown.people) == sorted(people for _, _, people in bare if people >= 11)
        assert any(n >= 11 > people for _, n, people in bare)

    def test_the_whole_is_a_group(self, counts, clinic_db):
        """Without GROUP BY."""
        assert counts.query("SELECT count(*) AS n FROM patients").n[0] == 500
        found = counts.query("SELECT count(*) AS n FROM patients WHERE registered_on < '1900'")
        assert len(found) == 0

    def test_a_join_counts_the_people_of_both(self, counts, clinic_db):
        """And the HAVING of the user's own stays."""
        sql = (
            "SELECT e.department, count(*) AS n FROM encounters e JOIN patients p"
            " ON p.patient_id = e.patient_id WHERE p.sex = 'F' GROUP BY e.department"
        )
        shown = counts.query(f"{sql} HAVING count(*) > :least ORDER BY n DESC", least=50)
        people = sql.replace("count(*) AS n", "count(*), count(DISTINCT p.patient_id)")
        bare = truth(clinic_db, people)
        assert list(shown.n) == sorted((n for _, n, k in bare if k >= 11 and n > 50), reverse=True)

    def test_a_table_about_nobody_counts_rows(self, counts, clinic_db):
        """Providers are at work."""
        shown = counts.query("SELECT department, count(*) AS n FROM providers GROUP BY 1")
        bare = truth(clinic_db, "SELECT department, count(*) FROM providers GROUP BY 1")
        assert sorted(shown.n) == sorted(n for _, n in bare if n >= 11)


class TestRefusals:
    @pytest.mark.parametrize(
        "sql",
        [
            "SELECT * FROM patients",
            "SELECT max(birth_date) FROM patients",
            "SELECT count(*) FROM patients WHERE patient_id = 7",
            "SELECT count(*) FROM patients WHERE rowid = 7",
            "SELECT sum(CASE WHEN patient_id = 7 THEN 1 ELSE 0 END) FROM patients",
            "SELECT count(*) FROM (SELECT * FROM patients LIMIT 1)",
        ],
    )
    def test_what_could_show_one_person(self, counts, sql):
        """Is refused and recorded, with what may be asked instead."""
        with pytest.raises(StatementRefused) as refused:
            counts.query(sql)
        assert "aggregate-only" in refused.value.hint
        assert refused.value.record

    def test_a_view_is_refused_by_name(self, counts):
        """Whom its rows are about is not known."""
        with pytest.raises(StatementRefused, match="v_readmissions is a view"):
            counts.query("SELECT count(*) FROM v_readmissions")

    def test_an_error_of_the_database_points_into_the_users_own_text(self, counts):
        """Though what ran was longer."""
        sql = "SELECT sex, count(*) FROM patients\nGROUP BY sex\nORDER BY sex, count(nope)"
        with pytest.raises(UnknownName) as refused:
            counts.query(sql)
        place = refused.value.position
        assert (place.line, place.column) == (3, 21)

    def test_explain_says_the_same(self, counts):
        """Before anything runs."""
        assert counts.explain("SELECT max(birth_date) FROM patients").decision == "deny"
        told = counts.explain("SELECT sex, count(*) FROM patients GROUP BY sex")
        assert told.decision == "allow"

    def test_other_grants_show_rows_as_before(self, site):
        """It is a matter of the eligibility."""
        assert len(site.analyst().connect("clinic").query("SELECT sex FROM patients")) == 500
