"""
Each treatment of one value, in SQL.

`masking/treatments.py` has the definition; a test compares the two.  Each function takes the SQL
of a value that stands for itself (a column or a parameter), and returns the SQL of what becomes of
it, or None where the treatment does not apply to the type.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from decimal import Decimal

from jupyter_gov.engines.postgres.canonical import (
    DATED,
    FIRST,
    Declared,
    Family,
    bytes_of,
    hmac,
    literal,
    text_of,
    utc,
    within,
)
from jupyter_gov.masking.canonical import LONGEST, SHORT
from jupyter_gov.masking.dates import OLDEST_AGE
from jupyter_gov.masking.model import SEALED, ColumnPolicy, Treatment
from jupyter_gov.masking.numbers import MOST, MOST_FLOAT, Limits, edges, nearest
from jupyter_gov.masking.seals import BYTES, CLOSE, OPEN, STEP, TEXT, is_padded
from jupyter_gov.masking.treatments import PSEUDONYM_DIGITS, PSEUDONYM_PREFIX

_SIGNS = string.digits + string.ascii_letters
_SIGN, _OUTSIDE = "[0-9A-Za-z]", r"[^\u0001-\u007f]"
_DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
"""A day that there is, in ISO 8601."""
_TIME = (
    "(?:[ T](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
    "(?: ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
_TODAY = "pg_catalog.timezone(INTERVAL '0', pg_catalog.now())"
_OF_ANY_LENGTH = SEALED | {Treatment.PSEUDONYM}
_INTEGERS = {"smallint": 15, "integer": 31, "bigint": 63}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the expressions will stand."""

    private: str
    """The quoted schema of keys and lists."""
    crypto: str | None
    """The quoted schema of pgcrypto; None: there is none, and what needs it is withheld."""
    subject: str | None
    """SQL of the canonical text of the row's subject; None: the table has none."""

    def pads(self, name: str) -> str:
        return f"FROM {self.private}.pad WHERE name = {literal(name)}"


def mask(x: str, declared: Declared, policy: ColumnPolicy, place: Place) -> str | None:
    """See the module.  Not for `clear`, `withhold`, `paths` and arrays."""
    made = _mask(x, declared, policy, place)
    if made is None or declared.family not in (Family.TEXT, Family.BYTES):
        return made
    # A longer one could fail on what the server can allocate, and a failure tells of the value.
    most = LONGEST if policy.treatment in _OF_ANY_LENGTH else SHORT
    t = x if declared.family is Family.BYTES else text_of(x, declared)
    return _case(f"pg_catalog.octet_length({t}) <= {most}", made)


def _mask(x: str, declared: Declared, policy: ColumnPolicy, place: Place) -> str | None:
    match policy.treatment:
        case Treatment.PSEUDONYM:
            return _pseudonym(x, declared, policy, place)
        case Treatment.PARTIAL:
            return _partial(x, declared)
        case Treatment.YEAR:
            return _truncated(x, declared, "year")
        case Treatment.MONTH:
            return _truncated(x, declared, "month")
        case Treatment.DATE_SHIFT:
            return _shifted(x, declared, policy, place)
        case Treatment.AGE:
            return _age(x, declared)
        case Treatment.ZIP3:
            return _zip3(x, declared, place)
        case Treatment.BUCKET:
            return _numbers(x, declared, policy)
        case Treatment.ROUND:
            return _numbers(x, declared, policy)
        case Treatment.SEAL | Treatment.FPE | Treatment.SURROGATE:
            return _sealed(x, declared, policy, place)
        case _:
            return None


def _case(condition: str, then: str) -> str:
    return f"CASE WHEN {condition} THEN {then} END"


def _pseudonym(x: str, declared: Declared, policy: ColumnPolicy, place: Place) -> str | None:
    message = bytes_of(x, declared)
    if message is None:
        return None
    digest = hmac(place.pads(f"space:{policy.space}"), message, policy.domain.encode() + b"\0")
    first = f"pg_catalog.substr({digest}, 1, {PSEUDONYM_DIGITS // 2})"
    return f"pg_catalog.textcat('{PSEUDONYM_PREFIX}', pg_catalog.encode({first}, 'hex'))"


# ---------------------------------------------------------------- texts


