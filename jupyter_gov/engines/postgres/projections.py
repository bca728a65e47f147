"""
The projections of one profile: a masked twin of each source schema, as SQL.

A table or partition becomes a view of treated columns.  A view of the source is made anew over
the twins of what it reads: its text is PostgreSQL's own, with every relation replaced.  What
cannot be made so is left out, with the reason: it fails closed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlglot.tokenizer_core import TokenType

from jupyter_gov.connections.model import ConnectionSpec
from jupyter_gov.engines.postgres.catalog import (
    Attribute,
    Relation,
    inherited,
    is_projected,
    known_as,
    tags_of,
)
from jupyter_gov.engines.postgres.names import PRIVATE, Names, literal, quoted
from jupyter_gov.engines.postgres.treatments import canonical, treated
from jupyter_gov.masking.model import SUBJECT, Profile, Treatment
from jupyter_gov.masking.rows import Constant, row_filter
from jupyter_gov.sql.gate import tokens_of

_DEFINITION = "SELECT pg_catalog.pg_get_viewdef(%s::pg_catalog.oid)"
# Relations, and functions outside pg_catalog, that a view's rule depends on.
_VIEW_READS = """
SELECT d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass, d.refobjid,
       pg_catalog.pg_describe_object(d.refclassid, d.refobjid, 0)
  FROM pg_catalog.pg_rewrite r
  JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
  LEFT JOIN pg_catalog.pg_proc p
    ON d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.refobjid
 WHERE r.ev_class = %s AND d.refobjid <> r.ev_class
   AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        OR p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace)
"""
# Functions that read nothing by themselves: SECURITY INVOKER, not volatile, on built-in types, and
# that run no text they are given.  None of a name that PostgreSQL has: the gate allows names.
_FUNCTIONS = """
SELECT p.oid, n.nspname, p.proname, pg_catalog.pg_get_functiondef(p.oid),
       pg_catalog.pg_get_function_identity_arguments(p.oid)
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE n.nspname = ANY(%s) AND l.lanname IN ('sql', 'plpgsql') AND p.prokind = 'f'
   AND (l.lanname = 'sql' OR p.prosrc !~* 'execute') AND p.proname ~ '^[A-Za-z_][A-Za-z0-9_]*$'
   AND NOT p.prosecdef AND p.provolatile <> 'v' AND NOT p.proretset AND p.proconfig IS NULL
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND d.objid = p.oid AND d.deptype = 'e')
   AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[] || p.prorettype)
                     AS x(t)
                     JOIN pg_catalog.pg_type y ON y.oid = x.t
                    WHERE y.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc x
                    WHERE x.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
                      AND x.proname = p.proname)
 ORDER BY n.nspname, p.proname, p.oid
"""
# Who could have a plan for a relation run functions: by an index, a policy, a rule.
_OWNERS = """
WITH RECURSIVE below(oid, child) AS (
  SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.oid = ANY(%s)
  UNION
  SELECT b.oid, i.inhrelid FROM below b JOIN pg_catalog.pg_inherits i ON i.inhparent = b.child
)
SELECT b.oid, r.rolname::text, r.rolsuper FROM below b
  JOIN pg_catalog.pg_class c ON c.oid = b.child
  JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
"""
# Every relation that a view reads, through others too.
_READS_AT_ALL = """
WITH RECURSIVE step(view, oid) AS (
  SELECT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
     AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
   WHERE d.refobjid <> r.ev_class
), reads(view, oid) AS (
  SELECT s.view, s.oid FROM step s WHERE s.view = ANY(%s)
  UNION
  SELECT r.view, s.oid FROM reads r JOIN step s ON s.view = r.oid
)
SELECT view, oid FROM reads
"""
_SEVERAL_PARENTS = """
SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhrelid = ANY(%s)
 GROUP BY 1 HAVING count(*) > 1
