"""Measuring and limiting a running lab from outside: how many calls it has had, and how many it takes."""

from __future__ import annotations

from typing import Any

from lab.faults.control import FaultControl
from lab.settings import LabSettings

CALLS, LIMITS = "/lab/calls", "/lab/limits"


class LabMeasures:
    """The calls of a lab's cloud and storage by action, and the cloud's limits.

    Every method raises OSError where a server does not answer, and ValueError, saying why, where it refuses.
    """

    def __init__(self, settings: LabSettings) -> None:
        self._cloud = FaultControl.of(settings, "cloud")
        self._storage = FaultControl.of(settings, "storage")

    def calls(self) -> dict[str, int]:
        """How often each action was called (`ec2:CreateSnapshot`, `s3:PutObject`), refused or not."""
        return self._sum("GET", "calls")

    def throttled(self) -> dict[str, int]:
        """How often each action was refused because its bucket was empty."""
        return self._sum("GET", "throttled")

    def take_calls(self) -> dict[str, int]:
        """The calls until now; counting begins anew, throttled ones included."""
        return self._sum("DELETE", "calls")

    def limits(self) -> dict[str, Any]:
        """The cloud's limits: fields of `lab.cloud.limits.Limits`."""
        limits: dict[str, Any] = self._cloud.call("GET", LIMITS)
        return limits

    def set_limits(self, name: str | None = None, **limits: Any) -> None:
        """Set all limits by name, `aws` or `lab`, and single ones by field; buckets are full again."""
        self._cloud.call("PUT", LIMITS, ({"set": name} if name else {}) | limits)

    def _sum(self, method: str, what: str) -> dict[str, int]:
        reports = [server.call(method, CALLS) for server in (self._cloud, self._storage)]
        return {action: number for report in reports for action, number in report[what].items()}
