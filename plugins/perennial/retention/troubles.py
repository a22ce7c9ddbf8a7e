"""What an error means in the report of a run that goes on: whether a person has to act, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from botocore.exceptions import ClientError

from include.rules.errors import ConflictError, LeaseLostError, PerennialError, RefusedError, UnavailableError
from include.rules.retention.reports import TenantReport, Trouble
from include.rules.retention.undeleted import UndeletedPart
from perennial.hooks.aws.errors import error_code, is_transient


def trouble_of(error: PerennialError, subject: str) -> Trouble:
    """The error without the advice that it has for a failed step: there is none to clear, and the next run tries again.

    Refusals and conflicts come from somebody who was faster, and pass by themselves; so does what AWS does not answer.

    Args:
        subject: Whose work it has stopped, for instance `Tenant acme`.
    """
    cause = error.__cause__
    if isinstance(error, (RefusedError, ConflictError, LeaseLostError)):
        return Trouble(str(error), needs_operator=False)
    if not isinstance(error, UnavailableError) or cause is None:
        return Trouble(str(error), needs_operator=not isinstance(error, UnavailableError))
    passing = is_transient(cause)
    todo = "Nothing has to be done" if passing else "Compare the rights of the AWS identity with docs/iam-policy.json"
    rephrased = UnavailableError(f"{subject}: {error.what}", todo=f"{todo}; the next `retention` tries again.")
    rephrased.ids = error.ids
    return Trouble(str(rephrased), needs_operator=not passing)


def refuse_blind_run(reports: Mapping[str, TenantReport], seen: Collection[str], *, dry_run: bool = False) -> None:
    """A run that has seen no tenant at all, and has nothing to ask of a person, would look like one that is done.

    Args:
        reports: Those of all tenants that it has tried to look at.
        seen: The tenants that it could look at.
        dry_run: True for a run that only shows what would be done: whatever it has to ask, it does not fail for it.

    Raises:
        UnavailableError: when there are tenants, it has seen none of them, and the run would not fail for it anyway.
    """
    troubles = [trouble for report in reports.values() for trouble in report.troubles]
    if seen or not troubles or (any(trouble.needs_operator for trouble in troubles) and not dry_run):
        return
    whom = f"any of the {len(reports)} tenants. The first:" if len(reports) > 1 else f"tenant {min(reports)}."
    raise _blind_error(f"Retention could not look at {whom} {troubles[0].message}")


def nothing_seen_error(error: UnavailableError) -> UnavailableError:
    """AWS has not answered what comes before the look at any tenant: nothing was looked at at all."""
    what = f"Retention could not look at the snapshots of the vault, nor at any tenant. {error.what}"
    return _blind_error(what, **error.ids)


def _blind_error(what: str, **ids: object) -> UnavailableError:
    return UnavailableError(
        what,
        why="Nothing was expired or deleted.",
        todo="See that the vault and AWS answer and that the AWS identity may read both; the next `retention` tries "
        "again.",
        **ids,
    )


def undeleted_part(part: str, error: UnavailableError) -> UndeletedPart:
    """What AWS has said when it refused to delete the part."""
    cause = error.__cause__ or error
    message = cause.response["Error"].get("Message", "") if isinstance(cause, ClientError) else str(cause)
    return UndeletedPart(part, error_code(cause), message, transient=is_transient(cause))