"""
_PGCRYPTO = """
SELECT n.nspname FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pgcrypto'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ByPseudonym:
    """A projection's rows by the pseudonym of one column, through the column's own index."""

    column: str
    schema: str
    function: str
    kept: str
    """``space/domain``: under which the pseudonyms are kept."""
    learn: str
    """The function that keeps them."""
    condition: str
    """On the base row, given ``$1``."""
    learning: str
    """The query of what is to be kept: kept, token, value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One view to be made."""

    table: str
    """As the configuration names the relation."""
    schema: str
    name: str
    source: str
    """``schema.name``, quoted, of what it stands for."""
    sql: str
    """The query."""
    treatments: Mapping[str, Treatment]
    """Column → treatment; of a view that was made anew: empty."""
    barrier: bool = False
    """Whether nothing the reader writes may run before its condition on rows."""
    literals: Mapping[str, str] = field(default_factory=dict)
    """Name → constant of that condition."""
    by_pseudonym: tuple[ByPseudonym, ...] = ()

    @property
    def fingerprint(self) -> str:
        found_by = [[each.function, each.condition] for each in self.by_pseudonym]
        says = json.dumps([self.schema, self.name, self.sql, self.barrier, found_by])
        return hashlib.sha256(says.encode()).hexdigest()[:32]


@dataclass(slots=True, kw_only=True)
class Plan:
    """Everything of one profile in one database."""

    profile: Profile
    projections: list[Projection] = field(default_factory=list)
    """In an order in which each can be made."""
    functions: list[tuple[str, str, str]] = field(default_factory=list)
    """``(schema, name, CREATE FUNCTION …)`` of the source's functions that are offered."""
    left_out: list[str] = field(default_factory=list)
    """What is not exposed, and why."""


def _is_text(declared: str) -> bool:
    """Of whose values equality is that of their texts."""
    return declared == "text" or declared.startswith("character varying")


def crypto_schema(session: psycopg.Connection[Any]) -> str | None:
    """Where pgcrypto's functions are; None without it."""
    row = session.execute(_PGCRYPTO).fetchone()
    return None if row is None else str(row[0])


