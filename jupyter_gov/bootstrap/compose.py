"""Put the gateway together, and exchange its policy while it runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import make_url

from jupyter_gov.access.model import Eligibility, Grant
from jupyter_gov.audit.events import Actor, Event
from jupyter_gov.audit.sealing import AuditKey
from jupyter_gov.audit.stamped import StampedLog
from jupyter_gov.bootstrap import detectors
from jupyter_gov.bootstrap.check import Checked, check
from jupyter_gov.bootstrap.engines import engine, shares
from jupyter_gov.bootstrap.exchange import Exchange, difference, outdated, without_secrets
from jupyter_gov.bootstrap.keys import Keys, load_keys, opening, private_folder
from jupyter_gov.bootstrap.notes import notes
from jupyter_gov.bootstrap.settings import PATHS, Settings, files_of
from jupyter_gov.broker.attach import AttachDesk
from jupyter_gov.broker.caller import Doorkeeper
from jupyter_gov.broker.continuity import Continuity
from jupyter_gov.broker.desk import GrantDesk
from jupyter_gov.broker.end import Ender, Target
from jupyter_gov.broker.explain import ExplainFlow
from jupyter_gov.broker.intake import Intake
from jupyter_gov.broker.limits import Limits
from jupyter_gov.broker.ports import Engine, Policy
from jupyter_gov.broker.query import QueryFlow
from jupyter_gov.broker.record import Recorder, recover
from jupyter_gov.broker.running import Running
from jupyter_gov.engines.sqlite.limits import confine
from jupyter_gov.errors import ConfigInvalid, DatabaseUnavailable, NotFound
from jupyter_gov.identity.attachment import Attachment
from jupyter_gov.identity.enrolment import Enrolment
from jupyter_gov.identity.evaluation import EvaluationIdentities
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.fpe import FormatPreserving
from jupyter_gov.masking.rows import row_filter
from jupyter_gov.masking.treatments import Seals
from jupyter_gov.store.audit_log import SqliteAuditLog
from jupyter_gov.store.clock import ForwardClock
from jupyter_gov.store.database import open_state
from jupyter_gov.store.reserve import Reserve
from jupyter_gov.store.state import State
from jupyter_gov.store.surrogates import Surrogates

STATE_RESERVE_BYTES = 1024 * 1024


def audit_path(state_dir: Path) -> Path:
    """Where the log lies."""
    return state_dir / "audit" / "log.sqlite"


def open_log(state_dir: Path, isolation: str) -> StampedLog:
    """
    The audit log of a state folder, in a folder of its own so that it can be a volume.

    *isolation* is the gateway's own class, for records that no kernel is behind.
    """
    private_folder(state_dir)
    path = private_folder(state_dir / "audit") / "log.sqlite"
    with opening(path):
        return StampedLog(SqliteAuditLog(path), isolation)


def protected_files(settings: Settings, checked: Checked) -> tuple[Path, ...]:
    """What nobody but the gateway's user may reach: config, state, secrets and databases."""
    files = [*files_of(settings), settings.state_dir]
    for spec in checked.connections.values():
        if spec.secret is not None and spec.secret.kind == "file":
            files.append(Path(spec.secret.name))
        database = make_url(spec.url).database
        if spec.dialect == "sqlite" and database:
            files += [Path(database + more) for more in ("", "-wal", "-shm", "-journal")]
    return tuple(files)


def open_keys(state_dir: Path) -> Keys:
    """The keys of a state folder; made while it has no log yet.  Raises ConfigInvalid."""
    private_folder(state_dir)
    return load_keys(state_dir, make=not audit_path(state_dir).exists())


def open_store(state_dir: Path) -> State:
    """The governance state of a state folder."""
    path = private_folder(state_dir) / "state.sqlite"
    with opening(path):
        return State(open_state(path), Reserve(path.with_suffix(".reserve"), STATE_RESERVE_BYTES))


