"""Messages: what is encoded is decoded to the same, and nothing else is believed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import math
import typing
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov import errors
from jupyter_gov.wire import messages as m

KINDS = [
    kind for kind in vars(m).values() if dataclasses.is_dataclass(kind) and isinstance(kind, type)
]
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if hint is Any:
        return plain_json
    if hint is str:
        return texts
    if typing.get_origin(hint) is dict:
        return st.dictionaries(texts, plain_json, max_size=3)
    if typing.get_origin(hint) is tuple:
        return st.lists(values_of(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if dataclasses.is_dataclass(hint):
        return messages_of(typing.cast(type, hint))
    if options := typing.get_args(hint):
        return st.one_of([values_of(option) for option in options])
    return st.from_type(hint)


def messages_of(kind: type) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{f.name: values_of(hints[f.name]) for f in dataclasses.fields(kind)})


class TestMessages:
    @given(data=st.data())
    @pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
    def test_there_and_back(self, kind, data):
        """Every message of the API survives the wire."""
        message = data.draw(messages_of(kind))
        assert m.decode(kind, m.encode(message)) == message

    @given(data=st.one_of(plain_json.map(json.dumps), st.binary(max_size=60)))
    def test_nothing_else_is_believed(self, data):
        """Whatever a stranger sends, the answer is a refusal that follows the API."""
        for kind in (m.Query, m.Enrol, m.RequestGrant):
            with pytest.raises(errors.BadRequest):
                m.decode(kind, data)

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({}, "Enrol needs the field 'public_key'"),
            ({"slot_id": "K", "secret": "s", "public_key": 7}, "Enrol.public_key is of the wrong"),
            ({"slot_id": "K", "secret": "s", "public_key": "", "admin": True}, "no field 'admin'"),
            ([], "Enrol is not an object"),
            ({"slot_id": "K", "secret": "\ud800", "public_key": ""}, "Enrol.secret: a text holds"),
        ],
        ids=["missing", "wrong type", "unknown", "a list", "half a surrogate pair"],
    )
    def test_the_field_that_does_not_fit_is_named(self, body, said):
        """So that whoever writes a client finds the mistake."""
        with pytest.raises(errors.BadRequest, match=said):
            m.decode(m.Enrol, json.dumps(body))

    @pytest.mark.parametrize("limit", [True, 1.0, "1"])
    def test_true_is_not_one(self, limit):
        """Types are exact, since JSON's are."""
        body = {"query_id": "q", "connection": "c", "sql": "", "limit": limit}
        with pytest.raises(errors.BadRequest, match=r"Query\.limit"):
            m.decode(m.Query, json.dumps(body))

    @pytest.mark.parametrize(
        "body",
        ["[" * 100_000, '{"a":' * 50_000, "1" * 10_000, "{", "\ufeff{}"],
        ids=["deep list", "deep object", "long number", "half", "byte order mark"],
    )
    def test_hostile_json_is_only_a_bad_request(self, body):
        """Depth and length break no reader."""
        with pytest.raises(errors.BadRequest):
            m.decode(m.Query, body)

    def test_a_text_that_is_not_unicode_is_refused_where_it_is_written(self):
        """Half a surrogate pair has no bytes."""
        with pytest.raises(errors.BadRequest, match="surrogate"):
            m.encode(m.Query(query_id="q", connection="c", sql="SELECT '\ud800'"))


class Ward(enum.StrEnum):
    ICU = "icu"


