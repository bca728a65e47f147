"""What a kernel can reach of the gateway: nothing if it is separate, everything if it is not."""

from __future__ import annotations

import json

import pytest

from jupyter_gov.identity.model import SAME_USER, SEPARATE

PROBES = """
import contextlib, ctypes, os, pathlib, signal, socket, sqlite3

def refusal(act):
    try:
        return f"got {act()!r}"[:200]
    except (OSError, sqlite3.Error) as error:
        return type(error).__name__

libc = ctypes.CDLL(None, use_errno=True)

def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

class Span(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("size", ctypes.c_size_t)]

def peek(pid):
    kept = ctypes.create_string_buffer(8)
    mine = Span(ctypes.cast(kept, ctypes.c_void_p), 8)
    theirs = Span(0x400000, 8)
    return checked(libc.process_vm_readv(pid, ctypes.byref(mine), 1, ctypes.byref(theirs), 1, 0))

def connect(path):
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(path)

def rows(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute("SELECT full_name FROM patients").fetchone()

def of_process(pid):
    proc = pathlib.Path(f"/proc/{pid}")
    return {
        "environ": refusal((proc / "environ").read_bytes),
        "mem": refusal(lambda: (proc / "mem").open("rb").read(1)),
        "maps": refusal((proc / "maps").read_text),
        "fd": refusal(lambda: os.listdir(proc / "fd")),
        "root": refusal(lambda: os.readlink(proc / "root")),
        "cwd": refusal(lambda: os.readlink(proc / "cwd")),
        "stack": refusal((proc / "syscall").read_text),
        "ptrace": refusal(lambda: checked(libc.ptrace(16, pid, None, None))),
        "process_vm_readv": refusal(lambda: peek(pid)),
        "signal": refusal(lambda: os.kill(pid, 0)),
    }

def of_files(paths):
    read = {p: refusal(pathlib.Path(p).read_bytes) for p in paths["files"]}
    listed = {p: refusal(lambda p=p: os.listdir(p)) for p in paths["folders"]}
    return read | listed | {
        "write": refusal(lambda: pathlib.Path(paths["folders"][0], "x").write_text("")),
        "door": refusal(lambda: connect(paths["door"])),
        "database": refusal(lambda: rows(paths["database"])),
    }
"""


def places(deployment) -> dict[str, object]:
    """Everything of the gateway's on disk."""
    state, home = deployment.gateway.state_dir, deployment.database.parent
    files = [path for folder in (home, state) for path in folder.rglob("*") if path.is_file()]
    folders = [home, state, *(path for path in home.rglob("*") if path.is_dir())]
    return {
        "files": sorted(map(str, files)),
        "folders": list(map(str, folders)),
        "door": str(state / "admin.sock"),
        "database": str(deployment.database),
    }


@pytest.fixture(scope="module")
def stranger(apart):
    """A kernel of another user than the gateway's, that tries to look into it."""
    with apart.kernel() as made:
        made.run(PROBES)
        yield made


@pytest.fixture(scope="module")
def neighbour(managed_deployment):
    """A kernel beside a managed gateway, of the same user."""
    with managed_deployment.kernel() as made:
        made.run(PROBES)
        yield made


class TestSeparate:
    def test_its_process_is_closed(self, apart, stranger):
        """Environment, memory, descriptors, tracing, signals: each is refused."""
        found = stranger.value(f"of_process({apart.gateway_pid})")
        assert set(found.values()) == {"PermissionError"}, found

    def test_its_files_are_closed(self, apart, stranger):
        """Config, state, keys, record, database, admin socket: none is read, listed or written."""
        given = places(apart)
        assert {path.rsplit("/", 1)[1] for path in given["files"]} >= {
            "gateway.py", "clinic-tags.toml", "clinic.db", "state.sqlite", "log.sqlite",
            "evaluation.json",
        }  # fmt: skip
        found = stranger.value(f"of_files({json.dumps(given)})")
        refused = {"PermissionError", "OperationalError"}  # the latter is SQLite's name for it
        assert set(found.values()) <= refused, found
        assert len(found) > 10

    def test_other_peoples_credentials_are_closed(self, apart, managed_deployment, stranger):
        """Another user's notebook server keeps its token and its credential to itself."""
        home = managed_deployment.jupyter.user.home
        theirs = [str(path) for path in (home / "runtime").iterdir() if path.is_file()]
        given = {**places(managed_deployment), "files": theirs}
        assert theirs
        found = stranger.value(f"of_files({json.dumps(given)})")
        assert set(found.values()) <= {"PermissionError", "OperationalError"}, found

    def test_the_record_says_separate(self, apart, stranger):
        """Measured when the kernel enrolled, and written with everything about it since."""
        slot = stranger.value("__import__('jupyter_gov').whoami().kernel_id")
        opened = apart.record("kernel.opened", kernel_id=slot)
        own = [r for r in apart.records() if r["kernel"] == opened["kernel"]]
        enrolled = [r for r in own if r["kind"] == "kernel.enrolled"]
        assert [r["isolation"] for r in enrolled] == [SEPARATE]


class TestManaged:
    def test_the_kernel_can_read_what_the_gateway_guards(self, managed_deployment, neighbour):
        """So the label says evaluation: the very names the gateway withholds are in reach."""
        found = neighbour.value(f"of_files({json.dumps(places(managed_deployment))})")
        assert found["database"].startswith("got (")
        assert found[str(managed_deployment.gateway.state_dir / "keys" / "audit.key")].startswith(
            "got b"
        )

    def test_and_the_label_says_so(self, managed_deployment, neighbour):
        """Same user, measured: not separate, whatever was configured."""
        assert neighbour.value("__import__('jupyter_gov').whoami().isolation") == SAME_USER
        assert managed_deployment.gateway_uid == managed_deployment.jupyter.user.uid
