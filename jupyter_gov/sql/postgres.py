"""
What the gate looks for in a PostgreSQL statement, on the server's own tokens.

A call is a name before a parenthesis, so functions are read from the text and not from what a
parser makes of them; a name that is an alias or a type there is told by its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from sqlglot import exp

from jupyter_gov.errors import BadSyntax, Next, StatementRefused
from jupyter_gov.sql.names import near_matches
from jupyter_gov.sql.places import position_of
from jupyter_gov.sql.postgres_lexemes import NO_TABLE, RESERVED, Kind, Lexeme
from jupyter_gov.sql.relations import Reference
from jupyter_gov.sql.shadow import OPERATORS, begins_operand, is_label

_FIX = Next("fix_sql")
_TABLES = Next("narrow", magic="%gov tables", call="con.tables()")

_SYNTAX_LIST = """
    between by columns cube exists except filter first groups ilike in inner intersect is join
    lateral like materialized next not notnull of over overlaps range recursive rollup row rows sets
    similar symmetric to values when within zone escape set
"""
_SYNTAX = RESERVED - {"user"} | frozenset(_SYNTAX_LIST.split())
"""Words of the language that a parenthesis may follow."""

_TYPES_LIST = """
    numeric decimal dec varchar char character bpchar bit varbit varying time timestamp interval
    float timestamptz timetz nchar
"""
_TYPES = frozenset(_TYPES_LIST.split())
"""Types that take modifiers in parentheses."""

_WHO_LIST = """
    current_user session_user user current_role current_catalog current_schema system_user
"""
_WHO = frozenset(_WHO_LIST.split())

_WORDS = {
    "tablesample": ("TABLESAMPLE is not available here", "Write WHERE random() < 0.01."),
    "operator": ("OPERATOR(…) is not allowed", "Write the operator itself."),
    "treat": ("TREAT is not allowed", "Write a cast."),
    "uescape": ("UESCAPE is not allowed", "Write the signs themselves."),
    "into": ("SELECT INTO is not allowed", "The result comes to the notebook."),
    "xmltable": ("the XML functions are not allowed", ""),
}
_ENDS = frozenset({"from", "where", "and", "or", "order", "group", "limit", "then", "end", "as"})
_LOCKS = (["update"], ["share"], ["no", "key"], ["key", "share"])
_REG_TYPES_LIST = """
    regclass regcollation regdictionary regnamespace regoper regoperator regproc regprocedure
    regrole regtype
"""
_REG_TYPES = frozenset(_REG_TYPES_LIST.split())
"""Casting to these looks a name up in the catalogs."""

_HIDDEN = ("pg_", "to_reg", "txid_", "binary_upgrade_", "dblink", "brin_")
_HIDDEN_NAMES_LIST = """
    lo_close lo_creat lo_create lo_export lo_get lo_import lo_open lo_tell lo_tell64 lo_unlink
    aclexplode currval nextval lastval setval setseed current_setting current_schemas
    obj_description col_description row_security_active ts_stat ts_debug ts_token_type
    gin_clean_pending_list popen pclose satisfies_hash_partition
