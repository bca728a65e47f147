"""
The URL recogniser of presidio, word by word.

None of its patterns takes white space or looks around itself, so what it finds in a text is what
it finds in the text's words; and a word without a dot before a letter has no domain in it.
"""

from __future__ import annotations

from typing import Any

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult
from presidio_analyzer.predefined_recognizers import UrlRecognizer

DOTTED = r"[.][a-z]"
"""Without it there is no domain in a text, and so no URL.  Its own patterns take Hyperscan
seconds to compile."""
_WORD = regex.compile(rf"\S*{DOTTED}\S*", regex.IGNORECASE)


def is_known(recognizer: EntityRecognizer) -> bool:
    """Whether it has presidio's own patterns, of which the above holds."""
    return (
        type(recognizer) is UrlRecognizer
        and [p.regex for p in recognizer.patterns] == [p.regex for p in UrlRecognizer.PATTERNS]
        and not any(r"\b" in p.regex or "(?<" in p.regex for p in recognizer.patterns)
    )


class WordUrlRecognizer(UrlRecognizer):
    """As `UrlRecognizer`."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: Any = None
    ) -> list[RecognizerResult]:
        found = []
        for word in _WORD.finditer(text):
            for result in super().analyze(word.group(), entities, nlp_artifacts):
                result.start += word.start()
                result.end += word.start()
                found.append(result)
        return found
