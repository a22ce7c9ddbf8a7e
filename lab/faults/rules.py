"""Faults on order: what a service does on a bad day, for the calls a rule names.

A rule says which calls (`action`, a shell pattern such as `ec2:CreateSnapshot` or `s3:Put*`, and `match`, a text to be
found in the call), how often (`times`, null for always), and what then happens:

    code, message, status   this error is answered; `status` defaults to what AWS sends with the code
    drop                    the connection is closed without an answer
    after                   the call is carried out first, so only the answer is lost
    delay                   seconds to wait before anything else
    lag                     EC2's look-ups do not see snapshots and volumes made in the last so many seconds
    snapshot_state          the snapshot that is made stays `pending`, or is in `error`
    bytes_per_second        S3's bodies, in both directions, trickle at this speed

A rule with only `delay` slows the call down. Rules live in memory: they end with the server. The cloud and the storage
take them at `/lab/faults`; SQL Server has knobs of its own (`lab.sqlserver.engine.control`), which the cloud takes for
it at `/lab/sqlserver`. From Python all of it is set with `lab.faults.control.LabFaults`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from lab.faults.actions import SERVICES, check_action
from lab.faults.calls import Call

KEPT_HITS = 200
SNAPSHOT_STATES = ("pending", "error")
_STATUS = {"InternalError": 500, "InternalServerError": 500, "RequestLimitExceeded": 503, "SlowDown": 503}
_DEFAULT_STATUS = 400
_LARGEST = 1_000_000_000
_DEFAULT_MESSAGE = "Injected by the lab."

# Fields that tell on some calls only.
_TELLS_ON = {
    "lag": ("ec2:DescribeSnapshots", "ec2:DescribeVolumes"),
    "snapshot_state": ("ec2:CreateSnapshot",),
}


@dataclass
class Fault:
    """One rule; `times` counts down as it strikes."""

    action: str
    match: str = ""
    times: int | None = 1
    delay: float = 0.0
    lag: float = 0.0
    snapshot_state: str = ""
    bytes_per_second: float = 0.0
    code: str = ""
    message: str = _DEFAULT_MESSAGE
    status: int | None = None
    drop: bool = False
    after: bool = False

    def __post_init__(self) -> None:
        self._check_values()
        if self.code and self.drop:
            raise ValueError("A fault either answers an error (code) or drops the connection (drop), not both.")
        if not self.code and (self.status is not None or self.message != _DEFAULT_MESSAGE):
            raise ValueError("status and message tell of an error: they want its code.")
        if not (self.code or self.drop or self.after or self.marks):
            raise ValueError(
                f"The fault for {self.action} would do nothing: give it a code, drop, after, delay, lag, "
                "snapshot_state or bytes_per_second."
            )
        for name, actions in _TELLS_ON.items():
            if getattr(self, name) and not any(fnmatchcase(action, self.action) for action in actions):
                raise ValueError(f"{name} tells only on {' and '.join(actions)}, so not on {self.action}.")

    def _check_values(self) -> None:
        for name in ("action", "match", "code", "message", "snapshot_state"):
            _check(name, getattr(self, name), isinstance(getattr(self, name), str), "a text")
        for name in ("drop", "after"):
            _check(name, getattr(self, name), isinstance(getattr(self, name), bool), "true or false")
        for name, unit in (("delay", "seconds"), ("lag", "seconds"), ("bytes_per_second", "bytes in a second")):
            _check(name, getattr(self, name), _is_amount(getattr(self, name)), f"{unit}, from 0 to {_LARGEST:,}")
        whole = self.times is None or (_is_whole(self.times) and self.times >= 1)
        _check("times", self.times, whole, "a whole number from 1 on, or always (null)")
        fits = self.status is None or (_is_whole(self.status) and 400 <= self.status <= 599)
        _check("status", self.status, fits, "an HTTP status from 400 to 599")
        _check("snapshot_state", self.snapshot_state, self.snapshot_state in ("", *SNAPSHOT_STATES), "pending or error")

    @property
    def marks(self) -> str:
        """The field by which a call that is answered all the same is slowed, dimmed or spoilt, empty without one."""
        names = ("bytes_per_second", "lag", "snapshot_state", "delay")
        return next((name for name in names if getattr(self, name)), "")

    @property
    def error_status(self) -> int:
        """The HTTP status of the error."""
        return self.status or _STATUS.get(self.code, _DEFAULT_STATUS)

    @property
    def outcome(self) -> str:
        """What the caller sees of it: an error code, `drop`, or the field that slows or spoils it."""
        return self.code or ("drop" if self.drop or self.after else self.marks)

    def strikes(self, call: Call) -> bool:
        return self.times != 0 and fnmatchcase(call.name, self.action) and self.match in call.text


class FaultRules:
    """The rules of one server, and where they struck.

    Args:
        services: Whose calls the server answers; a rule for others is refused.
        unknown: Fields that mean nothing to this server; a rule with one of them is refused.
    """

    def __init__(self, services: Iterable[str] = SERVICES, unknown: Iterable[str] = ()) -> None:
        self._services = tuple(services)
        self._unknown = frozenset(unknown)
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._hits: list[dict[str, str]] = []

    def add(self, document: bytes) -> None:
        """Add the rules of a JSON list; of several that fit a call the oldest strikes.

        Raises:
            ValueError: it is no such list, or a rule has an unknown field or a value that makes no sense, would do
                nothing or fits no call; none was added.
        """
        rules = json.loads(document)
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise ValueError('it takes a JSON list of rules, such as [{"action": "ec2:CreateSnapshot", "drop": true}].')
        faults = [self._fault(rule) for rule in rules]
        with self._lock:
            self._rules += faults

    def _fault(self, rule: dict[str, Any]) -> Fault:
        known = {field.name for field in fields(Fault)} - self._unknown
        if strange := sorted(rule.keys() - known):
            raise ValueError(f"this server knows no {', '.join(strange)}; it knows {', '.join(sorted(known))}.")
        if "action" not in rule:
            raise ValueError("it names no action, such as ec2:CreateSnapshot.")
        fault = Fault(**rule)
        check_action(fault.action, self._services)
        return fault

    def clear(self) -> None:
        """Forget rules and hits."""
        with self._lock:
            self._rules.clear()
            self._hits.clear()

    def report(self) -> dict[str, Any]:
        """The rules, with the times they may still strike, and the last hits."""
        with self._lock:
            return {"rules": [asdict(rule) for rule in self._rules], "hits": list(self._hits)}

    def take(self, call: Call) -> Fault | None:
        """The rule that strikes this call, counted down, if there is one."""
        with self._lock:
            fault = next((rule for rule in self._rules if rule.strikes(call)), None)
            if fault is None:
                return None
            if fault.times is not None:
                fault.times -= 1
            self._hits.append({"call": call.name, "outcome": fault.outcome})
            del self._hits[:-KEPT_HITS]
            return fault


def _check(name: str, value: object, fits: bool, wanted: str) -> None:
    if not fits:
        raise ValueError(f"{name} is {value!r}, but it wants {wanted}.")


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _LARGEST


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