"""
_HIDDEN_NAMES = frozenset(_HIDDEN_NAMES_LIST.split())
_FOREIGN = tuple(
    getattr(exp, name)
    for name in (
        "Qualify", "Pivot", "Final", "Connect", "Cluster", "Sort", "PreWhere", "MatchRecognize",
        "Hint", "JoinHint", "WithTableHint", "HistoricalData", "Version", "UnpivotColumns",
    )
    if hasattr(exp, name)
)  # fmt: skip
_JOIN_KINDS = frozenset({"", "INNER", "CROSS", "OUTER"})


def check(
    sql: str,
    found: Sequence[Lexeme],
    tree: exp.Expr,
    relations: Sequence[Reference],
    functions: Set[str],
) -> None:
    """Raise StatementRefused or BadSyntax where something is not allowed or not understood."""
    _check_relations(sql, relations)
    _check_names(sql, found, tree)
    check_calls(sql, found, tree, functions)


def restore(tree: exp.Expr, found: Sequence[Lexeme]) -> None:
    """Give the names of a tree, which was parsed from the stand-in, their own spelling again."""
    by_start = {lexeme.start: lexeme for lexeme in found if lexeme.named}
    for node in tree.find_all(exp.Identifier):
        lexeme = by_start.get(node.meta.get("start", -1))
        if lexeme is not None:
            node.set("this", lexeme.value)
            node.set("quoted", lexeme.kind is Kind.QUOTED)


def check_words(sql: str, found: Sequence[Lexeme]) -> None:
    """Raise StatementRefused for words, operators and types that have no place in a query."""
    for index, lexeme in enumerate(found):
        after = found[index + 1] if index + 1 < len(found) else None
        if lexeme.kind is Kind.OPERATOR and lexeme.value not in OPERATORS:
            raise _refused(sql, lexeme, "there is no such operator in PostgreSQL itself")
        if _is_other_bind(index, found):
            raise _refused(
                sql, lexeme, "parameters are written :name",
                hint="Other forms (?, ?1, @name, $name) are not taken.",
            )  # fmt: skip
        if lexeme.named and lexeme.value in _REG_TYPES:
            raise _refused(
                sql, lexeme, f"{lexeme.value} reads the catalogs", next=_TABLES,
                hint="The tables you may read are listed by %gov tables.",
            )  # fmt: skip
        if lexeme.kind is not Kind.WORD or is_label(index, found):
            continue
        if lexeme.value in _WHO:
            raise _refused(
                sql, lexeme, f"{lexeme.value.upper()} is not allowed",
                hint="The database's own user is the gateway's; %gov whoami says who you are.",
            )  # fmt: skip
        following = [each.value for each in found[index + 1 : index + 3]]
        if lexeme.value == "for" and any(following[: len(lock)] == lock for lock in _LOCKS):
            raise _refused(sql, lexeme, "FOR UPDATE and FOR SHARE lock rows: leave them out")
        if index and lexeme.value == "into" and found[index - 1].word("insert"):
            continue
        if lexeme.value in ("tablesample", "into") or (
            lexeme.value in _WORDS and after is not None and after.mark("(")
        ):
            text, hint = _WORDS[lexeme.value]
            raise _refused(sql, lexeme, text, hint=hint)


def _is_other_bind(index: int, found: Sequence[Lexeme]) -> bool:
    """``?`` without an operand after it, or ``%s`` without one before it."""
    lexeme = found[index]
    if lexeme.kind is not Kind.OPERATOR or lexeme.value not in ("?", "%"):
        return False
    if lexeme.value == "%":
        return begins_operand(index, found)
    after = found[index + 1] if index + 1 < len(found) else None
    return after is None or after.value in (",", ")") or after.word(*_ENDS)


def _check_relations(sql: str, relations: Sequence[Reference]) -> None:
    for reference in relations:
        schema, name = reference.schema, reference.name
        node = reference.node
        catalog = node.args.get("catalog")
        if catalog is not None:
            raise StatementRefused(
                "a table is named by its schema at most, not by its database", next=_FIX
            )
        if schema.startswith("pg_") or schema == "information_schema" or (
            not schema and name.startswith("pg_")
        ):  # fmt: skip
            identifier = node.args.get("db") or node.this
            raise StatementRefused(
                "the system catalogs are not for asking",
                hint="The tables you may read, and their columns, are listed by %gov tables.",
                position=position_of(sql, identifier.meta.get("start", 0)),
                next=_TABLES,
            )


def _check_names(sql: str, found: Sequence[Lexeme], tree: exp.Expr) -> None:
    """What the parser took for names must be names to PostgreSQL, and its nodes SQL of it."""
    index_at = {lexeme.start: index for index, lexeme in enumerate(found)}
    for node in tree.walk():
        if _is_foreign(node):
            raise BadSyntax("the statement is not one of PostgreSQL's", next=_FIX)
        if not isinstance(node, exp.Identifier) or "start" not in node.meta:
            continue
        index = index_at.get(node.meta["start"])
        if index is None or not found[index].named:
            raise BadSyntax(
                "the statement does not parse",
                position=position_of(sql, node.meta["start"]), next=_FIX,
            )  # fmt: skip
        lexeme = found[index]
        reserved = lexeme.value in RESERVED or lexeme.value in NO_TABLE
        if lexeme.kind is Kind.WORD and reserved and not is_label(index, found):
            raise BadSyntax(
                f"{lexeme.value.upper()} is a word of the language: quote it to use it as a name",
                position=position_of(sql, lexeme.start), next=_FIX,
            )  # fmt: skip


def _is_foreign(node: exp.Expr) -> bool:
    """Whether it is something of another database's language."""
    if isinstance(node, exp.Join):
        kind, method = (str(node.args.get(key) or "") for key in ("kind", "method"))
        return kind not in _JOIN_KINDS or method not in ("", "NATURAL")
    if isinstance(node, exp.Star):
        return any(node.args.values())
    return isinstance(node, _FOREIGN)


