"""Keys that are known, for engines in tests."""

from __future__ import annotations

from jupyter_gov.bootstrap.keys import Keys

KEYS = Keys(audit=b"a" * 32, pseudonym=b"k" * 32, seal=b"s" * 32, code=b"c" * 32)