def _partial(x: str, declared: Declared) -> str | None:
    """
    By code points of ASCII, whatever the collation.

    Most identifiers are ASCII and end in four letters or digits: for those `translate` does,
    which takes a fraction of what regular expressions take.
    """
    whole = declared.family is Family.FLOAT
    t = text_of(x, declared)
    if t is None or declared.family not in (
        Family.TEXT, Family.WHOLE, Family.NUMERIC, Family.FLOAT, Family.UUID,
    ):  # fmt: skip
        return None
    if whole:
        guard = f"{x} = pg_catalog.trunc({x}) AND pg_catalog.abs({x}) < 9223372036854775808"
    elif declared.family is Family.NUMERIC:
        guard = f"pg_catalog.abs({x}) < 'Infinity'"
    else:
        guard = f"{x} IS NOT NULL"
    # `translate` looks a sign up from the front, so the dash that most identifiers have is there.
    stars = f"'-{_SIGNS}', '-{'*' * len(_SIGNS)}'"
    plain = (
        f"CASE WHEN pg_catalog.length(pg_catalog.translate({t}, '-{_SIGNS}', '-'))"
        f" <= pg_catalog.length({t}) - 8"
        f" THEN pg_catalog.textcat(pg_catalog.translate(pg_catalog.left({t}, -4), {stars}),"
        f" pg_catalog.right({t}, 4))"
        f" ELSE pg_catalog.translate({t}, {stars}) END"
    )
    ascii_ = f"pg_catalog.octet_length({t}) = pg_catalog.length({t})"
    made = _case_else(f"{ascii_} AND {_ends_in_four(t)}", plain, _slow_partial(t))
    if declared.family is Family.TEXT:
        # The commonest of all, in a third of the time.
        ssn = (
            f"pg_catalog.octet_length({t}) = 11 AND {t} LIKE '___-__-____'"
            f" AND pg_catalog.translate({t}, '0123456789', '') = '--'"
        )
        last = f"pg_catalog.right({t}, 4)"
        made = _case_else(ssn, f"pg_catalog.textcat('***-**-', {last})", made)
    return _case(guard, made)


def _case_else(condition: str, then: str, otherwise: str) -> str:
    return f"CASE WHEN {condition} THEN {then} ELSE {otherwise} END"


def _ends_in_four(t: str) -> str:
    end = f"pg_catalog.right({t}, 4)"
    return f"pg_catalog.length({t}) >= 4 AND pg_catalog.translate({end}, '{_SIGNS}', '') = ''"


def _starred(t: str) -> str:
    return f"pg_catalog.regexp_replace({t}, {literal(f'{_SIGN}|{_OUTSIDE}')}, '*', 'g')"


def _slow_partial(t: str) -> str:
    end = literal(f"(?:{_SIGN}[^0-9A-Za-z]*){{4}}$")
    tail = f"pg_catalog.substring({t}, {end})"
    head = f"pg_catalog.left({t}, -pg_catalog.length({tail}))"
    kept = f"pg_catalog.regexp_replace({tail}, {literal(_OUTSIDE)}, '*', 'g')"
    count = f"pg_catalog.length(pg_catalog.regexp_replace({t}, '[^0-9A-Za-z]', '', 'g'))"
    return _case_else(f"{count} >= 8", f"pg_catalog.textcat({_starred(head)}, {kept})", _starred(t))


def _zip3(x: str, declared: Declared, place: Place) -> str | None:
    match declared.family:
        case Family.TEXT:
            t = text_of(x, declared)
            condition = (
                f"(pg_catalog.octet_length({t}) = 5"
                f" AND pg_catalog.translate({t}, '0123456789', '') = ''"
                f" OR {t} ~ '^ *[0-9]{{5}}(?:-?[0-9]{{4}})? *$')"
            )
            area = f"pg_catalog.substr(pg_catalog.ltrim({t}, ' '), 1, 3)"
        case Family.WHOLE | Family.NUMERIC:
            condition = f"{x} >= 0 AND {x} < 100000"
            if declared.family is Family.NUMERIC:
                condition += f" AND {x} = pg_catalog.trunc({x})"
            digits = f"CAST(CAST({x} AS pg_catalog.int4) AS pg_catalog.text)"
            area = f"pg_catalog.substr(pg_catalog.lpad({digits}, 5, '0'), 1, 3)"
        case _:
            return None
    area = f'{area} COLLATE pg_catalog."C"'
    small = f"{area} IN (SELECT zip3 FROM {place.private}.small_area)"
    return f"CASE WHEN {condition} THEN CASE WHEN {small} THEN '000' ELSE {area} END END"


