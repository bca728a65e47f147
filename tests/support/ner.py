"""A small spaCy model that finds names and addresses in generated notes: none can be downloaded."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import spacy
from spacy.training import Example

from tests.support.notes import Author, Note

NOTES = 700
ROUNDS = 6
_NER = {
    "model": {
        "@architectures": "spacy.TransitionBasedParser.v2",
        "state_type": "ner", "extra_state_tokens": False, "hidden_width": 32,
        "maxout_pieces": 1, "use_upper": False,
        "tok2vec": {
            "@architectures": "spacy.HashEmbedCNN.v2", "pretrained_vectors": None, "width": 48,
            "depth": 2, "embed_size": 1000, "window_size": 1, "maxout_pieces": 2,
            "subword_features": True,
        },
    }
}  # fmt: skip


def _example(nlp: Any, note: Note) -> Example:
    doc = nlp.make_doc(note.text)
    wanted = [
        (start, end, "GPE" if entity == "LOCATION" else entity)
        for start, end, entity in note.labels
        if entity in ("PERSON", "LOCATION") and doc.char_span(start, end) is not None
    ]
    return Example.from_dict(doc, {"entities": wanted})


def train(folder: Path, *, notes: int = NOTES, rounds: int = ROUNDS) -> Path:
    """A model in a folder; the same for the same arguments."""
    shuffled = random.Random(7)
    spacy.util.fix_random_seed(7)
    nlp = spacy.blank("en")
    nlp.add_pipe("ner", config=_NER)
    examples = [_example(nlp, note) for note in Author(1).notes(notes, 160)]
    optimizer = nlp.initialize(lambda: examples)
    for _ in range(rounds):
        shuffled.shuffle(examples)
        for start in range(0, len(examples), 32):
            nlp.update(examples[start : start + 32], sgd=optimizer, drop=0.2)
    nlp.meta["name"], nlp.meta["version"] = "test_notes", "1.0.0"
    nlp.to_disk(folder)
    return folder
