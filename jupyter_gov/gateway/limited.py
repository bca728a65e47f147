"""What a connection may cost before anybody knows whose it is."""

from __future__ import annotations

import resource
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from jupyter_gov.wire.messages import MAX_BODY

LIMITS: dict[str, Any] = {
    "max_body_size": MAX_BODY,
    "max_buffer_size": 2 * MAX_BODY,
    "max_header_size": 32 * 1024,
    "body_timeout": 20,
    "idle_connection_timeout": 600,
}
"""Of each connection; kernels keep theirs open between statements."""
MAX_CONNECTIONS = 2_000
_FILES = 16_384


class CappedServer(HTTPServer):
    """An HTTP server that turns new connections away before it runs out of files."""

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        """A connection was accepted; beyond the cap it is closed at once."""
        if len(self._connections) >= MAX_CONNECTIONS:
            stream.close()
            return
        super().handle_stream(stream, address)


def raise_file_limit() -> None:
    """Connections must not use up the files that databases and the record need."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
