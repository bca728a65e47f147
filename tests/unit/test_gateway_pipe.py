"""From a thread that runs a statement to a reader that takes its time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jupyter_gov.errors import Cancelled
from jupyter_gov.gateway.pipe import Pipe

MEGABYTE = bytes(1024 * 1024)


def played(scene):
    """Run a coroutine function with a pipe of little patience."""

    async def stage():
        pipe = Pipe(asyncio.get_running_loop(), patience=0.3)
        return await asyncio.wait_for(scene(pipe), 10)

    return asyncio.run(stage())


async def take_all(pipe):
    return b"".join([piece async for piece in pipe.chunks()])


class TestPipe:
    def test_what_is_written_arrives_whole_and_in_order(self):
        """In pieces, each counted when it is handed out."""

        async def scene(pipe):
            def write():
                for number in range(20):
                    pipe.write(bytes([number]) * 100_000)
                pipe.drain()

            writing = asyncio.create_task(asyncio.to_thread(write))
            writing.add_done_callback(lambda _: pipe.end())
            taken = await take_all(pipe)
            await writing
            return taken, pipe.sent

        taken, sent = played(scene)
        assert taken == b"".join(bytes([n]) * 100_000 for n in range(20))
        assert sent == len(taken)

    def test_a_reader_that_takes_nothing_ends_it(self):
        """The database must not wait for ever, with its locks."""

        async def scene(pipe):
            def write():
                while True:
                    pipe.write(b"x")

            with pytest.raises(Cancelled, match="took nothing"):
                await asyncio.to_thread(write)

        played(scene)

    def test_a_reader_that_is_slow_but_takes_something_does_not(self):
        """One long chunk is taken piece by piece, and each piece is a sign of life."""

        async def scene(pipe):
            writing = asyncio.create_task(
                asyncio.to_thread(lambda: (pipe.write(MEGABYTE), pipe.drain()))
            )
            writing.add_done_callback(lambda _: pipe.end())
            pieces = 0
            async for _ in pipe.chunks():
                pieces += 1
                await asyncio.sleep(0.2)
            await writing
            return pieces

        assert played(scene) == 4

    def test_what_was_not_handed_out_when_it_ended_stays_here(self):
        """A grant's end reaches what waits to be read."""

        async def scene(pipe):
            await asyncio.to_thread(lambda: (pipe.write(b"before"), pipe.write(b"the end")))
            pipe.abandon()
            await asyncio.to_thread(pipe.write, b"why")
            pipe.end()
            return await take_all(pipe)

        assert played(scene) == b"why"

    def test_a_writer_may_say_that_it_is_done(self):
        """Nothing is lost, and its thread may go on with something else."""

        async def scene(pipe):
            done, told = threading.Event(), threading.Event()

            def write():
                for number in range(50):
                    pipe.write(bytes([number]))
                pipe.end()
                told.set()
                done.wait(5)

            writing = asyncio.create_task(asyncio.to_thread(write))
            taken = await take_all(pipe)
            early = told.is_set() and not writing.done()
            done.set()
            await writing
            return taken, early

        for _ in range(20):
            assert played(scene) == (bytes(range(50)), True)

    def test_a_reader_that_has_gone_wakes_whoever_waits(self):
        """At once, not after its patience."""

        async def scene(pipe):
            waiting = threading.Event()

            def write():
                waiting.set()
                while True:
                    pipe.write(MEGABYTE)

            writing = asyncio.create_task(asyncio.to_thread(write))
            await asyncio.to_thread(waiting.wait)
            pipe.gone()
            with pytest.raises(Cancelled, match="has gone"):
                await writing

        played(scene)