# ---------------------------------------------------------------- dates


def _back(at: str, declared: Declared) -> str:
    """A timestamp without zone, in the column's own type."""
    if declared.family is Family.TIMESTAMPTZ:
        at = f"pg_catalog.timezone(INTERVAL '0', {at})"
    return f"CAST({at} AS {declared.element})"


def _text_day(t: str) -> str:
    return f"CAST(pg_catalog.substr({t}, 1, 10) AS pg_catalog.timestamp)"


def _floor(unit: str) -> str:
    """Where everybody's dates meet who is 90 or more, once a query."""
    past = f"{_TODAY} - pg_catalog.make_interval({OLDEST_AGE})"
    return f"(SELECT pg_catalog.date_trunc('{unit}', {past}))"


def _truncated(x: str, declared: Declared, unit: str) -> str | None:
    if declared.family is Family.TEXT:
        t = text_of(x, declared)
        keep, rest = (4, "-01-01") if unit == "year" else (7, "-01")
        floor = (
            f"(SELECT pg_catalog.to_char(pg_catalog.date_trunc('{unit}', {_TODAY}"
            f" - pg_catalog.make_interval({OLDEST_AGE})), 'YYYY-MM-DD'))"
        )
        made = f"GREATEST(pg_catalog.textcat(pg_catalog.substr({t}, 1, {keep}), '{rest}'), {floor})"
        return _case(
            f"{t} ~ {literal(f'^{_DAY}(?:[ T].*)?$')}", f"CAST({made} AS {declared.element})"
        )
    if declared.family not in DATED:
        return None
    start = f"pg_catalog.date_trunc('{unit}', {utc(x, declared.family)})"
    made = f"GREATEST({start}, {_floor(unit)})"
    return _case(within(x, declared.family), _back(made, declared))


def _age(x: str, declared: Declared) -> str | None:
    match declared.family:
        case Family.WHOLE:
            return _case(f"{x} >= 0", f"CAST(LEAST({x}, {OLDEST_AGE}) AS pg_catalog.int4)")
        case Family.NUMERIC:
            whole = f"{x} >= 0 AND {x} < 'Infinity' AND {x} = pg_catalog.trunc({x})"
            return _case(whole, f"CAST(LEAST({x}, {OLDEST_AGE}) AS pg_catalog.int4)")
        case Family.TEXT:
            t = text_of(x, declared)
            condition, at = f"{t} ~ {literal(f'^{_DAY}(?:[ T].*)?$')}", _text_day(str(t))
        case family if family in DATED:
            condition, at = within(x, family), utc(x, family)
        case _:
            return None
    years = f"({_number_of_day(_TODAY, once=True)} - {_number_of_day(at)}) / 10000"
    born = f"{at} < (SELECT pg_catalog.date_trunc('day', {_TODAY}) + INTERVAL '1 day')"
    return _case(condition, _case(born, f"LEAST({years}, {OLDEST_AGE})"))


def _number_of_day(at: str, *, once: bool = False) -> str:
    """20261231: the difference of two, divided by 10000, is whole years."""
    parts = " + ".join(
        f"{by} * pg_catalog.date_part('{unit}', {at})"
        for unit, by in (("year", 10000), ("month", 100), ("day", 1))
    )
    made = f"CAST({parts} AS pg_catalog.int4)"
    return f"(SELECT {made})" if once else made


def _shifted(x: str, declared: Declared, policy: ColumnPolicy, place: Place) -> str | None:
    if place.subject is None or policy.days < 1:
        return None
    days, most = _days(policy, place), policy.days
    if declared.family is Family.TEXT:
        t = text_of(x, declared)
        day, rest = _text_day(str(t)), f"pg_catalog.substr({t}, 11)"
        moved = f"{day} + pg_catalog.make_interval(0, 0, 0, {days})"
        made = f"pg_catalog.textcat(pg_catalog.to_char({moved}, 'YYYY-MM-DD'), {rest})"
        valid = f"{t} ~ {literal(f'^{_DAY}{_TIME}$')}"
        made = f"CAST({made} AS {declared.element})"
        return _case(valid, _inside(day, moved, made, most))
    if declared.family is Family.DATE:
        at = utc(x, declared.family)
        inside = _inside(at, f"{x} + {days}", f"{x} + {days}", most)
        return _case(within(x, declared.family), inside)
    if declared.family in DATED:
        at = utc(x, declared.family)
        moved = f"{at} + pg_catalog.make_interval(0, 0, 0, {days})"
        inside = _inside(at, moved, _back(moved, declared), most)
        return _case(within(x, declared.family), inside)
    return None


