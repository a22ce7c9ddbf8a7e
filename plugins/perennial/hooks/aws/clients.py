"""AWS clients for coroutines: one per connection, service and event loop, kept for as long as the loop lives.

Creating a client costs more than most calls (it loads the service's model), so the triggers of a triggerer share them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from include.rules.errors import PerennialError
from perennial.hooks import waits
from perennial.hooks.asynchronous import LoopLocks, PerLoop, set_aside_what_is_there
from perennial.hooks.aws.errors import AWS_ERRORS, is_transient, translate_connection_errors
from perennial.hooks.aws.retries import ANSWER_SECONDS, CONNECT_SECONDS, Retries
from perennial.hooks.aws.timestamps import read_timestamps_quickly


class _Clients:
    """The open clients of one event loop."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.by_key: dict[tuple[str, str, bool], Any] = {}
        self.failed: dict[tuple[str, str, bool], tuple[float, PerennialError]] = {}  # when, and with what


_open = PerLoop(_Clients)
_making = LoopLocks()
"""One client of a kind is made once, however many want it; a connection that is not answered holds up no other."""

LONGEST_PAUSE = 10.0
"""Seconds between two requests for a role that AWS has not answered, at most."""


async def aws_client(service: str, conn_id: str, *, resend: bool = True) -> Any:
    """The shared client of `service` ("ec2", "s3", "ssm") for the Airflow connection `conn_id`.

    Args:
        resend: False for calls that are not safe to send twice (CreateSnapshot has no client token): the client then
            never sends a request again by itself, and the caller looks first.

    Raises:
        ConfigurationError: when the connection cannot be used: no region, no such profile, a role that is refused.
        UnavailableError: when AWS did not answer the request for the role.
    """
    clients, key, loop = _open.get(), (service, conn_id, resend), asyncio.get_running_loop()
    asked_at = loop.time()
    async with _making.of(f"{key}"):
        if key not in clients.by_key:
            failed_at, failure = clients.failed.get(key, (0.0, None))
            if failure and failed_at >= asked_at:
                raise failure.with_traceback(None)  # who has waited for one attempt does not wait for another
            try:
                with translate_connection_errors(service, conn_id):
                    client = await clients.stack.enter_async_context(await _new_client(service, conn_id))
            except PerennialError as error:
                clients.failed[key] = (loop.time(), error)
                raise
            read_timestamps_quickly(client)
            if resend:
                Retries().attach(client)
            clients.by_key[key] = client
            set_aside_what_is_there()  # one of EC2 is 9,000 objects
        return clients.by_key[key]


async def _new_client(service: str, conn_id: str) -> Any:
    """A client that is not open yet; the role that it works under is asked for as patiently as anything of AWS."""
    retries = {"mode": "adaptive", "total_max_attempts": 1}  # `Retries` sends again
    config = Config(
        retries=retries, max_pool_connections=64, connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS
    )
    async for _ in waits.looks(waits.AWS_ANSWER, LONGEST_PAUSE):
        try:
            hook = AwsBaseHook(aws_conn_id=conn_id, client_type=service, config=config)
            return await hook.get_async_conn()  # type: ignore[no-untyped-call]
        except AWS_ERRORS as error:
            if not is_transient(error):
                raise
            refusal = error
    raise refusal


async def close_clients() -> None:
    """Close the clients of the running loop; for loops that end before their process does."""
    clients = _open.pop()
    if clients:
        await clients.stack.aclose()


@asynccontextmanager
async def closing_clients() -> AsyncIterator[None]:
    """Close the running loop's clients at the end of the block."""
    try:
        yield
    finally:
        await close_clients()
