"""Setting faults from outside, over the lab's own HTTP: of one server (`FaultControl`) or of the lab (`LabFaults`).

SQL Server speaks no HTTP: the cloud takes its knobs for it, also while it is down.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

from lab.faults.actions import nearest
from lab.settings import HOST, LabSettings
from lab.sqlserver.engine.control import Control

CONTROL = "/lab/faults"
SQL_SERVER = "/lab/sqlserver"
SQL_FAULTS = "/lab/sqlserver/faults"

# Which knobs of SQL Server a rule's field turns. A crash strikes whichever statement comes first.
_KNOBS: dict[str, dict[str, tuple[str, ...]]] = {
    "sql:Backup": {"delay": ("backup_seconds",)},
    "sql:Restore": {"delay": ("restore_seconds",)},
    "sql:*": {"delay": ("backup_seconds", "restore_seconds"), "crash_after_percent": ("crash_after_percent",)},
}


@dataclass(frozen=True)
class FaultControl:
    """The rules of the server on `port`, or those that it takes for SQL Server."""

    port: int
    path: str = CONTROL

    @classmethod
    def of(cls, settings: LabSettings, server: str) -> FaultControl:
        """The rules of `cloud` or `storage`."""
        return cls({"cloud": settings.cloud_port, "storage": settings.storage_port}[server])

    def add(self, action: str, **rule: Any) -> None:
        """Add a rule; its fields are those of `lab.faults.rules`.

        Raises:
            ValueError: the server knows no such rule.
        """
        self.call("POST", self.path, [{"action": action, **rule}])

    def clear(self) -> None:
        self.call("DELETE", self.path)

    def rules(self) -> list[dict[str, Any]]:
        """The rules, with the times they may still strike."""
        rules: list[dict[str, Any]] = self.call("GET", self.path)["rules"]
        return rules

    def hits(self) -> list[dict[str, str]]:
        """Where rules struck since they were last cleared: `call` and `outcome`."""
        hits: list[dict[str, str]] = self.call("GET", self.path)["hits"]
        return hits

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """One of the lab's own calls, with JSON both ways.

        Raises:
            ValueError: it was refused; the message is the server's.
            OSError: the server does not answer.
        """
        connection = HTTPConnection(HOST, self.port, timeout=60)
        try:
            body = b"" if document is None else json.dumps(document).encode()
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            reply = json.loads(answer.read())
        except (OSError, HTTPException) as error:
            raise ConnectionError(
                f"Nothing answers on {HOST}:{self.port}, where faults are set, so nothing was changed ({error}). "
                "Start the lab: `python -m lab up`."
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise ValueError(reply["error"])
        return reply


class LabFaults:
    """All that can be made to go wrong in one running lab: the calls of its cloud and storage, and SQL Server's work.

    Every method raises OSError where a server does not answer, and ValueError, saying why, where it refuses.
    """

    def __init__(self, settings: LabSettings) -> None:
        self.cloud = FaultControl.of(settings, "cloud")
        self.storage = FaultControl.of(settings, "storage")
        self.sql = FaultControl(self.cloud.port, SQL_FAULTS)

    def add(self, action: str, **rule: Any) -> None:
        """Add a rule where it belongs: `s3:` to the storage, `sql:` to SQL Server, anything else to the cloud.

        Args:
            action: `ec2:CreateSnapshot`, `s3:Put*`, `sql:Backup`, ...
            rule: The fields of `lab.faults.rules`; for `sql:` those of `lab.sqlserver.engine.faults`, or `delay`
                (seconds that the work is spread over), or, with `sql:*`, `crash_after_percent` (where the next BACKUP
                or RESTORE kills the server, once).
        """
        if action.startswith("sql:") and rule.keys() & {"number", "drop"}:
            self.sql.add(action, **rule)
        elif action.startswith("sql:"):
            self.turn_sql_server(**_positions(action, rule))
        elif action.startswith("s3:"):
            self.storage.add(action, **rule)
        else:
            self.cloud.add(action, **rule)

    def turn_sql_server(self, **positions: float | None) -> None:
        """Turn knobs of SQL Server (fields of `lab.sqlserver.engine.control.Control`); the others stay."""
        self.cloud.call("PUT", SQL_SERVER, positions)

    def sql_server(self) -> Control:
        """The knobs of SQL Server as they stand."""
        return Control(**self.cloud.call("GET", SQL_SERVER))

    def hold_snapshot(self, snapshot_id: str, state: str) -> None:
        """Hold a snapshot that was made already in `pending`, `completed` or `error`."""
        self.cloud.call("PUT", f"/lab/snapshots/{snapshot_id}", {"state": state})

    def clear(self) -> None:
        """Forget all rules and hits and set SQL Server's knobs back; snapshots stay as they are held."""
        self.cloud.clear()
        self.sql.clear()
        self.turn_sql_server(**asdict(Control()))
        self.storage.clear()


def _positions(action: str, rule: dict[str, Any]) -> dict[str, Any]:
    if action not in _KNOBS:
        raise ValueError(f"No rule was added: of SQL Server there are {', '.join(_KNOBS)}. {nearest(action, _KNOBS)}")
    if not rule or not rule.keys() <= _KNOBS[action].keys():
        raise ValueError(
            f"No rule was added: {action} takes {' or '.join(_KNOBS[action])} and nothing else; "
            "crash_after_percent goes with sql:*, for it strikes whichever of BACKUP and RESTORE comes first."
        )
    return {knob: value for field, value in rule.items() for knob in _KNOBS[action][field]}
