"""The calls that a fault rule can name: the actions of the lab's services, and the nearest to a name that is none."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache

import botocore.session

SERVICES = ("ec2", "iam", "kms", "s3", "ssm", "sts")

# S3 names no action on the wire: these are the names that lab.faults.calls reads out of method, path and query.
S3_ACTIONS = (
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CopyObject",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteObject",
    "DeleteObjects",
    "GetObject",
    "HeadBucket",
    "HeadObject",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "UploadPart",
)


def check_action(pattern: str, services: Iterable[str] = SERVICES) -> None:
    """Raise ValueError, with the nearest right name, where the shell pattern fits no action of these services."""
    service, colon, _ = pattern.partition(":")
    actions = [action for known in services for action in _actions(known)]
    if any(fnmatchcase(action, pattern) for action in actions):
        return
    if colon and service.isalnum() and service.lower() not in services:
        raise ValueError(f"this server has no service {service!r}; it has {', '.join(services)}.")
    advice = nearest(pattern, actions)
    if service == "s3":
        advice += f" Of S3 it tells apart {', '.join(S3_ACTIONS)}."
    raise ValueError(f"{pattern!r} fits no call, so it would never strike. {advice}")


def nearest(pattern: str, actions: Iterable[str]) -> str:
    """A sentence that names the action most like `pattern`, or says how actions are written."""
    by_lower_case = {action.lower(): action for action in actions}
    if matches := get_close_matches(pattern.lower(), by_lower_case, n=1):
        return f"Did you mean {by_lower_case[matches[0]]}?"
    return "Actions are written as in IAM policies: ec2:CreateSnapshot, ec2:Describe*, s3:PutObject."


@cache
def _actions(service: str) -> tuple[str, ...]:
    if service == "s3":
        return tuple(f"s3:{name}" for name in S3_ACTIONS)
    names = botocore.session.get_session().get_service_model(service).operation_names
    return tuple(f"{service}:{name}" for name in names)
