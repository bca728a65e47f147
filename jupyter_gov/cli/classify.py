"""classify: what each column seems to hold, as a tags file."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path

from jupyter_gov.bootstrap.check import Checked, check
from jupyter_gov.bootstrap.sources import open_source
from jupyter_gov.cli.admin import record
from jupyter_gov.connections.described import Described, Source
from jupyter_gov.connections.model import Tag
from jupyter_gov.connections.proposals import Proposal, inherited, propose
from jupyter_gov.connections.tagsfile import toml
from jupyter_gov.errors import ConfigInvalid, DatabaseUnavailable
from jupyter_gov.gateway.config import GatewayConfig

SAMPLE = 200
"""Rows of each table, unless asked otherwise."""


def run(files: list[Path], asked: argparse.Namespace) -> int:
    """`classify`."""
    settings = GatewayConfig(files).settings()
    checked = check(settings)
    name: str = asked.connection
    if name not in checked.connections:
        raise ConfigInvalid((f"{name}: there is no such connection",))
    if asked.sample < 1:
        raise ConfigInvalid(("--sample: write a whole number above 0",))
    spec = checked.connections[name]
    opened = open_source(spec, url=asked.dba_url, secret=asked.dba_secret)
    with contextlib.closing(opened) as source:
        columns = source.columns()
        if asked.check:
            return _check(name, columns, spec.tags)
        unread: dict[str, DatabaseUnavailable] = {}
        if asked.no_content:
            found = [(column, propose(column)) for column in columns]
        else:
            # Before a row is read: a program of the administrator's looks at people's data.
            tables = sorted({column.table for column in columns})
            record(
                settings, checked, "catalog.sampled",
                {"tables": tables, "columns": len(columns), "sampled_rows": asked.sample},
                connection=name,
            )  # fmt: skip
            found, unread = _looked_at(source, columns, asked.sample)
    for table, why in unread.items():
        print(_printable(f"{name}: {table} was not looked at: {why}"), file=sys.stderr)
    how = "names, types and comments"
    if not asked.no_content:
        how = f"names, types, comments and up to {asked.sample} rows of each table"
    treated = frozenset(_treated(checked))
    print(toml(name, inherited(found), spec.tags, treated, how), end="")
    return 1 if unread else 0


def _treated(checked: Checked) -> Iterator[str]:
    for profile in checked.profiles.values():
        yield from profile.by_tag


def _looked_at(
    source: Source, columns: list[Described], rows: int
) -> tuple[list[tuple[Described, Proposal]], dict[str, DatabaseUnavailable]]:
    """
    The proposals, and why some tables could not be read: of those only their names speak.

    Raises DatabaseUnavailable if none could.
    """
    from jupyter_gov.connections.contents import Contents  # a second, and models, to import

    contents = Contents()
    found: list[tuple[Described, Proposal]] = []
    unread: dict[str, DatabaseUnavailable] = {}
    for table, group in groupby(columns, key=lambda column: column.table):
        of_table = list(group)
        try:
            values = source.sample(table, of_table, rows)
        except DatabaseUnavailable as error:
            unread[table] = error
            found += [(column, propose(column)) for column in of_table]
            continue
        found += [
            (column, propose(column, contents.look(sample)))
            for column, sample in zip(of_table, values, strict=True)
        ]
    if unread and len(unread) == len({column.table for column in columns}):
        raise next(iter(unread.values()))
    return found, unread


def _check(name: str, columns: list[Described], tags: Mapping[str, Mapping[str, Tag]]) -> int:
    """`classify --check`: every column has a tag, or the exit code is 1."""
    untagged = [c for c in columns if c.name not in tags.get(c.table, {})]
    for column in untagged:
        print(_printable(f"{name}: {column.table}.{column.name} has no tag"), file=sys.stderr)
    if untagged:
        print(
            f"{len(untagged)} of {len(columns)} columns have no tag, and are treated as"
            " c.GovMasking.untagged says",
            file=sys.stderr,
        )
        return 1
    print(f"every one of the {len(columns)} columns of {name} has a tag")
    return 0


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
