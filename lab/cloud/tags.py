"""What EC2 refuses in tags. It does so before it makes anything: a refused call leaves nothing behind.

Limits: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Tag.html and
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html (which allows keys one character longer; a key that
the lab takes fits both). The texts about lengths are a reading of those pages; the others have been seen from AWS.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from moto.ec2.exceptions import EC2ClientError, EmptyTagSpecError, TagLimitExceeded

LONGEST_KEY, LONGEST_VALUE, MOST_TAGS = 127, 256, 50


def specified_tags(specifications: Iterable[Mapping[str, Any]], taggable: Collection[str]) -> dict[str, dict[str, str]]:
    """The tags of a call's TagSpecifications, by the type of resource that gets them.

    Args:
        taggable: The types that the call makes; empty where the lab does not know them.

    Raises:
        EC2ClientError: as AWS refuses them.
    """
    found: dict[str, dict[str, str]] = {}
    for specification in specifications:
        kind = specification.get("ResourceType")
        if not kind:
            raise EC2ClientError("InvalidParameterValue", "Tag specification resource type must have a value")
        if taggable and kind not in taggable:
            raise EC2ClientError(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        if kind in found:
            raise EC2ClientError(
                "InvalidParameterValue",
                "The same resource type may not be specified more than once in tag specifications",
            )
        found[kind] = checked_tags(specification.get("Tags", []))
        if not found[kind]:
            raise EmptyTagSpecError
    return found


def checked_tags(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Tags of the form `{"Key": ..., "Value": ...}` as a mapping; a missing value is an empty one.

    Raises:
        EC2ClientError: as AWS refuses them.
    """
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if key.lower().startswith("aws:"):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for "
                "internal use",
            )
        if not key:
            raise EC2ClientError("InvalidParameterValue", "Tag key cannot be empty.")
        if len(key) > LONGEST_KEY:
            raise EC2ClientError(
                "InvalidParameterValue", f"Tag key exceeds the maximum length of {LONGEST_KEY} characters"
            )
        if len(value) > LONGEST_VALUE:
            raise EC2ClientError(
                "InvalidParameterValue", f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters"
            )
        if key in found:
            raise EC2ClientError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        found[key] = value
    refuse_too_many(found)
    return found


def refuse_too_many(tags: Collection[str]) -> None:
    """Refuse more tags than one resource may have."""
    if len(tags) > MOST_TAGS:
        raise TagLimitExceeded
