"""What a notebook server claims about a kernel that is about to start."""

from __future__ import annotations

import pytest

from jupyter_gov.server.provisioner import notebook_of

RANDOM = "1b671a64-40d5-491e-99b0-da01ff1f3341"


class TestNotebookOf:
    @pytest.mark.parametrize(
        ("asked", "notebook"),
        [
            ({"path": RANDOM, "name": "morning.ipynb"}, "morning.ipynb"),
            ({"path": "cases/morning.ipynb", "name": "morning.ipynb"}, "cases/morning.ipynb"),
            ({"path": "cases/morning.ipynb", "name": ""}, "cases/morning.ipynb"),
            ({"path": "cases/morning.ipynb"}, "cases/morning.ipynb"),
            ({"name": "python3"}, "python3"),
            ({}, ""),
            ({"path": None, "name": None}, ""),
        ],
        ids=["lab-at-first", "both", "empty-name", "path", "kernel-alone", "nothing", "null"],
    )
    def test_the_file_that_a_person_would_recognise(self, asked, notebook):
        """JupyterLab's random first path is not it."""
        assert notebook_of(asked) == notebook
