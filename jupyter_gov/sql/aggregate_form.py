"""
The one form of statement that may be asked under an aggregate-only profile, part by part.

Whatever a statement could tell of one row, by its result or by an error, is not in the form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from jupyter_gov.errors import Next, StatementRefused
from jupyter_gov.sql.constants import is_bare, is_constant
from jupyter_gov.sql.gate import Statement
from jupyter_gov.sql.places import position_of
from jupyter_gov.sql.relations import references

_FIX = Next("fix_sql")
HINT = (
    "Under an aggregate-only grant: one SELECT of grouping columns and count, sum, avg, stddev or"
    " variance of plain columns; WHERE compares columns with constants."
)
_SUMS = (
    exp.Sum, exp.Avg, exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop,
)  # fmt: skip
_AROUND = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Neg, exp.Paren, exp.Round, exp.Nullif,
           exp.Coalesce, exp.Cast)  # fmt: skip
"""What may be made of an aggregate: it is of a whole group already."""
_TOTAL = {
    "postgres": (exp.TimestampTrunc, exp.Lower, exp.Upper, exp.Left, exp.Coalesce),
    "sqlite": (
        exp.TimeToStr, exp.TsOrDsToTimestamp, exp.Date, exp.Lower, exp.Upper, exp.Substring,
        exp.Coalesce, exp.Cast,
    ),
}  # fmt: skip
"""
Functions of a column that fail for no value and no argument.

