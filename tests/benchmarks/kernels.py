"""A real kernel, started as a notebook server starts one, and told what to run over its sockets."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from tests.support.gateway import ROOT

_SECONDS = 900
_RESET = """
import gc, json, time
from pathlib import Path
def _peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return {line.split()[0]: int(line.split()[1]) / 1e3 for line in lines if line.startswith("Vm")}
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
_before, _cpu, _began = _peak()["VmRSS:"], time.process_time(), time.perf_counter()
"""
_TOLD = """
_seconds = time.perf_counter() - _began
print(json.dumps({"seconds": _seconds, "cpu": time.process_time() - _cpu,
                  "peak": _peak()["VmHWM:"] - _before, "rows": len(frame)}))
"""


@dataclass
class RealKernel:
    """An ipykernel of this interpreter."""

    manager: KernelManager
    client: BlockingKernelClient

    @property
    def pid(self) -> int:
        provisioner: Any = self.manager.provisioner
        return int(provisioner.pid)

    def begin(self, code: str) -> str:
        """Start a cell; returns its message id."""
        return str(self.client.execute(code, store_history=False))

    def printed(self, cell: str, *, until: str = "") -> str:
        """What a cell prints, to its end or until *until* is in it.  Raises AssertionError."""
        text, last = "", time.monotonic() + _SECONDS
        while time.monotonic() < last:
            try:
                message = self.client.get_iopub_msg(timeout=1.0)
            except queue.Empty:
                continue
            if message["parent_header"].get("msg_id") != cell:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                text += content["text"]
                if until and until in text:
                    return text
            elif kind == "error":
                raise AssertionError("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                return text
        raise AssertionError(f"no end of the cell: {text}")

    def run(self, code: str) -> str:
        """Run a cell; returns what it printed."""
        return self.printed(self.begin(code))

    def measured(self, code: str) -> dict[str, float]:
        """
        Run a cell that makes `frame`.

        Returns:
            Seconds, seconds of the kernel's own CPU, rows, and ``peak``: megabytes of resident
            memory at the most, above what was resident before.
        """
        told = self.run(_RESET + code + "\n" + _TOLD).splitlines()[-1]
        return dict(json.loads(told))


@contextlib.contextmanager
def real_kernel(env: Mapping[str, str]) -> Iterator[RealKernel]:
    """Started with *env* on top of this process's, shut down at the end."""
    manager = KernelManager(transport="ipc")
    manager.start_kernel(env={**os.environ, **env}, cwd=str(ROOT))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield RealKernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
