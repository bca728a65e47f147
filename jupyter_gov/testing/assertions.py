"""
What a policy test says of a frame, of an error, of an explanation.

Each looks at the values and at what the gateway says it did: a column that is NULL everywhere in
the data would look withheld, and a frame without rows shows nothing at all.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jupyter_gov.errors import GovError
from jupyter_gov.kernel.explanation import Explanation
from jupyter_gov.masking.model import Treatment
from jupyter_gov.masking.shapes import UNCHECKED, misshapen

if TYPE_CHECKING:
    import pandas as pd

_NOTHING = frozenset({"withhold", "seal"})


@dataclass(slots=True)
class Refused:
    """What `assert_refused` met."""

    error: GovError | None = None


@contextlib.contextmanager
def assert_refused(code: str = "") -> Iterator[Refused]:
    """
    What is within raises an error of the gateway; of that *code*, if one is given.

        with assert_refused("out_of_scope") as refused:
            nurse.query("clinic", "SELECT * FROM claims")
        assert_no_value(refused.error, ["900-11-2233"])
    """
    met = Refused()
    try:
        yield met
    except GovError as error:
        met.error = error
        if code and error.code != code:
            raise AssertionError(f"refused with {error.code}, not with {code}: {error}") from error
        return
    raise AssertionError(f"nothing was refused; {code or 'an error'} was expected")


def assert_treated(frame: pd.DataFrame, column: str, treatment: str, *, source: str = "") -> None:
    """
    The column came under that treatment, and its values have its shape.

    Args:
        source: the base column, ``table.column``, if the frame's column has another name or if
            two tables have one of that name.
    """
    wanted = Treatment(treatment)
    values = _filled(frame, column)
    told = _told(frame, column, source)
    if told != {str(wanted)}:
        raise AssertionError(f"{column} came as {_shown(told)}, not as {wanted}")
    if wanted is Treatment.WITHHOLD:
        _nothing_in(values, column)
        return
    if not len(values):
        raise AssertionError(f"{column} is NULL in every row, which shows nothing")
    if wanted in UNCHECKED:
        return
    if pc.any(misshapen(pa.array(map(_whole, values.tolist())), wanted)).as_py():
        raise AssertionError(f"{column} holds values without the shape of {wanted}")


def assert_withheld(frame: pd.DataFrame, column: str, *, source: str = "") -> None:
    """
    The column is there, and nothing of it: it was withheld, or sealed and not opened.

    Free text that a detector scans is opened: see `assert_treated` with "seal".
    """
    told = _told(frame, column, source)
    if not told <= _NOTHING or not told:
        raise AssertionError(f"{column} came as {_shown(told)}; it is not withheld")
    _nothing_in(_filled(frame, column), column)


def assert_pseudonym(frame: pd.DataFrame, column: str, *, source: str = "") -> None:
    """Its values are pseudonyms."""
    assert_treated(frame, column, "pseudonym", source=source)


def assert_clear(frame: pd.DataFrame, column: str, *, source: str = "") -> None:
    """The column came as it is, and there is something in it."""
    told = _told(frame, column, source)
    if told:
        raise AssertionError(f"{column} came as {_shown(told)}, not as it is")
    if not len(_filled(frame, column)):
        raise AssertionError(f"{column} is NULL in every row, which shows nothing")


def assert_absent(frame: pd.DataFrame, column: str) -> None:
    """The frame has no column of that name, in whatever case."""
    if column.lower() in {str(name).lower() for name in frame.columns}:
        raise AssertionError(f"there is a column {column}")


def assert_no_value(
    seen: pd.DataFrame | GovError | Explanation | str | None, canaries: Iterable[str]
) -> None:
    """
    None of the *canaries* stands anywhere in what was seen, in whatever case.

    Looked at are cells, column names and `attrs` of a frame; all parts of an error or of an
    explanation.
    """
    text = "\n".join(_texts(seen)).lower()
    found = [canary for canary in canaries if str(canary).lower() in text]
    if found:
        raise AssertionError(f"{len(found)} values came through: {', '.join(map(repr, found))}")


def _texts(seen: Any) -> Iterator[str]:
    if seen is None:
        raise AssertionError("there is nothing to look at")
    if isinstance(seen, GovError):
        yield from (str(seen), repr(seen.next), repr(seen.near), repr(seen.position))
    elif isinstance(seen, Explanation):
        yield json.dumps(asdict(seen), ensure_ascii=False)
    elif isinstance(seen, str):
        yield seen
    else:
        yield from map(str, seen.columns)
        yield json.dumps(seen.attrs, ensure_ascii=False, default=str)
        for index in range(seen.shape[1]):
            yield from map(_text, seen.iloc[:, index])


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _filled(frame: pd.DataFrame, column: str) -> pd.Series[Any]:
    """The values that are not NULL.  Raises AssertionError for a frame that shows nothing."""
    if list(frame.columns).count(column) != 1:
        names = ", ".join(map(str, frame.columns))
        raise AssertionError(f"there is not one column {column}; there are: {names}")
    if not len(frame):
        raise AssertionError("the frame has no rows, which shows nothing")
    return frame[column].dropna()


def _told(frame: pd.DataFrame, column: str, source: str) -> set[str]:
    """The treatments that the gateway says it gave to the base columns of that name."""
    if "gov" not in frame.attrs:
        raise AssertionError("this frame did not come from the gateway, or lost its attrs")
    treated: dict[str, str] = frame.attrs["gov"]["treated"]
    if source:
        return {treated[source]} if source in treated else set()
    return {how for name, how in treated.items() if name.rpartition(".")[2] == column}


def _nothing_in(values: pd.Series[Any], column: str) -> None:
    if len(values):
        raise AssertionError(f"{column} holds {len(values)} values that are not NULL")


def _whole(value: Any) -> Any:
    """A whole number, which pandas keeps as a float beside NULLs."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _shown(told: set[str]) -> str:
    return " and ".join(sorted(told)) if told else "it is, or from another column"
