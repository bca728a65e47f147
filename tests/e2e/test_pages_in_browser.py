"""The gateway's pages as a person meets them in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from jupyter_gov.gateway.pages import COOKIE
from tests.support.browser import SIZE, GatewayPages, picture
from tests.support.gateway import find_code
from tests.support.jupyter import Cell, Kernel

MARKUP = "<img src=x onerror=\"document.title='owned'\">"


@pytest.fixture
def ana(deployment, browser) -> Iterator[GatewayPages]:
    """ana's browser, not signed in."""
    context = browser.new_context(viewport=SIZE)
    yield GatewayPages(context.new_page(), deployment.people["ana"], deployment.gateway.page_url)
    context.close()


def ask(kernel: Kernel) -> tuple[Cell, str]:
    """A login cell that waits, and its code."""
    kernel.run("%load_ext jupyter_gov")
    cell = kernel.begin("%gov login")
    cell.until(r"\b[A-Z]{4}-[A-Z]{4}\b")
    return cell, find_code(cell.stdout)


class TestCookie:
    def test_chromium_keeps_it_for_this_host_alone(self, deployment, ana):
        """__Host-, Secure, HttpOnly, SameSite=Strict, on plain http://gov.localhost."""
        ana.sign_in()
        (cookie,) = ana.page.context.cookies()
        assert cookie["name"] == COOKIE
        assert cookie["domain"] == urlsplit(deployment.gateway.page_url).hostname
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
        assert ana.page.evaluate("document.cookie") == ""


class TestAttaching:
    def test_known_and_claimed_stand_apart_and_the_person_confirms(
        self, deployment, kernel, ana, tmp_path
    ):
        """Code, look, purpose, password: then the kernel is theirs."""
        cell, code = ask(kernel)
        ana.sign_in()
        ana.type_code(code.lower())
        page = ana.page
        known = page.locator(".columns > div:not(.claimed)").inner_text()
        claimed = page.locator(".columns > .claimed").inner_text()
        for text in ("127.0.0.1", "UTC", "separate" if deployment.apart else "same-user"):
            assert text in known
        # An enrolled server is known by the name it was enrolled with; a managed one names itself.
        assert ("the analysts' server" in known) is (deployment.kind == "separate")
        assert (str(deployment.jupyter.notebooks) in claimed) is (deployment.kind == "managed")
        assert "notebook-" not in known
        assert "notebook-" in claimed
        page.get_by_label("Quality improvement").check()
        page.get_by_label("Your password, once more").fill(ana.person.password)
        if deployment.kind == "separate":
            picture(page, "attach", tmp_path)
        ana.confirm("Quality improvement")
        page.get_by_role("heading", name="Attached").wait_for()
        assert "attached: ana, for: Quality improvement" in cell.result().stdout
        page.get_by_role("link", name="What is attached in your name").click()
        assert "Quality improvement" in page.locator("tbody").inner_text()
        kernel.run("%gov request clinic --for 45m")
        page.reload()
        if deployment.kind == "separate":
            picture(page, "home", tmp_path)

    def test_saying_no_takes_no_password(self, kernel, ana):
        """One click; the notebook is told."""
        cell, code = ask(kernel)
        ana.sign_in()
        ana.type_code(code)
        ana.page.get_by_role("button", name="Refuse").click()
        ana.page.get_by_role("heading", name="Refused").wait_for()
        assert "the code was refused" in cell.result().error

    def test_a_wrong_code_or_password_decides_nothing(self, kernel, ana):
        """Both are said, and can be tried again."""
        cell, code = ask(kernel)
        ana.sign_in()
        ana.type_code("BBBB-BBBB")
        assert "no kernel is showing this code" in ana.page.get_by_role("alert").inner_text()
        ana.type_code(code)
        ana.page.get_by_label("Quality improvement").check()
        ana.page.get_by_label("Your password, once more").fill("wrong")
        ana.page.get_by_role("button", name="Confirm").click()
        assert "password is wrong" in ana.page.get_by_role("alert").inner_text()
        ana.type_code(code)
        ana.confirm("Quality improvement")
        ana.page.get_by_role("heading", name="Attached").wait_for()
        assert "attached: ana" in cell.result().stdout

    def test_claims_and_purposes_are_text(self, deployment, ana):
        """A notebook's name and a purpose with markup in it are shown, not obeyed."""
        with deployment.jupyter.kernel(f"{MARKUP}.ipynb") as kernel:
            _, code = ask(kernel)
            ana.sign_in()
            ana.type_code(code)
            assert MARKUP in ana.page.locator(".claimed").inner_text()
            ana.confirm("", own=MARKUP)
            ana.page.get_by_role("heading", name="Attached").wait_for()
            assert MARKUP in ana.page.locator("main").inner_text()
            ana.page.goto(ana.url)
            assert ana.page.locator("tbody").inner_text().count(MARKUP) == 2
            assert ana.page.title() == "Governed data access"
            assert ana.page.locator("img").count() == 0


class TestLeaving:
    def test_ending_an_attachment_reaches_the_kernel(self, deployment, kernel, ana):
        """One click on the home page; the next statement is refused."""
        kernel.attach(deployment.people["ana"])
        kernel.run("%%govsql clinic\nSELECT 1 AS one")
        ana.sign_in()
        name = kernel.value("__import__('jupyter_gov').whoami().session")
        ana.page.locator(f'form[action="/sessions/{name}/end"] button').click()
        ana.page.get_by_role("heading", name="Attach a notebook").wait_for()
        error = kernel.fail("%%govsql clinic\nSELECT 1 AS one").error
        assert "NotAttached" in error
        assert "ended by its person on the gateway's page" in error

    def test_signing_out_forgets_the_browser(self, ana):
        """The cookie is gone, and worth nothing to who kept it."""
        ana.sign_in()
        (kept,) = ana.page.context.cookies()
        ana.page.get_by_role("button", name="Sign out").click()
        ana.page.get_by_role("heading", name="Sign in").wait_for()
        assert ana.page.context.cookies() == []
        ana.page.context.add_cookies([kept])
        ana.page.goto(ana.url)
        ana.page.get_by_role("heading", name="Sign in").wait_for()
