"""A jsonb column rebuilt by PostgreSQL's SQL is what Python makes of the same JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_gov.engines.postgres.treatments import treated
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from tests.support.agreement import HOSTILE, POLICIES, SUBJECT, Agreement, prepare
from tests.support.postgres import Server

CLEAR = ColumnPolicy(Treatment.CLEAR)
MASKS = {name: POLICIES[name] for name in POLICIES if name not in ("paths", "withhold")}
FHIR = ColumnPolicy(
    Treatment.PATHS,
    paths=(
        ("resourceType", CLEAR),
        ("birthDate", POLICIES["year"]),
        ("id", POLICIES["pseudonym"]),
        ("secret", POLICIES["withhold"]),
        (
            "name",
            ColumnPolicy(
                Treatment.PATHS,
                paths=(
                    ("family", POLICIES["partial"]),
                    ("given", POLICIES["surrogate"]),
                    ("o'dd \\key", CLEAR),
                ),
            ),
        ),
        ("address", ColumnPolicy(Treatment.PATHS, paths=(("postalCode", POLICIES["zip3"]),))),
        ("period", ColumnPolicy(Treatment.PATHS, paths=(("start", POLICIES["date_shift"]),))),
    ),
)
EVERY = ColumnPolicy(
    Treatment.PATHS, paths=tuple((name.replace(" ", "_"), mask) for name, mask in MASKS.items())
)
"""Each mask under a key of its own name."""
SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 17, 17.0, 0.5, 2139, 99999, 100000, 91, -3, 1e15, 1e29, 1e30, 1e99,
    1e100, 1e-99, 1e-101, 12.4999, 123456789.25, "", "MRN-0012345", "zoë 12345678", "02139",
    "1975-08-31", "1975-08-31T10:11:12Z", "1975-02-30", "\N{PILE OF POO}", "a\nb\"c\\d", "NaN",
    "x" * 300,
]  # fmt: skip
SHAPES: list[Any] = [
    {}, [], [[]], {"name": None}, {"name": []}, {"name": {}}, {"name": [{}, None, 7, []]},
    {"resourceType": {"deep": [1, {"x": [[2]]}]}, "secret": "x", "other": "x"},
    {"name": [{"family": "Quartermain"}, {"family": ["Quartermain", None, ["nested"]], "x": 1}]},
    {"name": {"family": {"no": "leaf"}, "o'dd \\key": [["as", "it"], {"is": None}]}},
    {"name": {"given": ["Zebulon", "Ottoline"]}, "birthDate": "1931-02-28", "id": "MRN-7700123"},
    {"address": [{"postalCode": "02139-4307"}, {"postalCode": 3601}, {"postalCode": "x"}]},
    {"period": {"start": "2024-03-02T10:11:12.5Z", "end": "2024-03-03"}},
    [{"id": "a"}, {"id": 5}, "a", None, [{"id": "a"}]], {"id": ["a", ["b"], {"c": 1}, None, True]},
    "text", 7, None, True,
]  # fmt: skip


@pytest.fixture(scope="module")
def agreement(postgres: Server) -> Iterator[Agreement]:
    """A database with keys."""
    made = prepare(postgres, "json_agrees")
    yield made
    made.session.close()
    postgres.drop("json_agrees")


def read(text: str) -> Any:
    """With numbers as they are, and objects without an order."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def differences(
    agreement: Agreement, policy: ColumnPolicy, documents: list[Any], under: Any = None
) -> list[str]:
    """Where the two sides differ."""
    texts = [None if each is ... else json.dumps(each) for each in documents]
    found = agreement.sql("jsonb", texts, [policy], under)
    wrong = []
    for text, (made,) in zip(texts, found, strict=True):
        kept = None
        if text is not None:
            row = agreement.session.execute("SELECT CAST(%s AS jsonb)::text", (text,)).fetchone()
            assert row is not None
            kept = agreement.python(row[0], policy)
        made = None if made is None else read(json.dumps(made, default=str))
        due = None if kept is None else read(kept)
        if _plain(made) != _plain(due):
            wrong.append(f"{text}: {_apart(made, due)}")
    return wrong


def _apart(made: Any, due: Any) -> str:
    """Only what differs, of two objects."""
    if isinstance(made, dict) and isinstance(due, dict):
        keys = [key for key in made.keys() | due.keys() if made.get(key) != due.get(key)]
        return ", ".join(f"{key}: SQL {made.get(key)}, Python {due.get(key)}" for key in keys)
    return f"SQL {made}, Python {due}"


def _plain(value: Any) -> Any:
    """`psycopg` reads numbers as floats, so both are."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value


@pytest.mark.parametrize("under", [None, *HOSTILE], ids=["own", "DMY", "YMD", "MDY"])
def test_documents_of_every_shape(agreement, under):
    """Objects, arrays and scalars where the policy has something else; nulls; nothing."""
    assert differences(agreement, FHIR, [..., *SHAPES], under) == []


@pytest.mark.parametrize("under", [None, HOSTILE[0]], ids=["own", "DMY"])
def test_every_mask_of_every_scalar(agreement, under):
    """Alone, in an array, and in an array of that."""
    names = [name for name, _ in EVERY.paths]
    documents = [dict.fromkeys(names, scalar) for scalar in SCALARS]
    documents += [{name: [scalar, None, [scalar]] for name in names} for scalar in SCALARS]
    documents += [{name: {"x": scalar} for name in names} for scalar in SCALARS[:3]]
    assert differences(agreement, EVERY, documents, under) == []


def test_what_is_not_listed_is_absent(agreement):
    """Not null: not there; and what is withheld is like it."""
    document = {"resourceType": "Patient", "secret": "s", "telecom": "t", "name": {"text": "Z"}}
    ((made,),) = agreement.sql("jsonb", [json.dumps(document)], [FHIR])
    assert made == {"resourceType": "Patient", "name": {}}


@pytest.mark.parametrize("declared", ["json", "text"])
def test_other_json_columns_are_withheld(agreement, declared):
    """What they hold may be no valid jsonb, and the error would tell of it."""
    texts = ['{"id": "a"}', r'{"id": "\u0000"}', None]
    assert agreement.sql(declared, texts, [FHIR]) == [(None,)] * 3


def test_arrays_of_documents(agreement):
    """Each is rebuilt."""
    own = treated(
        "b.x", "jsonb[]", FHIR, private='"gov private"', crypto="crypto", subject=f"'{SUBJECT}'"
    )
    row = agreement.session.execute(
        f"SELECT {own.sql} FROM (VALUES (CAST(%s AS jsonb[]))) b(x)",
        (['{"id": 5, "x": 1}', None, "[]"],),
    ).fetchone()
    assert row is not None
    alone = agreement.sql("jsonb", ['{"id": 5}'], [FHIR])[0][0]
    assert row[0] == [alone, None, []]


keys = st.sampled_from(["id", "name", "family", "given", "birthDate", "address", "postalCode", "x"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.sampled_from(SCALARS)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def _random(agreement: Agreement, found: list[Any]) -> None:
    assert differences(agreement, FHIR, found) == []


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(documents, min_size=1, max_size=40))
def test_any_document(agreement, found):
    """Whatever it is made of."""
    _random(agreement, found)


@pytest.mark.soak
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(documents, min_size=1, max_size=40))
def test_any_document_at_length(agreement, found):
    """The long form."""
    _random(agreement, found)
