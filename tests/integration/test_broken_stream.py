"""Half an answer is never a frame: the wire cut at every place, and lies on it."""

from __future__ import annotations

import time

import pytest

from jupyter_gov.errors import GatewayUnreachable, StreamBroken
from tests.support.gateway import StubKernel
from tests.support.proxy import proxy_to

PACE = 0.05
"""Seconds: a kernel may ask 20 times a second."""
SQL = "SELECT patient_id, zip, state FROM patients ORDER BY patient_id LIMIT 400"


@pytest.fixture(scope="module")
def proxy(site):
    with proxy_to(site.gateway.port) as proxy:
        yield proxy


@pytest.fixture
def kernel(site, proxy):
    """An analyst's kernel behind the proxy, which starts out honest."""
    proxy.after, proxy.change = None, lambda data: data
    kernel = site.analyst()
    kernel.http.url = proxy.url
    yield kernel
    proxy.after, proxy.change = None, lambda data: data


@pytest.fixture
def con(kernel):
    return kernel.connect("clinic")


def whole_answer(proxy, kernel: StubKernel) -> int:
    """Bytes of the answer to `SQL`, on a connection of its own."""
    kernel.http._pool.clear()
    frame = kernel.connect("clinic").query(SQL)
    assert len(frame) == 400
    return proxy.passed


class TestACutWire:
    def test_at_every_place_it_is_an_error(self, proxy, kernel, con):
        """From its first byte to its last: no frame comes of it."""
        whole_answer(proxy, kernel)  # which opens the grant, and says so in the head
        total = whole_answer(proxy, kernel) - len(b"\r\n\r\n")
        places = {*range(0, total - 40, total // 25), *range(total - 40, total)}
        for place in sorted(places):
            kernel.http._pool.clear()
            proxy.after = place
            time.sleep(PACE)
            with pytest.raises((StreamBroken, GatewayUnreachable)) as broken:
                con.query(SQL)
            assert broken.value.retryable
        proxy.after = None
        assert len(con.query(SQL)) == 400

    def test_what_was_cut_is_in_the_record(self, site, proxy, kernel, con):
        """The statement's own outcome says how far it came; the kernel says that it broke."""
        con.query("SELECT 1")
        kernel.http._pool.clear()
        proxy.after = 3_000
        with pytest.raises(StreamBroken) as broken:
            con.query(SQL)
        assert "there is no result" in broken.value.message
        assert broken.value.hint


class TestALie:
    @pytest.mark.parametrize(
        ("says", "instead"),
        [
            (b'"rows": 400,', b'"rows": 399,'),
            (b'"cut": false', b'"cut": fals!'),
            (b'"cut": false', b'"cat": false'),
            (b'{"record": "R-', b'{"recard": "R-'),
            (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"),
            (b"0\r\n\r\n", b"4\r\nmore\r\n0\r\n\r\n"),
        ],
        ids=["rows", "not-json", "unknown-field", "head", "framing", "more-after-the-end"],
    )
    def test_an_answer_that_does_not_fit_is_an_error(self, proxy, kernel, con, says, instead):
        """A trailer that counts other rows, a head that is none, frames of impossible length."""
        seen = []

        def change(data: bytes) -> bytes:
            seen.append(says in data)
            return data.replace(says, instead)

        kernel.http._pool.clear()
        proxy.change = change
        with pytest.raises(StreamBroken):
            con.query(SQL)
        assert any(seen)
