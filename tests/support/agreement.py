"""The same treatment of the same value, by PostgreSQL's SQL and by Python, side by side."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from jupyter_gov.engines.postgres.canonical import DATED, Declared, Family
from jupyter_gov.engines.postgres.treatments import canonical, treated
from jupyter_gov.masking.model import SEALED, ColumnPolicy, Treatment
from jupyter_gov.masking.numbers import bucket, rounded
from jupyter_gov.masking.places import SMALL_ZIP3
from jupyter_gov.masking.seals import EngineSeals
from jupyter_gov.masking.treatments import Treats
from tests.support.keys import KEYS
from tests.support.postgres import Server

SEAL_KEY = bytes(range(64))
ENGINE = EngineSeals(SEAL_KEY)
SUBJECT = "patient-7"

POLICIES = {
    "withhold": ColumnPolicy(Treatment.WITHHOLD),
    "pseudonym": ColumnPolicy(Treatment.PSEUDONYM, "mrn", "clinic"),
    "odd domain": ColumnPolicy(Treatment.PSEUDONYM, "o'dd\\ dömain", "other"),
    "partial": ColumnPolicy(Treatment.PARTIAL),
    "year": ColumnPolicy(Treatment.YEAR),
    "month": ColumnPolicy(Treatment.MONTH),
    "date_shift": ColumnPolicy(Treatment.DATE_SHIFT, space="clinic", days=365),
    "age": ColumnPolicy(Treatment.AGE),
    "zip3": ColumnPolicy(Treatment.ZIP3),
    "bucket": ColumnPolicy(Treatment.BUCKET, width=Decimal(10), start=Decimal(3)),
    "fine bucket": ColumnPolicy(Treatment.BUCKET, width=Decimal("0.25")),
    "wide bucket": ColumnPolicy(Treatment.BUCKET, width=Decimal(10) ** 15, start=Decimal(-7)),
    "round": ColumnPolicy(Treatment.ROUND, to=Decimal(5)),
    "fine round": ColumnPolicy(Treatment.ROUND, to=Decimal("0.1")),
    "seal": ColumnPolicy(Treatment.SEAL, detector="notes"),
    "fpe": ColumnPolicy(Treatment.FPE, "mrn", "clinic", alphabet="alnum"),
    "surrogate": ColumnPolicy(Treatment.SURROGATE, "o'dd"),
    "paths": ColumnPolicy(
        Treatment.PATHS, paths=(("name", ColumnPolicy(Treatment.PARTIAL)),)
    ),
}  # fmt: skip

HOSTILE: Sequence[dict[str, str]] = (
    {"DateStyle": "SQL, DMY", "TimeZone": "Pacific/Kiritimati", "IntervalStyle": "sql_standard",
     "extra_float_digits": "-15", "bytea_output": "escape", "standard_conforming_strings": "off",
     "escape_string_warning": "off", "backslash_quote": "off"},
    {"DateStyle": "German, YMD", "TimeZone": "America/New_York", "IntervalStyle": "iso_8601",
     "extra_float_digits": "0", "lc_time": "C.UTF-8", "lc_monetary": "C.UTF-8",
     "lc_numeric": "C.UTF-8", "lc_messages": "C.UTF-8", "xmloption": "document"},
    {"DateStyle": "Postgres, MDY", "TimeZone": "Asia/Kathmandu",
     "IntervalStyle": "postgres_verbose", "timezone_abbreviations": "India",
     "array_nulls": "off", "transform_null_equals": "on",
     "quote_all_identifiers": "on", "enable_hashagg": "off", "work_mem": "64kB"},
)  # fmt: skip
"""What a session may set; nothing of it may change a result."""


@dataclass
class Agreement:
    """A database with keys, in which both sides are asked."""

    session: psycopg.Connection[Any]
    today: date

    def sql(
        self,
        declared: str,
        values: Sequence[Any],
        policies: Sequence[ColumnPolicy],
        settings: dict[str, str] | None = None,
        collation: str = "",
    ) -> list[tuple[Any, ...]]:
        """What PostgreSQL makes of each value, a row for each, under *settings*."""
        run = self.session.execute
        run("DROP TABLE IF EXISTS made, given")
        collated = f'COLLATE "{collation}"' if collation else ""
        run(f"CREATE TABLE given (id int, subject text {collated}, x {declared} {collated})")
        with self.session.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO given VALUES (%s, %s, CAST(%s AS {declared}))",
                [(i, SUBJECT, value) for i, value in enumerate(values)],
            )
        found = [
            treated(
                'b."x"', declared, policy,
                private='"gov private"', crypto="crypto", subject=canonical("b.subject", "text"),
            )
            for policy in policies
        ]  # fmt: skip
        columns = ", ".join(f"c{i} {own.type}" for i, own in enumerate(found))
        run(f"CREATE TABLE made (id int, {columns})")
        for name, value in (settings or {}).items():
            run(f"SET {name} = '{value}'")
        try:
            made = ", ".join(own.sql for own in found)
            run(f"INSERT INTO made SELECT b.id, {made} FROM given AS b")
        finally:
            run("RESET ALL")
        self.types_hold(found)
        return [row[1:] for row in run("SELECT * FROM made ORDER BY id").fetchall()]

    def types_hold(self, found: Sequence[Any]) -> None:
        """Each expression has the very type that it declares."""
        made = ", ".join(f"{own.sql} AS c{i}" for i, own in enumerate(found))
        self.session.execute(f"CREATE TEMP VIEW typed AS SELECT {made} FROM given AS b")
        rows = self.session.execute(
            "SELECT format_type(atttypid, atttypmod), collname FROM pg_attribute a"
            " LEFT JOIN pg_collation c ON c.oid = a.attcollation"
            " WHERE attrelid = 'typed'::regclass ORDER BY attnum"
        ).fetchall()
        self.session.execute("DROP VIEW typed")
        wrong = [
            f"{own.type} is {row}: {own.sql}"
            for row, own in zip(rows, found, strict=True)
            if row[0] != own.type.removeprefix("public.") or row[1] not in (None, "default", "C")
        ]
        assert not wrong, wrong

    def python(self, value: Any, policy: ColumnPolicy) -> Any:
        """What the definition makes of it; of an array, element by element."""
        if isinstance(value, list):
            if any(isinstance(each, list) for each in value):
                return None
            return [self.python(each, policy) for each in value]
        function = Treats(KEYS).of(policy, today=self.today, small=SMALL_ZIP3, seals=ENGINE)
        return function(value, SUBJECT) if policy.by_subject else function(value)


def prepare(server: Server, database: str) -> Agreement:
    """A database with keys as provisioning makes it."""
    server.create(database)
    session = server.connect(database)
    run = session.execute
    run("CREATE SCHEMA crypto; CREATE EXTENSION pgcrypto SCHEMA crypto; CREATE EXTENSION citext")
    run('CREATE SCHEMA "gov private"')
    run('CREATE TABLE "gov private".pad (name text PRIMARY KEY, inner_pad bytea, outer_pad bytea)')
    run(
        'CREATE TABLE "gov private".seal'
        " (role name PRIMARY KEY, inner_pad bytea, outer_pad bytea, cipher bytea)"
    )
    run('CREATE TABLE "gov private".small_area (zip3 text PRIMARY KEY)')
    with session.cursor() as cursor:
        cursor.executemany(
            'INSERT INTO "gov private".small_area VALUES (%s)', [(a,) for a in SMALL_ZIP3]
        )
    for name in ("clinic", "other"):
        for kind, key in (("space", KEYS.space(name)), ("shift", KEYS.shift(name))):
            run('INSERT INTO "gov private".pad VALUES (%s, %s, %s)', (f"{kind}:{name}", *pads(key)))
    run(
        'INSERT INTO "gov private".seal VALUES (session_user, %s, %s, %s)',
        (*pads(SEAL_KEY[:32]), SEAL_KEY[32:]),
    )
    row = run("SELECT timezone('UTC', now())::date").fetchone()
    assert row is not None
    return Agreement(session, row[0])


def pads(key: bytes) -> tuple[bytes, bytes]:
    """RFC 2104."""
    block = key.ljust(64, b"\0")
    return bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)


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
        "numeric(12,2)": (-top, top),
    }.get(declared)
    digits = 6 if declared == "real" else 15
    if policy.treatment is Treatment.BUCKET:
        function = bucket(policy.width, policy.start, bounds, digits)
    else:
        function = rounded(policy.to, bounds, digits)
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
    agreement: Agreement,
    declared: str,
    pairs: Sequence[tuple[Any, Any]],
    settings: dict[str, str] | None = None,
    collation: str = "",
) -> list[str]:
    """Where the two sides differ, under every treatment."""
    given = [given for given, _ in pairs]
    found = agreement.sql(declared, given, [*POLICIES.values()], settings, collation)
    wrong = []
    for (text, value), row in zip(pairs, found, strict=True):
        for (name, policy), made in zip(POLICIES.items(), row, strict=True):
            due = expected(agreement, declared, policy, value)
            if not same(declared, made, due):
                wrong.append(f"{name} of {text!r}: SQL {made!r}, Python {due!r}")
    return wrong