def _policy(
    checked: Checked, engines: Mapping[str, Engine], scanning: Mapping[str, Detector]
) -> Policy:
    """Look at the databases: resolve ``*``, and refuse names that do not exist."""
    problems: list[str] = []
    catalogs = {}
    for name, looked_at in engines.items():
        try:
            catalogs[name] = looked_at.catalog()
        except DatabaseUnavailable as error:
            problems.append(f'{PATHS["connections"]}["{name}"]: {error.message}; {error.hint}')
            continue
        for table, columns in checked.connections[name].tags.items():
            where = f'{PATHS["tags"]}["{name}"]["{table}"]'
            known = catalogs[name].tables.get(table)
            if known is None:
                problems.append(f"{where}: the database has no such table; remove it")
                continue
            if known.kind == "view" and looked_at.dialect == "sqlite":
                problems.append(
                    f"{where}: is a view, which is made anew over the treated tables and takes no"
                    " tags; remove it, and tag the tables it reads"
                )
                continue
            missing = columns.keys() - {column.name for column in known.columns}
            problems += [
                f'{where}["{column}"]: the table has no such column; remove it'
                for column in sorted(missing)
            ]
    eligibilities: dict[str, Eligibility] = {}
    for name, eligibility in checked.eligibilities.items():
        catalog = catalogs.get(eligibility.connection)
        if catalog is None:
            continue
        tables = eligibility.tables
        if tables == ("*",):
            tables = tuple(sorted(catalog.tables))
        for table in tables:
            if table not in catalog.tables:
                problems.append(
                    f'{PATHS["eligibilities"]}["{name}"]["tables"]: the database has no table'
                    f" {table!r}"
                )
        for table, condition in checked.profiles[name].rows.items():
            where = f'{PATHS["eligibilities"]}["{name}"]["rows"]["{table}"]'
            filtered = catalog.tables.get(table)
            if filtered is None or filtered.kind == "view":
                problems.append(f"{where}: the database has no such table; a view takes no filter")
                continue
            missing = set(row_filter(condition).columns) - {c.name for c in filtered.columns}
            problems += [f"{where}: {table} has no column {column}" for column in sorted(missing)]
        eligibilities[name] = replace(eligibility, tables=tables)
    if problems:
        raise ConfigInvalid(tuple(problems))
    return Policy(
        digest=checked.digest,
        connections=checked.connections,
        engines=engines,
        eligibilities=eligibilities,
        profiles=checked.profiles,
        purposes=checked.purposes,
        groups={s: frozenset(i.groups) for s, i in checked.identities.items()},
        detectors=scanning,
    )


def check_databases(checked: Checked, state_dir: Path) -> None:
    """What only the databases can tell, for `config check`.  Raises ConfigInvalid."""
    with policy_now(checked, state_dir):
        pass


@contextlib.contextmanager
def policy_now(checked: Checked, state_dir: Path) -> Iterator[Policy]:
    """The policy that a gateway would start with, for a look.  Raises ConfigInvalid."""
    keys = open_keys(state_dir) if (state_dir / "keys").exists() else None
    engines = {n: engine(n, checked, keys) for n in checked.connections}
    try:
        yield _policy(checked, engines, {n: Detector(s) for n, s in checked.detectors.items()})
    finally:
        for made in engines.values():
            made.close()


