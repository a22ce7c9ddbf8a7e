"""The lab's own HTTP calls, beside those of AWS: `/lab/health`, `/lab/faults`, `/lab/snapshots/<id>`, `/lab/sqlserver`.

They take the name `lab` from the buckets of moto's S3.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from flask import Flask, request
from flask.typing import ResponseReturnValue

from lab import neighbours
from lab.cloud.ec2 import LabEC2Backend, lab_backends
from lab.cloud.snapshots import STATES
from lab.cloud.state import State
from lab.faults.rules import FaultRules
from lab.sqlserver.engine.control import Control
from lab.sqlserver.engine.faults import SqlFaults


def control_app(folder: Path, state: State, faults: FaultRules) -> Flask:
    """The application behind `/lab` for the lab whose state folder is `folder`."""
    app = Flask("lab")

    @app.get("/health")
    def health() -> ResponseReturnValue:
        return neighbours.health(folder)

    @app.get("/faults")
    def show_faults() -> ResponseReturnValue:
        return faults.report()

    @app.post("/faults")
    def add_faults() -> ResponseReturnValue:
        """Add the rules of a JSON list."""
        try:
            faults.add(request.get_data())
        except ValueError as error:
            return {"error": f"No rule was added: {error}"}, 400
        return faults.report(), 201

    @app.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        faults.clear()
        return faults.report()

    @app.put("/snapshots/<snapshot_id>")
    def set_snapshot_state(snapshot_id: str) -> ResponseReturnValue:
        """Hold a snapshot in the state of the body, `{"state": "error"}`."""
        document = request.get_json(force=True, silent=True)
        new_state = document.get("state") if isinstance(document, dict) else None
        if new_state not in STATES:
            return {"error": f"A snapshot cannot be '{new_state}'; it is one of {', '.join(STATES)}."}, 400
        with state.lock:
            owner = _owner_of(snapshot_id)
            if owner is None:
                return {"error": f"There is no snapshot {snapshot_id} in any account or region."}, 404
            owner.set_snapshot_state(snapshot_id, new_state)
            state.changed()
        state.make_durable()
        return {"snapshot": snapshot_id, "state": new_state}

    _add_sql_server(app, folder / "sqlserver")
    return app


def _add_sql_server(app: Flask, folder: Path) -> None:
    """The knobs and the fault rules of SQL Server, which speaks no HTTP; `folder` is its part of the state folder."""

    @app.get("/sqlserver")
    def show_sql_server() -> ResponseReturnValue:
        """The positions of SQL Server's knobs."""
        return asdict(Control.read(folder))

    @app.put("/sqlserver")
    def set_sql_server() -> ResponseReturnValue:
        """Turn the knobs of the body, `{"backup_seconds": 5}`, and leave the others as they are."""
        try:
            control = Control.read(folder).turned(request.get_data())
        except ValueError as error:
            return {"error": f"SQL Server was left as it is: {error}"}, 400
        control.write(folder)
        return asdict(control)

    @app.get("/sqlserver/faults")
    def show_sql_faults() -> ResponseReturnValue:
        return SqlFaults(folder).report()

    @app.post("/sqlserver/faults")
    def add_sql_faults() -> ResponseReturnValue:
        """Add the rules of a JSON list (`lab.sqlserver.engine.faults`)."""
        try:
            SqlFaults(folder).add(request.get_data())
        except ValueError as error:
            return {"error": f"No rule was added: {error}"}, 400
        return SqlFaults(folder).report(), 201

    @app.delete("/sqlserver/faults")
    def clear_sql_faults() -> ResponseReturnValue:
        SqlFaults(folder).clear()
        return SqlFaults(folder).report()


def _owner_of(snapshot_id: str) -> LabEC2Backend | None:
    return next((backend for backend in lab_backends() if snapshot_id in backend.snapshots), None)
