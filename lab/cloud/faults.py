"""Fault rules on the calls of the lab's cloud: `lab.faults.rules` says what they can do."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from typing import Any

from werkzeug.test import run_wsgi_app

from lab.faults.answers import error_answer
from lab.faults.calls import Environ, WsgiApp, read_call
from lab.faults.counts import CallCounts
from lab.faults.rules import FaultRules


class Faults:
    """WSGI middleware that counts the calls and carries the rules out."""

    def __init__(self, app: WsgiApp, counts: CallCounts) -> None:
        self._app = app
        self._counts = counts
        self.rules = FaultRules(unknown=["bytes_per_second"])

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        call = environ["lab.call"] = read_call(environ)
        self._counts.note(call.name)
        fault = self.rules.take(call)
        if fault is None:
            return self._app(environ, start_response)
        time.sleep(fault.delay)
        environ["lab.lag"] = fault.lag
        environ["lab.snapshot_state"] = fault.snapshot_state
        if fault.after:
            run_wsgi_app(self._app, environ, buffered=True)
        elif not (fault.code or fault.drop):
            return self._app(environ, start_response)
        if fault.outcome == "drop":
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError("dropped by a fault rule")
        return error_answer(call, fault.code, fault.message, fault.error_status)(environ, start_response)
