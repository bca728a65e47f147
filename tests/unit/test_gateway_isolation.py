"""What counts as within reach of another user."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from pathlib import Path

import pytest

from jupyter_gov.gateway.isolation import exposed, own
from jupyter_gov.identity.model import SAME_USER, SEPARATE


@pytest.fixture
def private():
    """A file in a folder that others may enter, which pytest's own is not."""
    folder = Path(tempfile.mkdtemp(prefix="gov-isolation-"))
    folder.chmod(0o755)
    path = folder / "config.py"
    path.write_text("c = get_config()")
    path.chmod(0o600)
    yield path
    shutil.rmtree(folder)


class TestExposed:
    def test_a_private_file_is_not(self, private):
        """Its mode is enough where nobody else can change the folders above it."""
        assert exposed([private]) == []

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602], ids=oct)
    def test_a_file_others_can_read_or_change_is(self, private, mode):
        """The fix is named."""
        private.chmod(mode)
        assert exposed([private]) == [f"{private} is open to others: chmod go-rwx {private}"]

    @pytest.mark.parametrize("mode", [0o777, 0o775, 0o733], ids=oct)
    def test_one_in_a_folder_others_can_change_is(self, private, mode):
        """A private file can be replaced there by one that says something else."""
        private.parent.chmod(mode)
        (problem,) = exposed([private])
        assert problem.startswith(f"{private} could be replaced")

    def test_a_folder_with_the_sticky_bit_is_no_such_folder(self, private):
        """As in /tmp: nobody can replace what is another's."""
        private.parent.chmod(0o1777)
        assert exposed([private]) == []

    def test_nothing_in_a_folder_nobody_else_may_enter_is(self, private):
        """Whatever its own mode."""
        private.chmod(0o644)
        private.parent.chmod(0o700)
        assert exposed([private]) == []

    def test_what_is_not_there_is_not(self, private):
        """A database in journal mode has no -wal beside it."""
        assert exposed([private.with_name("clinic.db-wal")]) == []

    def test_code_may_be_read_but_not_changed(self, private):
        """Whoever can change what the gateway runs is the gateway."""
        private.chmod(0o644)
        assert exposed([], [private]) == []
        private.chmod(0o664)
        assert exposed([], [private]) == [f"{private} is open to others: chmod go-w {private}"]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_a_file_of_somebody_else_is(self, private):
        """Its owner can change it, whatever its mode."""
        os.chown(private, 61_009, -1)
        (problem,) = exposed([private])
        assert "belongs to another user" in problem

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_a_file_in_somebody_elses_folder_is(self, private):
        """Its owner can put another one in its place."""
        os.chown(private.parent, 61_009, -1)
        (problem,) = exposed([private])
        assert "could be replaced" in problem


class TestTheGatewaysOwnClass:
    def test_managed_it_is_an_evaluation(self, private):
        """Whatever the modes of its files: its kernels are the same user."""
        assert own([private], managed=True) == SAME_USER

    def test_apart_it_depends_on_its_files(self, private):
        """One that others can read makes it an evaluation."""
        assert own([private]) == SEPARATE
        private.chmod(0o644)
        assert own([private]) == SAME_USER


def test_a_socket_without_addresses_claims_nothing(private):
    """What cannot be measured is not called separate."""
    from jupyter_gov.gateway.isolation import measure

    left, right = socket.socketpair()
    with left, right:
        assert measure(left, [private]) == SAME_USER
