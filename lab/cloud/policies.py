"""IAM policies: whether a set of them allows an action on a resource. Only what a policy of Perennial's needs.

moto enforces actions alone; here resources and conditions count too. A policy that uses anything else (NotAction,
other condition operators) is refused rather than read wrongly.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

_KNOWN = {"Sid", "Effect", "Action", "Resource", "Condition"}


def _is_like(value: str, pattern: str) -> bool:
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", pattern))
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": _is_like,
}


@dataclass(frozen=True)
class Deed:
    """One action on one resource; `context` holds condition keys and their values."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allows(policies: Iterable[Mapping[str, Any]], deed: Deed) -> bool:
    """Whether some statement allows the deed and none denies it.

    Raises:
        ValueError: a statement has a part that is not known here.
    """
    statements = [statement for policy in policies for statement in _listed(policy["Statement"])]
    effects = {statement["Effect"] for statement in statements if _covers(statement, deed)}
    return effects == {"Allow"}


def _covers(statement: Mapping[str, Any], deed: Deed) -> bool:
    if unknown := statement.keys() - _KNOWN:
        raise ValueError(f"The lab cannot judge a policy statement with {', '.join(sorted(unknown))}.")
    action, resource = deed.action.lower(), deed.resource
    return (
        any(_is_like(action, pattern.lower()) for pattern in _listed(statement["Action"]))
        and any(_is_like(resource, pattern) for pattern in _listed(statement["Resource"]))
        and all(_holds(operator, keys, deed.context) for operator, keys in statement.get("Condition", {}).items())
    )


def _holds(operator: str, keys: Mapping[str, Any], context: Mapping[str, str]) -> bool:
    if operator not in _OPERATORS:
        raise ValueError(f"The lab cannot judge the condition {operator}; it knows {', '.join(_OPERATORS)}.")
    compare = _OPERATORS[operator]
    return all(
        key in context and any(compare(context[key], value) for value in _listed(values))
        for key, values in keys.items()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
