"""The server of the lab's cloud: moto with our EC2 and SSM, fault rules before it, durable answers after it."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ec2.models import ec2_backends
from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

from lab.cloud import ec2, ssm
from lab.cloud.commands import CommandRunner
from lab.cloud.control import control_app
from lab.cloud.data_plane import DataPlane
from lab.cloud.dispatch import CachedDispatcher, remember_methods
from lab.cloud.faults import Faults
from lab.cloud.knobs import Knobs
from lab.cloud.measures import add_measures
from lab.cloud.permissions import Permissions, make_limited_user
from lab.cloud.scripts import SUPERVISORS
from lab.cloud.state import State
from lab.cloud.throttle import Throttle
from lab.faults.answers import error_answer
from lab.faults.calls import Call, Environ, WsgiApp
from lab.faults.counts import CallCounts
from lab.settings import HOST, REGION, LabSettings

log = logging.getLogger("lab.cloud")

_NOT_OF_BACKENDS = ("s3", "ssm")
"""Services whose calls change nothing in the backends that are kept: commands note their changes themselves."""


class DurableCalls:
    """WSGI application: one AWS call at a time, and no answer before what it may have seen is on disk."""

    def __init__(self, app: WsgiApp, state: State) -> None:
        self._app = app
        self._state = state

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        call: Call = environ["lab.call"]
        began = time.monotonic()
        with self._state.lock:
            ec2.LabEC2Response.lag = environ.get("lab.lag", 0.0)
            ec2.LabEC2Backend.next_state = environ.get("lab.snapshot_state", "")
            if call.service == "ec2" and ec2.settle():
                self._state.changed()
            answer = self._carry_out(call, environ)
            if not call.only_reads and call.service not in _NOT_OF_BACKENDS:
                self._state.changed()
        self._state.make_durable()
        log.info("%s %d %.0f ms", call.name, answer.status_code, 1000 * (time.monotonic() - began))
        return answer(environ, start_response)

    def _carry_out(self, call: Call, environ: Environ) -> Response:
        try:
            return Response.from_app(self._app, environ, buffered=True)
        except NotImplementedError:
            return error_answer(call, "UnsupportedOperation", f"The lab's cloud does not know {call.name}.", 501)
        except Exception as error:
            log.exception("%s failed", call.name)
            return error_answer(call, "InternalError", f"The lab's cloud failed at {call.name}: {error}", 500)


class QuietRequestHandler(MotoRequestHandler):
    """moto's handler; the calls are logged by name instead of as `POST /`."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: see DurableCalls."""


def build_app(settings: LabSettings, knobs: Knobs) -> DispatcherMiddleware:
    """Everything behind the lab's cloud port, with the state of `settings.state` loaded."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # they bring 1,300 snapshots that nobody made
    folder = settings.state / "cloud"
    plane = DataPlane(folder)
    state = State(folder)
    runner = CommandRunner(state, plane)
    ec2.install(plane, state, knobs)
    ssm.install(state, runner)
    state.load()
    with state.lock:
        runner.give_up_unfinished()
        _ = ec2_backends[DEFAULT_ACCOUNT_ID][REGION]
        ec2.restore_folders(plane)
        make_limited_user(settings)
        state.changed()
    state.make_durable()
    remember_methods()
    calls = DurableCalls(CachedDispatcher(create_backend_app), state)
    counts = CallCounts()
    throttle = Throttle(Permissions(calls, state, settings.access_key), knobs.limits.rates, counts)
    faults = Faults(throttle, counts)
    control = control_app(settings.state, state, faults.rules)
    add_measures(control, counts, throttle)
    return DispatcherMiddleware(faults, {"/lab": control})


def main() -> None:
    """Serve until SIGTERM or SIGINT; what was acknowledged is on disk, so stopping is immediate."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    settings = LabSettings.from_environment()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _stop)
    try:
        app = build_app(settings, Knobs.from_environment())
    except (RuntimeError, ValueError) as error:
        sys.exit(str(error))
    server = make_server(HOST, settings.cloud_port, app, threaded=True, request_handler=QuietRequestHandler)
    log.info("The lab's cloud answers on %s, state in %s", settings.cloud_url, settings.state / "cloud")
    server.serve_forever()


def _stop(signal_number: int, _: FrameType | None) -> None:
    SUPERVISORS.end()
    log.info("Stopped by %s", signal.Signals(signal_number).name)
    os._exit(0)  # taking everything apart that moto has read would take longer than reading it
