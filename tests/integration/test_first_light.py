"""The shortest way through everything: attach, ask, read a masked frame, find its record."""

from __future__ import annotations

import pytest

from jupyter_gov.errors import NotAttached


class TestFirstLight:
    def test_an_unattached_kernel_is_told_the_one_command(self, site):
        """A kernel nobody confirmed is refused, with the command to run."""
        with pytest.raises(NotAttached) as refused:
            site.kernel().connect("clinic").query("SELECT 1")
        assert refused.value.next.magic == "%gov login"
        (record,) = [
            r for r in site.gateway.records("refusal") if r["record"] == refused.value.record
        ]
        assert (record["principal"], record["says"]["code"]) == ("", "not_attached")

    def test_an_attached_kernel_reads_masked_rows_and_leaves_a_record(self, site):
        """After the code was typed, a query gives treated values and two audit records."""
        con = site.analyst().connect("clinic")
        frame = con.query("SELECT mrn, ssn, full_name, zip FROM patients LIMIT 20")
        gov = frame.attrs["gov"]
        assert frame["mrn"].str.match(r"^p_[0-9a-f]{20}$").all()
        assert frame["full_name"].isna().all()
        assert gov["treated"]["patients.ssn"] == "partial"
        own = [r for r in site.gateway.records() if gov["record"] in (r["record"], r["of"])]
        kinds = {r["kind"] for r in own}
        assert kinds == {"intent", "outcome"}
