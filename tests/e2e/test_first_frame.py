"""The shortest way: a real kernel, a person, a masked frame, its record."""

from __future__ import annotations

from jupyter_gov.identity.model import SAME_USER, SEPARATE


class TestFirstFrame:
    def test_every_record_and_frame_says_the_measured_isolation(self, deployment, analyst):
        """The frame's attributes, the line under it, and all records about this kernel agree."""
        expected = SEPARATE if deployment.apart else SAME_USER
        result = analyst.run("%%govsql clinic\nSELECT mrn, full_name FROM patients LIMIT 3")
        gov = analyst.value("_.attrs['gov']")
        assert gov["isolation"] == expected
        assert result.text.rstrip().endswith(expected)
        own = [r for r in deployment.records() if gov["record"] in (r["record"], r["of"])]
        assert {(r["kind"], r["isolation"]) for r in own} == {
            ("intent", expected),
            ("outcome", expected),
        }
