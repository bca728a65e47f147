"""What only the source text tells: the docstrings under fields, and the keys of events."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyter_gov.audit.events import KINDS

PACKAGE = Path(__file__).parents[2] / "jupyter_gov"


def field_docs(cls: type) -> dict[str, str]:
    """Field → the docstring that stands under it, of a class."""
    tree = _class_node(Path(inspect.getfile(cls)), cls.__name__)
    found = {}
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
        ):
            found[node.target.id] = one_line(str(after.value.value))
    return found


def one_line(text: str) -> str:
    """A docstring as one line of Markdown."""
    return " ".join(text.split()).replace("``", "`")


def summary(thing: Any) -> str:
    """The first paragraph of a docstring."""
    return one_line((inspect.getdoc(thing) or "").split("\n\n")[0])


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _class_node(path: Path, name: str) -> ast.ClassDef:
    return next(
        node
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.ClassDef) and node.name == name
    )


def own_source(cls: type, name: str) -> str:
    """The text of a method that the class itself has; empty if it only inherits it."""
    method = vars(cls).get(name)
    return inspect.getsource(method) if method is not None else ""


# ---------------------------------------------------------------- events


@functools.cache
def event_keys() -> dict[str, set[str]]:
    """Kind of event → the keys of its `says`, wherever the package makes one."""
    found: dict[str, set[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for function, kind, says in _event_calls(_tree(path)):
            keys = _keys(_dictionary(says, function), _tree(path))
            for each in _texts(kind, function):
                found.setdefault(each, set()).update(keys)
    return found


def _event_calls(tree: ast.AST) -> Iterator[tuple[ast.AST, ast.expr, ast.expr | None]]:
    """The function, the kind, and what is said, wherever an event is made or asked for."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if not isinstance(node, ast.Call):
                continue
            kind = _word(node, "kind")
            if isinstance(node.func, ast.Name) and node.func.id == "Event":
                if isinstance(kind, ast.Constant | ast.Name):
                    yield function, kind, _word(node, "says")
                continue
            # A helper that is handed the kind and what to say.
            kinds = [a for a in node.args if isinstance(a, ast.Constant) and a.value in KINDS]
            said = [a for a in node.args if isinstance(a, ast.Dict)]
            if kinds and said:
                yield function, kinds[0], said[0]


def _word(call: ast.Call, name: str) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == name), None)


def _texts(value: ast.expr, function: ast.AST) -> list[str]:
    """A constant, or every constant that its variable is set to in the function."""
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    assert isinstance(value, ast.Name)
    return [
        str(node.value.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and any(isinstance(t, ast.Name) and t.id == value.id for t in node.targets)
    ]


def _dictionary(value: ast.expr | None, function: ast.AST) -> ast.expr | None:
    """A display of a dictionary, looked up in the function if it stands under a name."""
    if not isinstance(value, ast.Name):
        return value
    return next(
        (
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(node.value, ast.Dict)
            and any(
                isinstance(target, ast.Name) and target.id == value.id
                for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            )
        ),
        None,
    )


def _keys(says: ast.expr | None, tree: ast.Module) -> set[str]:
    if not isinstance(says, ast.Dict):
        return set()
    found: set[str] = set()
    for key, value in zip(says.keys, says.values, strict=True):
        if isinstance(key, ast.Constant):
            found.add(str(key.value))
        elif key is None and isinstance(value, ast.Call):  # **self._says(…)
            name = value.func.attr if isinstance(value.func, ast.Attribute) else ""
            found |= _returned_keys(tree, name)
    return found


def _returned_keys(tree: ast.Module, name: str) -> set[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    return _keys(inner.value, tree)
    return set()
