"""
What PostgreSQL means by its error codes, in our words.

Its own texts, details and hints may hold values (``invalid input syntax for type integer:
"900-11-2233"``), so none is passed on: the code is the message.
"""

from __future__ import annotations

TEXTS = {
    "21000": "a subquery gives more than one row where one is needed",
    "22001": "a text is too long for its type",
    "22003": "a number grew too large for its type",
    "22004": "there is no value where one is needed",
    "22007": "a text is not a date or time of the form that was asked for",
    "22008": "a date or time is out of range",
    "22009": "there is no such time zone",
    "2200B": "an escape sign is wrong",
    "2200C": "an escape sign is wrong",
    "22010": "an indicator is wrong",
    "22011": "substring was given a negative length",
    "22012": "a number was divided by zero",
    "22013": "the frame of a window is not valid",
    "22014": "ntile was given what is no positive number",
    "22015": "an interval grew too large",
    "22016": "nth_value was given what is no positive number",
    "22018": "a text is not a value of the type it is cast to",
    "22019": "an escape sign is wrong",
    "2201B": "a regular expression does not parse",
    "2201E": "a logarithm was taken of what has none",
    "2201F": "a root or a power was taken that does not exist",
    "2201G": "width_bucket was given bounds that are none",
    "2201W": "LIMIT is negative",
    "2201X": "OFFSET is negative",
    "22021": "a text holds signs that its encoding does not have",
    "22023": "a function was given an argument that it does not take",
    "22025": "a pattern ends with its escape sign",
    "22026": "two bit strings differ in length",
    "2202E": "an index of an array is wrong",
    "22030": "a JSON object has a key twice",
    "22032": "a text is not JSON",
    "22033": "a path of JSON has a wrong index",
    "22034": "a path of JSON finds more than one thing",
    "22035": "a path of JSON finds nothing",
    "22036": "a path of JSON finds no number",
    "22038": "a path of JSON finds no single value",
    "2203F": "a value of JSON is not of the type it is cast to",
    "2203G": "a path of JSON does not parse",
    "22P01": "a floating point number has no such value",
    "22P02": "a text is not a value of the type it is cast to",
    "22P05": "a sign cannot be written in that encoding",
    "0A000": "PostgreSQL does not support that here",
    "42601": "the statement does not parse",
    "42611": "a column is defined wrongly",
    "42622": "a name is too long",
    "42701": "a column name is given twice",
    "42702": "a column name stands in more than one table",
    "42712": "two tables have the same name here: give one an alias",
    "42725": "more than one function or operator fits: cast what you give it",
    "42803": "a column must stand in GROUP BY or inside an aggregate",
    "42804": "two types do not fit together",
    "42809": "that is not a kind of thing that can stand here",
    "42846": "there is no cast between these types",
    "42P02": "there is no such parameter",
    "42P08": "the type of a parameter is not clear: write :name::type",
    "42P09": "a name is not clear",
    "42P10": "something names a column that is not in the result",
    "42P18": "the type of a parameter is not clear: write :name::type",
    "42P19": "a recursive WITH is not of the form that PostgreSQL takes",
    "42P20": "a window function stands where none may stand",
    "42P21": "two collations do not fit together",
    "42P22": "the collation is not clear: write COLLATE",
    "54000": "the statement is larger than PostgreSQL takes",
    "54001": "the statement is nested too deeply",
    "54011": "there are too many columns",
    "54023": "a function was given too many arguments",
    "P0001": "a function of the database refused",
}

TOO_MUCH = {
    "53100": "room for temporary files",
    "53200": "memory",
    "53400": "room for temporary files",
}

STOPPED = frozenset({"57014"})

TYPES = frozenset({"42883", "42804", "42846", "42725", "22P02", "22007", "22008", "22018", "42P18"})
"""Codes that a column's treatment may be the reason of."""

AGAIN = frozenset({"40001", "40P01", "55P03", "55006"})
"""Something else was in the way; it goes away by itself."""

AWAY = ("08", "28", "57P", "3D", "53300", "58", "F0")
"""Beginnings of codes that say that the database is not to be had."""
