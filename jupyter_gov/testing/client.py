"""A kernel without a kernel: the real client, with a key of its own, attached to somebody."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Self

from jupyter_gov.kernel.client import Client
from jupyter_gov.kernel.explanation import Explanation
from jupyter_gov.kernel.http import GatewayHttp
from jupyter_gov.testing.person import EvaluationPerson
from jupyter_gov.wire.messages import Code, Enrol, Enrolled, OpenCode, encode

if TYPE_CHECKING:
    import pandas as pd


class PolicyClient(Client):
    """
    What one person, or their agent, can do through the gateway.

    Everything a notebook can: the same client, the same signed requests.  A client has a session
    of its own, so its grants and budgets are nobody else's.
    """

    def __init__(self, http: GatewayHttp) -> None:
        super().__init__(lambda: http)
        self.http = http

    @classmethod
    def enrol(cls, url: str, slot_id: str, secret: str) -> Self:
        """Exchange a slot's one-use secret for a key, as a kernel does.  Raises GovError."""
        http = GatewayHttp(url, slot_id)
        public = base64.b64encode(http.public_key).decode()
        asked = Enrol(slot_id=slot_id, secret=secret, public_key=public)
        http.call("POST", "/enrol", Enrolled, encode(asked))
        return cls(http)

    def close(self) -> None:
        """Give its connections back."""
        self.http.close()

    def code(self, agent: str = "") -> str:
        """A fresh code, as `%gov login` shows it."""
        return self.http.call("POST", "/attach", Code, encode(OpenCode(agent=agent))).code

    def attached(
        self,
        person: EvaluationPerson,
        *,
        purpose: str = "quality",
        own_purpose: str = "",
        agent: str = "",
    ) -> Self:
        """
        Attach it to that person, or to their agent; returns itself.

        Raises DecisionRefused.
        """
        person.attach(self.code(agent), purpose=purpose, own_purpose=own_purpose, agent=agent)
        return self

    def query(self, connection: str, sql: str, /, **how: Any) -> pd.DataFrame:
        """`gov.connect(connection).query(sql, …)`: the masked frame, or the error."""
        return self.connect(connection).query(sql, **how)

    def explain(self, connection: str, sql: str, /, **how: Any) -> Explanation:
        """`gov.connect(connection).explain(sql, …)`: what would become of it."""
        return self.connect(connection).explain(sql, **how)

    def tables(self, connection: str, /) -> pd.DataFrame:
        """`gov.connect(connection).tables()`: what may be read, and how much of it is treated."""
        return self.connect(connection).tables()
