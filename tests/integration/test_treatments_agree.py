"""PostgreSQL's SQL and Python make the same of the same value, whatever a session has set."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from jupyter_gov.engines.postgres_canonical import DATED, Declared, Family
from jupyter_gov.engines.postgres_treatments import Treated, treated
from jupyter_gov.engines.postgres_treatments import canonical as subject_text
from jupyter_gov.masking.canonical import canonical
from jupyter_gov.masking.dates import days_of
from jupyter_gov.masking.model import SEALED, ColumnPolicy, Treatment
from jupyter_gov.masking.numbers import MOST, bucket, rounded
from jupyter_gov.masking.seals import CLOSE, OPEN
from tests.support.agreement import (
    BEYOND,
    ENGINE,
    HOSTILE,
    POLICIES,
    TYPES,
    WITHOUT,
    Agreement,
    prepare,
)
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


_NUMBERS = {Family.WHOLE, Family.NUMERIC, Family.FLOAT}


def same(declared: str, left: Any, right: Any) -> bool:
    """Equal, and of one type; a `character` is filled up, a `real` has fewer digits."""
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = zip(left, right, strict=True)
        return all(same(declared.removesuffix("[]"), a, b) for a, b in pairs)
    if declared.startswith("character(") and isinstance(left, str):
        left = left.rstrip(" ")
    if declared == "real" and isinstance(left, float) and isinstance(right, float):
        return struct.pack("f", left) == struct.pack("f", right)
    return bool(left == right) and type(left) is type(right)


def limits_of(declared: str, policy: ColumnPolicy, value: Any) -> Any:
    """The definition of what depends on the column's type: what would not fit any more."""
    top = Decimal(10) ** 10 - Decimal("0.01")
    bounds = {
        "smallint": (Decimal(-(2**15)), Decimal(2**15 - 1)),
        "integer": (Decimal(-(2**31)), Decimal(2**31 - 1)),
        "numeric": (-MOST, MOST),
        "numeric(12,2)": (-top, top),
    }.get(declared)
    digits = 6 if declared == "real" else 15
    if policy.treatment is Treatment.BUCKET:
        function = bucket(policy.width, policy.start, *([bounds] if bounds else []), digits=digits)
    else:
        function = rounded(policy.to, *([bounds] if bounds else []), digits=digits)
    if declared == "numeric(12,2)" and any(
        n % Decimal("0.01") for n in (policy.width, policy.start, policy.to)
    ):
        return None
    return function(value)


def expected(agreement: Agreement, declared: str, policy: ColumnPolicy, value: Any) -> Any:
    """What the definition makes of a value of that type."""
    if isinstance(value, list):
        if any(isinstance(each, list) for each in value):
            return None
        element = declared.removesuffix("[]")
        found = [expected(agreement, element, policy, each) for each in value]
        return None if _never(policy, element) else found
    if policy.treatment in (Treatment.BUCKET, Treatment.ROUND):
        return limits_of(declared, policy, value)
    return None if _never(policy, declared) else agreement.python(value, policy)


def _never(policy: ColumnPolicy, declared: str) -> bool:
    """Whether the treatment is not for that type at all: then an array is NULL as a whole."""
    family, kind = Declared.of(declared).family, policy.treatment
    if kind in (Treatment.PATHS, Treatment.WITHHOLD):
        return True
    if kind is Treatment.PSEUDONYM or kind in SEALED:
        return family in (Family.OTHER, Family.JSONB)
    whole = policy.width % 1 == 0 and policy.start % 1 == 0 and policy.to % 1 == 0
    return family not in {
        Treatment.PARTIAL: {*_NUMBERS, Family.TEXT, Family.UUID},
        Treatment.ZIP3: {Family.TEXT, Family.WHOLE, Family.NUMERIC},
        Treatment.AGE: {Family.TEXT, Family.WHOLE, Family.NUMERIC, *DATED},
        Treatment.BUCKET: _NUMBERS if whole else _NUMBERS - {Family.WHOLE},
        Treatment.ROUND: _NUMBERS if whole else _NUMBERS - {Family.WHOLE},
    }.get(kind, {Family.TEXT, *DATED})


def differences(
    agreement: Agreement, declared: str, pairs: Sequence[tuple[Any, Any]], settings: Any = None
) -> list[str]:
    """Where the two sides differ, under every treatment."""
    found = agreement.sql(declared, [given for given, _ in pairs], [*POLICIES.values()], settings)
    wrong = []
    for (text, value), row in zip(pairs, found, strict=True):
        for (name, policy), made in zip(POLICIES.items(), row, strict=True):
            due = expected(agreement, declared, policy, value)
            if not same(declared, made, due):
                wrong.append(f"{name} of {text!r}: SQL {made!r}, Python {due!r}")
    return wrong


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
