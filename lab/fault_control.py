"""Setting fault rules from outside: the same calls for the cloud and the storage, over their `/lab/faults`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any

from lab.settings import HOST, LabSettings

CONTROL = "/lab/faults"


@dataclass(frozen=True)
class FaultControl:
    """The rules of the server on `port`."""

    port: int

    @classmethod
    def of(cls, settings: LabSettings, server: str) -> FaultControl:
        """The rules of `cloud` or `storage`."""
        return cls({"cloud": settings.cloud_port, "storage": settings.storage_port}[server])

    def add(self, action: str, **rule: Any) -> None:
        """Add a rule; its fields are those of `lab.faults`.

        Raises:
            ValueError: the server knows no such rule.
        """
        self.call("POST", CONTROL, [{"action": action, **rule}])

    def clear(self) -> None:
        self.call("DELETE", CONTROL)

    def rules(self) -> list[dict[str, Any]]:
        """The rules, with the times they may still strike."""
        rules: list[dict[str, Any]] = self.call("GET", CONTROL)["rules"]
        return rules

    def hits(self) -> list[dict[str, str]]:
        """Where rules struck since they were last cleared: `call` and `outcome`."""
        hits: list[dict[str, str]] = self.call("GET", CONTROL)["hits"]
        return hits

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """One of the lab's own calls, with JSON both ways.

        Raises:
            ValueError: it was refused; the message is the server's.
            OSError: the server does not answer.
        """
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            body = b"" if document is None else json.dumps(document).encode()
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status >= 400:
            raise ValueError(said["error"])
        return said
