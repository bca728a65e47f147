"""Detection processes: started, timed, ended, and started again."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from jupyter_gov.masking.detection.framing import PORTION, Broken, Channel
from jupyter_gov.masking.detection.model import DetectorSpec, Span
from jupyter_gov.masking.detection.spans import believable

START_SECONDS = 120.0
"""A large model takes its time to load."""
MEMORY = 16 * 1024**3
"""Bytes of address space of one process; a text that makes it grow beyond is withheld."""
CHUNK_TEXTS, CHUNK_CHARACTERS = 64, 100_000
_REST = 1.0
"""Seconds between two starts of a process that does not start."""
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "PYTHONPATH", "VIRTUAL_ENV")


class DetectorUnusable(Exception):
    """A detector cannot be started; the text tells the admin why."""


def described(spec: DetectorSpec) -> dict[str, Any]:
    """What a process is told of its detector."""
    return {
        "name": spec.name, "engine": spec.engine, "model": spec.model, "language": spec.language,
        "threshold": spec.threshold, "entities": dict(spec.entities),
        "patterns": {entity: list(found) for entity, found in spec.patterns.items()},
        "memory": MEMORY,
    }  # fmt: skip


class Worker:
    """One detection process.  Used by one thread at a time."""

    def __init__(self, spec: DetectorSpec) -> None:
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._rested_at = 0.0
        self.version = ""
        self.entities: tuple[str, ...] = ()

    def start(self) -> None:
        """Raises DetectorUnusable."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment = {
            **kept,
            "OMP_NUM_THREADS": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "TLDEXTRACT_PUBLIC_SUFFIX_LIST_URLS": "",
            "HF_HUB_OFFLINE": "1",
            # A pattern that presidio gives up on is not looked for: ours must be up before.
            "REGEX_TIMEOUT_SECONDS": str(int(self._spec.timeout * 10) + 60),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jupyter_gov.masking.detection.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env=environment, close_fds=True, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._channel = Channel(self._process.stdout.fileno(), self._process.stdin.fileno())
        until = time.monotonic() + START_SECONDS
        try:
            self._channel.send(described(self._spec), until)
            answer = self._channel.receive(until)
        except Broken as broken:
            self.stop()
            raise DetectorUnusable(f"its process did not start ({broken})") from None
        if "ready" not in answer:
            self.stop()
            raise DetectorUnusable(str(answer.get("failed", "its process did not start")))
        self.version = str(answer["ready"])
        self.entities = tuple(map(str, answer.get("entities", ())))

    def spans(self, texts: Sequence[str]) -> list[list[Span] | None]:
        """
        What was found in the first of these texts, in all of them unless the process broke.

        It is then ended, and started again by the next call.
        """
        found: list[list[Span] | None] = []
        with contextlib.suppress(Broken):
            self._ask(texts, found)
        if len(found) < len(texts):
            self.stop()
        return found

    def _ask(self, texts: Sequence[str], found: list[list[Span] | None]) -> None:
        """Raises Broken; *found* has what came until then."""
        if self._process is not None and self._process.poll() is not None:
            self.stop()  # it died while it had nothing to do
        if self._channel is None:
            self._restart()
        assert self._channel is not None
        self._channel.send({"texts": list(texts)}, time.monotonic() + self._spec.timeout)
        while len(found) < len(texts):
            asked = texts[len(found) : len(found) + PORTION]
            answer = self._channel.receive(time.monotonic() + self._spec.timeout)
            found += _believed(answer, asked)

    def _restart(self) -> None:
        if time.monotonic() < self._rested_at:
            raise Broken("not started")
        try:
            self.start()
        except DetectorUnusable:
            self._rested_at = time.monotonic() + _REST
            raise Broken("not started") from None

    def stop(self) -> None:
        """End it now."""
        process, self._process, self._channel = self._process, None, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def kill(self) -> None:
        """From any thread; the one that uses the process sees that it is gone."""
        process = self._process
        if process is not None:
            process.kill()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid


def _believed(answer: Any, texts: Sequence[str]) -> list[list[Span] | None]:
    """The answer, if it can be one to these texts.  Raises Broken."""
    try:
        found = [
            None
            if said is None
            else [Span(int(s), int(e), str(n), float(p)) for s, e, n, p in said]
            for said in answer["spans"]
        ]
    except (KeyError, TypeError, ValueError):
        raise Broken("no answer") from None
    if len(found) != len(texts):
        raise Broken("no answer")
    return [
        spans if spans is not None and believable(spans, len(text)) else None
        for spans, text in zip(found, texts, strict=True)
    ]


def chunks(texts: Sequence[str]) -> list[list[int]]:
    """Indices of texts, in portions that one process scans at a time."""
    made: list[list[int]] = []
    size = 0
    for index, text in enumerate(texts):
        if not made or len(made[-1]) >= CHUNK_TEXTS or size + len(text) > CHUNK_CHARACTERS:
            made.append([])
            size = 0
        made[-1].append(index)
        size += len(text)
    return made


class Pool:
    """The processes of one detector.  Safe from many threads."""

    def __init__(self, spec: DetectorSpec) -> None:
        self._spec = spec
        self.workers = [Worker(spec) for _ in range(spec.workers)]
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(spec.workers, thread_name_prefix=f"detect-{spec.name}")
        self._closed = threading.Event()
        self.version = ""
        self.entities: tuple[str, ...] = ()

    def start(self) -> None:
        """All of them.  Raises DetectorUnusable."""
        try:
            list(self._threads.map(Worker.start, self.workers))
        except DetectorUnusable:
            self.close()
            raise
        for worker in self.workers:
            self._idle.put(worker)
        self.version, self.entities = self.workers[0].version, self.workers[0].entities

    def spans(self, texts: Sequence[str]) -> list[list[Span] | None]:
        """For each text what was found in it; None where no answer came.  Never raises."""
        found: list[list[Span] | None] = [None] * len(texts)

        def scan(chunk: list[int]) -> None:
            for index, spans in zip(chunk, self._scan([texts[i] for i in chunk]), strict=True):
                found[index] = spans

        if self._closed.is_set():
            return found
        with contextlib.suppress(RuntimeError):  # closed meanwhile
            list(self._threads.map(scan, chunks(texts)))
        return found

    def _scan(self, texts: list[str]) -> list[list[Span] | None]:
        """What breaks a process is found by halves, so that its neighbours are not withheld."""
        if self._closed.is_set():
            return [None] * len(texts)
        worker = self._idle.get()
        try:
            found = worker.spans(texts)
        finally:
            self._idle.put(worker)
        left = texts[len(found) :]
        if len(left) <= 1:
            return found + [None] * len(left)
        # What broke it is in the portion that it had.
        half = (min(len(left), PORTION) + 1) // 2
        return found + self._scan(left[:half]) + self._scan(left[half:])

    def close(self) -> None:
        """End the processes."""
        self._closed.set()
        for worker in self.workers:
            worker.kill()
        self._threads.shutdown(cancel_futures=True)  # whoever waits for an answer learns of it
        for worker in self.workers:
            worker.stop()