class TestBinds:
    @given(
        st.none() | st.booleans() | st.integers(-(2**4096) + 1, 2**4096 - 1) | texts
        | st.floats(allow_nan=False) | st.binary(max_size=50) | st.dates() | st.times()
        | st.datetimes() | st.datetimes(timezones=st.just(dt.UTC))
        | st.decimals(allow_nan=False)
    )  # fmt: skip
    def test_there_and_back(self, value):
        """Every type a parameter may have keeps its value and its type."""
        carried = json.loads(json.dumps(m.encode_bind("x", value)))
        back = m.decode_bind("x", carried)
        assert back == value
        assert type(back) is type(value)

    def test_nan_stays_nan(self):
        """The one value that equals nothing."""
        back = m.decode_bind("x", json.loads(json.dumps(m.encode_bind("x", math.nan))))
        assert isinstance(back, float)
        assert math.isnan(back)

    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            (np.int64(7), 7),
            (np.float32(0.5), 0.5),
            (np.bool_(True), True),
            (np.str_("OR"), "OR"),
            (np.array(7), 7),
            (np.datetime64("2024-02-29T10:11:12.123456789", "ns"),
             dt.datetime(2024, 2, 29, 10, 11, 12, 123456)),
            (np.datetime64("2024-02-29", "D"), dt.datetime(2024, 2, 29)),
            (np.datetime64("NaT"), None),
            (pd.Timestamp("2024-02-29 10:11"), dt.datetime(2024, 2, 29, 10, 11)),
            (pd.NaT, None),
            (pd.NA, None),
            (bytearray(b"ab"), b"ab"),
            (memoryview(b"abcd")[::2], b"ac"),
            (Ward.ICU, "icu"),
        ],
        ids=repr,
    )  # fmt: skip
    def test_what_stands_in_notebooks(self, value, meant):
        """Scalars of numpy and pandas are what they stand for; their missing values are NULL."""
        back = m.decode_bind("x", json.loads(json.dumps(m.encode_bind("x", value))))
        assert back == meant
        assert type(back) is type(meant)

    @pytest.mark.parametrize(
        "value",
        [
            [1], (1,), {"a": 1}, {1}, object(), 1j, dt.timedelta(1), np.array([1, 2]),
            np.array([]), np.timedelta64(5, "ns"), np.complex64(1), pd.Series([1]), range(3),
            2**4096, 10**5000,
        ],
        ids=lambda value: type(value).__name__,
    )  # fmt: skip
    def test_what_has_no_place_in_sql(self, value):
        """Refused in the kernel, naming the parameter; nothing is guessed from a list or a span."""
        with pytest.raises(errors.BindMissing, match=":ward"):
            m.encode_bind("ward", value)

    @given(plain_json)
    def test_no_other_json_is_a_value(self, data):
        """The gateway takes the forms above and refuses the rest."""
        try:
            value = m.decode_bind("x", data)
        except errors.BadRequest:
            assert isinstance(data, dict | list)
        else:
            assert value is data

    @pytest.mark.parametrize(
        "data",
        [
            {"bytes": "!"}, {"bytes": "YQ"}, {"date": "yesterday"}, {"datetime": ""},
            {"time": "25:00"}, {"decimal": "many"}, {"date": 5}, {"kind": "x"}, {},
            {"bytes": "", "date": "2020-01-01"}, [1],
        ],
        ids=json.dumps,
    )  # fmt: skip
    def test_a_typed_value_that_is_not_of_its_type(self, data):
        """Is refused by name."""
        with pytest.raises(errors.BadRequest, match=":ward"):
            m.decode_bind("ward", data)


class TestErrors:
    @pytest.mark.parametrize(
        "cls",
        [c for c in errors.tree() if c is not errors.ConfigInvalid],
        ids=lambda cls: cls.code,
    )
    def test_an_error_is_raised_again_as_it_was(self, cls):
        """Class, text, hint, next step, place, record and near names."""
        error = cls(
            "no",
            hint="so",
            next=errors.Next("login", magic="%gov login", call="gov.login()"),
            position=errors.Position(1, 2, 3),
            record="R-1",
            near=("a", "b"),
        )
        back = m.decode_error(json.loads(json.dumps(m.encode_error(error))))
        assert type(back) is cls
        assert vars(back) == vars(error)

    def test_a_newer_gateway_may_say_more(self):
        """What this client does not know is left out, and what it knows stays."""
        data = m.encode_error(errors.Busy("later", next=errors.Next("retry")))
        data["next"]["after_seconds"] = 5
        data["position"] = {"line": 1}
        back = m.decode_error({**data, "severity": "low"})
        assert isinstance(back, errors.Busy)
        assert back.next == errors.Next("retry")
        assert back.position is None

    def test_an_empty_error_is_an_error(self):
        """A broken answer never looks like success."""
        assert isinstance(m.decode_error({}), errors.GovError)
