"""`%%govsql` and `%gov`."""

from __future__ import annotations

import re
import shlex
from argparse import ArgumentError, ArgumentParser
from dataclasses import asdict
from typing import Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.display import display

from jupyter_gov.errors import BindMissing
from jupyter_gov.kernel import api
from jupyter_gov.kernel.display import FrameLine, plain, time_left

GOVSQL_USAGE = """\
%%govsql [NAME <<] CONNECTION [--limit N] [--note TEXT] [--grant G-…] [--arrow] [--explain]"""
GOV_USAGE = """\
%gov login [--agent NAME]              attach this kernel to a person
%gov logout                            detach it; its grants end
%gov whoami                            who this kernel is
%gov connections                       what you may use or ask for
%gov grants                            what you hold
%gov request CONNECTION [--for 30m] [--as ELIGIBILITY] [--note TEXT]
%gov tables CONNECTION [TABLE]         tables; or columns with tags, treatments and types
%gov explain CONNECTION SELECT …       what would become of a statement; it is not run"""

_ASSIGN = re.compile(r"\s*([^\W\d]\w*)\s*<<\s*(.*)", re.DOTALL)
_SQL_PARTS = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/"
    r"|::|:([^\W\d]\w*)",
    re.DOTALL,
)


class _Arguments(ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.usage}")


def bind_names(sql: str) -> list[str]:
    """The ``:name`` parameters of a statement, outside strings and comments."""
    found = (part[1] for part in _SQL_PARTS.finditer(sql))
    return list(dict.fromkeys(name for name in found if name))


def _govsql_arguments(line: str) -> Any:
    parser = _Arguments(prog="%%govsql", usage=GOVSQL_USAGE, add_help=False, exit_on_error=False)
    parser.add_argument("connection")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--note", default="")
    parser.add_argument("--grant", default="")
    parser.add_argument("--arrow", action="store_true")
    parser.add_argument("--explain", action="store_true")
    return _parse(parser, line)


def _parse(parser: ArgumentParser, line: str) -> Any:
    try:
        return parser.parse_args(shlex.split(line))
    except (ArgumentError, ValueError) as error:
        raise UsageError(f"{error}\n{parser.usage}") from None


