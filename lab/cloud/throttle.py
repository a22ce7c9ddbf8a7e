"""Request throttling as EC2 does it: a bucket of tokens for each action, refilled at a steady rate.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html describes the buckets. Here the first rule that
fits an action says how large its bucket is, one for each action and Region; the lab has one account. A rule whose
action ends in `/unfiltered` is for calls that look for everything, with neither a filter nor a page's size.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from lab.faults.answers import error_answer
from lab.faults.calls import Call, Environ, WsgiApp
from lab.faults.counts import CallCounts

UNFILTERED = "/unfiltered"


@dataclass(frozen=True)
class Rate:
    """How many calls of an action (a shell pattern) may come at once, and how many a second in the long run."""

    action: str
    burst: float
    per_second: float


def parse_rates(text: str) -> list[Rate]:
    """Read rates such as `ec2:Describe*=100:20 ec2:*=50:5` (burst:per second); calls that fit none are not limited.

    Raises:
        ValueError: the text has another form.
    """
    rates = []
    for entry in text.split():
        action, _, sizes = entry.partition("=")
        burst, _, per_second = sizes.partition(":")
        try:
            rate = Rate(action, float(burst), float(per_second))
        except ValueError:
            raise ValueError(f"'{entry}' is no rate: write ACTION=BURST:PER_SECOND, ec2:*=50:5 for instance.") from None
        if rate.burst < 1 or rate.per_second <= 0:
            raise ValueError(f"'{entry}' would refuse every call: burst is 1 at least, per second more than 0.")
        rates.append(rate)
    return rates


class Bucket:
    """Tokens of one action; full at first."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate, self._tokens, self._seen_at = rate, rate.burst, now

    def take(self, now: float) -> bool:
        """Whether there was a token left for a call at `now` (seconds on a steady clock)."""
        self._tokens = min(self._rate.burst, self._tokens + (now - self._seen_at) * self._rate.per_second)
        self._seen_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Throttle:
    """WSGI middleware that refuses calls whose bucket is empty, and notes them in `counts`."""

    def __init__(self, app: WsgiApp, rates: str, counts: CallCounts) -> None:
        self._app = app
        self._counts = counts
        self._lock = threading.Lock()
        self.set_rates(rates)

    def set_rates(self, rates: str) -> None:
        """Begin anew with other buckets, full ones. Raises ValueError as `parse_rates` does."""
        parsed = parse_rates(rates)
        with self._lock:
            self._rates = parsed
            self._buckets: dict[tuple[str, str], Bucket] = {}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        call: Call = environ["lab.call"]
        if self._passes(call):
            return self._app(environ, start_response)
        self._counts.note_throttled(call.name)
        if call.service == "ec2":
            refusal = error_answer(call, "RequestLimitExceeded", "Request limit exceeded.", 503)
        else:
            refusal = error_answer(call, "ThrottlingException", "Rate exceeded", 400)
        return refusal(environ, start_response)

    def _passes(self, call: Call) -> bool:
        with self._lock:
            name, rate = self._rate_of(call)
            if rate is None:
                return True
            now = time.monotonic()
            return self._buckets.setdefault((name, call.region), Bucket(rate, now)).take(now)

    def _rate_of(self, call: Call) -> tuple[str, Rate | None]:
        """The name of the call's bucket and its size, None where the call is not limited."""
        if looks_for_everything(call):
            name = call.name + UNFILTERED
            if rate := next((rate for rate in self._rates if rate.action == name), None):
                return name, rate
        return call.name, next((rate for rate in self._rates if fnmatchcase(call.name, rate.action)), None)


def looks_for_everything(call: Call) -> bool:
    """Whether a call of EC2 that only looks gives neither a filter nor a page's size; ids count as no filter."""
    return call.service == "ec2" and not any(
        name == "MaxResults" or name.startswith("Filter.") for name in call.parameters
    )
