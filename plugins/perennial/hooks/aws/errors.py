"""What AWS calls raise: read, told apart, and turned into what an operator can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from include.rules.errors import ConfigurationError, UnavailableError

AWS_ERRORS = (ClientError, BotoCoreError)
"""What an AWS call raises when it was refused or got no answer."""

CHECK_CONNECTION = "Check the Airflow connection for AWS and its rights, then clear the first task of this run."

CORRECT_CONNECTION = (
    "Correct the connection (in its extra: `region_name`, profile, `role_arn`, endpoints), restart the triggerer, then "
    "clear the first task of this run."
)

NO_ANSWER = (HTTPClientError, NoConnectionError)
"""The call got no answer: it may have happened or not."""


def error_code(error: BaseException) -> str:
    """AWS's error code, for instance `InvalidVolume.NotFound`; the class name when there was no answer."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "")) or str(http_status(error))
    return type(error).__name__


def http_status(error: BaseException) -> int:
    """The HTTP status of a refused call; 0 when there was no answer."""
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return 0


def is_transient(error: BaseException) -> bool:
    """True when the same call may succeed a little later: no answer, throttling, or a fault on Amazon's side."""
    if isinstance(error, NO_ANSWER):
        return True
    return http_status(error) >= 500 or any(
        word in error_code(error)
        for word in ("Throttl", "RequestLimitExceeded", "SlowDown", "RateExceeded", "LimitExceeded")
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
    except AWS_ERRORS as error:
        message = error.response["Error"].get("Message", "") if isinstance(error, ClientError) else str(error)
        kind = AwsRejectedError if 400 <= http_status(error) < 500 else UnavailableError
        raise kind(
            f"{what}: AWS answered {error_code(error)}{f' ({message})' if message else ''}.", why=why, todo=todo, **ids
        ) from error


@contextmanager
def translate_connection_errors(service: str, conn_id: str) -> Iterator[None]:
    """Turn what goes wrong within the block, where a client is made, into what an operator can mend.

    No call of ours has been sent yet: what is refused is the connection itself, or the role that it is to assume.

    Raises:
        ConfigurationError: when the connection cannot be used as it is.
        UnavailableError: when AWS did not answer the request for the role.
    """
    try:
        yield
    except (*AWS_ERRORS, ValueError) as error:  # a ValueError: an endpoint that is no URL
        kind = UnavailableError if is_transient(error) else ConfigurationError
        raise kind(
            f"The Airflow connection {conn_id} makes no client for AWS ({service}): {error_code(error)} ({error}).",
            why="AWS was not asked for anything else.",
            todo=CHECK_CONNECTION if kind is UnavailableError else CORRECT_CONNECTION,
        ) from error
