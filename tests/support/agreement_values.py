"""
Values of every type that a treatment applies to: the ordinary, the odd and the extreme.

What PostgreSQL can hold and no type of Python's can (dates before year 1, infinity) is `BEYOND`:
of that, everything but a clear value is withheld.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

BEYOND: Any = ...

TEXTS = [
    None, "", " ", "  ", "\t", "\n", "a", "MRN-0012345", "900-12-3456", "1234567", "12345678",
    "12-34-56-78", "555-0199 ext. 2", "Zebulon Quartermain", "zoë", "ZOË QUARTERMAINÉ", "é1234567",
    "12345678é", "1234é5678", "日本語テキストです", "日本 MRN-0012345 号", "١٢٣٤٥٦٧٨",
    "12345678\u200b", "e\u0301" * 5, "\N{PILE OF POO}12345678",
    "\U0001F468\u200d\U0001F469 1234abcd", "שלום 12345678",
    "\u202e12345678", "\ufeff12345678", "\uffff12345678", "\U0010ffff1234abcd", "\u0378 unassigned",
    "\x01\x02\x1f\x7f12345678", "a\u0085b12345678", "12345678\u00a0", "\u2003 02139", "02139 ",
    " 02139", "02139\n", "02139\t", "02139", "02139-4307", "021394307", "03601", "20301-1234",
    "2139", "0213", "02139-", "02139-43", "SW1A 1AA", "٠٣٦٠١", "036012", "o'clock 12345678",
    "\\x41\\n12345678", "'; DROP TABLE given; --", "⟦gov:AAAA⟧", "NaN", "Infinity", "x" * 3000,
    "1" * 10_000, "1" * 10_001, "é" * 5_000, "é" * 5_001, "ÀÈ" * 20 + "12345678", "17", "17.0",
    "1975-08-31", "1975-08-31 10:11:12", "1975-08-31T10:11:12.5+02:00", "1975-08-31 10:11",
    "1975-08-31 10:11:12.123456789Z", "1975-08-31 24:00:00", "1975-08-31 10:60:00",
    "1975-08-31 10:11:12.1234567890", "1975-08-31 Zebulon", "1975-08-31T", "1975-08-31 ",
    "1975-08-31 10:11:12 +0530", "1975-08-31 10:11:12 -05", "1975-08-31\nx", "1975-08-31\n",
    "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2100-02-29", "0004-02-29",
    "1975-02-30", "1975-04-31", "1975-13-01", "1975-00-10", "1975-10-00", "0000-01-01",
    "0000-02-29", "0001-01-01", "9999-12-31", "9999-01-01", "10000-01-01", "-0044-03-15",
    "1975-8-31", "31.08.1975", "08/31/1975", " 1975-08-31", "1975-08-31x", "١٩٧٥-٠٨-٣١",
    "1936-01-01", "1899-12-31", "2999-01-01", "yesterday", "now", "infinity", "0044-03-15 BC",
]  # fmt: skip
_WHOLE = [None, 0, 1, -1, 2, 3, 4, 5, 7, 8, 12, 13, 17, -3, -13, -17, 42, 89, 90, 91, 2139, 3601]
_WHOLE += [32767, -32768, -32767, 32765, 32763, -32765]
_INTEGERS = [*_WHOLE, 97201, 99999, 100_000, 12345678, -12345678, 2**31 - 1, -(2**31)]
_INTEGERS += [2**31 - 3, 2**31 - 2, 3 - 2**31, 2 - 2**31]
_BIG = [*_INTEGERS, 2**63 - 1, -(2**63), 2**63 - 3, 3 - 2**63, 2**53 + 1, 123456789012345678]
_BIG += [10**15, 10**15 - 8, -(10**15), -(10**15) - 7, -(10**15) - 8, 9 - 2**63, 10 - 2**63]
_DECIMALS = [
    None, "0", "-0", "0.00", "1.50", "-1.5", "0.1", "0.15", "0.25", "-0.25", "0.05", "-0.05", "2.5",
    "7.5", "-7.5", "12.4999999999999999999999999999999", "9.99999999999999999999999999999999999",
    "2.99999999999999999999999999999999999999999999999999999", "17", "17.00", "02139", "2139.0",
    "3601.5", "90.0", "45.5", "123456789.5000", "-123456789.25", "99999.99", "100000",
    "123456789012345678901234567890", "999999999999999999999999999999.5", "1e30", "-1e30", "1e99",
    "1e100", "-1e131", "1e-99", "1e-100", "1e-101", "1.1e-100", "NaN", "Infinity", "-Infinity",
    "1e131000", "1e-16000",
]  # fmt: skip
_MONEYS = [v for v in _DECIMALS if v in (None, "NaN") or abs(Decimal(v)) < Decimal("9e9")]
_MONEYS = [*(v for v in _MONEYS if v is None or v == "NaN" or (len(v) < 16 and "e" not in v)),
           "9999999999.99", "-9999999999.99", "9999999999.98", "-9999999997.00"]  # fmt: skip
_FLOATS = [
    None, 0.0, -0.0, 1.0, -1.0, 17.0, 0.1, 0.5, 0.3, 0.7, 0.15, 2.5, 7.5, -7.5, 12.9999999999999999,
    12.999999999, 1e14, 1e15, 999999999999999.0, 1e16, 1e22, 1e300, -1e300, 5e-324, -5e-324, 1e-310,
    9007199254740993.0, 9.2e18, 9223372036854775807.0, 1e19, float("nan"), float("inf"),
    float("-inf"), 3.0000000000000004, 1 / 3, 2139.0, 123456789.0, 12345678.9,
    1.7976931348623157e308,
]  # fmt: skip
_REALS = [None, 0.0, -0.0, 1.0, 17.0, 0.5, 0.25, 2.5, -7.5, 16777216.0, 1e10, 1.401298464324817e-45,
          float("nan"), float("inf"), 0.10000000149011612, 0.699999988079071]  # fmt: skip


def _dates() -> list[tuple[str | None, Any]]:
    inside = [
        "0001-01-01", "0001-12-31", "0002-01-01", "0100-02-28", "1582-10-10", "1899-12-31",
        "1900-02-28", "1931-02-28", "1936-11-24", "1936-11-25", "1936-11-26", "1935-12-31",
        "1936-10-31", "1936-11-01", "1975-08-31", "2000-02-29", "2024-02-29", "2026-11-24",
        "2026-11-25", "2026-11-26", "2027-01-01", "9998-12-31", "9999-01-01", "9999-12-31",
    ]  # fmt: skip
    beyond = ["0001-12-31 BC", "4713-01-01 BC", "10000-01-01", "10000-12-31", "294276-12-31",
              "294277-01-01", "5874897-12-31", "infinity", "-infinity"]  # fmt: skip
    return [(None, None), *((d, date.fromisoformat(d)) for d in inside),
            *((d, BEYOND) for d in beyond)]  # fmt: skip


def _timestamps(zone: str = "") -> list[tuple[str | None, Any]]:
    inside = [
        f"{day} {time}"
        for day in (
            "0001-01-01",
            "1936-11-25",
            "1975-08-31",
            "2024-02-29",
            "2026-11-25",
            "9999-12-31",
        )
        for time in ("00:00:00", "10:11:12", "23:59:59.999999", "12:00:00.5", "00:00:00.000001")
    ]
    beyond = ["0001-12-31 23:59:59.999999 BC", "10000-01-01 00:00:00", "4713-12-31 BC",
              "294276-12-31 23:59:59.999999", "infinity", "-infinity"]  # fmt: skip
    made: list[tuple[str | None, Any]] = [(None, None)]
    for text in inside:
        at = datetime.fromisoformat(text)
        made.append((text + zone, at.replace(tzinfo=UTC) if zone else at))
    return made + [(text if "infinity" in text else text.replace(" BC", zone + " BC")
                    if "BC" in text else text + zone, BEYOND) for text in beyond]  # fmt: skip


def _money(text: str | None) -> Decimal | None:
    """As the column keeps it."""
    if text is None or text == "NaN":
        return None if text is None else Decimal(text)
    return Decimal(text).quantize(Decimal("0.01"), "ROUND_HALF_UP")


def _same(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [(value, value) for value in values]


def _decimals(values: Sequence[str | None]) -> list[tuple[Any, Any]]:
    return [(v, None if v is None else Decimal(v)) for v in values]


TYPES: dict[str, list[tuple[Any, Any]]] = {
    "text": _same(TEXTS),
    "character varying(20000)": _same(TEXTS),
    "character varying(12)": _same([t for t in TEXTS if t is None or len(t) <= 12]),
    "character(24)": [(t, None if t is None else t.rstrip(" ")) for t in TEXTS
                      if t is None or len(t) <= 24],
    "bpchar": [(t, None if t is None else t.rstrip(" ")) for t in TEXTS],
    "name": _same([t for t in TEXTS if t is None or len(t.encode()) < 64]),
    "citext": _same(TEXTS),
    "smallint": _same(_WHOLE),
    "integer": _same(_INTEGERS),
    "bigint": _same(_BIG),
    "numeric": _decimals(_DECIMALS),
    "numeric(12,2)": [(v, _money(v)) for v in _MONEYS],
    "double precision": [(None if v is None else repr(v), v) for v in _FLOATS],
    "real": [(None if v is None else repr(v), v) for v in _REALS],
    "boolean": _same([None, True, False]),
    "date": _dates(),
    "timestamp without time zone": _timestamps(),
    "timestamp(3) without time zone": [t for t in _timestamps() if ".000001" not in str(t[0])
                                       and ".999999" not in str(t[0])],
    "timestamp with time zone": _timestamps("+00"),
    "uuid": [(None, None), *((str(u), u) for u in (UUID(int=0), UUID(int=2**128 - 1),
             UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")))],
    "inet": _same([None, "10.0.0.1", "10.0.0.0/8", "::1", "2001:db8::/32"]),
    "cidr": _same([None, "10.0.0.0/8", "10.0.0.1/32", "2001:db8::/32"]),
    "bytea": _same([None, b"", b"17", b"\x00\xff\\'", b"MRN-0012345", bytes(range(256)) * 3]),
}  # fmt: skip
"""Type → pairs of what PostgreSQL is given and what that is in Python."""

WITHOUT = {
    "json": ['{"name": "a"}', r'{"name": "\u0000"}', "1e999999", None],
    "interval": ["1 day", "-3 mons", None],
    "time without time zone": ["10:11:12", None],
    "time with time zone": ["10:11:12+02", None],
    "money": ["12.50", None],
    "bit(3)": ["101", None],
    "xml": ["<a/>", None],
    "point": ["(1,2)", None],
    "int4range": ["[1,5)", None],
    "tsvector": ["a b", None],
    "macaddr": ["08:00:2b:01:02:03", None],
    '"char"': ["a", None],
    "oid": ["17", None],
    "public.mood": ["sad", None],
    "public.pair": ["(1,x)", None],
}
"""Types that no treatment applies to: all of them withhold, and `withhold` keeps the type."""
