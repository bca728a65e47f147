"""A wire between a kernel and its gateway that breaks, or lies."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


class Proxy:
    """
    Passes requests on, and answers as far as it is told.

    Each connection is of one answer's bytes: `after` of them are passed, then the wire is cut.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.after: int | None = None
        self.change: Callable[[bytes], bytes] = lambda data: data
        self.passed = 0
        """Bytes of the answer on the connection opened last."""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(client,)).start()

    def _join(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as gateway:
            upward = threading.Thread(target=self._up, args=(client, gateway))
            upward.start()
            self.passed = 0
            with contextlib.suppress(OSError):
                while data := gateway.recv(65536):
                    data = self.change(data)
                    if self.after is not None:
                        data = data[: max(self.after - self.passed, 0)]
                    client.sendall(data)
                    self.passed += len(data)
                    if self.after is not None and self.passed >= self.after:
                        break
            for end in (client, gateway):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            upward.join()

    @staticmethod
    def _up(client: socket.socket, gateway: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                gateway.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@contextlib.contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """A proxy for the while."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
