"""Faults on order: what a service does on a bad day, for the calls a rule names.

A rule says which calls (`action`, a shell pattern such as `ec2:CreateSnapshot` or `s3:Put*`, and `match`, a text to be
found in the call), how often (`times`, null for always), and what then happens:

    code, message, status   this error is answered; `status` defaults to what AWS sends with the code
    drop                    the connection is closed without an answer
    after                   the call is carried out first, so only the answer is lost
    delay                   seconds to wait before anything else
    lag                     EC2's look-ups do not see snapshots and volumes made in the last so many seconds
    bytes_per_second        S3's bodies, in both directions, trickle at this speed

A rule with only `delay` slows the call down. Rules live in memory: they end with the server. The cloud and the storage
take them at `/lab/faults`; SQL Server has knobs of its own (`lab.sqlserver.control`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from lab.cloud.calls import Call

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
    bytes_per_second: float = 0.0
    code: str = ""
    message: str = "Injected by the lab."
    status: int | None = None
    drop: bool = False
    after: bool = False

    def __post_init__(self) -> None:
        if self.code and self.drop:
            raise ValueError("A fault either answers an error (code) or drops the connection (drop), not both.")
        if not (self.code or self.drop or self.after or self.slows):
            raise ValueError(
                f"The fault for {self.action} would do nothing: give it a code, drop, after, delay, lag or "
                "bytes_per_second."
            )

    @property
    def slows(self) -> str:
        """The field by which a call that is answered all the same is slowed or dimmed, empty without one."""
        return next((name for name in ("bytes_per_second", "lag", "delay") if getattr(self, name)), "")

    @property
    def error_status(self) -> int:
        """The HTTP status of the error."""
        return self.status or _STATUS.get(self.code, _DEFAULT_STATUS)

    @property
    def outcome(self) -> str:
        """What the caller sees of it: an error code, `drop`, or the field that slows it."""
        return self.code or ("drop" if self.drop or self.after else self.slows)

    def strikes(self, call: Call) -> bool:
        return self.times != 0 and fnmatchcase(call.name, self.action) and self.match in call.text


class FaultRules:
    """The rules of one server, and where they struck.

    Args:
        unknown: Fields that mean nothing to this server; a rule with one of them is refused.
    """

    def __init__(self, unknown: Iterable[str] = ()) -> None:
        self._unknown = frozenset(unknown)
        self._lock = threading.Lock()
        self._rules: list[Fault] = []
        self._hits: list[dict[str, str]] = []

    def add(self, rules: list[dict[str, Any]]) -> None:
        """Add rules; of several that fit a call the oldest strikes.

        Raises:
            TypeError, ValueError: a rule has an unknown field or would do nothing; none was added.
        """
        if strange := sorted({name for rule in rules for name in rule} & self._unknown):
            raise ValueError(f"this server knows no {', '.join(strange)}")
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
