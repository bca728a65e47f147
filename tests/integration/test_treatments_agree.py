"""PostgreSQL's SQL and Python make the same of the same value, whatever a session has set."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import md5
from typing import Any

import pytest

from jupyter_gov.engines.postgres.treatments import Treated, treated
from jupyter_gov.engines.postgres.treatments import canonical as subject_text
from jupyter_gov.masking.canonical import LONGEST, canonical
from jupyter_gov.masking.dates import days_of
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.seals import CLOSE, OPEN
from tests.support.agreement import (
    ENGINE,
    HOSTILE,
    POLICIES,
    Agreement,
    differences,
    prepare,
)
from tests.support.agreement_values import BEYOND, TYPES, WITHOUT
from tests.support.keys import KEYS
from tests.support.postgres import Server


@pytest.fixture(scope="module")
def agreement(postgres: Server) -> Iterator[Agreement]:
    """A database with keys."""
    made = prepare(postgres, "treatments")
    made.session.execute("CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (a int, b text)")
    yield made
    made.session.close()
    postgres.drop("treatments")


@pytest.mark.parametrize("settings", [None, *HOSTILE], ids=["own", "DMY", "YMD", "MDY"])
@pytest.mark.parametrize("declared", TYPES)
def test_every_value_of_every_type(agreement, declared, settings):
    """Under every treatment, whatever the session has set; and no value raises an error."""
    assert differences(agreement, declared, TYPES[declared], settings) == []


@pytest.mark.parametrize("declared", [name for name in TYPES if name != "citext"])
def test_arrays_are_treated_element_by_element(agreement, declared):
    """With their nulls and their order; of more dimensions than one, not at all."""
    given, values = zip(*TYPES[declared], strict=True)
    pairs: list[tuple[Any, Any]] = [
        (None, None), ([], []), ([None], [None]), (list(given), list(values)),
        (list(given[::-1]) * 2, list(values[::-1]) * 2),
        ([[given[1], None], [None, given[2]]], [[values[1], None], [None, values[2]]]),
    ]  # fmt: skip
    assert differences(agreement, f"{declared}[]", pairs, HOSTILE[0]) == []


@pytest.mark.parametrize("declared", [*WITHOUT, "public.mood[]", "interval[]"])
def test_what_no_treatment_applies_to_is_withheld(agreement, declared):
    """Not passed, and no error; `withhold` keeps every type."""
    given = WITHOUT.get(declared, [None, []])
    found = agreement.sql(declared, given, list(POLICIES.values()))
    assert found == [(None,) * len(POLICIES)] * len(given)


@pytest.mark.parametrize("declared", ["text", "character varying(12)", "character(24)"])
@pytest.mark.parametrize(
    ("locale", "deterministic"), [("tr-TR", True), ("und-u-ks-level1", False)], ids=["i", "all"]
)
def test_a_columns_collation_changes_nothing(agreement, declared, locale, deterministic):
    """Neither what it takes for a letter, nor what it takes for equal."""
    agreement.session.execute("DROP COLLATION IF EXISTS odd CASCADE")
    agreement.session.execute(
        f"CREATE COLLATION odd (provider = icu, locale = '{locale}',"
        f" deterministic = {deterministic})"
    )
    assert differences(agreement, declared, TYPES[declared], None, "odd") == []


@pytest.mark.parametrize("over", [0, 1])
def test_the_longest_text(agreement, over):
    """Beyond what a server surely handles it is withheld, not an error; up to there it agrees."""
    text = "1" * (LONGEST + over)
    for name in ("pseudonym", "seal"):
        own = treated(
            "x", "text", POLICIES[name], private='"gov private"', crypto="crypto", subject=None
        )
        made = agreement.session.execute(
            f"SELECT md5({own.sql}) FROM (VALUES (repeat('1', {len(text)}))) AS v(x)"
        ).fetchone()
        due = agreement.python(text, POLICIES[name])
        assert made == (None if due is None else md5(due.encode()).hexdigest(),)


class TestSeals:
    @pytest.mark.parametrize("declared", ["text", "integer", "date", "bytea"])
    def test_a_token_of_the_database_opens_here(self, agreement, declared):
        """Byte for byte as it would be made here, but for what no text is: that stays closed."""
        policy = POLICIES["seal"]
        pairs = TYPES[declared]
        found = agreement.sql(declared, [given for given, _ in pairs], [policy])
        for (_, value), (token,) in zip(pairs, found, strict=True):
            said = None if value is BEYOND else canonical(value)
            assert token == (None if said is None else ENGINE.seal(value, "seal:notes"))
            if isinstance(said, str):
                assert ENGINE.open(token) == ("seal:notes", said)
            elif isinstance(said, bytes):
                assert ENGINE.open(token) is None

    def test_an_altered_one_does_not(self, agreement):
        """Each bit counts, wherever it is."""
        ((token,),) = agreement.sql("text", ["Zebulon Quartermain, 555-0142"], [POLICIES["seal"]])
        assert ENGINE.open(token) is not None
        raw = bytearray(base64.urlsafe_b64decode(token[len(OPEN) : -len(CLOSE)]))
        for index in range(len(raw)):
            for bit in range(8):
                raw[index] ^= 1 << bit
                altered = OPEN + base64.urlsafe_b64encode(raw).decode() + CLOSE
                assert ENGINE.open(altered) is None
                raw[index] ^= 1 << bit
        for blocks in range(0, len(raw), 16):
            cut = OPEN + base64.urlsafe_b64encode(raw[:blocks]).decode() + CLOSE
            assert ENGINE.open(cut) is None

    def test_another_role_has_another_key(self, agreement):
        """A session without a row of its own seals nothing, and shows nothing."""
        agreement.session.execute("CREATE ROLE stranger")
        agreement.session.execute('GRANT USAGE ON SCHEMA "gov private", crypto TO stranger')
        agreement.session.execute('GRANT SELECT ON ALL TABLES IN SCHEMA "gov private" TO stranger')
        agreement.session.execute("SET SESSION AUTHORIZATION stranger")
        try:
            own = treated(
                "x",
                "text",
                POLICIES["seal"],
                private='"gov private"',
                crypto="crypto",
                subject=None,
            )
            row = agreement.session.execute(f"SELECT {own.sql} FROM (VALUES ('note')) AS v(x)")
            assert row.fetchone() == (None,)
        finally:
            agreement.session.execute("RESET SESSION AUTHORIZATION")

    def test_without_pgcrypto_what_needs_it_is_withheld(self):
        """And so is what has no subject to go by."""
        for name in ("seal", "fpe", "surrogate"):
            own = treated("x", "text", POLICIES[name], private="p", crypto=None, subject="s")
            assert own == Treated("CAST(NULL AS text)", "text")
        own = treated("x", "date", POLICIES["date_shift"], private="p", crypto="c", subject=None)
        assert own == Treated("CAST(NULL AS date)", "date")

    def test_without_its_parameters_a_treatment_withholds(self):
        """Which the check of the configuration refuses before."""
        for kind, declared in (("bucket", "integer"), ("round", "numeric"), ("date_shift", "date")):
            bare = ColumnPolicy(Treatment(kind))
            own = treated("x", declared, bare, private="p", crypto="c", subject="s")
            assert own == Treated(f"CAST(NULL AS {declared})", declared)


class TestDateShift:
    def test_intervals_stay_as_they_are(self, agreement):
        """Between dates, timestamps and texts about one subject; and no date stays."""
        days = ["1975-08-31", "1999-12-31", "2024-02-29", "2026-11-25"]
        moved = {
            declared: [row[0] for row in agreement.sql(declared, days, [POLICIES["date_shift"]])]
            for declared in ("date", "timestamp without time zone", "text")
        }
        by = {m - date.fromisoformat(d) for m, d in zip(moved["date"], days, strict=True)}
        assert len(by) == 1
        assert by != {timedelta(0)}
        assert [m.isoformat() for m in moved["date"]] == moved["text"]
        assert [m.date() for m in moved["timestamp without time zone"]] == moved["date"]

    def test_subjects_move_apart(self, agreement):
        """Over all days there are, either way, and never by none; NULL subjects are withheld."""
        own = treated(
            "b.d", "date", ColumnPolicy(Treatment.DATE_SHIFT, space="clinic", days=3),
            private='"gov private"', crypto=None, subject=subject_text("b.s", "integer"),
        )  # fmt: skip
        rows = agreement.session.execute(
            f"SELECT s, {own.sql} FROM (SELECT NULLIF(g, 0) AS s, DATE '2000-01-10' AS d"
            " FROM generate_series(0, 300) AS g) AS b"
        ).fetchall()
        shift_of = days_of(KEYS.shift("clinic"), 3)
        found = {s: None if d is None else (d - date(2000, 1, 10)).days for s, d in rows}
        assert found.pop(None) is None
        assert found == {s: shift_of(s) for s in found}
        assert set(found.values()) == {-3, -2, -1, 1, 2, 3}