An error would tell that there is a row, however few: PostgreSQL's ``extract`` fails for a time,
``substring`` for a length, ``to_char`` for a format, a cast for a text.
"""
_UNITS = frozenset({"YEAR", "QUARTER", "MONTH", "DAY", "HOUR"})
"""Of ``date_trunc``: those that every type has."""
_LONGEST_PATTERN = 100
_COMPARED = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike, exp.NullSafeEQ,
    exp.NullSafeNEQ,
)  # fmt: skip
_CLAUSES = {
    "expressions": "", "from_": "", "from": "", "joins": "", "where": "", "group": "",
    "having": "", "order": "", "limit": "", "offset": "",
}  # fmt: skip
_ROW_IDS = frozenset({"rowid", "_rowid_", "oid", "ctid"})


class Form:
    """The one form of statement, checked part by part."""

    def __init__(self, statement: Statement, subjects: Mapping[str, str | None]) -> None:
        self._statement = statement
        self._dialect = statement.dialect
        self._subjects = subjects
        self._names = {name.lower() for name in subjects.values() if name} | _ROW_IDS
        self._total = (exp.Paren, *_TOTAL[statement.dialect])
        self._people: list[str] = []
        """The subject's column of each table in FROM, as SQL."""
        self._summed: dict[str, None] = {}
        self._keys: list[exp.Expr] = []

    # ------------------------------------------------------------ the parts

    def check(self, tree: exp.Select) -> None:
        for key, value in tree.args.items():
            distinct = key == "distinct" and value is not None and not value.args.get("on")
            if value and key not in _CLAUSES and not distinct:
                raise self.refused(f"{_called(key)} is not allowed here", value)
        for node in tree.walk():
            if isinstance(node, exp.Query) and node is not tree:
                raise self.refused("a subquery is not allowed here", node)
        self._tables(tree)
        self._groups(tree)
        where = tree.args.get("where")
        if where is not None:
            self._filter(where.this)
        joins = tree.args.get("joins") or []
        conditions = [join.args["on"] for join in joins if join.args.get("on") is not None]
        conditions += [where.this] if where is not None else []
        for condition in conditions if joins else ():
            self._one_table_each(condition)
        for item in tree.expressions:
            self._output(item.unalias())
        having = tree.args.get("having")
        if having is not None:
            self._having(having.this)
        self._order(tree)

    def _tables(self, tree: exp.Select) -> None:
        origin_ = tree.args.get("from_") or tree.args.get("from")
        if origin_ is None:
            raise self.refused("there is nothing to count", tree)
        joins = tree.args.get("joins") or []
        spelled = {id(ref.node): ref.spelled for ref in references(tree, self._dialect)}
        for place in [origin_, *joins]:
            table = place.this
            plain = isinstance(table, exp.Table) and isinstance(table.this, exp.Identifier)
            extra = [k for k, v in table.args.items() if v and k not in ("this", "db", "alias")]
            if not plain or extra or table.args.get("joins"):
                raise self.refused("only tables may stand in FROM", table)
            alias = table.args.get("alias")
            if alias is not None and alias.args.get("columns"):
                raise self.refused("a table's columns may not be renamed here", alias)
            name = (alias.this if alias is not None else table.this).sql(self._dialect)
            subject = self._subjects.get(spelled[id(table)])
            if subject:
                self._people.append(f"{name}.{_quoted(subject)}")
        for join in joins:
            if join.args.get("method"):
                raise self.refused("NATURAL is not allowed here: write USING or ON", join)
            if join.args.get("on") is not None:
                self._filter(join.args["on"])
                self._outer(join)

    def _outer(self, join: exp.Join) -> None:
        """
        A constant beside an outer join may choose among the rows that are joined on, only.

        It would count rows of the others more than once, those that it chooses: a smaller group
        inside the counted one.
        """
        side = str(join.args.get("side") or "").upper()
        if not side:
            return
        name = join.this.alias_or_name.lower()
        for leaf in _leaves(join.args["on"]):
            of = {column.table.lower() for column in leaf.find_all(exp.Column)}
            joined = isinstance(leaf, exp.EQ) and _joins(leaf.left, leaf.right)
            fine = of == {name} if side == "LEFT" else side == "RIGHT" and not of & {name, ""}
            if not joined and not fine:
                raise self.refused("a condition beside an outer join is of the joined table", leaf)

    def _one_table_each(self, condition: exp.Expr) -> None:
        """That no OR lets a row of one table be joined to more rows of another than the rest."""
        waiting = [condition]
        while waiting:
            node = waiting.pop()
            if isinstance(node, exp.And):
                waiting += [node.left, node.right]
                continue
            if isinstance(node, exp.Paren):
                waiting.append(node.this)
                continue
            plain = isinstance(node, exp.EQ) and _joins(node.left, node.right)
            of = {c.table.lower() or f"?{c.name.lower()}" for c in node.find_all(exp.Column)}
            if not plain and len(of) > 1:
                raise self.refused("OR and NOT join conditions on one table each", node)

    def _groups(self, tree: exp.Select) -> None:
        group = tree.args.get("group")
        if group is None:
            return
        if [key for key, value in group.args.items() if value and key != "expressions"]:
            raise self.refused("GROUPING SETS, ROLLUP and CUBE are not allowed here", group)
        outputs = [item.unalias() for item in tree.expressions]
        aliases = {item.alias.lower(): item.unalias() for item in tree.expressions if item.alias}
        for key in group.expressions:
            if isinstance(key, exp.Literal) and not key.is_string and key.name.isdigit():
                index = int(key.name) - 1
                if not 0 <= index < len(outputs):
                    raise self.refused("GROUP BY names no column of the result", key)
                self._keys.append(outputs[index])
            elif isinstance(key, exp.Column) and not key.table and key.name.lower() in aliases:
                self._keys += [key, aliases[key.name.lower()]]
            else:
                self._keys.append(key)
        for key in self._keys:
            if not self._is_term(key):
                raise self.refused(
                    "groups are made by columns, or by parts of dates and texts", key
                )

    def _output(self, node: exp.Expr) -> None:
        if node in self._keys or is_constant(node):
            return
        if not self._is_result(node):
            raise self.refused(
                "a column of the result is a grouping column, or a count, sum, average, stddev or"
                " variance of a plain column",
                node,
            )

    def _having(self, node: exp.Expr) -> None:
        for leaf in _leaves(node):
            sides = [leaf.this, *leaf.expressions] if isinstance(leaf, exp.In) else _sides(leaf)
            for side in sides:
                aggregate = isinstance(side, exp.AggFunc) and self._is_aggregate(side)
                if not (aggregate or side in self._keys or is_constant(side)):
                    raise self.refused("HAVING compares aggregates with constants", side)

    def _order(self, tree: exp.Select) -> None:
        order = tree.args.get("order")
        aliases = {item.alias.lower() for item in tree.expressions if item.alias}
        for item in order.expressions if order is not None else ():
            node = item.this
            named = isinstance(node, exp.Column) and node.name.lower() in aliases
            known = node in self._keys or is_constant(node) or self._is_result(node)
            if not (named or known):
                raise self.refused("ORDER BY names a column of the result", node)

    # ------------------------------------------------------------ conditions on rows

    def _filter(self, condition: exp.Expr) -> None:
        for leaf in _leaves(condition):
            if not self._is_filter(leaf):
                raise self.refused(
                    "a condition compares a column with constants, or joins two tables", leaf
                )

    def _is_filter(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.EQ) and _joins(node.left, node.right):
            return True
        if isinstance(node, exp.Like | exp.ILike) and not self._is_pattern(node.expression):
            return False
        if isinstance(node, _COMPARED):
            one, other = node.this, node.expression
            return (self._is_term(one) and is_constant(other)) or (
                is_constant(one) and self._is_term(other)
            )
        if isinstance(node, exp.Between):
            ends = (node.args["low"], node.args["high"])
            return self._is_term(node.this) and all(map(is_constant, ends))
        if isinstance(node, exp.In):
            plain = not node.args.get("query") and not node.args.get("field")
            constant = bool(node.expressions) and all(map(is_constant, node.expressions))
            return self._is_term(node.this) and plain and constant
        if isinstance(node, exp.Is):
            return self._is_term(node.this) and is_constant(node.expression)
        return self._is_term(node) or is_constant(node)

    def _is_pattern(self, node: exp.Expr) -> bool:
        """A text that cannot fail: PostgreSQL minds one that ends in its escape sign."""
        plain = isinstance(node, exp.Literal) and len(node.name) <= _LONGEST_PATTERN
        return plain and "\\" not in self._statement.text

    def _is_term(self, node: exp.Expr) -> bool:
        """A column that says not who, or what can be made of one without an error."""
        columns = 0
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if isinstance(each, exp.Column):
                columns += 1
                if not isinstance(each.this, exp.Identifier) or each.name.lower() in self._names:
                    return False
                continue
            if isinstance(each, exp.TimestampTrunc):
                if each.args.get("zone") or each.text("unit").upper() not in _UNITS:
                    return False
                waiting.append(each.this)
            elif isinstance(each, self._total):
                waiting += list(each.iter_expressions())
            elif not isinstance(each, exp.DataType) and not is_bare(each):
                return False
        return columns == 1

    # ------------------------------------------------------------ aggregates

    def _is_result(self, node: exp.Expr) -> bool:
        """An aggregate of the list, or arithmetic of such and constants."""
        found = False
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if isinstance(each, exp.Count | exp.Distinct | exp.AggFunc):
                if not self._is_aggregate(each):
                    return False
                found = True
            elif isinstance(each, _AROUND):
                waiting += [
                    below for below in each.iter_expressions()
                    if not isinstance(below, exp.DataType)
                ]  # fmt: skip
            elif not is_constant(each):
                return False
        return found

    def _is_aggregate(self, node: exp.Expr) -> bool:
        inside = node.this
        if isinstance(node, exp.Count):
            if node.expressions:
                return False
            if isinstance(inside, exp.Star):
                return not any(inside.args.values())
        elif not isinstance(node, _SUMS):
            return False
        if isinstance(inside, exp.Distinct):
            if len(inside.expressions) != 1 or inside.args.get("on"):
                return False
            inside = inside.expressions[0]
        if not isinstance(inside, exp.Column) or not isinstance(inside.this, exp.Identifier):
            return False
        self._summed[inside.sql(self._dialect)] = None
        return True

    def condition(self, least: int) -> str:
        """So many different people in the group, and with a value in what is summed."""
        if not self._people:
            counted = ["count(*)", *(f"count({column})" for column in self._summed)]
        else:
            counted = [f"count(DISTINCT {person})" for person in self._people]
            counted += [
                f"count(DISTINCT CASE WHEN {column} IS NOT NULL THEN {person} END)"
                for column in self._summed
                for person in self._people
                if column != person
            ]
        return " AND ".join(f"{each} >= {least}" for each in counted)

    def refused(self, text: str, node: object) -> StatementRefused:
        starts = [
            each.meta["start"]
            for part in (node if isinstance(node, list) else [node])
            if isinstance(part, exp.Expr)
            for each in part.find_all(exp.Identifier)
            if "start" in each.meta
        ]
        return StatementRefused(
            text,
            hint=HINT,
            position=position_of(self._statement.text, min(starts)) if starts else None,
            next=_FIX,
        )


def _leaves(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Conditions without AND, OR, NOT and parentheses around them."""
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        if isinstance(node, exp.And | exp.Or):
            waiting += [node.right, node.left]
        elif isinstance(node, exp.Not) or (
            isinstance(node, exp.Paren) and not isinstance(node.this, exp.Column)
        ):
            waiting.append(node.this)
        else:
            yield node


def _joins(one: exp.Expr, other: exp.Expr) -> bool:
    """Whether two columns of two tables are compared."""
    if not isinstance(one, exp.Column) or not isinstance(other, exp.Column):
        return False
    return bool(one.table and other.table and one.table.lower() != other.table.lower())


def _sides(node: exp.Expr) -> Sequence[exp.Expr]:
    if isinstance(node, (*_COMPARED, exp.Is)):
        return [node.this, node.expression]
    if isinstance(node, exp.Between):
        return [node.this, node.args["low"], node.args["high"]]
    return [node]


def _called(key: str) -> str:
    return {"with_": "WITH", "with": "WITH", "windows": "WINDOW", "distinct": "DISTINCT ON"}.get(
        key, "this form of SELECT"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
