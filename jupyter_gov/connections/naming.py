"""What a column's name, comment and type say of it: rules as data, strongest first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jupyter_gov.connections.described import Described, words_of


@dataclass(frozen=True, slots=True)
class Clue:
    """Something that speaks for a tag."""

    tag: str
    weight: float
    """From 0 to 1: how far this alone is believed."""
    why: str
    """Never a value."""


_ID = r"(?:id|ids|no|nr|num|number|key|sk|uuid|guid|ref|identifier)"
_WHO = (
    r"(?:patient|person|subject|individual|client|enrollee|participant|resident|donor|case|pat|pt)"
)
_STAFF = (
    r"(?:providers?|physicians?|doctors?|clinicians?|nurses?|staff|surgeons?"
    r"|prescribers?|practitioners?|pcp|attending|referring)"
)
_NAMES: tuple[tuple[str, float, str], ...] = (
    # tag, weight, pattern over a name's words
    ("free_text", 0.9,
     r"\b(?:notes?|memos?|comments?|narratives?|remarks?|messages?|body|transcripts?|impression"
     r"|free ?text|dictation|letter|discharge summary|hpi|chief complaint|history)\b"),
    ("provider", 0.85, rf"\bnpi\b|\bdea\b|\b{_STAFF}\b(?!.*\bemail\b)"),
    ("ssn", 0.95,
     r"\bssn\b|\bssns\b|soc(?:ial)? ?sec(?:urity)?|\btin\b|tax ?(?:payer)? ?id|\bitin\b"
     r"|national ?id"),
    ("mrn", 0.95,
     rf"\bmrns?\b|med(?:ical)? ?rec(?:ord)?|\bchart {_ID}\b|\bhospital {_ID}\b|\bpatient (?:no|nr"
     r"|num|number)\b"),
    ("member_id", 0.9,
     rf"\b(?:member|subscriber|beneficiary|policy|plan|insurance|medicaid|medicare|payer member)"
     rf" ?{_ID}\b|\bmbi\b|\bhicn?\b|insurance ?id\b|\binsured ?id\b"),
    ("vehicle", 0.9, r"\bvin\b|license plate|number plate|\bplate\b|vehicle"),
    ("account", 0.85,
     rf"\b(?:account|acct|bank|card)\b(?: ?{_ID})?$|\biban\b|credit ?card|\brouting\b"),
    ("license", 0.85, rf"\blicen[cs]es?\b|\bdrivers?\b|\bpassport\b|\bcertificate {_ID}\b"),
    ("device", 0.85, r"\bdevice\b|\bserial\b|\budi\b|\bimei\b|\bmac\b|\bimplant\b"),
    ("url", 0.85, r"\burls?\b|\buri\b|web ?site|home ?page|web ?address"),
    ("ip", 0.9, r"\bip\b|\bipv[46]\b|\bip ?address\b|remote addr|host ?name"),
    ("email", 0.95, r"\be ?mails?\b|\bemail\w*"),
    ("fax", 0.95, r"\bfax\b"),
    ("phone", 0.95, r"phone|\btel\b|\bmobile\b|\bcell\b|\bmsisdn\b|contact number"),
    ("biometric", 0.9, r"biometric|finger ?print|voice ?print|\bretina|\biris\b|face ?print"),
    ("photo", 0.85, r"\bphotos?\b|photograph|\bpicture\b|portrait|head ?shot|\bface\b|\bavatar\b"
     r"|\bimage\b"),
    ("birth_date", 0.97,
     r"\bdob\b|birth ?da(?:te|y)|date of birth|\bborn\b|birth ?(?:year|month)|year of birth"),
    ("zip", 0.97, r"\bzip\b|zip ?code|post(?:al)? ?code"),
    ("street", 0.95,
     r"\bstreet\b|\baddress\b|\baddr\b|\bhouse number\b|\bapartment\b|\bapt\b|po box"
     r"|\blat\b|latitude|\blon\b|\blng\b|longitude|geocode|coordinates|\bgeom\b"),
    ("place", 0.9,
     r"\bcity\b|\btown\b|\bcounty\b|precinct|parish|municipality|village|birth ?place|\bplace\b"
     r"|neighbou?rhood|census|\btract\b"),
    ("state", 0.85, r"\bstate\b|\bprovince\b|\bcountry\b"),
    ("age", 0.9, r"\bage\b"),
    ("category", 0.8,
     r"\b(?:department|facility|hospital|drug|product|plan|test|item|file|table|event|procedure"
     r"|ward|unit|lab|medication|payer|payor|organization|vaccine) ?name\b"),
    ("name", 0.95,
     r"\b(?:full|first|last|middle|maiden|given|family|legal|preferred|contact|guarantor|patient"
     r"|person|member|subscriber|mother|father|spouse|kin|display|user|insured|employer|relative"
     r"|birth|nick|alias) ?names?\b|\b(?:first|last|maiden|surname|forename|suffix|alias"
     r"|login|username|employer|next of kin)\b"),
    ("name", 0.75, r"\bnames?\b|name\b"),
    ("subject", 0.85, rf"\b{_WHO} ?{_ID}\b|^{_WHO}$|\bmember {_ID}\b"),
    ("code", 0.85,
     r"\b(?:icd|cpt|hcpcs|loinc|snomed|rxnorm|ndc|drg|cvx|atc)\b|\bcodes?\b|^diagnosis\b"
     r"|\b\w+code\b"),
    ("category", 0.75,
     r"\b(?:sex|gender|race|ethnicity|ethnic|language|marital|status\w*|type|class|department"
     r"|special(?:i)?ty|payer|payor|channel|relation|relationship|drug|category|flag|vip|active"
     r"|method|units?|role|priority|severity|religion|prefix|title|encounterclass|department)\b"),
    ("category", 0.45, r"\b(?:reason|description|desc|label|complaint)\b|description\b"),
    ("date", 0.75,
     r"\bdates?\b|\bdatetime\b|\btimestamp\b|date\b|date ?[0-9]?\b"
     r"|\b(?:on|at|start|stop|begin|end)$|\b(?:admitted|discharged|died|death)\b"),
    ("amount", 0.75,
     r"amounts?\b|\bcosts?\b|\bprice\b|charges?\b|\bpaid\b|balance|\btotal\w*|\bqty\b|quantity"
     r"|\bdose\b|\bscore\b|\bcount\b|\blimit\b|\brate\b|\bvalue\b|coverage|expenses?\b|revenue"
     r"|utilization|\bweight\b|\bheight\b|\bbmi\b|dispenses|outstanding\w*|covered\b|\bbilled\b|customers"
     r"|member months|\bqols\b|\bpercent\b"),
)  # fmt: skip
_RULES = tuple((tag, weight, re.compile(pattern)) for tag, weight, pattern in _NAMES)
_GLUED = tuple(
    (tag, re.compile(pattern))
    for tag, pattern in (
        ("subject", rf"^{_WHO}s?{_ID}\d*$"),
        ("provider", r"provider(?:id)?$|(?:physician|doctor)id$"),
        ("name", r"^(?:first|last|full|middle|given|family|maiden|contact|patient)name$"),
        ("mrn", r"medicalrecord|mrn$"),
        ("code", r"^diagnosis\d*$|code$"),
        ("key", r"[a-z]{3,}id\d*$"),
    )
)
"""Names in one case without a sign between their words."""
_VAGUE = frozenset({"category", "key", "amount", "date", "code", "subject"})
"""Words of everyday speech: in a comment they say nothing of the column."""
_TYPES = (
    ("date", 0.85, re.compile(r"^(?:date|timestamp|datetime|time|daterange|tsrange|tstzrange)\b")),
    ("ip", 0.9, re.compile(r"^(?:inet|cidr)\b")),
    ("device", 0.85, re.compile(r"^macaddr")),
    ("identifier", 0.55, re.compile(r"^uuid\b|^uniqueidentifier")),
    ("free_text", 0.85, re.compile(r"^(?:json|jsonb|xml|hstore|tsvector|text\[\]\[\])")),
    ("street", 0.6, re.compile(r"^(?:point|geometry|geography|polygon|path|box|circle)\b")),
    ("category", 0.6, re.compile(r"^(?:boolean|bool)\b")),
    ("amount", 0.5, re.compile(r"^(?:numeric|decimal|money|real|double|float)")),
)  # fmt: skip
_COMMENT = 0.85
"""How much less a comment is believed than a name: it may speak of another column."""
_IS_ID = re.compile(rf"\b{_ID}$")
_PEOPLE = re.compile(rf"^(?:{_WHO}s?|people|members|enrollees)$")
_STAFF_TABLE = re.compile(
    rf"^{_STAFF}\b|^(?:organi[sz]ations?|facilit(?:y|ies)|hospitals?|pay[eo]rs?|departments?)\b"
)
OF_STAFF = frozenset({"name", "license", "phone", "email", "fax", "street", "place", "zip", "url"})
"""What a table of staff or of institutions has of them, and not of a patient."""


def of_staff(column: Described) -> bool:
    """Whether its table is about those who work there, or about institutions."""
    return _STAFF_TABLE.search(_base(column.table)) is not None


def _base(table: str) -> str:
    return words_of(table.rpartition(".")[2])


def clues_of(column: Described) -> Iterator[Clue]:
    """What name, type, keys and comment speak for, without a value."""
    spoken = words_of(column.name)
    yield from _first(spoken, 1.0, "the name")
    declared = column.type.lower()
    for tag, weight, pattern in _TYPES:
        if pattern.search(declared):
            yield Clue(tag, weight, "the type")
            break
    yield from _of_keys(column, spoken)
    for clue in _first(words_of(column.comment), _COMMENT, "the comment"):
        if clue.tag not in _VAGUE:
            yield clue


def _first(spoken: str, belief: float, why: str) -> Iterator[Clue]:
    """The strongest rule that fits; then the rules for names in one case without signs."""
    for tag, weight, pattern in _RULES:
        if pattern.search(spoken) and not (tag == "free_text" and _IS_ID.search(spoken)):
            yield Clue(tag, weight * belief, why)
            return
    for tag, pattern in _GLUED:
        if pattern.search(spoken.replace(" ", "")):
            yield Clue(tag, 0.8 * belief, why)
            return


def _of_keys(column: Described, spoken: str) -> Iterator[Clue]:
    table, to = _base(column.table), words_of(column.refers_to.rpartition(".")[2])
    is_key = column.key or spoken == "id"
    if is_key and _PEOPLE.search(table):
        yield Clue("subject", 0.9, "the key of a table of people")
    elif column.refers_to and _PEOPLE.search(to):
        yield Clue("subject", 0.9, "it refers to a table of people")
    elif column.refers_to and _STAFF_TABLE.search(to):
        yield Clue("provider", 0.85, "it refers to a table of staff")
    elif is_key and of_staff(column):
        yield Clue("provider", 0.85, "the key of a table of staff")
    elif column.refers_to:
        yield Clue("key", 0.8, "it refers to another table")
    elif is_key:
        yield Clue("key", 0.8, "the table's key")
    elif _IS_ID.search(spoken):
        yield Clue("key", 0.5, "the name")
