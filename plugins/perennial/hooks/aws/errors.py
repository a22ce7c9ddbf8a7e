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


THROTTLED = frozenset(
    {
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "PriorRequestNotComplete",
    }
    | {"ConcurrentSnapshotLimitExceeded", "PendingSnapshotLimitExceeded", "ConcurrentTagAccess"}
)
"""Codes of a refusal that passes by itself; those with "Throttl" or "RateExceeded" in them are others.

Sources: docs.aws.amazon.com, "Error codes for the Amazon EC2 API", S3 "Error responses", Systems Manager "Common
Errors"; botocore, retries/standard.py.
"""

RETRYABLE = frozenset(
    {"RequestTimeout", "RequestTimeoutException", "RequestExpired", "InternalError", "InternalFailure"}
)
"""Codes of a call that AWS has not carried out to its end, for no fault of the caller's."""

QUOTA_ADVICE = (
    "Ask AWS for a higher quota (Service Quotas), or delete what nobody needs, then clear the first task of this run."
)
LATER = "Wait until AWS answers such calls again, then clear the first task of this run."


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


def is_throttled(error: BaseException) -> bool:
    """True when AWS has refused a call, and done nothing, because of how many there are at this moment."""
    code = error_code(error)
    return code in THROTTLED or any(word in code for word in ("Throttl", "RateExceeded"))


def is_quota(error: BaseException) -> bool:
    """True when AWS has refused a call because of how much there is already; its code may look like throttling."""
    code = error_code(error)
    return not is_throttled(error) and any(word in code for word in ("LimitExceeded", "Quota", "TooMany"))


def is_transient(error: BaseException) -> bool:
    """True when the same call may succeed a little later: no answer, throttling, or a fault on Amazon's side."""
    if isinstance(error, NO_ANSWER) or is_throttled(error):
        return True
    return (http_status(error) >= 500 or error_code(error) in RETRYABLE) and not is_quota(error)


class AwsRejectedError(UnavailableError):
    """AWS has refused the call: nothing has come of it."""

    @property
    def is_transient(self) -> bool:
        """True when the same call may be accepted a little later."""
        return self.__cause__ is not None and is_transient(self.__cause__)


@contextmanager
def translate_errors(
    what: str, *, why: str = "The step stopped there.", todo: str = CHECK_CONNECTION, **ids: object
) -> Iterator[None]:
    """Turn a refused or unanswered AWS call within the block into an UnavailableError that an operator can read.

    Args:
        todo: What to do about a call that AWS does not accept as it is; what passes, and a full quota, have their own.

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
            f"{what}: AWS answered {error_code(error)}{f' ({message})' if message else ''}.",
            why=why,
            todo=advice_for(error, todo),
            **ids,
        ) from error


def advice_for(error: BaseException, otherwise: str) -> str:
    """What an operator does about a call that has failed, by what kind of failure it was."""
    if is_quota(error):
        return QUOTA_ADVICE
    return LATER if is_transient(error) else otherwise


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
