"""
What becomes of a column, in PostgreSQL's own SQL: the expressions of the masked views.

They raise no error, whatever a value is, since an error tells of the value; and they give the same
whatever a session has set.  They are to be made while ``pg_catalog`` is first on the search_path
(as it is unless a session says otherwise), in a database whose encoding is UTF-8.

An array is treated element by element, in its order.  One of more than one dimension is withheld.
A column of `jsonb` is rebuilt from its listed paths; of the types `json` and text, which may hold
what is no valid `jsonb`, such a column is withheld.
"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_gov.engines.postgres.canonical import Declared, Family, literal, text_of
from jupyter_gov.engines.postgres.masks import Place, mask
from jupyter_gov.masking.model import SEALED, ColumnPolicy, Treatment

_COLLATED = frozenset({"text", "character varying", "character", "bpchar"})
_TEXT, _NUMBER, _TRUTH = (Declared.of(name) for name in ("text", "numeric", "boolean"))


@dataclass(frozen=True, slots=True)
class Treated:
    """An expression, and its type as `format_type` spells it."""

    sql: str
    type: str


def canonical(column: str, declared: str) -> str:
    """
    The canonical text of a column: what `treated` takes as *subject*.

    NULL for a type that has none, so that what goes by it is withheld.
    """
    return text_of(column, Declared.of(declared)) or "CAST(NULL AS pg_catalog.text)"


def treated(
    column: str,
    declared: str,
    policy: ColumnPolicy,
    *,
    private: str,
    crypto: str | None,
    subject: str | None,
) -> Treated:
    """
    The treatment of one column.

    Args:
        column: a quoted SQL expression such as ``b."mrn"``.
        declared: its type as `format_type` spells it, domains resolved to what they are made of.
        private: the quoted schema of keys and lists.
        crypto: the quoted schema of pgcrypto; None: there is none, and what needs it is withheld.
        subject: what `canonical` makes of the table's subject column; None: it has none.
    """
    kind = Declared.of(declared)
    after = policy.treated_type(declared)
    if policy.treatment is Treatment.CLEAR:
        return Treated(column, declared)
    place = Place(private=private, crypto=crypto, subject=subject)
    made = None
    if kind.is_array:
        element = _single("u.e", Declared.of(kind.element), policy, place)
        if element is not None:
            made = (
                f"CASE WHEN pg_catalog.array_ndims({column}) > 1 THEN NULL"
                f" WHEN {column} IS NOT NULL"
                f" THEN ARRAY(SELECT {element} FROM pg_catalog.unnest({column}) AS u(e)) END"
            )
            made = f"CAST({made} AS {after})"
    else:
        made = _single(column, kind, policy, place)
    if made is None:
        return Treated(f"CAST(NULL AS {after})", after)
    return Treated(made, after)


def _single(x: str, kind: Declared, policy: ColumnPolicy, place: Place) -> str | None:
    """Not of an array; with the collation that a column has by default, as others compare."""
    if policy.treatment is Treatment.PATHS:
        return _node(x, policy, place) if kind.family is Family.JSONB else None
    made = mask(x, kind, policy, place)
    if made is None:
        return None
    after = Declared.of(policy.treated_type(kind.text))
    if after.modifier:
        made = f"CAST({made} AS {after.text})"  # a CASE without ELSE forgets lengths
    return f'({made}) COLLATE pg_catalog."default"' if after.base in _COLLATED else made


# ---------------------------------------------------------------- jsonb


def _node(v: str, policy: ColumnPolicy, place: Place, depth: int = 0) -> str | None:
    """
    What is left of a jsonb value; NULL where nothing is.  None: nothing can be.

    As `masking/paths.py` has it.
    """
    if policy.treatment is Treatment.CLEAR:
        return v
    if policy.treatment is Treatment.WITHHOLD:
        return None
    # One that is no array is taken as an array of one, so that what becomes of an element stands
    # here once: written twice at each level, a path of five keys would be written 32 times.
    a, e = f"a{depth}", f"e{depth}"
    is_array = f"pg_catalog.jsonb_typeof({v}) = 'array'"
    each = (
        f"CASE WHEN {is_array} THEN {v} WHEN {v} IS NULL THEN '[]'"
        f" ELSE pg_catalog.jsonb_build_array({v}) END"
    )
    made = _within(f"{a}.v", policy, place, depth + 1)
    return (
        f"(SELECT CASE WHEN {is_array} THEN"
        f" COALESCE(pg_catalog.jsonb_agg(COALESCE({e}.w, 'null') ORDER BY {e}.i), '[]')"
        f" ELSE (pg_catalog.array_agg({e}.w))[1] END"
        f" FROM (SELECT {made} AS w, {a}.i"
        f" FROM pg_catalog.jsonb_array_elements({each}) WITH ORDINALITY AS {a}(v, i) OFFSET 0)"
        f" AS {e})"
    )


def _within(v: str, policy: ColumnPolicy, place: Place, depth: int) -> str:
    """Of a value that is no array."""
    null = f"WHEN 'null' THEN {v}"
    if policy.treatment is Treatment.PATHS:
        rest = _object(v, policy, place, depth)
        return f"CASE pg_catalog.jsonb_typeof({v}) {null} WHEN 'object' THEN {rest} END"
    scalars = (
        ("string", f"({v} #>> '{{}}')", _TEXT),
        ("number", f"CAST({v} AS pg_catalog.numeric)", _NUMBER),
        ("boolean", f"CAST({v} AS pg_catalog.bool)", _TRUTH),
    )
    if policy.treatment is Treatment.PSEUDONYM or policy.treatment in SEALED:
        # They go by the canonical text: keys are fetched for it once, whatever it is the text of.
        texts = " ".join(f"WHEN '{name}' THEN {text_of(sql, kind)}" for name, sql, kind in scalars)
        made = mask(f"CASE pg_catalog.jsonb_typeof({v}) {texts} END", _TEXT, policy, place)
        rest = "" if made is None else f"ELSE pg_catalog.to_jsonb({made})"
        return f"CASE pg_catalog.jsonb_typeof({v}) {null} {rest} END"
    parts = [null]
    for name, sql, kind in scalars:
        made = mask(sql, kind, policy, place)
        if made is not None:
            parts.append(f"WHEN '{name}' THEN pg_catalog.to_jsonb({made})")
    return f"CASE pg_catalog.jsonb_typeof({v}) {' '.join(parts)} END"


def _object(v: str, policy: ColumnPolicy, place: Place, depth: int) -> str:
    rows = []
    for key, below in policy.paths:
        made = _node(f"({v} -> {literal(key)})", below, place, depth)
        if made is not None:
            rows.append(f"({literal(key)}, {made})")
    if not rows:
        return "CAST('{}' AS pg_catalog.jsonb)"
    k = f"k{depth}"
    return (
        f"(SELECT COALESCE(pg_catalog.jsonb_object_agg({k}.k, {k}.v)"
        f" FILTER (WHERE {k}.v IS NOT NULL), '{{}}') FROM (VALUES {', '.join(rows)}) AS {k}(k, v))"
    )