class Planner:
    """Reads the source once, and plans any number of profiles."""

    def __init__(
        self, session: psycopg.Connection[Any], spec: ConnectionSpec, names: Names,
        found: Sequence[Relation],
    ) -> None:  # fmt: skip
        """The session's search_path must be empty but for pg_catalog.  Raises psycopg.Error."""
        self._spec = spec
        self._names = names
        self._found = found
        self._every = {relation.oid: relation for relation in found}
        self._crypto = crypto_schema(session)
        self._functions = session.execute(_FUNCTIONS, (list(spec.schemas),)).fetchall()
        tables = [relation.oid for relation in found if relation.kind == "table"]
        self._owners: dict[int, set[tuple[str, bool]]] = {oid: set() for oid in tables}
        for oid, owner, is_super in session.execute(_OWNERS, (tables,)):
            self._owners[oid].add((owner, is_super))
        views = [relation.oid for relation in found if relation.kind == "view"]
        self._reads_at_all: dict[int, set[int]] = {}
        for view, oid in session.execute(_READS_AT_ALL, (views,)):
            self._reads_at_all.setdefault(view, set()).add(oid)
        several = session.execute(_SEVERAL_PARENTS, (tables,)).fetchall()
        self._several_parents = {oid for (oid,) in several}
        self._definitions: dict[int, str] = {}
        self._reads: dict[int, list[tuple[bool, int, str]]] = {}
        for relation in found:
            if relation.kind == "view":
                row = session.execute(_DEFINITION, (relation.oid,)).fetchone()
                assert row is not None
                self._definitions[relation.oid] = str(row[0]).rstrip().rstrip(";")
                self._reads[relation.oid] = [
                    (bool(a), int(b), str(c))
                    for a, b, c in session.execute(_VIEW_READS, (relation.oid,))
                ]

    def plan(self, profile: Profile) -> Plan:
        """The projections of *profile*."""
        made = Plan(profile=profile)
        made.functions = [self._clone(profile, *row) for row in self._functions]
        done: set[int] = set()
        waiting = []
        for relation in self._found:
            tags = tags_of(relation, self._every, self._spec.tags, self._spec.schemas)
            if relation.kind == "foreign":
                made.left_out.append(f"{self._known(relation)}: is a foreign table")
            elif not relation.attributes:
                made.left_out.append(f"{self._known(relation)}: has no columns")
            elif is_projected(relation, tags):
                made.projections.append(self._table(profile, relation, tags))
                if self._condition(profile, relation) is None and self._passes_by(
                    profile, relation
                ):
                    made.left_out.append(
                        f"{self._known(relation)}: shows no rows, since it would show those that"
                        " a condition hides elsewhere; give it a condition of its own"
                    )
                done.add(relation.oid)
            else:
                waiting.append(relation)
        while waiting:
            later = []
            for relation in waiting:
                missing = [r for r in self._reads[relation.oid] if not self._has(r, done)]
                if not missing:
                    made.projections.append(self._view(profile, relation))
                    done.add(relation.oid)
                else:
                    later.append(relation)
            if len(later) == len(waiting):
                made.left_out += [f"{self._known(r)}: {self._why(r, done)}" for r in later]
                break
            waiting = later
        return made

    def _known(self, relation: Relation) -> str:
        return known_as(relation.schema, relation.name, self._spec.schemas)

    def _has(self, read: tuple[bool, int, str], done: set[int]) -> bool:
        is_relation, oid, _ = read
        return oid in done if is_relation else oid in {row[0] for row in self._functions}

    def _why(self, relation: Relation, done: set[int]) -> str:
        missing = [said for *read, said in self._reads[relation.oid]
                   if not self._has((bool(read[0]), int(read[1]), said), done)]  # fmt: skip
        return f"it reads {', '.join(sorted(set(missing)))}, which is not exposed"

    def _table(self, profile: Profile, relation: Relation, tags: Mapping[str, Any]) -> Projection:
        subject = next(
            (
                canonical(f"b.{quoted(a.name)}", a.type)
                for a in relation.attributes
                if tags.get(a.name) == SUBJECT
            ),
            None,
        )
        crypto = None if self._crypto is None else quoted(self._crypto)
        columns, treatments, by_pseudonym = [], {}, []
        for attribute in relation.attributes:
            policy = profile.policy(tags.get(attribute.name))
            own = treated(
                f"b.{quoted(attribute.name)}",
                attribute.type,
                policy,
                private=quoted(PRIVATE),
                crypto=crypto,
                subject=subject,
            )
            columns.append(f"{own.sql} AS {quoted(attribute.name)}")
            treatments[attribute.name] = policy.treatment
            found_by = policy.treatment is Treatment.PSEUDONYM and _is_text(attribute.type)
            if found_by and self._may_be_searched(relation):
                by_pseudonym.append(self._found_by(profile, relation, attribute, own.sql))
        source = f"{quoted(relation.schema)}.{quoted(relation.name)}"
        where, literals = self._rows(profile, relation)
        return Projection(
            table=self._known(relation),
            schema=self._names.schema(profile, relation.schema),
            name=relation.name,
            source=source,
            sql="SELECT " + ",\n       ".join(columns) + f"\n  FROM {source} AS b{where}",
            treatments=treatments,
            barrier=bool(where),
            literals=literals,
            by_pseudonym=tuple(by_pseudonym),
        )

    def _may_be_searched(self, relation: Relation) -> bool:
        """
        Whether functions may read it with the rights of the projections' owner.

        What a relation's owner planted (in a view, a policy, an index) runs with the same rights:
        nothing is gained by it only where the relation's owner has every table anyway.
        """
        if relation.kind != "table" or relation.row_security:
            return False
        own = {owner for owner, is_super in self._owners[relation.oid] if not is_super}
        every = {owner for owners in self._owners.values() for owner, _ in owners}
        return not own or own == every

    def _found_by(
        self, profile: Profile, relation: Relation, attribute: Attribute, token: str
    ) -> ByPseudonym:
        tags = tags_of(relation, self._every, self._spec.tags, self._spec.schemas)
        policy = profile.policy(tags.get(attribute.name))
        table, kept = self._known(relation), f"{policy.space}/{policy.domain}"
        column = f"b.{quoted(attribute.name)}"
        value = f"SELECT t.value FROM {PRIVATE}.token AS t WHERE t.kept = {literal(kept)}"
        return ByPseudonym(
            column=attribute.name,
            schema=self._names.schema(profile, relation.schema),
            function=self._names.lookup(table, attribute.name),
            kept=kept,
            learn=self._names.learn(table, attribute.name, kept),
            condition=f"{column} = ({value} AND t.token = $1)",
            learning=(
                f"SELECT DISTINCT {literal(kept)}, {token}, {column}::text"
                f" FROM {quoted(relation.schema)}.{quoted(relation.name)} AS b"
                f" WHERE {column} IS NOT NULL"
            ),
        )

    def _rows(self, profile: Profile, relation: Relation) -> tuple[str, dict[str, str]]:
        """The condition on its rows, and the constants in it, which are kept apart."""
        condition = self._condition(profile, relation)
        if condition is None:
            return ("\n WHERE false" if self._passes_by(profile, relation) else ""), {}
        types = {a.name: a.type for a in relation.attributes}
        literals: dict[str, str] = {}

        def constant(number: int, column: str, value: Constant) -> str:
            name = f"{self._names.profile(profile)} {self._known(relation)} {number}"
            literals[name] = str(value).lower() if isinstance(value, bool) else str(value)
            row = f"SELECT value FROM {PRIVATE}.literal WHERE name = {literal(name)}"
            return f"({row})::{types.get(column, 'text')}"

        sql = row_filter(condition).sql(lambda name: f"b.{quoted(name)}", constant)
        return f"\n WHERE {sql}", literals

    def _condition(self, profile: Profile, relation: Relation) -> str | None:
        if relation.oid in self._several_parents:
            return profile.rows.get(self._known(relation))
        return inherited(relation, self._every, profile.rows, self._spec.schemas)

    def _passes_by(self, profile: Profile, relation: Relation) -> bool:
        """
        Whether it would show rows that a condition on another relation hides.

        A view with tags reads tables as they are; a table of several parents has the first one's
        condition only.  Whose own condition is not said shows no rows.
        """
        if relation.oid in self._several_parents and profile.rows:
            return True
        below = self._reads_at_all.get(relation.oid, set()) & self._every.keys()
        return any(self._condition(profile, self._every[oid]) is not None for oid in below)

    def _view(self, profile: Profile, relation: Relation) -> Projection:
        return Projection(
            table=self._known(relation),
            schema=self._names.schema(profile, relation.schema),
            name=relation.name,
            source=f"{quoted(relation.schema)}.{quoted(relation.name)}",
            sql=self._over_twins(profile, self._definitions[relation.oid]),
            treatments={},
        )

    def _over_twins(self, profile: Profile, definition: str) -> str:
        """
        A definition with every ``schema.name`` of a relation or offered function replaced.

        `pg_get_viewdef` with an empty search_path qualifies them all, so a token can be nothing
        else; and whether the made view reads only twins is checked afterwards.
        """
        known = {(r.schema, r.name) for r in self._found}
        known |= {(schema, name) for _, schema, name, *_ in self._functions}
        tokens = tokens_of(definition, "postgres")
        parts, at = [], 0
        for i in range(len(tokens) - 2):
            schema, dot, name = tokens[i : i + 3]
            if dot.token_type != TokenType.DOT or (schema.text, name.text) not in known:
                continue
            if i and tokens[i - 1].token_type in (TokenType.DCOLON, TokenType.DOT):
                continue
            twin = quoted(self._names.schema(profile, schema.text))
            parts += [definition[at : schema.start], twin]
            at = schema.end + 1
        return "".join([*parts, definition[at:]])

    def _clone(
        self, profile: Profile, oid: int, schema: str, name: str, definition: str, arguments: str
    ) -> tuple[str, str, str]:
        twin = self._names.schema(profile, schema)
        _, _, rest = definition.partition("(")
        return twin, name, f"CREATE FUNCTION {quoted(twin)}.{quoted(name)}({rest}".rstrip()
