"""
What the provisioned roles, schemas and functions of a PostgreSQL database are called.

Roles belong to the whole cluster, so their names carry the database; schemas do not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from jupyter_gov.masking.model import Profile

PRIVATE = "gov_private"
"""Keys, literals of row filters, and what was changed.  Only the projections' owner reads it."""
ADMIN = "gov_admin"
"""The minter's functions: all that the gateway's own login may call."""
EPHEMERAL = "gov_e_"
"""Begins the name of every login role that is made for a grant."""


def quoted(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A SQL string that means the same whatever `standard_conforming_strings` says."""
    plain = text.replace("'", "''")
    return f"'{plain}'" if "\\" not in text else " E'" + plain.replace("\\", "\\\\") + "'"


def dollars(body: str) -> str:
    """*body* as a SQL string that nothing in it can end, for the bodies of functions and DO."""
    number = 0
    while (mark := f"$gov{number or ''}$") in body or body.endswith(mark[:-1]):
        number += 1
    return f"{mark}{body}{mark}"


def remark(text: str) -> str:
    """*text* as one line of a comment: names in it may hold line ends and worse."""
    return "".join(c if c.isprintable() else f"<{ord(c):04X}>" for c in text)


def _short(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


@dataclass(frozen=True, slots=True)
class Names:
    """Names in one database."""

    database: str

    @property
    def tag(self) -> str:
        return hashlib.sha256(self.database.encode()).hexdigest()[:8]

    @property
    def owner(self) -> str:
        """NOLOGIN; owns the projections and alone may read base tables."""
        return f"gov_owner_{self.tag}"

    @property
    def minter(self) -> str:
        """NOLOGIN; nobody is a member.  Owns the functions that make and end roles."""
        return f"gov_minter_{self.tag}"

    @property
    def ephemeral(self) -> str:
        """Begins the names of this database's login roles."""
        return f"{EPHEMERAL}{self.tag}_"

    def profile(self, profile: Profile) -> str:
        """What stands for a profile in every name below."""
        return profile.profile_id.removeprefix("P-")[:10]

    def schema(self, profile: Profile, source: str) -> str:
        """The masked twin of a source schema; PostgreSQL cuts names after 63 bytes."""
        whole = f"gov_{self.profile(profile)}_{source}"
        if len(whole.encode()) <= 63:
            return whole
        return f"gov_{self.profile(profile)}_{_short(source)}"

    def group(self, profile: Profile) -> str:
        """NOLOGIN; may look into the masked schemas."""
        return f"gov_g_{self.tag}_{self.profile(profile)}"

    def reader(self, profile: Profile, table: str) -> str:
        """NOLOGIN; may read one projection."""
        return f"{self.group(profile)}_{_short(table)}"

    def lookup(self, table: str, column: str) -> str:
        """The function that finds a table's rows by the pseudonym of a column."""
        return f"lookup_{_short(table, column)}"

    def learn(self, table: str, column: str, kept: str) -> str:
        """The function that keeps which value each pseudonym stands for."""
        return f"learn_{_short(table, column, kept)}"
