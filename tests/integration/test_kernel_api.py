"""The kernel API against a real gateway: looking, asking at once, and a gateway that restarts."""

from __future__ import annotations

import asyncio
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from jupyter_gov.errors import Busy, GatewayUnreachable, UnknownName
from tests.conftest import populate
from tests.support.gateway import running
from tests.support.streams import Stream, numbers


@pytest.fixture(scope="module")
def own(make_site):
    """A gateway that is stopped and started."""
    with running(make_site("c.GovGateway.statements_per_principal = 6")) as gateway:
        yield populate(gateway)


class TestLooking:
    def test_tables(self, con):
        """Those of the grant, with how much of each is treated."""
        tables = con.tables().set_index("table")
        assert {"patients", "encounters", "v_readmissions"} <= set(tables.index)
        assert tables.loc["patients", "kind"] == "table"
        assert tables.loc["v_readmissions", "kind"] == "view"
        assert 0 < tables.loc["patients", "treated"] < tables.loc["patients", "columns"]

    def test_describe(self, con):
        """Tag, treatment, types before and after, and the honest word for what enforces it."""
        columns = con.describe("PATIENTS").set_index("name")
        assert columns.loc["ssn", ["tag", "treatment", "enforcement"]].tolist() == [
            "ssn", "partial", "engine-treated",
        ]  # fmt: skip
        assert columns.loc["notes", "enforcement"] == "withheld"
        assert columns.loc["patient_id", "enforcement"] == "clear"

    def test_a_table_that_is_not_there(self, con):
        """Said with those that are."""
        with pytest.raises(UnknownName) as unknown:
            con.describe("patient")
        assert "patients" in unknown.value.near

    def test_before_any_grant(self, site):
        """What a first query would open can be looked at before it."""
        kernel = site.analyst()
        con = kernel.connect("clinic")
        assert len(con.tables()) > 3
        assert con.budget().grant == ""
        (offer,) = [c for c in kernel.connections() if c.name == "clinic"]
        assert (offer.active, offer.may_request) == (False, True)
        assert (offer.default_duration, offer.max_duration) == ("30m", "4h")
        assert kernel.grants() == ()

    def test_whoami(self, site):
        """The person, why, until when, under what."""
        kernel = site.analyst(purpose="billing")
        kernel.connect("clinic").query("SELECT 1")
        view = kernel.whoami()
        assert (view.attached, view.principal.kind, view.principal.name) == (True, "person", "ana")
        assert view.purpose == "Billing and denied claims"
        assert view.isolation == "same-user: evaluation"
        assert [grant.connection for grant in view.grants] == ["clinic"]


class TestAsync:
    def test_every_method_has_its_form(self, con):
        """And they run side by side."""

        async def all_at_once():
            return await asyncio.gather(
                con.aquery("SELECT count(*) AS n FROM patients"),
                con.atables(),
                con.adescribe("patients"),
                con.abudget(),
            )

        frame, tables, columns, budget = asyncio.run(all_at_once())
        assert frame["n"].iloc[0] == 500
        assert len(tables) > 3
        assert "ssn" in columns["name"].tolist()
        assert budget.rows_per_statement == 5_000_000


class TestAtOnce:
    def test_one_kernel_runs_so_many(self, own):
        """A fifth is refused, not queued; room comes back as soon as one ends."""
        kernel = own.analyst()
        con = kernel.connect("clinic")
        con.query("SELECT 1")
        streams = [Stream(kernel, numbers(10**12)) for _ in range(4)]
        for stream in streams:
            stream.head  # noqa: B018
        with pytest.raises(Busy, match="this kernel runs as many as it may") as busy:
            con.query("SELECT 1")
        assert busy.value.retryable
        kernel.http.send("DELETE", f"/queries/{streams[0].query_id}")
        with pytest.raises(Exception, match="cancelled"):
            streams[0].finish()
        con.query("SELECT 1")
        for stream in streams:
            stream.close()

    def test_one_person_runs_so_many(self, own):
        """In all their kernels, their agents' too; somebody else is not concerned."""
        kernels = [own.analyst(), own.analyst(agent="recon"), own.analyst()]
        wide = numbers(10_000, "printf('%5000s', n) AS wide")
        streams = [Stream(kernel, wide) for kernel in kernels[:2] for _ in range(3)]
        for stream in streams:
            stream.head  # noqa: B018
        streams += [Stream(own.kernel().attached(own.people["sam"]), "SELECT 1")]
        with pytest.raises(Busy, match="you run as many as you may"):
            kernels[2].connect("clinic").query("SELECT 1")
        for stream in streams:
            stream.close()

    def test_threads_share_a_kernel(self, con):
        """Answers come to who asked."""
        with ThreadPoolExecutor(4) as pool:
            frames = pool.map(lambda n: con.query("SELECT :n AS n", n=n)["n"].iloc[0], range(20))
            assert list(frames) == list(range(20))


class TestAGatewayThatRestarts:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stop", "crash"])
    def test_the_kernel_goes_on_afterwards(self, own, number):
        """Unreachable meanwhile, with a hint; then the same key, session and grant."""
        own.people["ana"].sign_in()  # a restart signs people's browsers out
        kernel = own.analyst()
        con = kernel.connect("clinic")
        grant = con.query("SELECT 1").attrs["gov"]["grant"]
        own.gateway.stop(number)
        with pytest.raises(GatewayUnreachable) as away:
            con.query("SELECT 1")
        assert away.value.retryable
        assert "try again in a few seconds" in away.value.hint
        own.gateway.start()
        frame = con.query("SELECT 1")
        assert frame.attrs["gov"]["grant"] == grant
        assert kernel.whoami().principal.name == "ana"
