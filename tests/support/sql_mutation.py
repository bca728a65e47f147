"""Statements made of other statements, by chance and by rules that an attacker would use."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|[:@$]?\w+|->>|->|
    <=|>=|<>|!=|==|\|\||<<|>>|\s+|.""",
    re.VERBOSE | re.DOTALL,
)
_LIST = """
    patients encounters claims guarantors messages providers PatientContacts fhir_resources
    patient_summary v_roster v_patient_contact v_dept_stats unlisted audit_log notes_fts notes_fts2
    notes_fts2_content sqlite_master sqlite_schema sqlite_temp_master sqlite_stat1 dbstat
    pragma_table_info pragma_database_list json_each json_tree main temp rowid _rowid_ oid
    patient_id ssn mrn full_name dob zip phone email address notes alt_phones name_key label
    contact_name display_name tax_id guarantor_name body doc memo triage_note subscriber_ref
    upper hex quote substr group_concat json_group_array json_extract printf coalesce max min
    count length replace trim instr char unicode typeof cast abs date strftime likely iif
    random load_extension zeroblob sqlite_version total_changes soundex
    NULL 1 7 -1 9223372036854775808 1e999 x'00' '' ' ' '%' '$' '⟦gov:' :p
    SELECT FROM WHERE UNION ALL EXCEPT INTERSECT NATURAL JOIN LEFT FULL CROSS USING ON AS WITH
    RECURSIVE MATERIALIZED DISTINCT GROUP BY HAVING ORDER LIMIT OFFSET OVER PARTITION WINDOW FILTER
    VALUES CASE WHEN THEN ELSE END EXISTS IN LIKE GLOB MATCH COLLATE NOCASE INDEXED NOT RETURNING
    EXPLAIN PRAGMA ATTACH BEGIN ( ) , ; . * || -> ->> = < > + - ~
"""
_WORDS = _LIST.split()
_WRAPS = (
    "SELECT * FROM ({0})",
    "WITH w AS ({0}) SELECT * FROM w",
    "WITH patients AS ({0}) SELECT * FROM patients",
    "WITH claims AS ({0}), patients AS (SELECT * FROM claims) SELECT * FROM main.patients",
    "WITH RECURSIVE w AS ({0} UNION ALL SELECT * FROM w LIMIT 9) SELECT * FROM w",
    "SELECT count(*) FROM ({0})",
    "SELECT ({0})",
    "SELECT ({0}), ssn FROM patients",
    "SELECT EXISTS ({0})",
    "SELECT 1 WHERE 1 IN ({0})",
    "SELECT json_group_array(json_array(x)) FROM (SELECT ({0}) AS x)",
    "SELECT value FROM json_each(json_array(({0})))",
    "{0} UNION ALL {1}",
    "{0} UNION SELECT ({1})",
    "{0} EXCEPT {1}",
    "SELECT * FROM ({0}) NATURAL JOIN ({1})",
    "SELECT * FROM ({0}) a, ({1}) b",
    "SELECT * FROM ({0}) a LEFT JOIN patients USING (patient_id)",
    "SELECT max(a.ssn) OVER (ORDER BY 1) FROM patients a WHERE EXISTS ({0})",
    "EXPLAIN {0}",
    "/* {1} */ {0} -- {1}",
    "{0};",
    "{0}; {1}",
)
_AROUND = (
    "upper({0})", "hex({0})", "quote({0})", "({0})", "{0} || ''", "-{0}", "CAST({0} AS BLOB)",
    "json_quote({0})", "coalesce({0}, 1)", "max({0})", "group_concat({0})", "substr({0}, 1, 5)",
    "{0} COLLATE NOCASE", "(SELECT {0})", "json_extract('{{}}', {0})", "printf('%s', {0})",
    "{0} OVER ()", "CASE WHEN {0} THEN {0} END", "abs({0})", "json({0})", "typeof({0})",
)  # fmt: skip


def tokens(sql: str) -> list[str]:
    return _TOKEN.findall(sql)


@dataclass(frozen=True)
class Language:
    """What a dialect is made of, for whoever puts it together by chance."""

    words: Sequence[str]
    wraps: Sequence[str]
    """Statements around one or two others."""
    around: Sequence[str]
    """Expressions around a name."""


SQLITE = Language(_WORDS, _WRAPS, _AROUND)


class Mutator:
    """An endless source; the same seed gives the same statements."""

    def __init__(self, corpus: Sequence[str], seed: int, language: Language = SQLITE) -> None:
        self._corpus = list(corpus)
        self._chance = random.Random(seed)
        self._language = language

    def statement(self) -> str:
        """One statement, mutated once, or a few times."""
        made = self._one()
        gentle = (self._wrap, self._around)
        rough = (*gentle, self._swap, self._splice, self._cut)
        for _ in range(self._chance.choice((1, 1, 2, 2, 3, 5))):
            made = self._chance.choice(self._chance.choice((gentle, rough)))(made)
            if len(made) > 4_000:
                return made[:4_000]
        return made

    def _one(self) -> str:
        return self._chance.choice(self._corpus)

    def _swap(self, sql: str) -> str:
        """Another word in the place of one."""
        parts = tokens(sql)
        for _ in range(self._chance.randint(1, 3)):
            at = self._chance.randrange(len(parts)) if parts else 0
            parts[at : at + 1] = [self._chance.choice(self._language.words)]
        return "".join(parts)

    def _wrap(self, sql: str) -> str:
        """The statement inside another, or beside one."""
        return self._chance.choice(self._language.wraps).format(
            sql.rstrip("; \n"), self._one().rstrip("; \n")
        )

    def _splice(self, sql: str) -> str:
        """The beginning of one and the end of another."""
        left, right = tokens(sql), tokens(self._one())
        return "".join(
            left[: self._chance.randint(0, len(left))]
            + right[self._chance.randint(0, len(right)) :]
        )

    def _around(self, sql: str) -> str:
        """A function around a name."""
        parts = tokens(sql)
        names = [i for i, part in enumerate(parts) if part.isidentifier()]
        if names:
            at = self._chance.choice(names)
            parts[at] = self._chance.choice(self._language.around).format(parts[at])
        return "".join(parts)

    def _cut(self, sql: str) -> str:
        """Something out, twice, or elsewhere."""
        parts = tokens(sql)
        if len(parts) < 3:
            return sql
        start = self._chance.randrange(len(parts))
        end = min(len(parts), start + self._chance.randint(1, 6))
        piece = parts[start:end]
        del parts[start:end]
        if self._chance.random() < 0.6:
            at = self._chance.randint(0, len(parts))
            parts[at:at] = piece * self._chance.randint(1, 2)
        return "".join(parts)
