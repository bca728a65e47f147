"""Tokens: only whole ones of the same grant open, whatever is done to them."""

from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gov.masking.seals import EngineSeals, Remembering, Seals

SEALS = Seals(bytes(range(64)))
ENGINE = EngineSeals(bytes(range(64)))
both = pytest.mark.parametrize("seals", [SEALS, ENGINE], ids=["gateway", "engine"])


@both
class TestSeals:
    @given(st.text(max_size=100) | st.integers())
    def test_round_trip(self, seals, value):
        """The text comes back; of an identifier without the NULs that hide its length."""
        assert seals.open(seals.seal(value)) == ("seal:", str(value))
        kind = "fpe:clinic/mrn:digits"
        assert seals.open(seals.seal(value, kind)) == (kind, str(value).rstrip("\0"))

    def test_null_and_bytes(self, seals):
        """NULL needs no seal; bytes are sealed and stay so."""
        assert seals.seal(None) is None
        assert seals.open(seals.seal(b"scan")) is None
        assert seals.seal(b"7") != seals.seal("7")

    def test_equal_values_have_equal_tokens(self, seals):
        """DISTINCT and GROUP BY keep working."""
        assert seals.seal("note") == seals.seal("note") != seals.seal("Note")

    def test_nothing_of_it_shows(self, seals):
        """But its length."""
        token = seals.seal("Zebulon Quartermain")
        raw = base64.urlsafe_b64decode(token[len(Seals.OPEN) : -1])
        assert b"Zebulon" not in raw
        assert "Zebulon" not in token

    def test_another_grants_key_opens_nothing(self, seals):
        """A token can't be replayed elsewhere."""
        assert type(seals)(bytes(64)).open(seals.seal("note")) is None
        for other in (SEALS, ENGINE):
            assert other is seals or other.open(seals.seal("note")) is None

    @given(st.text(min_size=1, max_size=40), st.data())
    def test_a_changed_sign_opens_nothing(self, seals, value, data):
        """Anywhere in the token; another spelling of its base64 included."""
        token = seals.seal(value)
        index = data.draw(st.integers(0, len(token) - 1))
        sign = data.draw(st.sampled_from("ABCdef019-_=+/ \n⟦⟧"))
        changed = token[:index] + sign + token[index + 1 :]
        assert seals.open(changed) == (("seal:", value) if changed == token else None)

    @given(st.text(min_size=1, max_size=40), st.data())
    def test_a_part_of_it_or_more_than_it_opens_nothing(self, seals, value, data):
        """`substr`, `||`, padding: only a whole token is one."""
        token = seals.seal(value)
        start = data.draw(st.integers(0, len(token)))
        end = data.draw(st.integers(start, len(token)))
        if token[start:end] != token:
            assert seals.open(token[start:end]) is None
        for more in (token + " ", " " + token, token + token, token[:-1] + "!⟧"):
            assert seals.open(more) is None

    @pytest.mark.parametrize("token", ["", "⟦gov:⟧", "⟦gov:", "⟧", "⟦gov:AAAA⟧", "note", "⟦GOV:x⟧"])
    def test_what_is_no_token(self, seals, token):
        """Opens to nothing, and never fails."""
        assert seals.open(token) is None

    @given(st.text(st.characters(), max_size=80))
    def test_no_text_breaks_it(self, seals, text):
        """Half a surrogate pair neither."""
        assert seals.open(text) is None
        assert seals.open(f"{Seals.OPEN}{text}{Seals.CLOSE}") is None
        assert seals.seal(text)

    @given(st.binary(max_size=40))
    def test_every_token_is_seen_by_the_frame(self, seals, value):
        """The pattern that withholds finds each."""
        assert re.search(Seals.PATTERN, seals.seal(value))

    def test_a_kind_is_part_of_it(self, seals):
        """The same value for another use is another token, and opens as what it is for."""
        assert seals.seal("7", "fpe:a/b:digits") != seals.seal("7", "fpe:a/c:digits")
        assert seals.open(seals.seal("seal:\0x", "surrogate:a")) == ("surrogate:a", "seal:\0x")


def test_an_engines_key_has_64_bytes():
    """Half of them for each use."""
    with pytest.raises(ValueError, match="64 bytes"):
        EngineSeals(bytes(32))


class TestRemembering:
    def test_each_token_is_opened_once(self, monkeypatch):
        """Whatever became of it; and what is kept is bounded."""
        asked = []

        class Counting:
            def open(self, token):
                asked.append(token)
                return ENGINE.open(token)

        remembering = Remembering(Counting())
        good, bad = ENGINE.seal("a note"), SEALS.seal("a note")
        for _ in range(3):
            assert remembering.open(good) == ("seal:", "a note")
            assert remembering.open(bad) is None
        assert asked == [good, bad]
        monkeypatch.setattr(Remembering, "MOST", 100)
        for _ in range(3):
            assert remembering.open(good) == ("seal:", "a note")
            assert remembering.open(ENGINE.seal("b" * 100)) == ("seal:", "b" * 100)
        assert len(remembering._known) == 1


@pytest.mark.parametrize("make", [Seals, EngineSeals])
class TestLengthOfIdentifiers:
    @pytest.mark.parametrize("kind", ["surrogate:name", "fpe:clinic/ssn:digits"])
    def test_names_are_of_one_length(self, make, kind):
        """A statement can measure a token: it must not tell the short name from the long one."""
        seals = make(bytes(range(64)))
        names = ["", "Li", "Ottoline Fitzwarren-Okafor", "x" * 40]
        tokens = [seals.seal(name, kind) for name in names]
        assert len({len(token) for token in tokens}) == 1
        assert [seals.open(token) for token in tokens] == [(kind, name) for name in names]

    def test_a_text_shows_its_length(self, make):
        """It may be long, so it is not drawn out."""
        seals = make(bytes(range(64)))
        short, long = seals.seal("a", "seal:notes"), seals.seal("a" * 100, "seal:notes")
        assert len(short) < len(long)
