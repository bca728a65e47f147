"""Each treatment as an SQL expression.  (TREATMENTS replaces this file: until then all is withheld.)"""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_gov.masking.model import ColumnPolicy, Treatment


@dataclass(frozen=True, slots=True)
class Treated:
    sql: str
    type: str


def treated(
    column: str, declared: str, policy: ColumnPolicy, *, private: str, crypto: str | None,
    subject: str | None,
) -> Treated:  # fmt: skip
    if policy.treatment is Treatment.CLEAR:
        return Treated(column, declared)
    after = policy.treated_type(declared)
    return Treated(f"NULL::{after}", after)
