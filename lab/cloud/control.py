"""The lab's own HTTP calls, beside those of AWS: `/lab/health`, `/lab/faults`, `/lab/snapshots/<id>`.

They take the name `lab` from the buckets of moto's S3.
"""

from __future__ import annotations

from flask import Flask, request
from flask.typing import ResponseReturnValue

from lab.cloud.ec2 import LabEC2Backend, lab_backends
from lab.cloud.snapshots import STATES
from lab.cloud.state import State
from lab.faults import FaultRules


def control_app(state: State, faults: FaultRules) -> Flask:
    """The application behind `/lab`."""
    app = Flask("lab")

    @app.get("/health")
    def health() -> ResponseReturnValue:
        return {"status": "ok"}

    @app.get("/faults")
    def show_faults() -> ResponseReturnValue:
        return faults.report()

    @app.post("/faults")
    def add_faults() -> ResponseReturnValue:
        """Add the rules of a JSON list."""
        try:
            faults.add(request.get_json())
        except (TypeError, ValueError) as error:
            return {"error": f"No rule was added: {error}"}, 400
        return faults.report(), 201

    @app.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        faults.clear()
        return faults.report()

    @app.put("/snapshots/<snapshot_id>")
    def set_snapshot_state(snapshot_id: str) -> ResponseReturnValue:
        """Hold a snapshot in the state of the body, `{"state": "error"}`."""
        wanted = request.get_json()["state"]
        if wanted not in STATES:
            return {"error": f"A snapshot cannot be '{wanted}'; it is one of {', '.join(STATES)}."}, 400
        with state.lock:
            owner = _owner_of(snapshot_id)
            if owner is None:
                return {"error": f"There is no snapshot {snapshot_id} in any account or region."}, 404
            owner.set_snapshot_state(snapshot_id, wanted)
            state.changed()
        state.make_durable()
        return {"snapshot": snapshot_id, "state": wanted}

    return app


def _owner_of(snapshot_id: str) -> LabEC2Backend | None:
    return next((backend for backend in lab_backends() if snapshot_id in backend.snapshots), None)