def _days(policy: ColumnPolicy, place: Place) -> str:
    """
    In ±days, never 0: of n values that are drawn, n odd numbers around 0, halved away from it.

    So the hash stands in the expression once.
    """
    message = f"pg_catalog.convert_to({place.subject}, 'UTF8')"
    digest = hmac(place.pads(f"shift:{policy.space}"), message)
    bits = f"pg_catalog.substr(pg_catalog.encode({digest}, 'hex'), 1, 7)"
    drawn = f"CAST(CAST(pg_catalog.textcat('x', {bits}) AS bit(28)) AS pg_catalog.int4)"
    odd = f"(2 * pg_catalog.mod({drawn}, {2 * policy.days}) - {2 * policy.days - 1})"
    return f"CAST(pg_catalog.round(CAST({odd} AS pg_catalog.numeric) / 2) AS pg_catalog.int4)"


def _inside(at: str, moved: str, made: str, most: int) -> str:
    """*made* while it stays in the years 1 to 9999; only near them it is computed to be seen."""
    from_, to = f"DATE '0001-01-01' + {most}", f"DATE '9999-12-31' - {most}"
    ends = f"{moved} >= {FIRST} AND {moved} < TIMESTAMP '10000-01-01 00:00:00'"
    return f"CASE WHEN {at} BETWEEN {from_} AND {to} OR ({ends}) THEN {made} END"


# ---------------------------------------------------------------- numbers


def _numbers(x: str, declared: Declared, policy: ColumnPolicy) -> str | None:
    if (policy.width if policy.treatment is Treatment.BUCKET else policy.to) <= 0:
        return None
    match declared.family:
        case Family.WHOLE:
            return _of_whole(x, declared, policy)
        case Family.NUMERIC:
            return _of_numeric(x, declared, policy)
        case Family.FLOAT:
            x8 = f"CAST({x} AS pg_catalog.float8)"
            most = f"pg_catalog.abs({x8}) < CAST({MOST_FLOAT} AS pg_catalog.float8)"
            made = _decimal(f"CAST({x} AS pg_catalog.numeric)", policy)
            return _case(most, f"CAST({made} AS {declared.element})")
        case _:
            return None


def _of_whole(x: str, declared: Declared, policy: ColumnPolicy) -> str | None:
    """In 64 bits throughout; `edges` and `nearest` say where nothing can overflow."""
    if any(number != int(number) for number in (policy.width, policy.start, policy.to)):
        return None
    bits = _INTEGERS[declared.base]
    limits = Decimal(-(2**bits)), Decimal(2**bits - 1)
    v = f"CAST({x} AS pg_catalog.int8)"
    if policy.treatment is Treatment.BUCKET:
        width, low = int(policy.width), edges(limits, policy.width, policy.start)
        over = f"{_mod(v, width)} - {_int8(int(policy.start) % width)}"
        over = _mod(f"{_mod(over, width)} + {_int8(width)}", width)
        return _case(f"{v} >= {_int8(int(low))}", f"CAST({v} - {over} AS {declared.element})")
    to, (low, high) = int(policy.to), nearest(limits, policy.to)
    over = _mod(v, to)
    away = f"CASE WHEN 2 * pg_catalog.abs({over}) >= {_int8(to)} THEN"
    away = f"{away} CASE WHEN {v} < 0 THEN -{_int8(to)} ELSE {_int8(to)} END ELSE 0 END"
    fits = f"CAST({v} AS pg_catalog.numeric) > {low} AND CAST({v} AS pg_catalog.numeric) < {high}"
    return _case(fits, f"CAST({v} - {over} + {away} AS {declared.element})")


def _mod(x: str, by: int) -> str:
    """As a function: a per cent sign is a placeholder to some clients."""
    return f"pg_catalog.mod({x}, {_int8(by)})"