def check_calls(sql: str, found: Sequence[Lexeme], tree: exp.Expr, functions: Set[str]) -> None:
    """Raise StatementRefused for a call of what is not on the list."""
    aliases = _alias_lists(tree)
    for index, lexeme, called in _dotted(found):
        if not called:
            if found[index - 1].mark(".") and _hidden(lexeme.value):
                # `(x).f` and `t.f` call the function f, unless there is such a column.
                raise _not_allowed(sql, lexeme, functions)
            continue
        qualified = index > 0 and found[index - 1].mark(".")
        if not qualified:
            if lexeme.kind is Kind.WORD and lexeme.value in _SYNTAX | _TYPES:
                continue
            if lexeme.start in aliases and _after_a_source(index, found):
                continue
            if lexeme.value not in functions:
                raise _not_allowed(sql, lexeme, functions)
            continue
        schema = found[index - 2].value if index > 1 and found[index - 2].named else ""
        longer = index > 2 and found[index - 3].mark(".")
        known = f"{schema}.{lexeme.value}" in functions or (
            schema == "pg_catalog" and lexeme.value in functions
        )
        if longer or not known:
            raise _not_allowed(sql, lexeme, functions)


def _dotted(found: Sequence[Lexeme]) -> Iterator[tuple[int, Lexeme, bool]]:
    """Names that a parenthesis follows, and names after a dot."""
    for index, lexeme in enumerate(found):
        if not lexeme.named:
            continue
        called = index + 1 < len(found) and found[index + 1].mark("(")
        if called or (index > 0 and found[index - 1].mark(".")):
            yield index, lexeme, called


def _alias_lists(tree: exp.Expr) -> frozenset[int]:
    """Where a table alias or a WITH name stands that a list of columns follows."""
    return frozenset(
        node.this.meta.get("start", -1)
        for node in tree.find_all(exp.TableAlias)
        if isinstance(node.this, exp.Identifier) and node.args.get("columns")
    )


def _after_a_source(index: int, found: Sequence[Lexeme]) -> bool:
    """Whether a name stands where PostgreSQL, too, cannot mean a call."""
    before = found[index - 1] if index else None
    if before is None:
        return False
    if before.word("as", "with", "recursive", "ordinality") or before.mark(")"):
        return True
    if before.mark(","):
        return _is_cte(index, found)
    if before.kind is Kind.OPERATOR:
        return before.value == "*"  # FROM patients * AS p
    return before.named and (before.kind is Kind.QUOTED or before.value not in RESERVED | NO_TABLE)


def _is_cte(index: int, found: Sequence[Lexeme]) -> bool:
    """Whether AS follows the list in parentheses after a name."""
    depth = 0
    for at in range(index + 1, len(found)):
        if found[at].mark("("):
            depth += 1
        elif found[at].mark(")"):
            depth -= 1
            if depth == 0:
                return at + 1 < len(found) and found[at + 1].word("as")
    return False


def _hidden(name: str) -> bool:
    return name.startswith(_HIDDEN) or name in _HIDDEN_NAMES or "_to_xml" in name


def _refused(
    sql: str, lexeme: Lexeme, text: str, *, hint: str = "", next: Next = _FIX
) -> StatementRefused:
    return StatementRefused(text, hint=hint, position=position_of(sql, lexeme.start), next=next)


def _not_allowed(sql: str, lexeme: Lexeme, functions: Set[str]) -> StatementRefused:
    return StatementRefused(
        f"the function {lexeme.value} is not on the list of allowed functions",
        position=position_of(sql, lexeme.start),
        near=near_matches(lexeme.value, functions),
        next=_FIX,
    )
