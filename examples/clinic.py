"""
An invented clinic, to try jupyter_gov on.

    python examples/clinic.py clinic.db --patients 5000 --seed 2026

Writes a SQLite database of patients, encounters, claims, medications and providers over three
years.  Nobody in it exists: names are combined at random, SSNs lie in the 900-999 area and NPIs
begin with 9 (neither was ever issued), phones are 555-01xx, and mail goes to mail.example.
Places and their ZIP codes are real, so that small areas can be tried.  The same seed gives the
same rows.

What is in there to be found: illness rises with age, respiratory visits peak in winter, heart
failure and COPD bring people back within 30 days, a visit in the week after discharge makes
that rarer, and one payer denies far more claims than the others.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import random
import sqlite3
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

FIRST_DAY = date(2023, 1, 1)
LAST_DAY = date(2025, 12, 31)
"""The day the data was taken; nothing in it is later."""

SCHEMA = """
CREATE TABLE providers (
    provider_id INTEGER PRIMARY KEY,
    npi TEXT NOT NULL UNIQUE,
    full_name TEXT NOT NULL,
    specialty TEXT NOT NULL,
    department TEXT NOT NULL,
    hired_on TEXT NOT NULL
);
CREATE TABLE patients (
    patient_id INTEGER PRIMARY KEY,
    mrn TEXT NOT NULL UNIQUE,
    ssn TEXT,
    full_name TEXT NOT NULL,
    birth_date TEXT NOT NULL,
    sex TEXT NOT NULL,
    race TEXT,
    language TEXT NOT NULL,
    street TEXT NOT NULL,
    city TEXT NOT NULL,
    state TEXT NOT NULL,
    zip TEXT NOT NULL,
    phone TEXT,
    email TEXT,
    registered_on TEXT NOT NULL,
    primary_provider_id INTEGER NOT NULL REFERENCES providers,
    notes TEXT
);
CREATE TABLE encounters (
    encounter_id INTEGER PRIMARY KEY,
    patient_id INTEGER NOT NULL REFERENCES patients,
    provider_id INTEGER NOT NULL REFERENCES providers,
    department TEXT NOT NULL,
    encounter_type TEXT NOT NULL,
    started_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    icd10 TEXT NOT NULL,
    reason TEXT NOT NULL,
    triage_note TEXT
);
CREATE TABLE claims (
    claim_id INTEGER PRIMARY KEY,
    encounter_id INTEGER NOT NULL REFERENCES encounters,
    patient_id INTEGER NOT NULL REFERENCES patients,
    payer TEXT NOT NULL,
    cpt TEXT NOT NULL,
    billed_amount REAL NOT NULL,
    paid_amount REAL,
    status TEXT NOT NULL,
    submitted_on TEXT NOT NULL,
    member_id TEXT
);
CREATE TABLE medications (
    medication_id INTEGER PRIMARY KEY,
    patient_id INTEGER NOT NULL REFERENCES patients,
    encounter_id INTEGER NOT NULL REFERENCES encounters,
    rxnorm TEXT NOT NULL,
    drug TEXT NOT NULL,
    dose_mg REAL NOT NULL,
    started_on TEXT NOT NULL,
    stopped_on TEXT,
    prescriber_note TEXT
);
CREATE VIEW v_readmissions AS
WITH stays AS (
    SELECT
        patient_id, encounter_id AS stay_id, department, icd10, ended_at AS discharged_at,
        lead(encounter_id) OVER (PARTITION BY patient_id ORDER BY started_at) AS next_stay_id,
        lead(started_at) OVER (PARTITION BY patient_id ORDER BY started_at) AS next_started_at
    FROM encounters
    WHERE encounter_type = 'inpatient'
)
SELECT
    patient_id, stay_id, department, icd10, discharged_at, next_stay_id,
    round(julianday(next_started_at) - julianday(discharged_at), 1) AS days_to_next,
    coalesce(julianday(next_started_at) - julianday(discharged_at) <= 30, 0) AS readmitted
FROM stays;
CREATE VIEW v_department_load AS
SELECT
    substr(started_at, 1, 7) AS month, department, encounter_type,
    count(*) AS encounters,
    count(DISTINCT patient_id) AS patients,
    round(sum(julianday(ended_at) - julianday(started_at)) * 24, 1) AS hours
