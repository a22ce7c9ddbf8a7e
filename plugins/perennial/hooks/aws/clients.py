"""AWS clients for coroutines: one per connection, service and event loop, kept for as long as the loop lives.

Creating a client costs more than most calls (it loads the service's model), so the triggers of a triggerer share them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from include.rules.errors import UnavailableError
from perennial.hooks.asynchronous import PerLoop

__all__ = ["ClientError"]

Error = (ClientError, BotoCoreError)
"""What an AWS call raises when it was refused or got no answer."""

CHECK_CONNECTION = "Check the Airflow connection for AWS and its rights, then clear the first task of this run."

NO_ANSWER = (HTTPClientError, NoConnectionError)
"""The call got no answer: it may have happened or not."""


class _Clients:
    """The open clients of one event loop."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.lock = asyncio.Lock()
        self.by_key: dict[tuple[str, str, bool], Any] = {}


_open = PerLoop(_Clients)


async def client(service: str, conn_id: str, *, resend: bool = True) -> Any:
    """The shared client of `service` ("ec2", "s3", "ssm") for the Airflow connection `conn_id`.

    Args:
        resend: False for calls that are not safe to send twice (CreateSnapshot has no client token): the client then
            never sends a request again by itself, and the caller looks first.
    """
    clients = _open.get()
    key = (service, conn_id, resend)
    async with clients.lock:
        if key not in clients.by_key:
            retries = {"mode": "standard", "total_max_attempts": 6 if resend else 1}
            config = Config(retries=retries, max_pool_connections=64, connect_timeout=10, read_timeout=60)
            hook = AwsBaseHook(aws_conn_id=conn_id, client_type=service, config=config)
            clients.by_key[key] = await clients.stack.enter_async_context(
                await hook.get_async_conn()  # type: ignore[no-untyped-call]
            )
        return clients.by_key[key]


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


def code(error: BaseException) -> str:
    """AWS's error code, for instance `InvalidVolume.NotFound`; the class name when there was no answer."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or str(status(error))
    return type(error).__name__


def status(error: BaseException) -> int:
    """The HTTP status of a refused call; 0 when there was no answer."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def is_transient(error: BaseException) -> bool:
    """True when the same call may succeed a little later: no answer, throttling, or a fault on Amazon's side."""
    if isinstance(error, NO_ANSWER):
        return True
    return status(error) >= 500 or any(
        word in code(error) for word in ("Throttl", "RequestLimitExceeded", "SlowDown", "RateExceeded", "LimitExceeded")
    )


class AwsRejectedError(UnavailableError):
    """AWS has refused the call: nothing has come of it."""


@contextmanager
def translate_errors(
    what: str, *, why: str = "The step stopped there.", todo: str = CHECK_CONNECTION, **ids: object
) -> Iterator[None]:
    """Turn a refused or unanswered AWS call within the block into an UnavailableError that an operator can read.

    Raises:
        AwsRejectedError: when AWS has refused the call.
        UnavailableError: when it did not answer, or had a fault of its own: the call may have been carried out.
    """
    try:
        yield
    except Error as error:
        message = error.response["Error"].get("Message", "") if isinstance(error, ClientError) else str(error)
        kind = AwsRejectedError if 400 <= status(error) < 500 else UnavailableError
        raise kind(
            f"{what}: AWS answered {code(error)}{f' ({message})' if message else ''}.", why=why, todo=todo, **ids
        ) from error
