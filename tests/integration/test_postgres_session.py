"""A session's statements: stopped, failed, abandoned, and what they leave behind."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import adbc_driver_manager as adbc
import psutil
import psycopg
import pytest

from jupyter_gov.engines.postgres.fetch import BATCH_BYTES, FIRST_BYTES, Fetch
from jupyter_gov.engines.postgres.session import Session
from jupyter_gov.errors import QueryFailed
from tests.support.postgres import Server
from tests.support.postgres_rows import DRIVERS, fetched

DATABASE = "sessions"
SETUP = """
CREATE SEQUENCE counter;
CREATE FUNCTION warn() RETURNS int LANGUAGE plpgsql AS
    $$ BEGIN RAISE WARNING 'canary in a notice'; RETURN 1; END $$;
"""
ENDLESS = (
    "SELECT g, repeat('row ', 50) || g AS note"
    " FROM (SELECT generate_series(1, 2000000000)) AS s (g)"
)
"""Computed as it is read, which a series in FROM is not."""
ERRORS = (psycopg.Error, adbc.Error)


@pytest.fixture(scope="module")
def dba(postgres: Server) -> Iterator[psycopg.Connection[Any]]:
    postgres.create(DATABASE)
    with postgres.connect(DATABASE) as connection:
        connection.execute(SETUP)
        yield connection


@pytest.fixture
def session(postgres: Server, dba: psycopg.Connection[Any]) -> Iterator[Session]:
    made = Session(postgres.conninfo(DATABASE) + " application_name=mine")
    yield made
    made.close()


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _working(dba: psycopg.Connection[Any]) -> list[str]:
    """Statements of the session that the server is at."""
    found = dba.execute(
        "SELECT query FROM pg_stat_activity WHERE application_name = 'mine' AND state = 'active'"
    )
    return [query for (query,) in found]


def _until(done: Any, seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until
        time.sleep(0.01)


def _state(error: BaseException) -> str | None:
    return getattr(error, "sqlstate", None)


class TestCancel:
    def test_while_it_executes(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """A statement that has sent nothing yet stops at once, with the server's own error."""
        session.begin(60)
        fetch = Fetch(session, "SELECT pg_sleep(50)", driver=driver)
        timer = threading.Timer(0.3, session.cancel)
        timer.start()
        began = time.monotonic()
        with pytest.raises(ERRORS) as caught:
            list(fetch.batches())
        assert _state(caught.value) == "57014" and time.monotonic() - began < 5
        timer.join()
        assert session.end() is False
        assert not _working(dba)

    def test_amid_its_rows(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """A statement that is sending rows stops with an error, never with a short result."""
        session.begin(60)
        batches = Fetch(session, ENDLESS, driver=driver).batches()
        next(batches)
        session.cancel()
        with pytest.raises(ERRORS) as caught:
            for _ in batches:
                pass
        assert _state(caught.value) == "57014"
        assert session.end() is False
        _until(lambda: not _working(dba))

    def test_before_it_runs(self, session: Session, driver: str) -> None:
        """What was cancelled between its description and its run does not run."""
        session.begin(60)
        fetch = Fetch(session, "SELECT 1", driver=driver)
        session.cancel()
        with pytest.raises(psycopg.errors.QueryCanceled):
            list(fetch.batches())
        session.end()

    def test_before_it_reaches_the_server(self, session: Session) -> None:
        """A request that comes before its statement does nothing there, and is repeated."""
        session.begin(60)
        with session.running("psycopg"):
            session.cancel()
            time.sleep(0.2)
            result = session.psycopg.pgconn.exec_(b"SELECT pg_sleep(20)")
            with pytest.raises(psycopg.errors.QueryCanceled):
                session.raise_for(result)
        assert session.end() is False

    def test_too_late(self, session: Session, driver: str) -> None:
        """A cancel after the end stops nothing, least of all the next statement."""
        fetched(session, "SELECT 1", driver=driver)
        session.cancel()
        got = fetched(session, "SELECT pg_sleep(0.2), 2 AS two", driver=driver)
        assert got.table.column(1).to_pylist() == [2]

    def test_at_any_moment(self, postgres: Server, dba: Any, driver: str) -> None:
        """Whenever a cancel comes, a session that says it is usable runs the next statement."""
        chance = random.Random(7)
        session = Session(postgres.conninfo(DATABASE))
        stopped = 0
        for _ in range(40):
            session.begin(60)
            timer = threading.Timer(chance.random() * 0.012, session.cancel)
            timer.start()
            try:
                sql = ENDLESS.replace("2000000000", "5000")
                rows = sum(b.num_rows for b in Fetch(session, sql, driver=driver).batches())
                assert rows == 5000
            except ERRORS as error:
                assert _state(error) == "57014"
                stopped += 1
            usable = session.end()
            timer.join()
            if usable:
                assert fetched(session, "SELECT 1").table.num_rows == 1
            else:
                session.close()
                session = Session(postgres.conninfo(DATABASE))
        session.close()
        assert stopped


class TestTime:
    def test_a_statement_has_its_time(self, session: Session, driver: str) -> None:
        """The server ends a statement at its timeout; the session stays, with the next one's."""
        session.begin(1)
        with pytest.raises(ERRORS) as caught:
            list(Fetch(session, "SELECT pg_sleep(20)", driver=driver).batches())
        assert _state(caught.value) == "57014"
        assert session.end()
        got = fetched(session, "SELECT pg_sleep(1.2), current_setting('statement_timeout')")
        assert got.table.column(1).to_pylist() == ["30s"]

    def test_describing_has_its_time_too(
        self, session: Session, dba: psycopg.Connection[Any], postgres: Server
    ) -> None:
        """A statement that waits for a lock before it runs is ended as well."""
        with postgres.connect(DATABASE) as other:
            other.execute("CREATE TABLE IF NOT EXISTS held (a int)")
            with other.transaction():
                other.execute("LOCK TABLE held IN ACCESS EXCLUSIVE MODE")
                session.begin(1)
                with pytest.raises(psycopg.errors.QueryCanceled):
                    Fetch(session, "SELECT * FROM held")
        assert session.end()

    def test_a_row_is_seen_early(self, session: Session, driver: str) -> None:
        """The first batch is small and comes while the statement is still running."""
        session.begin(60)
        batches = Fetch(session, ENDLESS, driver=driver).batches()
        first, second = next(batches), next(batches)
        batches.close()
        assert 0 < first.nbytes <= 2 * FIRST_BYTES < second.nbytes <= 2 * BATCH_BYTES
        assert session.end()


class TestFailures:
    def test_an_error_amid_the_rows(self, session: Session, driver: str) -> None:
        """A statement that fails after many rows raises; what came is not a result."""
        session.begin(60)
        rows = 0
        with pytest.raises(ERRORS) as caught:
            for batch in Fetch(
                session, "SELECT 1 / (200000 - g) FROM generate_series(1, 300000) AS g",
                driver=driver,
            ).batches():  # fmt: skip
                rows += batch.num_rows
        assert _state(caught.value) == "22012" and 0 < rows < 200_000
        assert session.end()
        assert fetched(session, "SELECT 1", driver=driver).table.num_rows == 1

    def test_a_connection_lost_amid_the_rows(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """A backend that is ended amid the rows is an error too, and the session is not kept."""
        session.begin(60)
        batches = Fetch(session, ENDLESS, driver=driver).batches()
        next(batches)
        dba.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mine'"
        )
        with pytest.raises(ERRORS):
            for _ in batches:
                pass
        assert session.end() is False
        session.begin(10)
        with pytest.raises(psycopg.OperationalError, match="closed"):
            Fetch(session, "SELECT 1")

    def test_a_lost_connection_is_noticed(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """A backend that was ended while idle is an error of the next statement."""
        fetched(session, "SELECT 1", driver=driver)
        dba.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'mine'"
        )
        session.begin(10)
        with pytest.raises(ERRORS):
            list(Fetch(session, "SELECT 1", driver=driver).batches())
        assert session.end() is False


class TestAbandoned:
    def test_closing_early_stops_the_server(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """Rows that nobody wants are not computed, and the session is as good as new."""
        for _ in range(3):
            session.begin(60)
            batches = Fetch(session, ENDLESS, driver=driver).batches()
            for _ in range(3):
                next(batches)
            began = time.monotonic()
            batches.close()
            assert time.monotonic() - began < 2
            assert session.end()
            assert not _working(dba)
        assert fetched(session, "SELECT 1", driver=driver).table.num_rows == 1

    def test_never_started(self, session: Session, driver: str) -> None:
        """A statement that was described but never run leaves nothing."""
        session.begin(60)
        Fetch(session, ENDLESS, driver=driver)
        assert session.end()

    def _sent(self, dba: psycopg.Connection[Any]) -> Any:
        """Bytes of rows that the server has made for the Arrow driver."""
        row = dba.execute("SELECT sum(bytes_processed) FROM pg_stat_progress_copy").fetchone()
        return row and row[0]

    def test_a_slow_reader_holds_the_server_back(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """While nobody reads, nothing is fetched but a few batches ahead."""
        session.begin(60)
        batches = Fetch(session, ENDLESS, driver=driver).batches()
        for _ in range(3):
            next(batches)
        _until(lambda: self._sent(dba) == (time.sleep(0.3), self._sent(dba))[1], 20)
        process = psutil.Process()
        sent, held = self._sent(dba), process.memory_info().rss
        time.sleep(0.5)
        assert self._sent(dba) == sent
        assert process.memory_info().rss - held < 4 * 1024 * 1024
        batches.close()
        assert session.end()

    def test_closed_while_it_runs(
        self, session: Session, driver: str, dba: psycopg.Connection[Any]
    ) -> None:
        """Closing the session from elsewhere ends what runs in it."""
        session.begin(60)
        fetch = Fetch(session, "SELECT pg_sleep(50)", driver=driver)
        timer = threading.Timer(0.3, session.close)
        timer.start()
        with pytest.raises(ERRORS):
            list(fetch.batches())
        timer.join()
        _until(lambda: not _working(dba))

    def test_closed_between_two_results(self, session: Session) -> None:
        """What has no end is no result, not even an empty one."""
        session.begin(60)
        fetch = Fetch(session, "SELECT generate_series(1, 100)", driver="psycopg")
        next_result, asked = session.next_result, 0

        def closing() -> psycopg.pq.abc.PGresult | None:
            nonlocal asked
            asked += 1
            if asked == 2:
                session.close()
            return next_result()

        session.next_result = closing  # type: ignore[method-assign]
        with pytest.raises(ERRORS):
            list(fetch.batches())


class TestWhatIsLeft:
    @pytest.mark.parametrize(
        ("left", "seen"),
        [
            ("SELECT set_config('TimeZone', 'Asia/Tokyo', false)",
             "SELECT current_setting('TimeZone')"),
            ("SELECT set_config('default_transaction_read_only', 'off', false)",
             "SELECT current_setting('transaction_read_only')"),
            ("SELECT set_config('statement_timeout', '0', false)",
             "SELECT current_setting('statement_timeout')"),
            ("SELECT pg_advisory_lock(7) IS NULL",
             "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"),
            ("PREPARE mine AS SELECT 1",
             "SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'"),
            ("LISTEN mine",
             "SELECT count(*) FROM pg_listening_channels()"),
        ],
    )  # fmt: skip
    def test_nothing(self, left: str, seen: str, session: Session, driver: str) -> None:
        """What a statement leaves in its session is gone for the next."""
        before = fetched(session, seen, driver=driver).table.column(0).to_pylist()
        fetched(session, left, driver=driver if left.startswith("SELECT") else "")
        assert fetched(session, seen, driver=driver).table.column(0).to_pylist() == before

    def test_each_statement_is_read_only(self, session: Session, driver: str) -> None:
        """Nothing can be written, not even by a superuser, unless a statement asks for it."""
        session.begin(10)
        with pytest.raises(ERRORS) as caught:
            sql = "SELECT nextval('counter')"
            list(Fetch(session, sql, driver=driver).batches())
        assert _state(caught.value) == "25006"
        assert session.end()

    def test_notices_are_shown_to_nobody(
        self, session: Session, driver: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """A notice may carry a value: the server sends none, and nothing is written."""
        sql = "SELECT warn(), current_setting('client_min_messages')"
        got = fetched(session, sql, driver=driver)
        assert got.table.column(1).to_pylist() == ["error"]
        assert "canary" not in "".join(capfd.readouterr())

    def test_two_connections_at_most(self, session: Session, dba: psycopg.Connection[Any]) -> None:
        """A session opens its connections when it needs them, one for each driver."""

        def count() -> Any:
            row = dba.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'mine'"
            ).fetchone()
            return row and row[0]

        _until(lambda: count() == 0)
        fetched(session, "SHOW TimeZone")
        assert count() == 1
        for _ in range(3):
            fetched(session, "SELECT 1")
            fetched(session, "EXPLAIN SELECT 1")
        assert count() == 2
        session.close()
        _until(lambda: count() == 0)


class TestMemory:
    def _grown(self, session: Session, sql: str, driver: str, **options: Any) -> tuple[int, int]:
        """Rows, and by how much the process grew while it read them."""
        process = psutil.Process()
        session.begin(250)
        fetch = Fetch(session, sql, driver=driver, **options)
        rows = most = 0
        before = process.memory_info().rss
        for batch in fetch.batches():
            rows += batch.num_rows
            most = max(most, process.memory_info().rss)
        session.end()
        return rows, most - before

    @pytest.mark.parametrize("rows", [300_000, pytest.param(10_000_000, marks=pytest.mark.soak)])
    def test_many_rows_are_flat(self, rows: int, session: Session, driver: str) -> None:
        """Memory does not grow with the rows."""
        sql = ENDLESS.replace("2000000000", f"{rows}") + " WHERE md5(g::text) > ''"
        self._grown(session, sql.replace(str(rows), "100000"), driver)  # what is kept for reuse
        count, grown = self._grown(session, sql, driver)
        assert count == rows
        assert grown < 100 * 1024 * 1024

    @pytest.mark.parametrize(
        "size", [200_000_000, pytest.param(1_000_000_000, marks=pytest.mark.soak)]
    )
    def test_a_huge_cell_costs_nothing(self, size: int, session: Session, driver: str) -> None:
        """A cell that is too large is refused where it is made, not after it came."""
        process = psutil.Process()
        before = process.memory_info().rss
        with pytest.raises(QueryFailed, match="bytes"):
            fetched(session, f"SELECT repeat('x', {size})", driver=driver)
        assert process.memory_info().rss - before < 50 * 1024 * 1024