FROM encounters
GROUP BY substr(started_at, 1, 7), department, encounter_type;
"""

# What is UNIQUE, such as mrn, has its index already.
INDEXES = """
CREATE INDEX patients_primary_provider ON patients (primary_provider_id);
CREATE INDEX encounters_patient ON encounters (patient_id, started_at);
CREATE INDEX encounters_provider ON encounters (provider_id);
CREATE INDEX claims_encounter ON claims (encounter_id);
CREATE INDEX claims_patient ON claims (patient_id);
CREATE INDEX medications_encounter ON medications (encounter_id);
CREATE INDEX medications_patient ON medications (patient_id);
ANALYZE;
"""

# ---------------------------------------------------------------- who there is


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


GIVEN = {
    "F": _listed(
        """
        Abena, Adaeze, Aiko, Alba, Amira, Ana, Anjali, Astrid, Aylin, Beatriz, Brigid, Camila,
        Chloe, Citlali, Dalia, Delphine, Dolores, Edith, Eleni, Esperanza, Fatima, Fiona,
        Freya, Giulia, Grace, Hana, Harriet, Ines, Ingrid, Isadora, Joanna, Jun, Kalani,
        Katarzyna, Keisha, Lakshmi, Leilani, Lucía, Mabel, Maeve, Mai, Margit, Marisol, Meera,
        Nadia, Naomi, Nia, Noor, Odette, Olga, Opal, Parisa, Perpetua, Quyen, Renata, Rosalind,
        Ruth, Saoirse, Shreya, Siobhán, Solveig, Tamar, Thandiwe, Uma, Valentina, Wanda,
        Winona, Xiomara, Yara, Yuki, Zainab, Zofia
        """
    ),
    "M": _listed(
        """
        Abdul, Akira, Alonzo, Amadou, Anders, Andrei, Arjun, Ayodele, Bao, Bartholomew,
        Benedict, Björn, Caleb, Cassius, Chidi, Cormac, Dae, Dashiell, Demetrius, Desmond,
        Dmitri, Eamon, Ebenezer, Elio, Emeka, Enrique, Ezra, Farid, Felix, Gideon, Giovanni,
        Hamza, Haruto, Henrik, Hoang, Ignacio, Ishaan, Jamal, Joaquín, Jovan, Kareem, Kofi,
        Lars, Leopold, Luca, Mahmoud, Malik, Mateo, Matthias, Nikhil, Obadiah, Omar, Oskar,
        Pablo, Percival, Quentin, Rafael, Ravi, Rufus, Santiago, Seamus, Silas, Tariq, Tenzin,
        Thaddeus, Tomasz, Umberto, Vikram, Wendell, Xavier, Yusuf, Zoltan
        """
    ),
}
FAMILY = _listed(
    """
    Abernathy, Achebe, Adeyemi, Akintola, Alvarado, Amsel, Appiah, Arceneaux, Aszkenazy,
    Bakshi, Balogun, Barrientos, Begay, Bergström, Bhattacharya, Birdsong, Blackwater,
    Bouchard, Caldwell, Castellanos, Chaudhry, Chukwu, Cordero, Czerny, Dasgupta, De la Cruz,
    Delacroix, Dimitriou, Dragović, Dubois, Eastman, Eklund, El-Amin, Escalante, Fairweather,
    Ferreira, Fitzgerald, Fontenot, Gallagher, Garabedian, Gebremedhin, Goldblum, Greenleaf,
    Haddad, Halvorsen, Hashimoto, Hollingsworth, Huỳnh, Ibarra, Ivanenko, Jablonski, Jeong,
    Kahananui, Kapoor, Karimi, Kaufmann, Kiplagat, Kowalczyk, Lachance, Lindqvist, Locklear,
    MacAllister, Mbeki, Medeiros, Mendoza, Moreau, Nakamura, Ndiaye, Nguyen, Núñez, O'Rourke,
    Okonkwo, Oyelaran, Papadakis, Park-Ellison, Pelletier, Petrossian, Quartermain, Quispe,
    Rahman, Rasmussen, Redfeather, Rosenbaum, Saavedra, Sandoval, Schumacher, Sokolov,
    St. Clair, Sundaram, Takahashi, Tamura, Thibodeau, Tran, Underhill, Vaszary, Villanueva,
    Wachowski, Washington, Whitcomb, Xiong, Yazzie, Yildiz, Zamora, Zhao, Ziegler
    """
)
STREETS = _listed(
    """
    Alder Court, Bank Street, Beaver Meadow Road, Birch Lane, Canal Street, Church Street,
    Covered Bridge Road, Depot Street, Elm Street, Fairground Road, Foundry Way,
    Grange Hall Road, Hemlock Ridge, High Street, Juniper Hill, Lyme Road, Maple Avenue,
    Meriden Road, Mill Pond Road, Mount Support Road, North Park Street, Old Post Road,
    Orchard Terrace, Pine Street, Quarry Hill, River Road, School Street, Slate Street,
    South Main Street, Sugar House Lane, Tannery Row, Union Village Road, Water Street,
    West Street, Wheelock Street
    """
)

MONTHS = _listed(
    "January, February, March, April, May, June, July, August, September, October, November,"
    "December"
)
RELATIONS = {
    "F": (("mother", "grandmother", "aunt"), ("wife", "mother", "sister"), ("daughter", "wife")),
    "M": (("father", "grandfather", "uncle"), ("husband", "father", "brother"), ("son", "husband")),
}
"""Who looks after a child, an adult, an older person; a sibling or a neighbor may be anybody's."""


@dataclass(frozen=True, slots=True)
class Place:
    """A town; patients of a *far* one are seen by video."""

    weight: float
    city: str
    state: str
    zip: str
    area_code: str
    far: bool = False


PLACES = (
    Place(20, "Lebanon", "NH", "03766", "603"),
    Place(10, "Hanover", "NH", "03755", "603"),
    Place(11, "Claremont", "NH", "03743", "603"),
    Place(5, "Newport", "NH", "03773", "603"),
    Place(4, "Enfield", "NH", "03748", "603"),
    Place(4, "Charlestown", "NH", "03603", "603"),
    Place(3, "Walpole", "NH", "03608", "603"),
    Place(1, "Alstead", "NH", "03602", "603"),
    Place(4, "Concord", "NH", "03301", "603"),
    Place(3, "Manchester", "NH", "03103", "603"),
    Place(9, "White River Junction", "VT", "05001", "802"),
    Place(4, "Norwich", "VT", "05055", "802"),
    Place(4, "Woodstock", "VT", "05091", "802"),
    Place(6, "Springfield", "VT", "05156", "802"),
    Place(3, "Bellows Falls", "VT", "05101", "802"),
    Place(1, "Canaan", "VT", "05903", "802"),
    Place(0.6, "Guildhall", "VT", "05905", "802"),
    Place(2, "Boston", "MA", "02118", "617", far=True),
    Place(1.2, "Worcester", "MA", "01604", "508", far=True),
    Place(0.8, "Omaha", "NE", "68104", "402", far=True),
    Place(0.5, "Valentine", "NE", "69201", "402", far=True),
    Place(0.8, "Albuquerque", "NM", "87106", "505", far=True),
    Place(0.5, "Socorro", "NM", "87801", "575", far=True),
    Place(0.2, "Truth or Consequences", "NM", "87901", "575", far=True),
    Place(0.2, "Tucumcari", "NM", "88401", "575", far=True),
    Place(0.3, "Rawlins", "WY", "82301", "307", far=True),
    Place(0.3, "Yellowstone National Park", "WY", "82190", "307", far=True),
    Place(0.4, "Jackson", "WY", "83001", "307", far=True),
    Place(0.3, "Ely", "NV", "89301", "775", far=True),
    Place(0.4, "Two Harbors", "MN", "55616", "218", far=True),
    Place(0.2, "Fishers Island", "NY", "06390", "631", far=True),
    Place(0.8, "Denver", "CO", "80205", "303", far=True),
)
AGES = (
    (0, 4, 5), (5, 17, 12), (18, 34, 17), (35, 49, 17), (50, 64, 20),
    (65, 74, 14), (75, 84, 10), (85, 89, 3), (90, 102, 2),
)  # fmt: skip
"""From, to, how many of a hundred."""
RACES = (
    ("White", 71), ("Black or African American", 8), ("Asian", 7), ("Two or more", 5),
    ("American Indian or Alaska Native", 2), ("Native Hawaiian or Pacific Islander", 1),
    (None, 6),
)  # fmt: skip
LANGUAGES = (
    ("English", 88), ("Spanish", 5), ("French", 2), ("Vietnamese", 1), ("Nepali", 1),
    ("Arabic", 1), ("Portuguese", 1), ("American Sign Language", 1),
)  # fmt: skip
STAFF = (
    ("Primary Care", "Family Medicine", 14),
    ("Pediatrics", "Pediatrics", 7),
    ("Emergency", "Emergency Medicine", 8),
    ("Hospital Medicine", "Internal Medicine", 6),
    ("Cardiology", "Cardiovascular Disease", 4),
    ("Pulmonology", "Pulmonary Disease", 3),
    ("Endocrinology", "Endocrinology", 3),
    ("Nephrology", "Nephrology", 2),
    ("Behavioral Health", "Psychiatry", 6),
    ("Orthopedics", "Orthopedic Surgery", 4),
    ("Obstetrics", "Obstetrics & Gynecology", 3),
)


