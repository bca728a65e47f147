"""Statements sealed under the audit key: readable with it, in their own record, unaltered."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.audit.sealing import AuditKey

KEY = AuditKey(bytes(range(32)))
SQL = "SELECT * FROM patients WHERE name = 'Zebulon'"


class TestSealing:
    @given(st.text(st.characters()), st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
    def test_there_and_back(self, sql, binds):
        """Whatever was typed, half a surrogate pair included."""
        assert KEY.open("R-1", KEY.seal("R-1", sql, binds)) == {"sql": sql, "binds": binds}

    def test_nothing_of_it_shows(self):
        """Not in the record, and not twice the same."""
        one, other = KEY.seal("R-1", SQL, {"mrn": "MRN17"}), KEY.seal("R-1", SQL, {"mrn": "MRN17"})
        assert one["bytes"] != other["bytes"]
        assert b"Zebulon" not in base64.b64decode(one["bytes"])
        assert "Zebulon" not in json.dumps(one)

    def test_it_cannot_be_moved_to_another_record(self):
        """The record's id is authenticated with it."""
        with pytest.raises(InvalidTag):
            KEY.open("R-2", KEY.seal("R-1", SQL, {}))

    @given(st.data())
    def test_a_changed_byte_opens_nothing(self, data):
        """Anywhere: nonce, text or tag."""
        sealed = KEY.seal("R-1", SQL, {})
        raw = bytearray(base64.b64decode(sealed["bytes"]))
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
        with pytest.raises(InvalidTag):
            KEY.open("R-1", {**sealed, "bytes": base64.b64encode(raw).decode()})

    def test_another_key(self):
        """Opens nothing, and says by its id that it is another."""
        other = AuditKey(bytes(32))
        sealed = KEY.seal("R-1", SQL, {})
        assert sealed["key"] == KEY.key_id != other.key_id
        with pytest.raises(InvalidTag):
            other.open("R-1", sealed)

    def test_the_id_tells_nothing_of_the_key(self):
        """It stands in every record."""
        assert KEY.key_id not in bytes(range(32)).hex()
        assert len(KEY.key_id) == 16
