"""Random codes for examples: by the real store, in memory, gone at the end."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from jupyter_gov.masking.examples import Codes
from jupyter_gov.store.surrogates import Surrogates
from jupyter_gov.store.tables import metadata


@contextlib.contextmanager
def passing_codes() -> Iterator[Codes]:
    """Codes that nobody has seen and nobody will see again."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        metadata.create_all(engine)
        yield Surrogates(engine, secrets.token_bytes(32)).codes
    finally:
        engine.dispose()
