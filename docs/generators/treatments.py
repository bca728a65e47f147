"""docs/reference/treatments.md: what goes in and what comes out, by the real functions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from generators.text import code, document, table
from jupyter_gov.bootstrap.treatments import TAKES
from jupyter_gov.masking import treatments as t
from jupyter_gov.masking.canonical import SHORT
from jupyter_gov.masking.dates import DEFAULT_DAYS, MOST_DAYS
from jupyter_gov.masking.fpe import SMALLEST_DOMAIN, FormatPreserving
from jupyter_gov.masking.model import ColumnPolicy, Treatment
from jupyter_gov.masking.numbers import MOST, MOST_FLOAT
from jupyter_gov.masking.places import HHS_2000

TODAY = date(2026, 3, 1)
KEY = bytes(range(32))
_P = ColumnPolicy
_NAME = _P(Treatment.PATHS, paths=(("family", _P(Treatment.PARTIAL)),))
_POLICIES = {
    treatment: _P(treatment, domain="mrn", space="clinic", alphabet="digits")
    for treatment in Treatment
} | {
    Treatment.DATE_SHIFT: _P(Treatment.DATE_SHIFT, space="clinic", days=365),
    Treatment.BUCKET: _P(Treatment.BUCKET, width=Decimal(10)),
    Treatment.ROUND: _P(Treatment.ROUND, to=Decimal(5)),
    Treatment.PATHS: _P(
        Treatment.PATHS, paths=(("birthDate", _P(Treatment.YEAR)), ("name", _NAME))
    ),
}
"""How each is shown."""
_SAMPLES: dict[Treatment, list[t.Value]] = {
    Treatment.CLEAR: ["Burlington", 42],
    Treatment.WITHHOLD: ["anything"],
    Treatment.PSEUDONYM: ["MRN-0012345", "MRN-0012346", 12345],
    Treatment.PARTIAL: ["900-12-3456", "1234567", "555-0199 ext. 2", "Zoë Quartermain"],
    Treatment.YEAR: ["1984-07-19", "1984-07-19T08:30:00", "1931-02-03", "19 July 1984", 1984],
    Treatment.MONTH: ["1984-07-19", "1931-02-03"],
    Treatment.DATE_SHIFT: ["2024-02-28", "2024-03-01T08:30:00", "2024-03-01, Dr. Singh"],
    Treatment.AGE: ["1984-07-19", "1931-02-03", "2030-01-01", 97],
    Treatment.ZIP3: ["05401", "03601-1234", 5401, "Burlington"],
    Treatment.BUCKET: [42, 49, -1, 17.5, "42"],
    Treatment.ROUND: [42, 43, -43, 17.5],
    Treatment.SEAL: ["Called daughter, 555-0142", "Called daughter, 555-0142"],
    Treatment.FPE: ["900-12-3456", "900-12-3457", "12345", "MRN-0012345"],
    Treatment.SURROGATE: [],
    Treatment.PATHS: [
        '{"birthDate": "1984-07-19", "name": [{"family": "Quartermain"}], "phone": "555-0142"}'
    ],
}
_HIDES = {
    Treatment.CLEAR: ("nothing", "the value"),
    Treatment.WITHHOLD: ("the value: it is NULL in the database already", "nothing"),
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
    Treatment.MONTH: (
        "day and time; year and month of everything 90 or more years ago",
        "year and month",
    ),
    Treatment.DATE_SHIFT: (
        "the date: all dates about one subject move by the same number of days",
        "how far apart a subject's dates are, their order, the time of day, and about when:"
        " within the days it moves by",
    ),
    Treatment.AGE: ("the day of birth; every age above 90", "the age in whole years, today"),
    Treatment.ZIP3: (
        "the last digits; the whole of an area on the list of small ones",
        "the first three digits",
    ),
    Treatment.BUCKET: ("where in its bucket a number is", "the bucket; a value alone in its own"),
    Treatment.ROUND: ("what is smaller than the step", "the number, about"),
    Treatment.SEAL: (
        "the value: the reader gets NULL, or with a detector the text without what it found",
        "inside a statement: equality and length, so DISTINCT and GROUP BY work",
    ),
    Treatment.FPE: (
        "the value",
        "what a pseudonym shows, and length and format; inside a statement a seal only",
    ),
    Treatment.SURROGATE: (
        "the value: another stands for it that the gateway made up and keeps",
        "what a pseudonym shows; inside a statement a seal only",
    ),
    Treatment.PATHS: (
        "every path that is not listed; of the others, what their treatments hide",
        "which listed paths there are, and how many elements an array has",
    ),
}
_PARAMETERS = {
    "domain": ("the tag", "Values of one domain agree wherever they stand."),
    "space": (
        "the connection's own",
        "Whose keys. Connections that name one space agree; a space that has a connection's name"
        " is that connection's own.",
    ),
    "days": (str(DEFAULT_DAYS), f"The most that a date moves, either way; at most {MOST_DAYS}."),
    "width": ("required", "Of a bucket. On whole-number columns it must be whole."),
    "start": ("0", "One lower edge."),
    "to": ("required", "The step. On whole-number columns it must be whole."),
    "detector": ("none", "What scans the text on its way out; without one it is withheld."),
    "alphabet": ("`digits`", "Or `alnum`: letters and digits, of one case in a value."),
}


def _shift(value: t.Value) -> object:
    return t.date_shift(KEY, 365)(value, "patient 17")


def _fpe(value: t.Value) -> object:
    kind = _POLICIES[Treatment.FPE].kind
    return FormatPreserving(lambda space: KEY).encrypt(kind, [str(value)])[0]


class _Keys:
    """One key for all."""

    def space(self, name: str) -> bytes:
        return KEY

    shift = space


def _function(treatment: Treatment) -> Callable[[t.Value], object]:
    if treatment is Treatment.DATE_SHIFT:
        return _shift
    if treatment is Treatment.FPE:
        return _fpe
    if treatment is Treatment.SEAL:
        return lambda value: None
    return t.Treats(_Keys()).of(
        _POLICIES[treatment], today=TODAY, small=t.SMALL_ZIP3, seals=t.Seals(bytes(64))
    )


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
    if {name for names in TAKES.values() for name in names} != _PARAMETERS.keys():
        raise AssertionError("a parameter has no description")
    taken = [
        [code(name), ", ".join(code(k) for k, names in TAKES.items() if name in names), *told]
        for name, told in _PARAMETERS.items()
    ]
    rows = []
    for treatment in Treatment:
        policy = _POLICIES[treatment]
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
        "Of `date_shift` the subject is `patient 17`; the bucket is `{width = 10}`, the step"
        " `{to = 5}`, and `paths` lists `birthDate` as `year` and `name.family` as `partial`.",
        "## Parameters",
        'Written with the treatment, as in `mrn = {treatment = "pseudonym", domain ='
        ' "person"}`. `paths` is not written: a column whose tag is a mapping has it, as in'
        ' `doc = {birthDate = "birth_date", name = {family = "name"}}`.',
        table(["parameter", "of", "default", "meaning"], taken),
        "## Details",
        "Every engine does the same: PostgreSQL in its own SQL, SQLite and the gateway by the"
        " code these examples ran. A test compares the two value by value. What a treatment does"
        " not apply to, such as `zip3` of a picture, is NULL. An array of PostgreSQL is treated"
        " element by element; one of several dimensions is NULL.",
        f"- `pseudonym`: `{t.PSEUDONYM_PREFIX}` and {t.PSEUDONYM_DIGITS} hexadecimal digits, 80"
        " bits of HMAC-SHA-256 under the key of a space, over the domain, a zero byte and the"
        " value's text. Values that SQL calls equal have one text: 17, 17.0 and '17'. A date has"
        " its ISO 8601 text. A floating-point number with a fraction joins only itself. Tokens"
        " stay the same over sessions, grants and edits of the policy; they change with the"
        " [key](../howto/keys-and-backups.md).\n"
        "- `partial`: letters and digits are those of ASCII; signs outside ASCII become `*` and"
        " count as neither. So it does not depend on a collation. For texts, whole and decimal"
        f" numbers and UUIDs, of at most {SHORT:,} bytes.\n"
        "- `year`, `month`, `date_shift`: a date stays a date, a timestamp a timestamp (of `year`"
        " and `month` at midnight), and a text in ISO 8601 a text. Dates before the year 1 or"
        " after 9999, and infinite ones, are NULL. A timestamp with a zone is taken in UTC.\n"
        "- `date_shift` needs a column of the same table that is tagged `subject`, and a"
        " configuration without one is refused. The shift is a keyed hash of the subject, never"
        " 0 days. A row without a subject shows NULL. In a text, what stands behind the day must"
        " be a time, or the whole is NULL.\n"
        f"- `age`: {t.OLDEST_AGE} stands for {t.OLDEST_AGE} and over"
        " (45 CFR 164.514(b)(2)(i)(C)). A stored age is taken too.\n"
        f"- `zip3`: {', '.join(sorted(HHS_2000.areas))} become `000`. Source: {HHS_2000.source};"
        f" figures of the {HHS_2000.date}. `c.GovMasking.small_areas` names a list of your own:"
        " a TOML file with `source`, `date` and `areas`, or a text with the lines `source: …` and"
        " `date: …` and the areas. HHS wants *the current publicly available data from the Bureau"
        " of the Census*, so look whether its list still is.\n"
        "- `bucket`, `round`: exact, in the column's own type; halves are rounded away from zero."
        f" A decimal number of {MOST:.0e} or more, a floating-point number of {MOST_FLOAT:.0e} or"
        " more, and what would not fit the column's type any more, is NULL.\n"
        "- `seal`: a token under a key of the grant: AES-SIV (RFC 5297), and in PostgreSQL, from"
        " what `pgcrypto` has, AES-256-CBC under an initialisation vector that is the HMAC of the"
        " text. A statement may carry, count and group the tokens. The last step before the"
        " kernel opens those that are whole, and withholds every cell with a part of one, or with"
        " one that nothing is to become of. Without `pgcrypto` such a column is NULL.\n"
        "- `fpe`: FF1 (NIST SP 800-38G), on the frame; it passes NIST's samples. Fewer than"
        f" {SMALLEST_DOMAIN:,} possible values (five digits) are NULL, and so is a value with"
        " anything in it but its alphabet, spaces and ASCII punctuation.\n"
        "- `paths`: what is not listed is absent. Of an array each element is treated, and one"
        " that is withheld is null; an array right inside an array is withheld. For `jsonb` of"
        " PostgreSQL and JSON texts of SQLite; PostgreSQL's `json` and text columns are NULL,"
        " since what they hold may be no valid `jsonb`, and the error would tell of it.",
    )