@dataclass(frozen=True, slots=True)
class Payer:
    """Who pays: what part of a bill, how late, and how often not at all."""

    name: str
    prefix: str
    pays: float
    denies: float
    lag: int


MEDICARE = Payer("Medicare", "MCR", 0.46, 0.05, 9)
MEDICAID = Payer("Medicaid", "MCD", 0.34, 0.09, 14)
SELF_PAY = Payer("Self-pay", "", 0.35, 0.0, 5)
COMMERCIAL = (
    Payer("Granite Mutual", "GM", 0.71, 0.06, 6),
    Payer("Blue Heron Health", "BHH", 0.66, 0.08, 8),
    Payer("Northway HMO", "NW", 0.58, 0.19, 11),
)

# ---------------------------------------------------------------- what people come for


@dataclass(frozen=True, slots=True)
class Drug:
    """An RxNorm ingredient and the doses it is given in, from low to high."""

    rxnorm: str
    name: str
    doses: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Chronic:
    """A lasting condition: *peak* of the very old have it, half as many at age *onset*."""

    icd10: str
    reason: str
    department: str
    cpt: str
    peak: float
    onset: int
    visits: float
    """A year, like *stays*."""
    stays: float
    drugs: tuple[Drug, ...] = ()
    youngest: int = 18
    returns: float = 0.0
    """What it adds to the chance of a readmission."""


@dataclass(frozen=True, slots=True)
class Acute:
    """Something passing: how often a year a child, an adult and an older person come with it."""

    icd10: str
    reason: str
    department: str
    cpt: str
    rates: tuple[float, float, float]
    urgent: float = 0.0
    """How many go to the emergency department."""
    admitted: float = 0.0
    """How many of those stay."""
    winter: bool = False
    drugs: tuple[Drug, ...] = ()
    mothers: bool = False


CHRONIC = (
    Chronic("I10", "High blood pressure", "Primary Care", "99213", 0.66, 58, 0.75, 0.004, (
        Drug("29046", "lisinopril", (5, 10, 20, 40)), Drug("17767", "amlodipine", (2.5, 5, 10)),
        Drug("52175", "losartan", (25, 50, 100)))),
    Chronic("E78.5", "High cholesterol", "Primary Care", "80053", 0.50, 56, 0.45, 0.0, (
        Drug("83367", "atorvastatin", (10, 20, 40, 80)), Drug("36567", "simvastatin", (20, 40)))),
    Chronic("E11.9", "Type 2 diabetes", "Endocrinology", "83036", 0.26, 57, 1.5, 0.022, (
        Drug("6809", "metformin", (500, 850, 1000)),
        Drug("1991302", "semaglutide", (0.25, 0.5, 1.0))), returns=0.02),
    Chronic("I50.9", "Heart failure", "Cardiology", "93000", 0.17, 76, 2.2, 0.33, (
        Drug("4603", "furosemide", (20, 40, 80)), Drug("20352", "carvedilol", (3.125, 6.25, 12.5))),
        youngest=40, returns=0.12),
    Chronic("I48.91", "Atrial fibrillation", "Cardiology", "93000", 0.16, 77, 1.4, 0.07, (
        Drug("1364430", "apixaban", (2.5, 5)), Drug("6918", "metoprolol", (25, 50, 100))),
        youngest=35, returns=0.02),
    Chronic("J44.9", "COPD", "Pulmonology", "94010", 0.16, 66, 1.6, 0.18, (
        Drug("69120", "tiotropium", (0.018,)), Drug("41126", "fluticasone", (0.11, 0.22))),
        youngest=40, returns=0.10),
    Chronic("N18.30", "Chronic kidney disease", "Nephrology", "80053", 0.21, 73, 1.3, 0.06,
        youngest=30, returns=0.04),
    Chronic("J45.909", "Asthma", "Primary Care", "94010", 0.09, 4, 0.8, 0.008, (
        Drug("435", "albuterol", (0.09,)), Drug("41126", "fluticasone", (0.044, 0.11))),
        youngest=4),
    Chronic("F33.1", "Depression", "Behavioral Health", "90834", 0.12, 20, 3.2, 0.012, (
        Drug("36437", "sertraline", (25, 50, 100)), Drug("42347", "bupropion", (150, 300))),
        youngest=13),
    Chronic("F41.1", "Anxiety", "Behavioral Health", "90834", 0.10, 18, 2.4, 0.0, (
        Drug("321988", "escitalopram", (5, 10, 20)),), youngest=12),
    Chronic("M17.11", "Knee arthritis", "Orthopedics", "20610", 0.30, 66, 0.8, 0.03, (
        Drug("41493", "meloxicam", (7.5, 15)),), youngest=35),
    Chronic("E03.9", "Underactive thyroid", "Endocrinology", "80053", 0.10, 52, 0.7, 0.0, (
        Drug("10582", "levothyroxine", (0.05, 0.075, 0.1)),)),
    Chronic("K21.9", "Reflux", "Primary Care", "99213", 0.17, 48, 0.4, 0.0, (
        Drug("7646", "omeprazole", (20, 40)),)),
    Chronic("G30.9", "Alzheimer's disease", "Primary Care", "99214", 0.28, 88, 1.2, 0.09, (
        Drug("135447", "donepezil", (5, 10)),), youngest=60, returns=0.03),
)  # fmt: skip

