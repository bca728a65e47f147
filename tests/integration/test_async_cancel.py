"""Cancelling the task of an async query stops the statement in the database."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.conftest import Site

ENDLESS = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
    SELECT max(i) AS last FROM n
"""


class TestAsyncCancel:
    @pytest.mark.parametrize("after", [0.0, 0.5], ids=["at once", "while it runs"])
    def test_the_database_stops(self, site: Site, after):
        """An endless statement ends as cancelled soon after its task was, and is recorded so."""
        con = site.analyst().connect("clinic")
        before = len(site.gateway.records("outcome"))

        async def start_and_cancel() -> None:
            task = asyncio.ensure_future(con.aquery(ENDLESS))
            await asyncio.sleep(after)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        began = time.monotonic()
        asyncio.run(start_and_cancel())
        assert time.monotonic() - began < 10
        made = site.gateway.records("outcome")[before:]
        # A task that never began has sent nothing; one that did is closed as cancelled.
        assert [record["says"]["result"] for record in made] in ([], ["cancelled"])
        assert made or not after

    def test_one_that_is_not_cancelled_answers(self, site: Site):
        """Several at once, each with its own binds."""
        con = site.analyst().connect("clinic")

        async def ask() -> list[int]:
            frames = await asyncio.gather(
                *(con.aquery("SELECT :n AS n FROM patients LIMIT 1", n=n) for n in (1, 2, 3))
            )
            return [int(frame["n"][0]) for frame in frames]

        assert asyncio.run(ask()) == [1, 2, 3]
