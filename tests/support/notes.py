"""Generated clinical notes with labels: what stands where, as whoever wrote the note knows it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

FIRST = """
    Ana Luis Maria John Susan Peter Wei Fatima Ivan Chloe Omar Grace Elena Tom Ruth Carlos Mei
    Hassan Olga Paul Nadia Erik Rosa Dmitri Hana Samuel Leila Victor Ingrid Marco Anneliese
    Björn Zoë José Renée Søren Małgorzata
""".split()  # noqa: SIM905
LAST = """
    Ferreira Smith Garcia Chen Haddad Novak Johnson Brown Okafor Lindqvist Rossi Kim Patel Weber
    Moreau Silva Tanaka Ivanova Murphy Costa Schmidt Nguyen Cohen Larsen Dubois Romero Quartermain
    O'Brien Müller Núñez Žižek Brontë Al-Rashid Smith-Jones
""".split()  # noqa: SIM905
_STREETS = ("Elm", "Oak", "Main", "Cedar", "Hill", "Lake", "Park", "Maple", "River", "Church")
_TOWNS = ("Springfield", "Riverton", "Ashford", "Brookline", "Milton", "Fairview", "Salem", "Dover")
FILLER = (
    "Denies chest pain and shortness of breath.", "Advised to continue current medication.",
    "Blood pressure stable at 128/82.", "Labs within normal limits.", "No known drug allergies.",
    "Ambulating without assistance.", "Wound clean, dry and intact.", "Sleeping 7-8 hours a night.",
    "Reports mild headache since the weekend.", "Metformin 500 mg twice daily.",
    "Temp 98.6, pulse 72, SpO2 97%.", "Return if symptoms worsen.", "Chest X-ray unremarkable.",
    "Ejection fraction 55-60%.", "Plan discussed; questions answered.", "Tolerating diet well.",
)  # fmt: skip
MRN_PATTERN = r"\bMRN[:#\s]*\d{6,8}\b"


@dataclass
class Note:
    """A text and ``(start, end, entity)`` of everything in it that identifies a person."""

    text: str = ""
    labels: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, text: str) -> Note:
        self.text += text
        return self

    def label(self, text: str, entity: str) -> Note:
        self.labels.append((len(self.text), len(self.text) + len(text), entity))
        return self.add(text)

    def named(self, entity: str) -> list[str]:
        return [self.text[start:end] for start, end, said in self.labels if said == entity]


class Author:
    """
    Writes notes, the same for the same seed.

    Args:
        held_out: use names that no other author uses, so that a model cannot know them.
        odd: spacing and signs as people type them.
    """

    def __init__(self, seed: int, *, held_out: bool = False, odd: bool = False) -> None:
        self._r = random.Random(seed)
        self._odd = odd
        self._first = FIRST[1::4] if held_out else [n for i, n in enumerate(FIRST) if i % 4 != 1]
        self._last = LAST[1::4] if held_out else [n for i, n in enumerate(LAST) if i % 4 != 1]

    def name(self) -> str:
        first, last = self._r.choice(self._first), self._r.choice(self._last)
        return self._r.choice(
            [f"{first} {last}"] * 5 + [last, first, f"{last}, {first}", f"{first[0]}. {last}"]
        )

    def date(self) -> str:
        r = self._r
        y, m, d = r.randint(1930, 2025), r.randint(1, 12), r.randint(1, 28)
        return r.choice([f"{m:02d}/{d:02d}/{y}", f"{m}/{d}/{y % 100:02d}", f"{y}-{m:02d}-{d:02d}"])

    def phone(self) -> str:
        r = self._r
        area, middle, last = r.randint(201, 989), r.randint(200, 999), r.randint(0, 9999)
        return r.choice(
            [
                f"({area}) {middle}-{last:04d}", f"{area}-{middle}-{last:04d}",
                f"{area}.{middle}.{last:04d}", f"+1 {area} {middle} {last:04d}",
                f"+44 20 7946 {last:04d}", f"0171 {middle}{last:04d}",
                f"{area} {middle} {last:04d}",
                f"+49 30 {area}{last:04d}", f"{area}-{middle}-{last:04d} x{r.randint(1, 99)}",
            ]
        )  # fmt: skip

    def _sentence(self, note: Note) -> None:
        r = self._r
        match r.randrange(12):
            case 0:
                note.add("Seen by Dr. ").label(self.name(), "PERSON")
                note.add(" on ").label(self.date(), "DATE_TIME").add(".")
            case 1:
                note.add("Patient ").label(self.name(), "PERSON").add(" reports improvement.")
            case 2:
                note.add("Daughter ").label(self.name(), "PERSON").add(" can be reached at ")
                note.label(self.phone(), "PHONE_NUMBER").add(".")
            case 3:
                note.add("Mail ")
                user = self.name().split()[-1].lower().replace("'", "").replace(",", "")
                note.label(f"{user}{r.randint(1, 999)}@example.org", "EMAIL_ADDRESS").add(".")
            case 4:
                ssn = f"{r.randint(1, 665):03d}-{r.randint(1, 99):02d}-{r.randint(1, 9999):04d}"
                note.add("SSN ").label(ssn, "US_SSN").add(".")
            case 5:
                note.label(f"MRN {r.randint(100_000, 9_999_999)}", "MRN").add(" verified.")
            case 6:
                address = f"10.{r.randint(0, 255)}.{r.randint(0, 255)}.{r.randint(1, 254)}"
                note.add("Device at ").label(address, "IP_ADDRESS").add(".")
            case 7:
                page = f"https://portal.example.com/p/{r.randint(1, 99_999)}"
                note.add("See ").label(page, "URL").add(" .")
            case 8:
                street = f"{r.randint(1, 999)} {r.choice(_STREETS)} Street, {r.choice(_TOWNS)}"
                note.add("Lives at ").label(street, "LOCATION").add(".")
            case 9:
                note.add("Discussed with ").label(self.name(), "PERSON").add(", RN.")
            case _:
                note.add(r.choice(FILLER))

    def _gap(self) -> str:
        if not self._odd:
            return " "
        gaps = (" ", "  ", "\n", "\t", " – ", "\u00a0", "; ", "\r\n", " «», ", " \x1f", "", "/")
        return self._r.choice(gaps)

    def note(self, characters: int = 300) -> Note:
        """Of about that many characters."""
        note = Note()
        while len(note.text) < characters:
            self._sentence(note)
            if len(note.text) < characters:
                note.add(self._gap())
        return note

    def notes(self, count: int, characters: int = 300) -> list[Note]:
        return [self.note(characters) for _ in range(count)]
