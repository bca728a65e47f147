"""The managed gateway lives and ends with its notebook server; kernels start without one too."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.e2e.conftest import user
from tests.support.deployment import MANAGED_UID, managed, started
from tests.support.jupyter import JupyterServer
from tests.support.waiting import until

SAYS = """
import jupyter_gov as gov
from jupyter_gov.errors import GovError

def tried():
    try:
        view = gov.whoami()
        return view.principal.name if view.principal else "nobody"
    except GovError as refusal:
        return f"{refusal.code}: {refusal}"
"""


def gone(pid: int) -> bool:
    """Ended; a process that only waits to be reaped has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def own(homes, clinic_db):
    """A managed deployment that may be broken."""
    with managed(user(MANAGED_UID + 1, homes / "supervised"), clinic_db) as made:
        yield made


class TestManagedGateway:
    def test_after_a_crash_it_is_started_again_and_kernels_go_on(self, own):
        """SIGKILL: the same port, the same state; a kernel's key and attachment still count."""
        with own.kernel() as kernel:
            kernel.attach(own.people["ana"])
            kernel.run(SAYS)
            before = own.gateway_pid
            os.kill(before, signal.SIGKILL)
            until(lambda: own.gateway_pid != before, "the extension to start it again")
            assert started(own.jupyter)[-1][1] == str(own.gateway.port)
            assert kernel.value("tried()") == "ana"

    def test_a_kernel_started_meanwhile_waits_for_the_restart(self, own):
        """It is governed as soon as there is a gateway again."""
        before = own.gateway_pid
        os.kill(before, signal.SIGKILL)
        with own.kernel() as kernel:
            kernel.run(SAYS)
            assert kernel.value("tried()") == "nobody"
        assert own.gateway_pid != before

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            (signal.SIGTERM, "its kernel was shut down"),
            (signal.SIGKILL, "its notebook server ended"),
        ],
        ids=["in-order", "killed"],
    )
    def test_it_ends_with_its_server(self, own, number, why):
        """In order or not: no gateway and no kernel is left, and no attachment of one."""
        own.people["ana"].sign_in()
        kernel = own.kernel()
        kernel.attach(own.people["ana"])
        session = kernel.value("__import__('jupyter_gov').whoami().session")
        pids = [own.gateway_pid, kernel.value("__import__('os').getpid()")]
        kernel.close()
        began = time.monotonic()
        own.jupyter.stop(number)
        for pid in pids:
            until(lambda pid=pid: gone(pid), "the gateway and the kernel to end", seconds=20)
        assert time.monotonic() - began < 20
        assert own.records()[-1]["kind"] == "gateway.stopped"
        own.start_again()
        (ended,) = own.gateway.recorded("session.ended", session=session)
        assert why in ended["says"]["why"]


class TestWithoutGateway:
    def test_kernels_start_at_once_and_say_what_is_missing(self, homes):
        """A configuration with a mistake: the gateway does not start, the kernels do."""
        jupyter = JupyterServer(user(MANAGED_UID + 2, homes / "mistaken"))
        jupyter.configure("c.GovAccess.purposess = {}\n")
        jupyter.start()
        try:
            until(lambda: "there is no such setting" in jupyter.log, "the mistake in the log")
            began = time.monotonic()
            with jupyter.kernel() as kernel:
                kernel.run(SAYS)
                said = kernel.value("tried()")
            assert time.monotonic() - began < 20
        finally:
            jupyter.stop()
        assert said.startswith("gateway_unreachable: this kernel was not started by a governed")
        assert "did you mean purposes?" in jupyter.log

    def test_a_separate_gateway_that_comes_back_takes_a_restart(self, separate_deployment):
        """A kernel started while it was down is nobody; restarted, it is governed."""
        gateway = separate_deployment.gateway
        gateway.stop()
        try:
            with separate_deployment.kernel() as kernel:
                kernel.run(SAYS)
                assert kernel.value("tried()").startswith("gateway_unreachable: ")
                gateway.start()
                kernel.restart()
                kernel.run(SAYS)
                assert kernel.value("tried()") == "nobody"
        finally:
            if gateway.process is None:
                gateway.start()
            for person in separate_deployment.people.values():
                person.sign_in()