@magics_class
class GovMagics(Magics):
    """Governed SQL in a notebook."""

    @cell_magic
    def govsql(self, line: str, cell: str) -> None:
        """
        Run one statement through the gateway and show its masked frame.

        %%govsql [NAME <<] CONNECTION [--limit N] [--note TEXT] [--grant G-…] [--arrow] [--explain]

        ``:name`` in the statement is bound to the variable of that name; values never become
        SQL.  With ``NAME <<`` the frame is assigned instead of shown.  With ``--explain`` the
        statement is not run: what would become of it is shown.
        """
        assigned = _ASSIGN.fullmatch(line)
        arguments = _govsql_arguments(assigned[2] if assigned else line)
        assert self.shell is not None
        namespace = self.shell.user_ns
        if arguments.explain:
            told = api.connect(arguments.connection).explain(cell, grant=arguments.grant)
            if assigned:
                namespace[assigned[1]] = told
            else:
                display(told)
            return
        binds = {}
        for name in bind_names(cell):
            if name not in namespace:
                raise BindMissing(
                    f"the statement uses :{name}, but there is no variable {name}",
                    hint=f"Set {name} = … in an earlier cell.",
                )
            binds[name] = namespace[name]
        frame = api.connect(arguments.connection).query(
            cell,
            limit=arguments.limit,
            on_limit="truncate" if arguments.limit is not None else "raise",
            note=arguments.note,
            grant=arguments.grant,
            dtype_backend="pyarrow" if arguments.arrow else "numpy",
            binds=binds,
        )
        gov = frame.attrs["gov"]
        if gov["grant_opened"]:
            left = time_left(gov["seconds_left"])
            print(plain(f"grant {gov['grant']} on {gov['connection']} opened for {left}"))
        if assigned:
            namespace[assigned[1]] = frame
        else:
            namespace["_"] = frame
            display(frame)
        display(FrameLine(gov))

    @line_magic
    def gov(self, line: str) -> Any:
        """Sign in, ask for grants, and see what you hold.  `%gov` alone lists the commands."""
        verb, *sql = line.split(maxsplit=1) or [""]
        if verb == "explain":  # what follows is SQL, whose quotations are its own
            return self._explain("".join(sql))
        try:
            words = shlex.split(line)
        except ValueError as error:  # a quotation that does not end
            raise UsageError(f"{error}\n{GOV_USAGE}") from None
        if not words:
            print(GOV_USAGE)
            return None
        verb, rest = words[0], words[1:]
        method = getattr(self, f"_{verb}", None) if verb in _VERBS else None
        if method is None:
            raise UsageError(f"%gov has no command {plain(verb)}\n{GOV_USAGE}")
        return method(rest)

    def _login(self, words: list[str]) -> None:
        parser = _Arguments(prog="%gov login", usage="%gov login [--agent NAME]", add_help=False)
        parser.add_argument("--agent", default="")
        api.login(agent=parser.parse_args(words).agent)

    def _logout(self, words: list[str]) -> None:
        api.logout()
        print("detached; this kernel's grants have ended")

    def _whoami(self, words: list[str]) -> None:
        view = api.whoami()
        if view.principal is None:
            print("attached to nobody: run %gov login")
        else:
            kind = view.principal.kind
            behalf = view.principal.on_behalf_of
            name = f"{view.principal.name} ({kind}{f' of {behalf}' if behalf else ''})"
            print(plain(f"{name}, for: {view.purpose}, until {view.ends_at[:16]}Z"))
            for grant in view.grants:
                under = grant.data_use_agreement
                print(plain(f"  {grant.grant} {grant.connection}:"
                            f" {time_left(grant.seconds_left)} left"
                            f"{f', under {under}' if under else ''}"))  # fmt: skip
        print(plain(f"isolation: {view.isolation}; decisions at {view.page_url}"))
        for notice in view.notices:
            print(plain(f"WARNING: {notice}"))

    def _connections(self, words: list[str]) -> Any:
        return _table([asdict(c) for c in api.connections()])

    def _grants(self, words: list[str]) -> Any:
        rows = []
        for grant in api.grants():
            row = asdict(grant)
            row["tables"] = ", ".join(grant.tables)
            row["actions"] = ", ".join(grant.actions)
            rows.append(row)
        return _table(rows)

    def _request(self, words: list[str]) -> None:
        usage = "%gov request CONNECTION [--for 30m] [--as ELIGIBILITY] [--note TEXT]"
        parser = _Arguments(prog="%gov request", usage=usage, add_help=False)
        parser.add_argument("connection")
        parser.add_argument("--for", dest="duration", default="")
        parser.add_argument("--as", dest="eligibility", default="")
        parser.add_argument("--note", default="")
        asked = parser.parse_args(words)
        grant = api.request(
            asked.connection,
            duration=asked.duration,
            eligibility=asked.eligibility,
            note=asked.note,
        )
        left = time_left(grant.seconds_left)
        print(plain(f"grant {grant.grant} on {grant.connection} for {left}, until {grant.end}"))

    def _tables(self, words: list[str]) -> Any:
        parser = _Arguments(
            prog="%gov tables", usage="%gov tables CONNECTION [TABLE]", add_help=False
        )
        parser.add_argument("connection")
        parser.add_argument("table", nargs="?")
        asked = parser.parse_args(words)
        con = api.connect(asked.connection)
        return con.describe(asked.table) if asked.table else con.tables()

    def _explain(self, text: str) -> Any:
        connection, *sql = text.split(maxsplit=1) or [""]
        if not sql:
            raise UsageError("usage: %gov explain CONNECTION SELECT …")
        return api.connect(connection).explain(sql[0])


_VERBS = ("login", "logout", "whoami", "connections", "grants", "request", "tables", "explain")


def _table(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd

    return pd.DataFrame(rows)
