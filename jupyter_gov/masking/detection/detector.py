"""One detector as the frame uses it: texts in, what may leave of them out."""

from __future__ import annotations

import secrets
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from jupyter_gov.masking.detection.cache import Cache
from jupyter_gov.masking.detection.model import DetectorSpec, Operator
from jupyter_gov.masking.detection.pool import Pool
from jupyter_gov.masking.detection.spans import Place, places, replaced


class Surrogates(Protocol):
    """Codes in place of values: random, held by the gateway, the same for the same value."""

    def codes(self, domain: str, values: Sequence[str]) -> list[str | None]:
        """One for each value; None where the store did not answer."""


@dataclass(slots=True)
class Found:
    """What a scan came to, without a word of the texts."""

    texts: list[str | None]
    """What may leave; None: withheld."""
    entities: Counter[str] = field(default_factory=Counter)
    """How many places were found in the texts that were scanned anew."""
    unanswered: int = 0
    """Texts that were withheld because no answer came."""


class Detector:
    """Safe from many threads."""

    def __init__(self, spec: DetectorSpec) -> None:
        self.spec = spec
        self._cache = Cache(secrets.token_bytes(32), spec.cache_bytes)
        self._pool = Pool(spec)
        self._starting = threading.Lock()
        self._started = False

    def start(self) -> None:
        """Load the models, unless no text can be released.  Raises DetectorUnusable."""
        with self._starting:
            if self.spec.releases and not self._started:
                self._pool.start()
                self._started = True

    @property
    def releases(self) -> bool:
        """Whether text may leave that it has scanned."""
        return self.spec.releases

    @property
    def guarantee(self) -> str:
        """The honest words for what it scans."""
        return self.spec.guarantee(self._pool.version)

    @property
    def pool(self) -> Pool:
        return self._pool

    def mask(self, texts: Sequence[str], profile: str, surrogates: Surrogates) -> Found:
        """What may leave of texts, which should be distinct; *profile* is a profile's id."""
        if not self._started:
            return Found([None] * len(texts))
        names = self._cache.names(f"{profile}\0{self.spec.fingerprint}", texts)
        cached = self._cache.get(names)
        found = Found([text for _, text in cached])
        new = [index for index, (known, _) in enumerate(cached) if not known]
        if not new:
            return found
        hits: dict[int, list[Place]] = {}
        for index, spans in zip(new, self._pool.spans([texts[i] for i in new]), strict=True):
            if spans is None:
                found.unanswered += 1
            else:
                hits[index] = places(spans, self.spec.operator)
                found.entities.update(place.entity for place in hits[index])
        codes = _codes(texts, hits, surrogates)
        for index, here in hits.items():
            text = replaced(texts[index], here, lambda *what: codes.get(what))
            found.texts[index] = text
            if text is not None or any(p.operator is Operator.WITHHOLD for p in here):
                self._cache.put(names[index], text)
            else:
                found.unanswered += 1
        return found

    def close(self) -> None:
        self._pool.close()


def _codes(
    texts: Sequence[str], hits: Mapping[int, Sequence[Place]], surrogates: Surrogates
) -> dict[tuple[str, str], str]:
    """Entity and what stood there → what stands there instead; asked for once an entity."""
    wanted: dict[str, dict[str, None]] = {}
    for index, here in hits.items():
        if any(place.operator is Operator.WITHHOLD for place in here):
            continue
        for place in here:
            if place.operator is Operator.SURROGATE:
                value = texts[index][place.start : place.end]
                wanted.setdefault(place.entity, {})[value] = None
    codes = {}
    for entity, values in wanted.items():
        answered = surrogates.codes(f"text {entity}", list(values))
        for value, code in zip(values, answered, strict=True):
            if code is not None:
                codes[entity, value] = f"<{entity} {code}>"
    return codes
