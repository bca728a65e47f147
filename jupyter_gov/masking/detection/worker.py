"""
A detection process: reads texts, answers places.  Started by `pool.Worker`, never by hand.

It holds no key, no socket and no credential; it is given texts of one gateway and ends with it.
Nothing it prints arrives anywhere, since a library's warning may quote a text.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from typing import Any

from jupyter_gov.masking.detection import framing
from jupyter_gov.masking.detection.model import DetectorSpec, Engine, Operator

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38


def _confine(memory: int) -> None:
    """No core dumps, no reading by others of the same user, no new rights, no life of its own."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the gateway, which ends us
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def spec_of(said: dict[str, Any]) -> DetectorSpec:
    """The detector as the gateway described it."""
    return DetectorSpec(
        name=said["name"], engine=Engine(said["engine"]), model=said["model"],
        language=said["language"], threshold=said["threshold"],
        entities={entity: Operator(operator) for entity, operator in said["entities"].items()},
        patterns={entity: tuple(patterns) for entity, patterns in said["patterns"].items()},
    )  # fmt: skip


def _load(said: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The analyzer and what to answer: the model's name, or why it can't be used."""
    try:
        from jupyter_gov.masking.detection.analyzer import Analyzer, ModelUnusable
    except ImportError as error:
        return None, {"failed": f"{error}; install jupyter-gov[gateway]"}
    try:
        analyzer = Analyzer(spec_of(said))
        analyzer.spans(["Ana Ferreira came on 3 May 2024."])  # the first call compiles
    except ModelUnusable as error:
        return None, {"failed": str(error)}
    except Exception as error:  # of a library, over the admin's model; no note is here yet
        return None, {"failed": f"the model cannot be used ({type(error).__name__}: {error})"}
    return analyzer, {"ready": analyzer.version, "entities": analyzer.entities}


def main() -> int:
    """Until the gateway closes its end."""
    source, target = os.dup(0), os.dup(1)
    quiet = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(quiet, descriptor)
    said = framing.read(source)
    if said is None:
        return 0
    _confine(int(said["memory"]))
    analyzer, answer = _load(said)
    framing.write(target, framing.pack(answer))
    while analyzer is not None and (request := framing.read(source)) is not None:
        texts = request["texts"]
        for start in range(0, len(texts), framing.PORTION):
            found = analyzer.spans(texts[start : start + framing.PORTION])
            framing.write(target, framing.pack({"spans": found}))
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BaseException):
        code = main()
        sys.stdout = sys.stderr = None
        os._exit(code)
    os._exit(1)
