"""docs/reference/treatments.md: what goes in and what comes out, by the real functions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from generators.text import code, document, table
from jupyter_gov.masking import treatments as t
from jupyter_gov.masking.model import ColumnPolicy, Treatment

TODAY = date(2026, 3, 1)
KEY = bytes(range(32))
_SAMPLES: dict[Treatment, list[t.Value]] = {
    Treatment.CLEAR: ["Burlington", 42],
    Treatment.PSEUDONYM: ["MRN-0012345", "MRN-0012346", 12345],
    Treatment.PARTIAL: ["900-12-3456", "1234567", "555-0199 ext. 2"],
    Treatment.YEAR: ["1984-07-19", "1984-07-19T08:30:00", "1931-02-03", "19 July 1984", 1984],
    Treatment.AGE: ["1984-07-19", "1931-02-03", "2030-01-01", 97],
    Treatment.ZIP3: ["05401", "03601-1234", 5401, "Burlington"],
    Treatment.SEAL: ["Called daughter, 555-0142", "Called daughter, 555-0142"],
    Treatment.WITHHOLD: ["anything"],
}
_HIDES = {
    Treatment.CLEAR: ("nothing", "the value"),
    Treatment.PSEUDONYM: (
        "the value",
        "which rows share a value, how often it occurs, and whether it is NULL; a value that"
        " somebody knows can be found by what else its rows say",
    ),
    Treatment.PARTIAL: (
        "all but the last four letters or digits, of eight or more; everything of shorter ones",
        "the end, the length, and the punctuation",
    ),
    Treatment.YEAR: (
        "month, day and time; the year of everything 90 or more years ago",
        "the year",
    ),
    Treatment.AGE: ("the day of birth; every age above 90", "the age in whole years, today"),
    Treatment.ZIP3: (
        "the last digits; the whole of an area of 20,000 people or fewer (2000 census)",
        "the first three digits",
    ),
    Treatment.SEAL: (
        "the value: the reader gets NULL",
        "inside a statement: equality and length, so DISTINCT and GROUP BY work",
    ),
    Treatment.WITHHOLD: ("the value: it is NULL in the database already", "nothing"),
}


def _function(treatment: Treatment) -> Callable[[t.Value], object]:
    return {
        Treatment.CLEAR: lambda value: value,
        Treatment.PSEUDONYM: t.pseudonym(KEY, "mrn"),
        Treatment.PARTIAL: t.partial,
        Treatment.YEAR: t.year(TODAY),
        Treatment.AGE: t.age(TODAY),
        Treatment.ZIP3: t.zip3(),
        Treatment.SEAL: lambda value: None,
        Treatment.WITHHOLD: lambda value: None,
    }[treatment]


def _shown(value: object) -> str:
    return "NULL" if value is None else code(repr(value).replace("'", '"'))


def _examples() -> list[list[str]]:
    return [
        [code(treatment), _shown(sample), _shown(_function(treatment)(sample))]
        for treatment, samples in _SAMPLES.items()
        for sample in samples
    ]


def page() -> str:
    """The page."""
    if set(Treatment) != _SAMPLES.keys() or set(Treatment) != _HIDES.keys():
        raise AssertionError("a treatment has no example or no description")
    rows = []
    for treatment in Treatment:
        policy = ColumnPolicy(treatment)
        hides, shows = _HIDES[treatment]
        after = policy.treated_type("(as before)")
        rows.append([code(treatment), after, code(policy.enforcement), hides, shows])
    return document(
        "Treatments",
        "What a column becomes. A tag says what a column *is*; a treatment says what becomes of"
        " it; a profile is a treatment for every column. A column without a tag gets"
        " `c.GovMasking.untagged`. A table that the grant does not cover is absent.",
        "Treatments are applied inside the database, where a row is read. A statement's"
        " functions, joins and conditions meet treated values only. See"
        " [masking](../explanation/masking.md) for why, and for what no treatment hides.",
        table(["treatment", "type after", "enforcement", "hides", "still shows"], rows),
        "*Enforcement* is the word that `%gov tables CONNECTION TABLE` and `con.describe(TABLE)`"
        " use.",
        "## Examples",
        "By the code itself, on 1 March 2026, with a key made up for this page. A value of which"
        " a treatment can't make sense becomes NULL.",
        table(["treatment", "value", "what is read"], _examples()),
        "## Details",
        f"- `pseudonym`: `{t.PSEUDONYM_PREFIX}` and 16 characters of base32, 80 bits of"
        " HMAC-SHA-256 under the key of the connection's pseudonym space, over the domain and the"
        " value. The domain is the tag, or what the configuration names: columns of one domain"
        " join. Tokens stay the same over sessions, grants and edits of the policy; they change"
        " with the [key](../howto/keys-and-backups.md).\n"
        "- `year`: the type is a date, 1 January, so that date arithmetic goes on working. It is"
        " given as the text SQLite stores.\n"
        f"- `age`: {t.OLDEST_AGE} stands for {t.OLDEST_AGE} and over"
        " (45 CFR 164.514(b)(2)(i)(C)). A stored age is taken too.\n"
        f"- `zip3`: {', '.join(sorted(t.SMALL_ZIP3))} become `000`, as HHS listed them in 2012."
        " The list is of the 2000 census.\n"
        "- `seal`: AES-SIV (RFC 5297) under a key of the grant. A statement may carry, count and"
        " group the tokens; the last step before the kernel withholds every cell with one in it."
        " Opening seals for a reader is not in this version.",
    )
