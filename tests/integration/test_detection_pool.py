"""Detection processes die, hang and lie, and no text leaves for it."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from jupyter_gov.masking.detection import pool as pools
from jupyter_gov.masking.detection.detector import Detector
from jupyter_gov.masking.detection.framing import PORTION
from jupyter_gov.masking.detection.model import DetectorSpec, Engine, Span
from jupyter_gov.masking.detection.pool import DetectorUnusable, Pool
from jupyter_gov.masking.frame import NO_SURROGATES
from tests.support.waiting import until

SPEC = DetectorSpec(
    name="codes", engine=Engine.PATTERNS, entities={}, workers=1, timeout=2.0,
    # The second tries all there is to try on a text of many a's.
    patterns={"TICKET": (r"\bTCK-\d{4}\b",), "SLOW": (r"zz(?:a|a)+b(?<!b)",)},
)  # fmt: skip
TEXT, TICKET = "See TCK-1234 there.", Span(4, 12, "TICKET", 0.85)
HANGS = "zz" + "a" * 60 + "b"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    made = Pool(SPEC)
    made.start()
    yield made
    made.close()


def only(found: list[list[Span] | None]) -> list[Span] | None:
    (spans,) = found
    return spans


class TestATextThatTakesTooLong:
    def test_is_withheld_and_its_neighbours_are_not(self, pool):
        """The process is ended; the texts around it are scanned by another."""
        texts = [TEXT, HANGS]
        first, second = pool.spans(texts)
        assert second is None
        assert TICKET in first

    def test_does_not_undo_what_was_answered_before_it(self, pool):
        """Portions come one by one; the last of them hangs."""
        texts = [TEXT] * PORTION + ["nothing", HANGS]
        *found, last, hung = pool.spans(texts)
        assert all(TICKET in spans for spans in found)
        assert (last, hung) == ([], None)


class TestAProcessThatDies:
    def test_while_idle_is_replaced_before_it_is_missed(self, pool):
        """Nothing is withheld for it."""
        assert only(pool.spans([TEXT]))
        before = pool.workers[0].pid
        os.kill(before, signal.SIGKILL)
        psutil.Process(before).wait(5)
        assert TICKET in only(pool.spans([TEXT]))
        assert pool.workers[0].pid != before

    def test_while_it_scans_withholds(self, pool):
        """One text was with it: that one does not leave; the next one does."""
        assert only(pool.spans([TEXT]))
        before = pool.workers[0].pid
        killer = threading.Timer(0.3, lambda: os.kill(before, signal.SIGKILL))
        killer.start()
        assert only(pool.spans([HANGS])) is None
        killer.join()
        assert TICKET in only(pool.spans([TEXT]))

    def test_that_cannot_start_again_withholds_at_once(self, monkeypatch):
        """And is not tried in a loop."""
        made = Pool(SPEC)
        made.start()
        made.workers[0].kill()
        made.workers[0]._spec = dataclasses.replace(SPEC, language="xx-none")
        assert only(made.spans([TEXT])) is None
        began = time.monotonic()
        assert made.spans([TEXT] * 200) == [None] * 200
        assert time.monotonic() - began < 5
        made.close()


class TestAnAnswer:
    @pytest.mark.parametrize(
        "answer",
        [{}, {"spans": []}, {"spans": [[[0, 999, "X", 1.0]]]}, {"spans": [[[3, 1, "X", 1.0]]]},
         {"spans": [[[0, 1, "", 1.0]]]}, {"spans": [["x"]]}, [], "x", None],
        ids=str,
    )  # fmt: skip
    def test_that_cannot_be_one_withholds(self, answer):
        """A process that lies about its texts is not believed."""
        try:
            believed = pools._believed(answer, [TEXT])
        except pools.Broken:
            return
        assert believed == [None]

    def test_holds_places_only(self, pool):
        """No text comes back, also none of a text with odd characters."""
        odd = "⟦gov: \ud800 TCK-9999 \x00 é"
        (spans,) = pool.spans([odd])
        assert spans is None or {s.entity for s in spans} == {"TICKET"}


class TestTheStart:
    @pytest.mark.parametrize(
        ("change", "why"),
        [
            ({"engine": Engine.SPACY, "model": "no_such_model"}, "neither an installed"),
            ({"engine": Engine.SPACY, "model": "/nowhere"}, "neither an installed"),
            ({"engine": Engine.TRANSFORMERS, "model": "/nowhere"}, "transformers"),
            ({"language": "xx-none"}, "cannot be used"),
        ],
        ids=["no package", "no folder", "no transformers", "no language"],
    )
    def test_says_why_it_fails(self, change, why):
        """In words for the admin, before anybody relies on it."""
        made = Pool(dataclasses.replace(SPEC, **change))
        with pytest.raises(DetectorUnusable, match=why):
            made.start()

    def test_of_a_model_without_people(self, tmp_path):
        """A model that cannot find names is no model for notes."""
        import spacy

        nlp = spacy.blank("en")
        nlp.add_pipe("ner").add_label("DISEASE")
        nlp.initialize()
        nlp.to_disk(tmp_path / "model")
        spec = dataclasses.replace(SPEC, engine=Engine.SPACY, model=str(tmp_path / "model"))
        with pytest.raises(DetectorUnusable, match=r"does not find people.*DISEASE"):
            Pool(spec).start()


class TestTheEnd:
    def test_closes_while_a_text_is_scanned(self):
        """Whoever waits gets nothing, soon, and no process is left."""
        made = Pool(dataclasses.replace(SPEC, timeout=60.0))
        made.start()
        pid = made.workers[0].pid
        answers: list[object] = []
        waiting = threading.Thread(target=lambda: answers.append(made.spans([HANGS])))
        waiting.start()
        until(lambda: psutil.Process(pid).cpu_percent(0.1) > 0, "the text is scanned")
        made.close()
        waiting.join(5)
        assert answers == [[None]]
        assert not psutil.pid_exists(pid)
        assert only(made.spans([TEXT])) is None


class TestAPatternOnlyDetector:
    def test_starts_nothing_and_releases_nothing(self):
        """Not even a text in which its patterns find everything there is."""
        detector = Detector(SPEC)
        detector.start()
        assert detector.mask([TEXT, "nothing"], "P-1", NO_SURROGATES).texts == [None, None]
        assert all(worker.pid is None for worker in detector.pool.workers)
        detector.close()


class TestTheGatewaysLog:
    def test_hears_nothing_of_a_text(self, pool, caplog):
        """Also when it hangs and is killed."""
        with caplog.at_level(logging.DEBUG):
            pool.spans([f"{TEXT} canary {HANGS}"])
        assert "canary" not in caplog.text