class Gateway:
    """The trusted side, put together.  Delivery rooms call its parts; nothing else knows all."""

    def __init__(self, settings: Settings, isolation: Callable[[Iterable[Path]], str]) -> None:
        """
        Args:
            isolation: measures the gateway's own class from the files nobody else may reach.
        """
        self.settings = settings
        self._checked = check(settings)
        self._keys = open_keys(settings.state_dir)
        confine(private_folder(settings.state_dir / "spill"))
        engines = {n: engine(n, self._checked, self._keys) for n in self._checked.connections}
        scanning = detectors.started(self._checked.detectors, {})
        try:
            self._policy = _policy(self._checked, engines, scanning)
        except ConfigInvalid:
            detectors.end(scanning, {})
            raise
        self._swap = threading.Lock()
        self.clock = ForwardClock()
        self.store = open_store(settings.state_dir)
        self.surrogates = Surrogates(self.store.engine, self._keys.surrogates())
        self.log = open_log(settings.state_dir, isolation(self.files()))
        self.audit_key = AuditKey(self._keys.audit)
        self.running = Running()
        self.limits = Limits(settings.rates)
        self.ender = Ender(
            self.store, self.store, self.log, self.running, self.clock,
            settings.lifetimes.session_idle, self._release,
        )  # fmt: skip
        self.doorkeeper = Doorkeeper(
            Enrolment(self.store, self.clock, after=1), self.store, self.ender, self.clock
        )
        self.continuity = Continuity(self.store, self.log, self.ender, self.clock)
        self.grants = GrantDesk(self.store, self.log, self.audit_key, self.ender, self.clock)
        self.attach = AttachDesk(
            Attachment(self.store, self.clock, settings.lifetimes, self._keys.code),
            self.store, self.log, self.ender, self.clock,
        )  # fmt: skip
        self.identities = EvaluationIdentities(
            self._checked.identities, settings.state_dir / "evaluation.json", self.clock
        )
        record = Recorder(self.log, self.audit_key, self.clock)
        intake = Intake(self.doorkeeper, self.grants, self.limits, record, lambda: self.policy)
        self.queries = QueryFlow(
            intake, self.grants, self.store, self.log, record, self.running, self.clock,
            self._seals_of, self.surrogates, FormatPreserving(self._keys.fpe),
        )  # fmt: skip
        self.explanations = ExplainFlow(intake, self.grants, self.log, record, self.clock)

    def files(self) -> tuple[Path, ...]:
        """See `protected_files`: as the configuration in force names them."""
        return protected_files(self.settings, self._checked)

    @property
    def policy(self) -> Policy:
        """The configuration in force."""
        return self._policy

    def _release(self, grant: Grant) -> None:
        """What a grant had in its database goes with it."""
        held = self._policy.engines.get(grant.connection)
        if held is not None:
            held.end_grant(grant.grant_id)

    def _seals_of(self, grant_id: str) -> Seals:
        return Seals(self._keys.seal_of(grant_id))

    def start(self) -> None:
        """Close what a crash left open, and record that the gateway serves.  Raises."""
        interrupted = recover(self.log, self.store, self.clock)
        swept = sum(each.sweep() for each in self._policy.engines.values())
        now = self.clock()
        self.log.append(
            Event(
                kind="gateway.started",
                at=now,
                says={
                    "interrupted_before": interrupted,
                    "keys": self._keys.ids(),
                    "roles_swept": swept,
                },
            )
        )
        self.log.append(
            Event(
                kind="config.loaded",
                at=now,
                says={
                    "policy": self._policy.digest,
                    "settings": len(self._checked.lines),
                    "notes": list(self.notes()),
                },
            )
        )
        self.ender.end_what_is_over()

    def notes(self) -> tuple[str, ...]:
        """What the admin should know of the configuration in force."""
        return notes(self._checked)

    def stop(self, reason: str) -> None:
        """End what runs; its outcomes are recorded by the threads that run it."""
        self.ender.end(Target("everything"), reason)

    def close(self, reason: str) -> None:
        """After the last outcome."""
        self.log.append(
            Event(kind="gateway.stopped", at=self.clock(), says={"why": reason}), reserved=True
        )
        self.log.close()
        self.store.close()
        detectors.end(self._policy.detectors, {})
        for each in self._policy.engines.values():
            each.close()

    def reload(self, settings: Settings) -> Exchange:
        """
        Put a new configuration in force, whole or not at all.

        Sessions of people who are gone, and grants whose treatment tightened or which the new
        configuration no longer supports, end, and their streams are cut.  Raises ConfigInvalid;
        the old one then stays.
        """
        with self._swap:
            try:
                checked = check(settings)
                engines = self._engines(checked)
                scanning = detectors.started(checked.detectors, self._policy.detectors)
                try:
                    policy = _policy(checked, engines, scanning)
                except ConfigInvalid:
                    detectors.end(scanning, self._policy.detectors)
                    raise
            except ConfigInvalid as wrong:
                self.refuse_config(wrong)
                raise
            said = difference(self._checked.lines, checked.lines)
            waits = difference(self.settings.at_start, settings.at_start)
            self.log.append(
                Event(
                    kind="config.reloaded",
                    at=self.clock(),
                    says={
                        "from": self._policy.digest,
                        "policy": policy.digest,
                        "difference": said,
                        "waits_for_start": waits,
                    },
                )
            )
            old, self._policy, self._checked = self._policy, policy, checked
            self.settings = replace(
                settings,
                state_dir=self.settings.state_dir,
                at_start=self.settings.at_start,
                lifetimes=self.settings.lifetimes,
                rates=self.settings.rates,
            )
            self.identities.identities = dict(checked.identities)
            passwords = self.identities.generate()
        self._end_outdated(old, policy)
        detectors.end(old.detectors, policy.detectors)
        for name, before in old.engines.items():
            if not shares(before, engines.get(name)):
                before.close()
        return Exchange(difference=said, waits=waits, passwords=passwords)

    def _engines(self, checked: Checked) -> dict[str, Engine]:
        """An engine for each connection; that of one that did not change goes on."""
        return {
            name: engine(name, checked, self._keys, self._policy.engines, self._policy.connections)
            for name in checked.connections
        }

    def refuse_config(self, wrong: ConfigInvalid) -> None:
        """Record that a changed configuration was wrong; the one in force stays."""
        problems = [without_secrets(problem) for problem in wrong.problems]
        self.log.append(Event(kind="config.refused", at=self.clock(), says={"problems": problems}))

    def remove_server(self, server_id: str) -> None:
        """
        Take a notebook server's credential back: its kernels and their sessions end now.

        Raises NotFound.
        """
        now = self.clock()
        if not self.store.remove_server(server_id, at=now):
            raise NotFound(f"there is no enrolled notebook server {server_id}")
        for session in self.store.sessions():
            if session.server_id == server_id:
                self.ender.end(
                    Target("session", session.session_id), "its notebook server was removed"
                )
        self.log.append(
            Event(kind="server.removed", at=now, actor=Actor(server=server_id)), reserved=True
        )

    def _end_outdated(self, old: Policy, new: Policy) -> None:
        for session in self.store.sessions():
            if session.principal.person not in new.groups:
                self.ender.end(
                    Target("session", session.session_id),
                    "the configuration no longer knows its person",
                )
        for grant in self.store.open_grants():
            holder = self.store.session(grant.session_id)
            if why := outdated(grant, holder, old, new):
                self.ender.end(Target("grant", grant.grant_id), why)
