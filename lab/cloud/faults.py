"""Faults on order: what AWS does on a bad day, for the calls a rule names.

A rule says which calls (`action`, a shell pattern such as `ec2:CreateSnapshot` or `s3:Put*`, and `match`, a text to be
found in the call), how often (`times`, null for always), and what then happens:

    code, message, status   this error is answered; `status` defaults to what AWS sends with the code
    drop                    the connection is closed without an answer
    after                   the call is carried out first, so only the answer is lost
    delay                   seconds to wait before anything else
    lag                     EC2's look-ups do not see snapshots and volumes made in the last so many seconds

A rule with only `delay` slows the call down. Rules live in memory: they end with the server.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from werkzeug.test import run_wsgi_app

from lab.cloud.answers import error_answer
from lab.cloud.calls import Call, Environ, WsgiApp, read_call

KEPT_HITS = 200
_STATUS = {"InternalError": 500, "InternalServerError": 500, "RequestLimitExceeded": 503, "SlowDown": 503}
_DEFAULT_STATUS = 400


@dataclass
class Fault:
    """One rule; `times` counts down as it strikes."""

    action: str
    match: str = ""
    times: int | None = 1
    delay: float = 0.0
    lag: float = 0.0
    code: str = ""
    message: str = "Injected by the lab."
    status: int | None = None
    drop: bool = False
    after: bool = False

    def __post_init__(self) -> None:
        if self.code and self.drop:
            raise ValueError("A fault either answers an error (code) or drops the connection (drop), not both.")
        if not (self.code or self.drop or self.after or self.delay or self.lag):
            raise ValueError(
                f"The fault for {self.action} would do nothing: give it a code, drop, after, delay or lag."
            )

    @property
    def outcome(self) -> str:
        """What the caller sees of it: an error code, `drop`, `lag` or `delay`."""
        return self.code or ("drop" if self.drop or self.after else "lag" if self.lag else "delay")

    def strikes(self, call: Call) -> bool:
        return self.times != 0 and fnmatchcase(call.name, self.action) and self.match in call.text


class Faults:
    """WSGI middleware that carries the rules out, and remembers where they struck."""

    def __init__(self, app: WsgiApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._hits: list[dict[str, str]] = []

    def add(self, rules: list[dict[str, Any]]) -> None:
        """Add rules; of several that fit a call the oldest strikes.

        Raises:
            TypeError, ValueError: a rule has an unknown field or would do nothing; none was added.
        """
        faults = [Fault(**rule) for rule in rules]
        with self._lock:
            self._rules += faults

    def clear(self) -> None:
        """Forget rules and hits."""
        with self._lock:
            self._rules.clear()
            self._hits.clear()

    def report(self) -> dict[str, Any]:
        """The rules, with the times they may still strike, and the last hits."""
        with self._lock:
            return {"rules": [asdict(rule) for rule in self._rules], "hits": list(self._hits)}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        call = environ["lab.call"] = read_call(environ)
        fault = self._take(call)
        if fault is None:
            return self._app(environ, start_response)
        time.sleep(fault.delay)
        if fault.after:
            run_wsgi_app(self._app, environ, buffered=True)
        environ["lab.lag"] = fault.lag
        if fault.outcome in ("delay", "lag"):
            return self._app(environ, start_response)
        if fault.outcome == "drop":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("dropped by a fault rule")
        status = fault.status or _STATUS.get(fault.code, _DEFAULT_STATUS)
        return error_answer(call, fault.code, fault.message, status)(environ, start_response)

    def _take(self, call: Call) -> Fault | None:
        with self._lock:
            fault = next((rule for rule in self._rules if rule.strikes(call)), None)
            if fault is None:
                return None
            if fault.times is not None:
                fault.times -= 1
            self._hits.append({"call": call.name, "outcome": fault.outcome})
            del self._hits[:-KEPT_HITS]
            return fault
