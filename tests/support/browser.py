"""Headless chromium: JupyterLab as an analyst sees it, and the gateway's pages."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page, sync_playwright

from jupyter_gov.testing.person import EvaluationPerson
from tests.support.jupyter import JupyterServer, Kernel
from tests.support.waiting import until

NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-quic",
]  # fmt: skip
SIZE = {"width": 1280, "height": 800}
PICTURES = "JUPYTER_GOV_SCREENSHOTS"
"""Names a folder: the pictures that tests take are kept there."""


def find_chromium() -> str:
    """The browser's path.  Raises LookupError."""
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise LookupError(f"none of {', '.join(NAMES)} is installed")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """One browser; tests open contexts of their own in it."""
    path = find_chromium()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, headless=True, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def picture(page: Page, name: str, folder: Path) -> Path:
    """Take a picture of what the page shows; kept where the environment says, else in *folder*."""
    path = Path(os.environ.get(PICTURES) or folder) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, animations="disabled")
    return path


class Lab:
    """JupyterLab with one notebook open."""

    def __init__(self, page: Page, server: JupyterServer, host: str = "127.0.0.1") -> None:
        self.page = page
        self._server = server
        self._host = host
        self._notebook = ""

    @property
    def status(self) -> Locator:
        """The item of jupyter_gov in the status bar."""
        return self.page.locator("#jp-gov-status")

    def open(self, notebook: str, *cells: str) -> Lab:
        """Write a notebook of code cells, open it, and wait for its kernel."""
        self._notebook = notebook
        content = {
            "cells": [
                {"cell_type": "code", "id": f"cell-{i}", "source": source, "metadata": {},
                 "outputs": [], "execution_count": None}
                for i, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }  # fmt: skip
        answer = self._server.call(
            "PUT", f"/api/contents/{notebook}", {"type": "notebook", "content": content}
        )
        assert answer.status in (200, 201), answer.data
        base = f"http://{self._host}:{self._server.port}"
        self.page.goto(f"{base}/lab/tree/{notebook}?token={self._server.token}&reset")
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        # Only with a kernel there is something to say; JupyterLab calls itself idle before.
        self.page.locator(
            '#jp-gov-status:not([data-state="none"]):not([data-state="loading"])'
        ).wait_for(timeout=60_000)
        self._idle()
        return self

    def _idle(self) -> None:
        self.page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(
            timeout=60_000
        )

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def begin(self, number: int) -> Locator:
        """Run a cell as a person does, with Shift+Enter; returns its output area."""
        cell = self.cell(number)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        return cell.locator(".jp-Cell-outputArea")

    def run(self, number: int) -> Locator:
        """Run a cell and wait until the kernel is done with it."""
        output = self.begin(number)
        prompt = self.cell(number).locator(".jp-InputPrompt")
        until(lambda: prompt.inner_text().strip("[]: \n").isdigit(), f"cell {number} to run")
        self._idle()
        return output

    def kernel(self) -> Kernel:
        """The notebook's kernel, to be driven beside it."""
        sessions = self._server.call("GET", "/api/sessions").json()
        (session,) = [s for s in sessions if s["path"] == self._notebook]
        return Kernel(self._server, session["kernel"]["id"], session["id"])


class GatewayPages:
    """The gateway's pages, as a person uses them in a browser."""

    def __init__(self, page: Page, person: EvaluationPerson, url: str) -> None:
        self.page = page
        self.person = person
        self.url = url

    def sign_in(self) -> None:
        self.page.goto(self.url)
        self.page.get_by_label("Name").fill(self.person.name)
        self.page.get_by_label("Password").fill(self.person.password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Attach a notebook").wait_for()

    def type_code(self, code: str) -> None:
        """Letter by letter, as it is read from the notebook."""
        self.page.goto(self.url)
        self.page.get_by_label("Code").press_sequentially(code)
        self.page.get_by_role("button", name="Look at it").click()

    def confirm(self, purpose: str, *, own: str = "", agent: str = "") -> None:
        """Choose on the page that asks, and confirm with the password."""
        if own:
            self.page.get_by_label("or in your own words").fill(own)
        else:
            self.page.get_by_label(purpose).check()
        if agent:
            self.page.get_by_label("an agent, on my behalf").check()
            self.page.locator("input[name=agent]").fill(agent)
        password = self.page.get_by_label("Your password, once more")
        if password.count():
            password.fill(self.person.password)
        self.page.get_by_role("button", name="Confirm").click()


def evaluated(page: Page, script: str) -> object:
    """The value of an expression of the page's own JavaScript."""
    return json.loads(page.evaluate(f"JSON.stringify({script})"))