def _int8(number: int) -> str:
    return f"CAST('{number}' AS pg_catalog.int8)"


def _numeric(number: Decimal) -> str:
    return f"CAST('{number:f}' AS pg_catalog.numeric)"


def _limits(declared: Declared) -> Limits:
    """What the column can hold, as far as anything is treated at all."""
    if not declared.modifier:
        return -MOST, MOST
    precision, scale = (*declared.modifier, 0)[:2]
    top = min(Decimal(10) ** (precision - scale), MOST) - Decimal(10) ** -max(scale, 0)
    return -top, top


def _of_numeric(x: str, declared: Declared, policy: ColumnPolicy) -> str | None:
    if declared.modifier:
        scale = (*declared.modifier, 0)[1]
        parts = (policy.width, policy.start, policy.to)
        if scale < 0 or any(number % Decimal(10) ** -scale for number in parts):
            return None
    low, high = _limits(declared)
    if policy.treatment is Treatment.BUCKET:
        fits = f"{x} >= {_numeric(edges((low, high), policy.width, policy.start))}"
    else:
        low, high = nearest((low, high), policy.to)
        fits = f"{x} > {_numeric(low)} AND {x} < {_numeric(high)}"
    made = f"CAST({_decimal(x, policy)} AS {declared.element})"
    return _case(f"pg_catalog.abs({x}) < {_numeric(MOST)} AND {fits}", made)


def _decimal(v: str, policy: ColumnPolicy) -> str:
    if policy.treatment is Treatment.BUCKET:
        width = _numeric(policy.width)
        over = f"pg_catalog.mod({v} - {_numeric(policy.start)}, {width})"
        return f"({v} - pg_catalog.mod({over} + {width}, {width}))"
    to = _numeric(policy.to)
    over = f"pg_catalog.mod({v}, {to})"
    away = (
        f"CASE WHEN 2 * pg_catalog.abs({over}) >= {to} THEN pg_catalog.sign({v}) * {to} ELSE 0 END"
    )
    return f"({v} - {over} + {away})"


# ---------------------------------------------------------------- seals


def _sealed(x: str, declared: Declared, policy: ColumnPolicy, place: Place) -> str | None:
    if place.crypto is None:
        return None
    if declared.family is Family.BYTES:
        value = f"pg_catalog.translate(pg_catalog.encode({x}, 'base64'), {literal(chr(10))}, '')"
        mark = BYTES
    else:
        text = text_of(x, declared)
        if text is None:
            return None
        value, mark = text, TEXT
    head = (policy.kind.encode() + mark).hex()
    plain = (
        f"pg_catalog.byteacat(pg_catalog.decode('{head}', 'hex'),"
        f" pg_catalog.convert_to({value}, 'UTF8'))"
    )
    if is_padded(policy.kind):
        zeros = f"pg_catalog.decode('{'00' * STEP}', 'hex')"
        length = f"pg_catalog.octet_length(p.plain) + {STEP - 1}"
        missing = f"{STEP - 1} - pg_catalog.mod({length}, {STEP})"
        plain = (
            f"(SELECT pg_catalog.byteacat(p.plain, pg_catalog.substr({zeros}, 1, {missing}))"
            f" FROM (SELECT {plain} AS plain OFFSET 0) AS p)"
        )
    row = f"FROM {place.private}.seal WHERE role = SESSION_USER"
    iv = f"pg_catalog.substr({hmac(row, 's.plain')}, 1, 16)"
    # OFFSET 0 keeps the planner from putting each expression where its name stands: the hash
    # would be computed as often as it is mentioned.
    body = f"{place.crypto}.encrypt_iv(t.plain, (SELECT cipher {row}), t.iv, 'aes-cbc/pad:pkcs')"
    spelled = f"pg_catalog.encode(pg_catalog.byteacat(t.iv, {body}), 'base64')"
    url = f"pg_catalog.translate({spelled}, {literal('+/' + chr(10))}, '-_')"
    token = f"pg_catalog.textcat(pg_catalog.textcat('{OPEN}', {url}), '{CLOSE}')"
    return (
        f"(SELECT {token} FROM (SELECT s.plain, {iv} AS iv FROM (SELECT {plain} AS plain OFFSET 0)"
        " AS s OFFSET 0) AS t)"
    )
