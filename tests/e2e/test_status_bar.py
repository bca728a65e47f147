"""The item in JupyterLab's status bar, from the real API."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browser import SIZE, Lab, picture
from tests.support.gateway import find_code

MARKUP = "<img src=x onerror=\"document.title='owned'\">"
SQL = """\
%%govsql clinic
SELECT mrn, ssn, full_name, birth_date, zip, phone
FROM patients
ORDER BY mrn LIMIT 9"""


@pytest.fixture
def page(browser) -> Iterator[Page]:
    context = browser.new_context(viewport=SIZE)
    yield context.new_page()
    context.close()


class TestStatusBar:
    def test_it_follows_a_kernel_from_nobody_to_an_agent(self, deployment, page, tmp_path):
        """Not attached; ana, with the time left of her grant; her agent."""
        ana = deployment.people["ana"]
        lab = Lab(page, deployment.jupyter).open(
            "readmissions.ipynb", "%load_ext jupyter_gov", "%gov login", SQL
        )
        expect(lab.status).to_have_text("gov: not attached")
        expect(lab.status).to_have_attribute("data-state", "not-attached")
        assert deployment.record("kernel.opened", claimed_notebook="readmissions.ipynb")

        lab.run(0)
        output = lab.begin(1)
        output.get_by_text(re.compile(r"[A-Z]{4}-[A-Z]{4}")).wait_for()
        ana.attach(find_code(output.inner_text()), purpose="readmissions")
        expect(lab.status).to_have_text("gov: ana · no grant", timeout=15_000)
        expect(lab.status).to_have_attribute("data-principal", "ana")

        lab.run(2)
        expect(lab.status).to_have_text(
            re.compile(r"^gov: ana · clinic (29|30) min left$"), timeout=15_000
        )
        about = lab.status.get_attribute("title") or ""
        assert "Purpose: Review of readmissions within 30 days" in about
        assert ("Isolation: separate" in about) is deployment.apart
        if deployment.kind == "separate":
            page.keyboard.press("Escape")
            page.keyboard.press("Control+b")  # the file browser makes room for the notebook
            picture(page, "notebook", tmp_path)

        kernel = lab.kernel()
        kernel.attach(ana, agent="recon")
        kernel.run("%gov request clinic --for 4m")
        expect(lab.status).to_have_text(
            re.compile(r"^gov: recon \(agent of ana\) · clinic [34] min left$"), timeout=15_000
        )
        assert "jp-gov-mod-warning" in (lab.status.get_attribute("class") or "")
        kernel.shut_down()

    def test_what_a_server_says_is_never_markup(self, managed_deployment, page):
        """A purpose with markup in it stays text, in the item and in its tooltip."""
        ana = managed_deployment.people["ana"]
        lab = Lab(page, managed_deployment.jupyter).open("markup.ipynb", "1")
        kernel = lab.kernel()
        kernel.run("import jupyter_gov as gov")
        code = find_code(kernel.run("gov.login(wait=False);").stdout)
        ana.decide(ana.look(code), own_purpose=MARKUP)
        lab.run(0)
        expect(lab.status).to_have_attribute("data-state", "attached", timeout=15_000)
        assert f"Purpose: {MARKUP}" in (lab.status.get_attribute("title") or "")
        assert page.locator("#jp-gov-status *").count() == 0
        assert "owned" not in page.title()
        kernel.shut_down()

    def test_a_gateway_that_is_gone_shows(self, separate_deployment, page):
        """Unreachable while it is stopped; back when it is."""
        gateway = separate_deployment.gateway
        lab = Lab(page, separate_deployment.jupyter).open("gone.ipynb", "1", "2")
        expect(lab.status).to_have_attribute("data-state", "not-attached")
        gateway.stop()
        try:
            lab.run(0)
            expect(lab.status).to_have_text("gov: gateway unreachable", timeout=15_000)
        finally:
            gateway.start()
            for person in separate_deployment.people.values():
                person.sign_in()
        lab.run(1)
        expect(lab.status).to_have_text("gov: not attached", timeout=15_000)
        lab.kernel().shut_down()