AMOXICILLIN = Drug("723", "amoxicillin", (250, 500))
AZITHROMYCIN = Drug("18631", "azithromycin", (250, 500))
IBUPROFEN = Drug("5640", "ibuprofen", (400, 600))
ACUTE = (
    Acute("J06.9", "Cough and cold", "Primary Care", "99213", (0.38, 0.15, 0.13), 0.10,
        winter=True),
    Acute("J11.1", "Influenza", "Primary Care", "87804", (0.15, 0.07, 0.09), 0.30, 0.12, True,
        (Drug("260101", "oseltamivir", (30, 75)),)),
    Acute("J18.9", "Pneumonia", "Pulmonology", "71046", (0.02, 0.015, 0.06), 0.70, 0.55, True,
        (AZITHROMYCIN,)),
    Acute("J21.9", "Bronchiolitis", "Pediatrics", "99213", (0.06, 0.0, 0.0), 0.35, 0.20, True),
    Acute("H66.90", "Ear infection", "Primary Care", "99213", (0.22, 0.02, 0.01), 0.05,
        drugs=(AMOXICILLIN,)),
    Acute("M54.50", "Low back pain", "Orthopedics", "99213", (0.0, 0.13, 0.12), 0.10,
        drugs=(IBUPROFEN,)),
    Acute("S93.401A", "Ankle sprain", "Orthopedics", "73610", (0.07, 0.05, 0.02), 0.50,
        drugs=(IBUPROFEN,)),
    Acute("S52.501A", "Wrist fracture", "Orthopedics", "29125", (0.03, 0.01, 0.03), 0.85),
    Acute("S72.001A", "Hip fracture", "Orthopedics", "27236", (0.0, 0.0005, 0.016), 1.0, 1.0),
    Acute("N39.0", "Urinary infection", "Primary Care", "81001", (0.02, 0.06, 0.10), 0.12, 0.12,
        drugs=(Drug("7454", "nitrofurantoin", (50, 100)),)),
    Acute("L03.90", "Skin infection", "Primary Care", "99213", (0.02, 0.03, 0.04), 0.25, 0.18,
        drugs=(Drug("2231", "cephalexin", (250, 500)),)),
    Acute("R07.9", "Chest pain", "Cardiology", "93000", (0.0, 0.04, 0.08), 0.80, 0.20),
    Acute("I21.4", "Heart attack", "Cardiology", "92928", (0.0, 0.001, 0.010), 1.0, 1.0,
        drugs=(Drug("32968", "clopidogrel", (75,)),)),
    Acute("K35.80", "Appendicitis", "Hospital Medicine", "44970", (0.004, 0.003, 0.001), 1.0, 0.95),
    Acute("A41.9", "Sepsis", "Hospital Medicine", "36415", (0.0, 0.001, 0.012), 1.0, 1.0),
    Acute("R51.9", "Headache", "Primary Care", "99213", (0.02, 0.07, 0.04), 0.20,
        drugs=(IBUPROFEN,)),
    Acute("L20.9", "Eczema", "Primary Care", "99213", (0.08, 0.03, 0.02)),
    Acute("Z34.90", "Prenatal visit", "Obstetrics", "76805", (0.0, 0.55, 0.0), mothers=True),
    Acute("O80", "Childbirth", "Obstetrics", "59400", (0.0, 0.06, 0.0), 1.0, 1.0, mothers=True),
)  # fmt: skip

PRICES = {
    "99213": 165, "99214": 240, "99283": 620, "99284": 1050, "99285": 1690, "99223": 3900,
    "99496": 310, "99392": 175, "99394": 190, "99396": 215, "G0439": 205, "80053": 120,
    "83036": 145, "93000": 230, "94010": 260, "90834": 185, "20610": 340, "71046": 250,
    "73610": 235, "29125": 290, "27236": 14500, "81001": 130, "87804": 170, "92928": 16800,
    "44970": 9800, "36415": 60, "76805": 480, "59400": 4700,
}  # fmt: skip
"""CPT and HCPCS codes, without their texts, and a list price (per day for 99223)."""

WINTER = (1.0, 0.95, 0.70, 0.42, 0.25, 0.15, 0.12, 0.15, 0.28, 0.45, 0.68, 0.95)
"""How likely a respiratory visit is in each month, against January."""

# ---------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows each table has."""

    patients: int
    encounters: int
    claims: int
    medications: int
    providers: int


@dataclass(frozen=True, slots=True)
class Provider:
    """A row of providers."""

    provider_id: int
    npi: str
    full_name: str
    specialty: str
    department: str
    hired_on: str


@dataclass(slots=True, kw_only=True)
class Person:
    """A patient, with what the generator knows beyond the row."""

    given: str
    family: str
    sex: str
    born: date
    street: str
    place: Place
    zip: str
    phone: str
    registered: date
    chronic: tuple[Chronic, ...]
    payer: Payer
    member_id: str | None
    provider_id: int
    housemate: Person | None = None
    patient_id: int = 0
    mrn: str = ""

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    def age(self, day: date) -> int:
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


@dataclass(slots=True, kw_only=True)
class Visit:
    """An encounter before it has a number."""

    person: Person
    cause: Chronic | Acute | None
    department: str
    kind: str
    started: datetime
    ended: datetime
    icd10: str
    reason: str
    cpt: str
    provider_id: int = 0


