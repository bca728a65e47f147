"""
What a tagged column identifies: the classes of 45 CFR 164.514, and the tags that mean them.

The law lists eighteen identifiers, (A) to (R).  Three of them are split here, since the law treats
their parts differently: geography (a street, a place, a ZIP code), dates (of birth, others, ages).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

NONE = "none"
"""How an administrator says that a tag identifies nobody."""


class Identifier(enum.StrEnum):
    """A class of identifiers of the individual, or of relatives, employers, household members."""

    NAME = "name"
    STREET = "street"
    PLACE = "place"
    ZIP = "zip"
    STATE = "state"
    BIRTH_DATE = "birth_date"
    DATE = "date"
    AGE = "age"
    PHONE = "phone"
    FAX = "fax"
    EMAIL = "email"
    SSN = "ssn"
    MRN = "mrn"
    HEALTH_PLAN = "health_plan"
    ACCOUNT = "account"
    LICENSE = "license"
    VEHICLE = "vehicle"
    DEVICE = "device"
    URL = "url"
    IP = "ip"
    BIOMETRIC = "biometric"
    PHOTO = "photo"
    UNIQUE = "unique"
    FREE_TEXT = "free_text"


@dataclass(frozen=True, slots=True)
class Described:
    """A class in the words of the law."""

    letter: str
    """Of 164.514(b)(2)(i)."""
    limited: str
    """Of 164.514(e)(2); empty: a limited data set may hold it."""
    what: str
    tags: str
    """Tags that mean this class without being told so."""


LAW: Mapping[Identifier, Described] = {
    Identifier.NAME: Described(
        "A", "i", "names",
        "name full_name first_name last_name middle_name maiden_name given_name family_name"
        " patient_name person_name contact_name guarantor_name relative employer",
    ),
    Identifier.STREET: Described(
        "B", "ii", "street addresses, and coordinates as fine as one",
        "street address street_address postal_address geocode latitude longitude lat lon",
    ),
    Identifier.PLACE: Described(
        "B", "", "places smaller than a State: city, county, precinct, census tract",
        "place city town county precinct parish district census_tract birthplace",
    ),
    Identifier.ZIP: Described("B", "", "ZIP codes", "zip zip_code zipcode postal_code postcode"),
    Identifier.STATE: Described("B", "", "States, which may stay", "state province country"),
    Identifier.BIRTH_DATE: Described(
        "C", "", "dates of birth", "birth_date date_of_birth dob birthday"
    ),
    Identifier.DATE: Described(
        "C", "", "other dates directly related to an individual",
        "date timestamp service_date admission_date discharge_date death_date date_of_death"
        " visit_date",
    ),
    Identifier.AGE: Described("C", "", "ages", "age"),
    Identifier.PHONE: Described("D", "iii", "telephone numbers", "phone telephone mobile cell"),
    Identifier.FAX: Described("E", "iv", "fax numbers", "fax"),
    Identifier.EMAIL: Described("F", "v", "e-mail addresses", "email e_mail email_address"),
    Identifier.SSN: Described("G", "vi", "social security numbers", "ssn tax_id"),
    Identifier.MRN: Described("H", "vii", "medical record numbers", "mrn medical_record_number"),
    Identifier.HEALTH_PLAN: Described(
        "I", "viii", "health plan beneficiary numbers",
        "health_plan member_id subscriber_id beneficiary_id policy_number insurance_id mbi",
    ),
    Identifier.ACCOUNT: Described(
        "J", "ix", "account numbers", "account account_number iban credit_card card_number"
    ),
    Identifier.LICENSE: Described(
        "K", "x", "certificate and license numbers",
        "license licence drivers_license driver_license passport certificate",
    ),
    Identifier.VEHICLE: Described(
        "L", "xi", "vehicle identifiers, with license plates", "vehicle vin license_plate plate"
    ),
    Identifier.DEVICE: Described(
        "M", "xii", "device identifiers and serial numbers",
        "device device_id serial_number udi imei mac_address",
    ),
    Identifier.URL: Described("N", "xiii", "web addresses", "url uri web_address"),
    Identifier.IP: Described("O", "xiv", "IP addresses", "ip ip_address"),
    Identifier.BIOMETRIC: Described(
        "P", "xv", "biometric identifiers, with finger and voice prints",
        "biometric fingerprint voiceprint iris retina",
    ),
    Identifier.PHOTO: Described(
        "Q", "xvi", "full-face photographs and comparable images", "photo photograph face image"
    ),
    Identifier.UNIQUE: Described(
        "R", "", "any other unique identifying number, characteristic or code",
        "unique identifier subject key person_id patient_id record_id encounter_id case_id"
        " study_id genome",
    ),
    Identifier.FREE_TEXT: Described(
        "A-R", "i-xvi", "text in which any of them may stand",
        "free_text note notes comment message body document",
    ),
}  # fmt: skip

KNOWN_TAGS: Mapping[str, Identifier] = {
    tag: identifier for identifier, said in LAW.items() for tag in said.tags.split()
}


def identifier_of(tag: str, own: Mapping[str, str]) -> Identifier | str | None:
    """
    The class of a tag; ``none`` if the administrator says so, None if nobody said anything.

    Args:
        own: the administrator's ``tag → class``; it goes before what is known here.
    """
    if tag in own:
        return NONE if own[tag] == NONE else Identifier(own[tag])
    return KNOWN_TAGS.get(tag.lower().replace("-", "_"))
