"""The requests that Perennial itself sends to AWS, one by one, as they leave its clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit

from lab.faults.calls import read_call
from perennial.hooks.aws.clients import aws_client
from tests.support.vaults import AWS_CONNECTION
from tests.support.world import World

CLIENTS = [("s3", True), ("ec2", True), ("ec2", False), ("ssm", True), ("ssm", False)]
"""Services, and whether their client sends a call again by itself."""


class Request(NamedTuple):
    """One request: in which step, which call, and of S3 the key below the vault."""

    step: str
    service: str
    action: str
    key: str

    @property
    def is_of_shared_snapshots(self) -> bool:
        """True for a request for the documents of shared snapshots, or for their names."""
        return self.key.startswith("shared-snapshots/")


@dataclass
class AwsCalls:
    """Requests in their order; those that were sent again count again."""

    requests: list[Request] = field(default_factory=list)
    step: str = ""

    def of(self, *services: str) -> list[Request]:
        """Those to these services."""
        return [request for request in self.requests if request.service in services]

    def table(self) -> str:
        """A line for each kind of request, in the order of the first of its kind."""
        return "\n".join(
            f"{count:3} {one.step:24} {one.service}:{one.action:24} {one.key}"
            for one, count in Counter(self.requests).items()
        )


@contextmanager
def counting(world: World) -> Iterator[AwsCalls]:
    """Note every request that the clients of the world's event loop send within the block, whichever way they go."""
    calls, place = AwsCalls(), f"/{world.vault.documents.bucket}/{world.vault.documents.prefix}"
    sessions = {}
    for service, resend in CLIENTS:
        session = world.runner.run(aws_client(service, AWS_CONNECTION, resend=resend))._endpoint.http_session
        sessions[id(session)] = session

    def noting(send: Any) -> Any:
        async def noted(request: Any) -> Any:
            url = urlsplit(request.url)
            headers = {
                f"HTTP_{name.upper().replace('-', '_')}": _text(value) for name, value in request.headers.items()
            }
            body = _text(request.body).encode() if isinstance(request.body, str | bytes) else b""  # S3's is a stream
            environ = {"REQUEST_METHOD": request.method, "PATH_INFO": unquote(url.path), "QUERY_STRING": url.query}
            call = read_call({**environ, **headers, "CONTENT_LENGTH": str(len(body)), "wsgi.input": BytesIO(body)})
            key = ""
            if call.service == "s3":
                key = (unquote(url.path).rstrip("/") + prefix_of(url.query)).removeprefix(place)
            calls.requests.append(Request(calls.step, call.service, call.action, key))
            return await send(request)

        return noted

    patches = [patch.object(session, "send", noting(session.send)) for session in sessions.values()]
    for one in patches:
        one.start()
    try:
        yield calls
    finally:
        for one in patches:
            one.stop()


def prefix_of(query: str) -> str:
    """Below what a listing looks, as the rest of its path; empty for other calls."""
    return "".join(f"/{prefix}" for prefix in parse_qs(query).get("prefix", ()))


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
