"""
An example configuration of jupyter_gov, for the clinic that clinic.py writes.

    python examples/clinic.py examples/clinic.db

Copy it, and change it section by section.  It is ordinary Jupyter configuration, and what it
says is for the gateway: a notebook's kernel needs neither this file nor the database.  Keep it,
what it names, and the folder it lies in out of reach of the people who run notebooks.

Every mapping below may also be the path of a TOML file that holds the same.
"""

import os
from pathlib import Path

c = get_config()  # noqa: F821

here = Path(__file__).parent
db = os.environ.get("CLINIC_DB", str(here / "clinic.db"))

# ---------------------------------------------------------------- the gateway

# Keys, grants and the record live here.  The folder must belong to the gateway's user, mode 0700.
c.GovGateway.state_dir = os.environ.get("JUPYTER_GOV_STATE", str(here / "gov-state"))

# ---------------------------------------------------------------- what there is

c.GovConnections.connections = {
    "clinic": {
        # A SQLAlchemy URL, never with a password in it.
        "url": f"sqlite:///{db}",
        # SQLite needs no password.  Where one is needed, say where it comes from; it is read when
        # a connection is opened and kept nowhere.  One of:
        # "secret": "env:CLINIC_PASSWORD",
        # "secret": "file:/etc/jupyter-gov/clinic.secret",  # absolute, mode 0600
        # "secret": "credential:clinic",                    # systemd: LoadCredential=clinic:…
        "description": "Patients, encounters, claims and medications, 2023 to 2025",
        "timeout": "5m",  # a statement runs at most this long
        "max_rows": 5_000_000,  # and returns at most this many rows
    },
}

# Which column holds what: connection → table → column → tag.
c.GovConnections.tags = str(here / "clinic-tags.toml")

# ---------------------------------------------------------------- what becomes of it

# Tag → treatment, for everybody; an eligibility below may differ from it.
#
#   clear      as it is
#   pseudonym  a stable token in its place: counts and joins work, reading does not
#   partial    the last four letters or digits, of eight or more
#   year       1 January of the year; 90 and more years ago are one date
#   age        whole years from a date of birth; 90 stands for 90 and over
#   zip3       the first three digits of a ZIP code, 000 for areas of few people
#   withhold   NULL
#   seal       NULL for the reader; a statement may still count and group by it
#
# This does not keep the rules of HIPAA's Safe Harbor, 45 CFR 164.514(b)(2): record numbers
# and service dates are clear and the end of the SSN shows, since the people below work with them.
# For that, give an eligibility "preset": "safe_harbor": the check then says what else to write.
c.GovMasking.treatments = {
    # who somebody is
    "subject": "clear",
    "mrn": "pseudonym",
    "ssn": "partial",
    "name": "withhold",
    "member_id": "pseudonym",
    "phone": "withhold",
    "email": "withhold",
    # where and when
    "street": "withhold",
    "city": "withhold",
    "state": "clear",
    "zip": "zip3",
    "birth_date": "year",
    "date": "clear",
    # text that may name anybody
    "free_text": "seal",
    # what the analysis is about
    "code": "clear",
    "category": "clear",
    "amount": "clear",
    "key": "clear",
    "provider": "clear",
}

# A column without a tag, such as one that was added to the database yesterday.
c.GovMasking.untagged = "withhold"

# ---------------------------------------------------------------- who may ask for it

# Everyone who asks names one of these; it stands in the record.
c.GovAccess.purposes = {
    "quality": "Quality improvement",
    "readmissions": "Review of readmissions within 30 days",
    "billing": "Billing and denied claims",
}

# An eligibility lets somebody *ask*.  What they get is a grant: for one session, for a while.
#
#   who          identities, or group:NAME
#   agents       "no" (as if left out): people only;  "only": agents only;  "yes": both.
#                An agent always acts on behalf of a person, and that person must match "who".
#   tables       tables and views; a view shows no more than the tables it reads
#   approval     "auto": granted when asked for, and recorded
#   clear        tags that are shown as they are
#   treatments   tags that are treated otherwise than above
#   max_rows, max_queries   of one grant, all statements together
#   preset       "safe_harbor" or "limited_data_set": the check refuses what those rules bar
#   data_use_agreement   its reference stands in the record of each grant
c.GovAccess.eligibilities = {
    "analysts": {
        "who": ["group:analysts"],
        "connection": "clinic",
        "tables": [
            "patients",
            "encounters",
            "claims",
            "medications",
            "providers",
            "v_readmissions",
            "v_department_load",
        ],
        "actions": ["read"],
        "approval": "auto",
        "default_duration": "30m",
        "max_duration": "4h",
    },
    # They plan visits at home: the town and the whole ZIP code, and an age to go by.
    "care-managers": {
        "who": ["group:care"],
        "connection": "clinic",
        "tables": ["patients", "encounters", "medications", "providers", "v_readmissions"],
        "actions": ["read"],
        "approval": "auto",
        "default_duration": "30m",
        "max_duration": "8h",
        "clear": ["zip", "city"],
        "treatments": {"birth_date": "age"},
    },
    # What an analyst's agent may do is narrower than what the analyst may do.
    "agents": {
        "who": ["group:analysts"],
        "agents": "only",
        "connection": "clinic",
        "tables": ["patients", "encounters", "claims"],
        "actions": ["read"],
        "approval": "auto",
        "default_duration": "10m",
        "max_duration": "1h",
        "treatments": {"birth_date": "age", "ssn": "withhold"},
        "max_rows": 50_000,
        "max_queries": 200,
    },
}

# ---------------------------------------------------------------- who there is

# For trying it out on one machine: the gateway makes a password for each and shows it once.  They
# are refused on anything but loopback; remove them where an identity provider says who is who.
c.GovIdentity.evaluation_identities = {
    "ana": {"name": "Ana Ferreira", "groups": ["analysts"]},
    "sam": {"name": "Sam Okafor", "groups": ["care"]},
    "rui": {"name": "Rui Tavares", "groups": []},  # may ask for nothing
}