class Clinic:
    """Makes one clinic from one stream of random numbers."""

    def __init__(self, patients: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self._patients = patients
        self.providers = self._hire()
        self._staff: dict[str, list[int]] = {}
        for provider in self.providers:
            self._staff.setdefault(provider.department, []).append(provider.provider_id)

    # ------------------------------------------------------------ people

    def _hire(self) -> list[Provider]:
        rng, hired = self._rng, []
        places = [(department, specialty) for department, specialty, n in STAFF for _ in range(n)]
        npis = rng.sample(range(900_000_000, 1_000_000_000), len(places))
        for number, (department, specialty) in enumerate(places, start=1):
            name = f"{rng.choice(GIVEN[rng.choice('FM')])} {rng.choice(FAMILY)}"
            since = date(1994, 1, 1) + timedelta(days=rng.randrange(28 * 365))
            npi = f"9{npis[number - 1]}"
            hired.append(Provider(number, npi, name, specialty, department, since.isoformat()))
        return hired

    def people(self) -> list[Person]:
        """Everyone, numbered by the day they registered; three in ten live with another."""
        rng = self._rng
        everyone: list[Person] = []
        for _ in range(self._patients):
            mate = rng.choice(everyone) if everyone and rng.random() < 0.3 else None
            everyone.append(self._person(mate))
        everyone.sort(key=lambda person: person.registered)
        mrns = rng.sample(range(1_000_000, 10_000_000), len(everyone))
        for number, (person, mrn) in enumerate(zip(everyone, mrns, strict=True), start=1):
            person.patient_id, person.mrn = number, f"MC{mrn}"
        return everyone

    def _person(self, mate: Person | None) -> Person:
        rng = self._rng
        low, high, _ = rng.choices(AGES, [share for *_, share in AGES])[0]
        spread = rng.random() ** 1.8 if low >= 85 else rng.random()
        age = low + int(spread * (high - low + 1))
        born = LAST_DAY - timedelta(days=int(age * 365.2425) + 1 + rng.randrange(365))
        sex = rng.choices(("F", "M", "X"), (52, 47.4, 0.6))[0]
        given = rng.choice(GIVEN[rng.choice("FM") if sex == "X" else sex])
        since = max(born, date(2012, 1, 1))
        payer = self._payer(age)
        department = "Pediatrics" if age < 18 else "Primary Care"
        place = mate.place if mate else rng.choices(PLACES, [p.weight for p in PLACES])[0]
        plus4 = f"-{rng.randrange(1000, 9999)}" if rng.random() < 0.06 else ""
        street = f"{rng.randrange(2, 480)} {rng.choice(STREETS)}"
        number = f"{rng.randrange(10**8):08d}" if payer.prefix else ""
        return Person(
            given=given,
            family=mate.family if mate and rng.random() < 0.8 else rng.choice(FAMILY),
            sex=sex,
            born=born,
            street=mate.street if mate else street,
            place=place,
            zip=mate.zip if mate else place.zip + plus4,
            phone=mate.phone if mate and rng.random() < 0.5 else self._phone(place),
            registered=since + timedelta(days=rng.randrange((LAST_DAY - since).days + 1)),
            chronic=tuple(c for c in CHRONIC if self._has(c, age)),
            payer=payer,
            member_id=f"{payer.prefix}-{number}" if number else None,
            provider_id=rng.choice(self._staff[department]),
            housemate=mate,
        )

    def _has(self, condition: Chronic, age: int) -> bool:
        share = condition.peak / (1 + math.exp((condition.onset - age) / 9))
        return self._rng.random() < share and age >= condition.youngest

    def _payer(self, age: int) -> Payer:
        rng = self._rng
        if age >= 65:
            return rng.choices((MEDICARE, *COMMERCIAL), (84, 6, 5, 5))[0]
        if age < 18:
            return rng.choices((MEDICAID, *COMMERCIAL, SELF_PAY), (38, 24, 22, 14, 2))[0]
        return rng.choices((MEDICAID, *COMMERCIAL, SELF_PAY), (17, 31, 27, 18, 7))[0]

    def _phone(self, place: Place) -> str:
        return f"{place.area_code}-555-01{self._rng.randrange(100):02d}"

    # ------------------------------------------------------------ visits

    def visits(self, everyone: Sequence[Person]) -> list[Visit]:
        """Every encounter, in order of time."""
        made = [visit for person in everyone for visit in self._history(person)]
        made.sort(key=lambda visit: (visit.started, visit.person.patient_id))
        return made

    def _history(self, person: Person) -> list[Visit]:
        since = max(FIRST_DAY, person.registered)
        planned = [*self._preventive(person, since), *self._chronic(person, since)]
        planned += self._acute(person, since)
        for stay in [visit for visit in planned if visit.kind == "inpatient"]:
            planned += self._after(stay)
        planned.sort(key=lambda visit: visit.started)
        kept: list[Visit] = []
        doctors: dict[str, int] = {}
        for visit in planned:
            if visit.ended.date() > LAST_DAY or (kept and visit.started < kept[-1].ended):
                continue  # not over yet, or somewhere else at that time
            visit.provider_id = self._doctor(visit, doctors)
            kept.append(visit)
        return kept

    def _days(self, since: date, a_year: float) -> Iterator[date]:
        """Days on which something of that rate happens (a Poisson process)."""
        if a_year <= 0:
            return
        at = self._rng.expovariate(a_year) * 365.25
        while at <= (LAST_DAY - since).days:
            yield since + timedelta(days=int(at))
            at += self._rng.expovariate(a_year) * 365.25

    def _preventive(self, person: Person, since: date) -> Iterator[Visit]:
        for day in self._days(since, 0.6):
            age = person.age(day)
            if age < 18:
                cpt = "99392" if age < 5 else "99394"
                yield self._visit(person, None, day, "Pediatrics", "Z00.129", "Well child", cpt)
            else:
                cpt = "G0439" if age >= 65 else "99396"
                yield self._visit(person, None, day, "Primary Care", "Z00.00", "Annual exam", cpt)

    def _chronic(self, person: Person, since: date) -> Iterator[Visit]:
        for cause in person.chronic:
            department = cause.department
            if department == "Primary Care" and person.age(LAST_DAY) < 18:
                department = "Pediatrics"
            for day in self._days(since, cause.visits * 0.66):
                yield self._visit(person, cause, day, department)
            if not person.place.far:
                for day in self._days(since, cause.stays):
                    yield self._stay(person, cause, day)

    def _acute(self, person: Person, since: date) -> Iterator[Visit]:
        rng = self._rng
        age = person.age(LAST_DAY)
        group = 0 if age < 18 else 1 if age < 65 else 2
        for cause in ACUTE:
            if cause.mothers and (person.sex != "F" or not 19 <= age <= 43):
                continue
            for day in self._days(since, cause.rates[group] * (1.9 if cause.winter else 0.9)):
                if cause.winter and rng.random() > WINTER[day.month - 1]:
                    continue
                department = cause.department
                if department == "Primary Care" and group == 0:
                    department = "Pediatrics"
                if rng.random() >= cause.urgent:
                    yield self._visit(person, cause, day, department)
                elif person.place.far:
                    continue  # they go to a hospital near them
                elif rng.random() < cause.admitted:
                    yield self._stay(person, cause, day)
                else:
                    yield self._emergency(person, cause, day)

    def _visit(
        self,
        person: Person,
        cause: Chronic | Acute | None,
        day: date,
        department: str,
        icd10: str = "",
        reason: str = "",
        cpt: str = "",
    ) -> Visit:
        rng = self._rng
        day += timedelta(days=max(0, 7 - day.weekday()) if day.weekday() > 4 else 0)
        video = 0.88 if person.place.far else 0.5 if department == "Behavioral Health" else 0.1
        kind = "telehealth" if rng.random() < video else "office"
        cpt = cpt or (cause.cpt if cause else "")
        if kind == "telehealth" and cause and cpt != "90834":
            cpt = "99213"  # no needle, no X-ray
        started = datetime.combine(day, time(8)) + timedelta(minutes=15 * rng.randrange(36))
        minutes = rng.choice((15, 20, 25, 30)) if kind == "telehealth" else rng.randrange(20, 65, 5)
        return Visit(
            person=person,
            cause=cause,
            department=department,
            kind=kind,
            started=started,
            ended=started + timedelta(minutes=minutes),
            icd10=icd10 or (cause.icd10 if cause else ""),
            reason=reason or (cause.reason if cause else ""),
            cpt=cpt,
        )

    def _emergency(self, person: Person, cause: Acute, day: date) -> Visit:
        rng = self._rng
        hour = int(rng.triangular(0, 24, 18))
        started = datetime.combine(day, time(min(hour, 23), rng.randrange(60)))
        return Visit(
            person=person,
            cause=cause,
            department="Emergency",
            kind="emergency",
            started=started,
            ended=started + timedelta(minutes=int(45 + rng.gammavariate(2.2, 75))),
            icd10=cause.icd10,
            reason=cause.reason,
            cpt=rng.choices(("99283", "99284", "99285"), (5, 4, 1 + person.age(day) / 30))[0],
        )

    def _stay(self, person: Person, cause: Chronic | Acute, day: date) -> Visit:
        rng = self._rng
        started = datetime.combine(day, time(rng.randrange(24), rng.randrange(60)))
        frailty = 1 + max(0, person.age(day) - 50) * 0.012 + 0.05 * len(person.chronic)
        nights = 2.0 if cause.icd10 == "O80" else rng.lognormvariate(0.95, 0.55) * frailty
        left = datetime.combine(day + timedelta(days=max(1, round(nights))), time(9))
        wards = ("Cardiology", "Pulmonology", "Orthopedics", "Obstetrics", "Behavioral Health")
        return Visit(
            person=person,
            cause=cause,
            department=cause.department if cause.department in wards else "Hospital Medicine",
            kind="inpatient",
            started=started,
            ended=left + timedelta(minutes=rng.randrange(9 * 60)),
            icd10=cause.icd10,
            reason=cause.reason,
            cpt=cause.cpt if PRICES[cause.cpt] > 2000 else "99223",
        )

    def _after(self, stay: Visit) -> Iterator[Visit]:
        """What follows a stay: a visit in the first week, another stay, or neither."""
        rng, person, cause = self._rng, stay.person, stay.cause
        while cause is not None and cause.icd10 != "O80":
            risk = 0.06 + sum(0.02 + c.returns for c in person.chronic)
            if rng.random() < 0.5:
                risk *= 0.5
                day = stay.ended.date() + timedelta(days=rng.randrange(2, 6))
                yield self._visit(
                    person, None, day, "Primary Care", stay.icd10, "After discharge", "99496"
                )
            if rng.random() >= min(risk, 0.45):
                return
            gap = 2 + int(27 * rng.random() ** 1.4)
            frail = [c for c in person.chronic if c.stays > 0.05]
            cause = rng.choice(frail) if frail and rng.random() < 0.6 else cause
            stay = self._stay(person, cause, stay.ended.date() + timedelta(days=gap))
            yield stay

    def _doctor(self, visit: Visit, doctors: dict[str, int]) -> int:
        """Mostly the one they know."""
        rng, department = self._rng, visit.department
        if department in ("Primary Care", "Pediatrics") and rng.random() < 0.85:
            own = visit.person.provider_id
            if own in self._staff[department]:
                return own
        if department in doctors and department != "Emergency" and rng.random() < 0.8:
            return doctors[department]
        doctors[department] = rng.choice(self._staff[department])
        return doctors[department]

    # ------------------------------------------------------------ what people write

    def _words(self, person: Person, day: date) -> dict[str, str]:
        """What a sentence may mention.  Half of it identifies somebody."""
        rng = self._rng
        mate = person.housemate
        gender = rng.choice("FM")
        age = person.age(day)
        close = RELATIONS[gender][0 if age < 18 else 1 if age < 60 else 2]
        relation = rng.choice((*close, {"F": "sister", "M": "brother"}[gender], "neighbor"))
        family = person.family if rng.random() < 0.6 else rng.choice(FAMILY)
        relative = f"{rng.choice(GIVEN[gender])} {family}"
        if mate is not None:
            relation, relative = "housemate", mate.name
        phone = person.phone if rng.random() < 0.6 else self._phone(person.place)
        area, _, line = phone.split("-")
        near = min(max(day + timedelta(days=rng.randrange(-60, 30)), person.born), LAST_DAY)
        month = MONTHS[near.month - 1]
        return {
            "name": person.name,
            "given": person.given.lower() if rng.random() < 0.1 else person.given,
            "family": person.family,
            "title": {"F": "Ms.", "M": "Mr."}.get(person.sex, "Mx."),
            "relation": relation,
            "relative": relative,
            "phone": rng.choice((phone, phone, f"({area}) 555-{line}", f"{area}.555.{line}")),
            "date": rng.choice(
                (near.isoformat(), f"{near:%m/%d/%Y}", f"{month} {near.day}, {near.year}",
                 f"{month[:3]} {near.day}")
            ),
            "born": rng.choice((person.born.isoformat(), f"{person.born:%m/%d/%y}")),
            "mrn": rng.choice((person.mrn, f"MRN {person.mrn}", f"#{person.mrn[2:]}")),
            "other": mate.mrn if mate else f"MC{rng.randrange(1_000_000, 10_000_000)}",
            "street": person.street,
            "city": person.place.city,
            "age": str(age),
        }  # fmt: skip

    def _sentences(self, person: Person, day: date, texts: Sequence[str], n: int) -> str:
        words = self._words(person, day)
        return " ".join(text.format_map(words) for text in self._rng.sample(texts, n))

    def notes(self, person: Person) -> str | None:
        """What the front desk keeps about a person."""
        rng = self._rng
        if rng.random() < 0.12:
            return None
        day = person.registered + (LAST_DAY - person.registered) * rng.random()
        parts = [self._sentences(person, day, WITH_PHI, rng.randrange(1, 4))]
        if rng.random() < 0.4:
            parts.append(rng.choice(WITHOUT_PHI))
        return " ".join(parts)

    def triage(self, visit: Visit) -> str | None:
        """What a nurse writes on arrival.  Most of it names nobody; some of it does."""
        rng, person = self._rng, visit.person
        if rng.random() < (0.35 if visit.kind in ("office", "telehealth") else 0.03):
            return None
        parts = [f"{visit.reason}."]
        if visit.kind != "telehealth":
            top = int(rng.gauss(112 + 0.3 * person.age(visit.started.date()), 11))
            parts.append(f"BP {top}/{int(top * 0.62)}, HR {int(rng.gauss(79, 10))}.")
        if rng.random() < (0.7 if visit.kind in ("emergency", "inpatient") else 0.25):
            texts = ON_VIDEO if visit.kind == "telehealth" else AT_TRIAGE
            parts.append(self._sentences(person, visit.started.date(), texts, 1))
        return " ".join(parts)

    def advice(self, visit: Visit) -> str | None:
        """What a prescriber adds."""
        rng = self._rng
        if rng.random() < 0.4:
            return None
        if rng.random() < 0.6:
            short = isinstance(visit.cause, Acute)
            return rng.choice(ADVICE_FOR_SHORT if short else ADVICE_FOR_LONG)
        return self._sentences(visit.person, visit.started.date(), NAMED_ADVICE, 1)

    # ------------------------------------------------------------ claims and medications

    def claims(self, number: int, visit: Visit) -> Iterator[tuple[object, ...]]:
        """What is billed for one encounter, without the claim's own number."""
        rng, person = self._rng, visit.person
        if rng.random() > (0.97 if visit.kind in ("emergency", "inpatient") else 0.70):
            return
        codes = [visit.cpt]
        if visit.kind == "inpatient" and visit.cpt != "99223":
            codes.append("99223")
        elif visit.cpt in ("80053", "83036", "93000", "94010") and rng.random() < 0.15:
            codes.append("99214")
        for cpt in codes:
            billed = PRICES[cpt] * rng.lognormvariate(0, 0.12)
            if cpt == "99223":
                billed *= max(1, (visit.ended.date() - visit.started.date()).days)
            sent = visit.ended.date() + timedelta(days=1 + int(rng.gammavariate(2, 2)))
            if sent > LAST_DAY:
                continue
            status, paid = self._settle(visit, person.payer, billed, sent)
            yield (
                number, person.patient_id, person.payer.name, cpt, round(billed, 2), paid, status,
                sent.isoformat(), person.member_id,
            )  # fmt: skip

    def _settle(
        self, visit: Visit, payer: Payer, billed: float, sent: date
    ) -> tuple[str, float | None]:
        rng = self._rng
        if (LAST_DAY - sent).days < rng.gammavariate(3, payer.lag):
            return "pending", None
        denies = payer.denies * (1.7 if visit.kind == "telehealth" else 1.0)
        if rng.random() < denies:
            return ("appealed" if rng.random() < 0.22 else "denied"), None
        return "paid", round(billed * min(1.0, payer.pays * rng.gauss(1, 0.05)), 2)

    def medications(self, numbered: Sequence[tuple[int, Visit]]) -> list[list[object]]:
        """Every prescription, in order of time.  A renewal or a new dose ends the one before."""
        rng = self._rng
        made: list[list[object]] = []
        current: dict[tuple[int, str], tuple[list[object], int]] = {}
        for number, visit in numbered:
            cause, person = visit.cause, visit.person
            if cause is None or not cause.drugs:
                continue
            day = visit.ended.date()
            if isinstance(cause, Acute):
                if rng.random() < 0.8:
                    drug = rng.choice(cause.drugs)
                    until = min(day + timedelta(days=rng.choice((5, 7, 10, 14))), LAST_DAY)
                    dose = drug.doses[0] if person.age(day) < 13 else drug.doses[-1]
                    made.append(self._prescribed(number, visit, drug, dose, until))
                continue
            for drug in cause.drugs[:2]:
                key = (person.patient_id, drug.rxnorm)
                before = current.get(key)
                first = drug is cause.drugs[0]
                if before is None and rng.random() > (0.92 if first else 0.30):
                    continue
                if before is not None and rng.random() > 0.88:
                    continue
                step = 0 if before is None else before[1] + (rng.random() < 0.3)
                step = min(step, len(drug.doses) - 1)
                if before is not None:
                    before[0][6] = day.isoformat()
                row = self._prescribed(number, visit, drug, drug.doses[step], None)
                current[key] = (row, step)
                made.append(row)
        return made

    def _prescribed(
        self, number: int, visit: Visit, drug: Drug, dose: float, until: date | None
    ) -> list[object]:
        return [
            visit.person.patient_id, number, drug.rxnorm, drug.name, float(dose),
            visit.ended.date().isoformat(), until.isoformat() if until else None,
            self.advice(visit),
        ]  # fmt: skip

    def patient_rows(self, everyone: Sequence[Person]) -> Iterator[tuple[object, ...]]:
        """Rows of patients."""
        rng = self._rng
        # Groups 10-49 are not used for taxpayer numbers, which share the 900 area.
        ssns = rng.sample(range(100 * 40 * 9999), len(everyone))
        for person, code in zip(everyone, ssns, strict=True):
            area, rest = divmod(code, 40 * 9999)
            group, serial = divmod(rest, 9999)
            yield (
                person.patient_id,
                person.mrn,
                f"{900 + area}-{10 + group}-{serial + 1:04d}" if rng.random() > 0.04 else None,
                person.name,
                person.born.isoformat(),
                person.sex,
                rng.choices([r for r, _ in RACES], [share for _, share in RACES])[0],
                rng.choices([name for name, _ in LANGUAGES], [n for _, n in LANGUAGES])[0],
                person.street,
                person.place.city,
                person.place.state,
                person.zip,
                person.phone if rng.random() > 0.03 else None,
                self._email(person) if rng.random() > 0.18 else None,
                person.registered.isoformat(),
                person.provider_id,
                self.notes(person),
            )

    def _email(self, person: Person) -> str:
        plain = unicodedata.normalize("NFKD", f"{person.given}.{person.family}").lower()
        local = "".join(c for c in plain if c.isascii() and (c.isalnum() or c in ".-"))
        return f"{local.replace('..', '.')}{self._rng.randrange(1, 99)}@mail.example"


WITH_PHI = (
    "Spoke with {relation} {relative} at {phone} on {date}; {given} prefers calls after 4 pm.",
    "{name} ({mrn}) asks that results be mailed to {street}, {city}.",
    "Emergency contact for {name}: {relative} ({relation}), {phone}.",
    "Chart merged with {other} on {date}; confirm {given}'s date of birth {born} at check-in.",
    "{title} {family} comes with {relation} {relative}; ride arranged for {date}.",
    "No-show on {date}; left voicemail for {given} {family} at {phone}.",
    "Release signed {date}: {relation} {relative} may discuss billing for {name}.",
    "{name} was confused with {other} on {date}, same street; check two identifiers.",
    "Per {relative}, {given} is hard of hearing; call {phone} and let it ring.",
    "{title} {family}, {age}, called from {city} about the bill of {date}. Back at {phone}.",
)
WITHOUT_PHI = (
    "Needs the ramp entrance.",
    "Interpreter requested for every visit.",
    "Prefers morning appointments.",
    "Latex allergy on file.",
    "Portal account is active.",
)
AT_TRIAGE = (
    "Brought in by {relation} {relative}, call back {phone}.",
    "{title} {family} says it began on {date}.",
    "{name}, {age}, alert and oriented; last seen here {date}.",
    "{relative} ({relation}) will wait; cell {phone}.",
    "Wristband {mrn} checked against {born}.",
    "{given} took the morning dose. Ride home with {relation} {relative}.",
)
ON_VIDEO = (
    "Joined by {relation} {relative}.",
    "{name} confirmed birth date {born}.",
    "If the video drops, call {phone}.",
    "{title} {family} says it began on {date}.",
)
ADVICE_FOR_LONG = (
    "Take with food.",
    "Recheck labs in three months.",
    "May cause dizziness; rise slowly.",
    "Continue until the next visit.",
    "Generic is fine.",
)
ADVICE_FOR_SHORT = (
    "Take with food.",
    "Finish the whole course.",
    "Come back if no better in three days.",
    "Generic is fine.",
)
NAMED_ADVICE = (
    "Called {relation} {relative} at {phone} about the new dose.",
    "{given} will pick it up in {city}; renewed until {date}.",
    "{title} {family} had nausea since {date}; start low.",
    "Pillbox is filled by {relative} ({relation}).",
)


# ---------------------------------------------------------------- the file


def generate(path: Path, *, patients: int = 5000, seed: int = 2026) -> Counts:
    """
    Write the clinic to *path*, whole or not at all.

    The file can be read by its owner only, as a database of patients should be.

    Args:
        path: replaced if it exists.
        patients: one or more; the rest grows with it.
        seed: the same one gives the same rows.

    Raises:
        ValueError: *patients* is below one.
    """
    if patients < 1:
        raise ValueError("a clinic has at least one patient")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    fresh = Path(name)
    try:
        with contextlib.closing(sqlite3.connect(fresh, isolation_level=None)) as database:
            counts = _fill(database, Clinic(patients, seed))
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return counts


def _fill(database: sqlite3.Connection, clinic: Clinic) -> Counts:
    everyone = clinic.people()
    patients = list(clinic.patient_rows(everyone))
    numbered = list(enumerate(clinic.visits(everyone), start=1))
    encounters: list[tuple[object, ...]] = [
        (
            number, visit.person.patient_id, visit.provider_id, visit.department, visit.kind,
            visit.started.isoformat(), visit.ended.isoformat(), visit.icd10, visit.reason,
            clinic.triage(visit),
        )
        for number, visit in numbered
    ]  # fmt: skip
    claims = [claim for number, visit in numbered for claim in clinic.claims(number, visit)]
    claims.sort(key=lambda claim: (str(claim[7]), str(claim[0]).zfill(9)))
    medications = clinic.medications(numbered)
    rows: dict[str, list[tuple[object, ...]]] = {
        "providers": [astuple(provider) for provider in clinic.providers],
        "patients": patients,
        "encounters": encounters,
        "claims": [(number, *claim) for number, claim in enumerate(claims, start=1)],
        "medications": [(number, *row) for number, row in enumerate(medications, start=1)],
    }
    database.execute("PRAGMA journal_mode = OFF")  # nobody sees the file before it is whole
    database.executescript(SCHEMA)
    database.execute("BEGIN")
    for table, values in rows.items():
        if values:
            places = ", ".join("?" * len(values[0]))
            database.executemany(f"INSERT INTO {table} VALUES ({places})", values)
    database.execute("COMMIT")
    database.executescript(INDEXES)
    return Counts(**{table: len(values) for table, values in rows.items()})


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Write an invented clinic as a SQLite database.")
    parser.add_argument("out", type=Path, metavar="OUT.db")
    parser.add_argument("--patients", type=int, default=5000, metavar="N")
    parser.add_argument("--seed", type=int, default=2026, metavar="S")
    chosen = parser.parse_args(arguments)
    if chosen.patients < 1:
        parser.error("--patients: a clinic has at least one patient")
    if not chosen.out.absolute().parent.is_dir():
        parser.error(f"{chosen.out}: there is no such folder")
    if chosen.out.is_dir():
        parser.error(f"{chosen.out}: is a folder")
    counts = generate(chosen.out, patients=chosen.patients, seed=chosen.seed)
    print(
        f"{chosen.out}: {counts.patients:,} patients, {counts.encounters:,} encounters,"
        f" {counts.claims:,} claims, {counts.medications:,} medications,"
        f" {counts.providers:,} providers"
    )


if __name__ == "__main__":
    main()
