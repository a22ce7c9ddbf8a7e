"""The lab's own HTTP calls about amounts: how many calls came (`/lab/calls`), and how many may (`/lab/limits`)."""

from __future__ import annotations

from flask import Flask, request
from flask.typing import ResponseReturnValue

from lab.cloud.ec2 import LabEC2Backend
from lab.cloud.throttle import Throttle
from lab.faults.counts import CallCounts


def add_measures(app: Flask, counts: CallCounts, throttle: Throttle) -> None:
    """Answer them in the application behind `/lab`."""

    @app.get("/calls")
    def show_calls() -> ResponseReturnValue:
        return counts.report()

    @app.delete("/calls")
    def clear_calls() -> ResponseReturnValue:
        """Begin to count anew; the answer is what was counted until now."""
        return counts.taken()

    @app.get("/limits")
    def show_limits() -> ResponseReturnValue:
        return LabEC2Backend.limits.report()

    @app.put("/limits")
    def set_limits() -> ResponseReturnValue:
        """Set those of the body, `{"set": "aws"}` or `{"snapshot_interval_seconds": 15}`, and leave the others."""
        try:
            limits = LabEC2Backend.limits.changed(request.get_json(force=True, silent=True))
        except ValueError as error:
            return {"error": f"The limits were left as they are: {error}"}, 400
        LabEC2Backend.limits = limits
        throttle.set_rates(limits.rates)
        return limits.report()
