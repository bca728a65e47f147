"""The command line: `jupyter gov gateway|enroll|unenroll|config|audit|passwd`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jupyter_core.paths import jupyter_config_path

from jupyter_gov.cli import admin, audit, classify, detector, explain, preset, provision
from jupyter_gov.errors import GovError
from jupyter_gov.gateway.serve import serve
from jupyter_gov.masking.presets import Preset

CONFIG_NAMES = ("jupyter_server_config.py", "jupyter_server_config.json")


def default_files() -> list[Path]:
    """The notebook server's own config files, lowest priority first."""
    folders = [Path(folder) for folder in reversed(jupyter_config_path())]
    found = [folder / name for folder in folders for name in CONFIG_NAMES]
    return [path for path in found if path.is_file()]


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    top = argparse.ArgumentParser(
        prog="jupyter gov", description="Governed data access for notebooks."
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.add_argument(
            "--config", action="append", type=Path, metavar="FILE",
            help="a config file; may be given more than once (default: jupyter_server_config)",
        )  # fmt: skip
        return sub

    gateway = command("gateway", "Serve: the trusted process between kernels and databases.")
    gateway.add_argument("--managed", action="store_true", help=argparse.SUPPRESS)
    gateway.add_argument("--port", type=int, help="listen here instead of c.GovGateway.port")

    enroll = command("enroll", "Let a notebook server open kernel slots for its user.")
    enroll.add_argument("--name", required=True, help="what people see the server called")
    enroll.add_argument("--owner", default="", help="the only person who may confirm its kernels")
    enroll.add_argument("--url", required=True, help="where the server reaches the gateway")
    enroll.add_argument("--out", required=True, type=Path, help="the credential file to write")

    unenroll = command("unenroll", "Take a notebook server's credential back, now.")
    unenroll.add_argument("server", help="its id, N-…, as enroll printed it")

    config = command("config", "Check the configuration, or put a changed one in force.")
    config.add_argument("verb", choices=("check", "reload"))

    wall = command("provision", "Put up PostgreSQL's wall: projections, roles and their minter.")
    wall.add_argument("connection", help="its name in the configuration")
    wall.add_argument("--dry-run", action="store_true", help="print the SQL script; change nothing")
    how = wall.add_mutually_exclusive_group()
    how.add_argument("--check", action="store_true", help="look whether the wall stands; else 1")
    how.add_argument("--remove", action="store_true", help="take it down; every right comes back")
    how.add_argument(
        "--keys", action="store_true", help="only load the keys, after the script was run by hand"
    )
    wall.add_argument(
        "--dba-url", default="", metavar="URL",
        help="a superuser's login (default: PGUSER, or this user)",
    )  # fmt: skip
    wall.add_argument(
        "--dba-secret", default="", metavar="REF",
        help="its password: file:/path or env:NAME (default: PGPASSWORD or .pgpass)",
    )  # fmt: skip

    guess = command("classify", "Propose tags, from names, types, comments and a look at content.")
    guess.add_argument("connection", help="its name in the configuration")
    guess.add_argument(
        "--sample", type=int, default=classify.SAMPLE, metavar="N",
        help=f"look at so many rows of each table (default: {classify.SAMPLE})",
    )  # fmt: skip
    guess.add_argument("--no-content", action="store_true", help="read no row")
    guess.add_argument(
        "--check", action="store_true", help="only look whether every column has a tag; else 1"
    )
    guess.add_argument(
        "--dba-url", default="", metavar="URL",
        help="a login that may read the tables (default: PGUSER, or this user)",
    )  # fmt: skip
    guess.add_argument(
        "--dba-secret", default="", metavar="REF",
        help="its password: file:/path or env:NAME (default: PGPASSWORD or .pgpass)",
    )  # fmt: skip

    rules = command("preset", "Show what a preset's rules come to.")
    rules.add_argument("verb", choices=("show",))
    rules.add_argument("name", choices=list(map(str, Preset)), help="the preset")
    rules.add_argument(
        "--eligibility",
        metavar="NAME",
        help="what each tag that it meets comes to under the preset",
    )

    scan = command("detector", "Measure what a detector of free text finds.")
    scan.add_argument("verb", choices=("measure",))
    scan.add_argument("name", help="its name in the configuration")
    scan.add_argument(
        "--notes", type=Path, required=True, metavar="FILE",
        help='labelled notes, one a line: {"text": …, "spans": [[start, end, entity], …]}',
    )  # fmt: skip
    scan.add_argument("--out", type=Path, metavar="FILE", help="write the figures for its recall")

    question = command("explain", "Say what would become of a statement.  It is not run.")
    question.add_argument("connection", help="name of the connection")
    question.add_argument("sql", help="the statement; quote it for the shell")
    question.add_argument(
        "--as", dest="principal", metavar="PRINCIPAL", required=True, help="the person who asks"
    )
    question.add_argument("--agent", metavar="NAME", help="in the name of that person's agent")
    question.add_argument("--json", action="store_true", help="one JSON object")

    log = command("audit", "List, show or verify what the audit log holds.")
    log.add_argument("verb", choices=("list", "verify", "show"))
    log.add_argument("record", nargs="?", help="for show: the record's id")
    log.add_argument("--kind", help="list only this kind of event")
    log.add_argument("--last", type=int, help="list only so many, the newest")
    log.add_argument("--against", metavar="SIZE:ROOT", help="verify against a root noted earlier")
    log.add_argument(
        "--log", type=Path, metavar="FILE", help="read this copy instead of the gateway's own log"
    )
    log.add_argument("--json", action="store_true", help="one JSON object a line")

    passwd = command("passwd", "Make new passwords for evaluation identities; shown once.")
    passwd.add_argument("name", nargs="*", help="identities (default: all)")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run one command.

    Returns the exit code: 0 done, 1 the log is not whole or the gateway refuses or is not there or
    a check failed or a statement would not run, 2 the command line or the configuration is wrong.
    """
    asked = parser().parse_args(arguments)
    files = [path.absolute() for path in asked.config or default_files()]
    try:
        match asked.command:
            case "gateway":
                return serve(files, managed=asked.managed, port=asked.port)
            case "enroll":
                return admin.enroll(files, asked.name, asked.owner, asked.url, asked.out)
            case "unenroll":
                return admin.unenroll(files, asked.server)
            case "config":
                return admin.check(files) if asked.verb == "check" else admin.reload(files)
            case "provision":
                flags = ("check", "remove", "keys")
                verb = next((flag for flag in flags if getattr(asked, flag)), "apply")
                return provision.run(
                    files, asked.connection, verb, dry=asked.dry_run, url=asked.dba_url,
                    secret=asked.dba_secret,
                )  # fmt: skip
            case "classify":
                return classify.run(files, asked)
            case "preset":
                return preset.show(files, asked.name, asked.eligibility)
            case "detector":
                return detector.measure(files, asked.name, asked.notes, asked.out)
            case "explain":
                return explain.run(files, asked)
            case "audit":
                return audit.run(files, asked)
            case _:
                return admin.passwd(files, asked.name)
    except GovError as problem:
        print(f"jupyter gov: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
