"""
Evaluation identities: named users with generated passwords, for trying the system on one machine.

They stand in for an identity provider and are no substitute for one: the gateway refuses them on
anything but loopback, and every record says ``evaluation``.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from jupyter_gov.errors import Busy, DecisionRefused
from jupyter_gov.identity.model import EVALUATION_ISSUER, Principal
from jupyter_gov.identity.ports import Clock

FAILURES = 5
WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationIdentity:
    """One named user of the evaluation."""

    subject: str
    name: str
    groups: tuple[str, ...] = ()


class EvaluationIdentities:
    """Checks their passwords.  Hashes are argon2id, in one file of mode 0600."""

    def __init__(
        self,
        identities: Mapping[str, EvaluationIdentity],
        passwords_file: Path,
        clock: Clock,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self.identities = dict(identities)
        self._file = passwords_file
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        self._hashes: dict[str, str] = {}
        self._read_of = (0, 0)
        self._nobody = self._hasher.hash(secrets.token_hex(16))
        self._failures: dict[tuple[str, bool], deque[datetime]] = {}
        self._lock = threading.Lock()

    def generate(self, renew: Iterable[str] = ()) -> dict[str, str]:
        """
        Make passwords for those who have none yet, and for those to *renew*.

        Returns them: they are shown once.  Names that are not in the config get none.
        """
        made: dict[str, str] = {}
        self._read()
        wanted = (self.identities.keys() - self._hashes.keys()) | set(renew)
        for subject in sorted(wanted & self.identities.keys()):
            made[subject] = secrets.token_urlsafe(9)
            self._hashes[subject] = self._hasher.hash(made[subject])
        if made:
            fresh = self._file.with_suffix(".new")
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w") as out:
                json.dump(self._hashes, out)
                out.flush()
                os.fsync(out.fileno())
            fresh.replace(self._file)
        return made

    def _read(self) -> None:
        """The hashes, if the file changed since they were read."""
        if self._file.exists():
            found = self._file.stat()
            version = (found.st_ino, found.st_mtime_ns)  # two writes may share a tick
            if version != self._read_of:
                self._hashes = json.loads(self._file.read_text())
                self._read_of = version

    def groups(self, subject: str) -> frozenset[str]:
        """Groups of a person; empty for one who is not, or no longer, in the config."""
        known = self.identities.get(subject)
        return frozenset(known.groups) if known else frozenset()

    def version(self, subject: str) -> str:
        """What stays the same until that person is given another password."""
        self._read()
        return hashlib.sha256(self._hashes.get(subject, "").encode()).hexdigest()

    def prove(self, subject: str, password: str, *, again: bool = False) -> Principal:
        """
        The person, if the password is theirs.

        Takes the same time for an unknown name.  Raises DecisionRefused, and Busy for a while
        after five failures on one name.

        Args:
            again: they have signed in before and prove it anew.  Counted by itself, so that a
                stranger's guesses do not keep them from what they are about to confirm.
        """
        now = self._clock()
        key = subject if subject in self.identities else ""
        with self._lock:
            failures = self._failures.setdefault((key, again), deque())
            while failures and failures[0] <= now - WINDOW:
                failures.popleft()
            if len(failures) >= FAILURES:
                raise Busy("too many failed sign-ins; wait five minutes")
            failures.append(now)  # until it is proved right: many at once are many guesses
        self._read()
        try:
            self._hasher.verify(self._hashes.get(key, self._nobody), password)
        except (VerificationError, InvalidHashError):
            raise DecisionRefused("the name or the password is wrong") from None
        if not key:
            raise DecisionRefused("the name or the password is wrong")
        with self._lock:
            failures.clear()
        return Principal(issuer=EVALUATION_ISSUER, subject=subject)
