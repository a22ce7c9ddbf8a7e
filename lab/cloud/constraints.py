"""What a JSON service of AWS refuses in a call's parameters: the lengths, ranges and patterns of its own service model.

SDKs check some of them before they send, the upper limits among others they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from moto.core.utils import get_service_model

_UNITS = {"string": "length", "list": "length", "map": "length", "integer": "value", "long": "value"}


def violations(service: str, operation: str, parameters: Mapping[str, Any]) -> list[str]:
    """What is wrong with the parameters of a call, in the words of AWS's ValidationException."""
    shape = get_service_model(service).operation_model(operation).input_shape
    return list(_of_members(shape, parameters, "")) if shape else []


def complaint(found: list[str]) -> str:
    """The message of a ValidationException."""
    return f"{len(found)} validation error{'s'[: len(found) > 1]} detected: {'; '.join(found)}"


def _of_members(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, member in shape.members.items():
        if value.get(name) is not None:
            yield from _of_value(member, value[name], f"{path}{name[:1].lower()}{name[1:]}")


def _of_value(shape: Any, value: Any, path: str) -> Iterator[str]:
    limits = shape.metadata
    size = value if _UNITS.get(shape.type_name) == "value" else len(value) if hasattr(value, "__len__") else None
    unit = _UNITS.get(shape.type_name)
    if unit and size is not None and size < limits.get("min", size):
        yield _violation(value, path, f"Member must have {unit} greater than or equal to {limits['min']}")
    if unit and size is not None and size > limits.get("max", size):
        yield _violation(value, path, f"Member must have {unit} less than or equal to {limits['max']}")
    if "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        yield _violation(value, path, f"Member must satisfy regular expression pattern: {limits['pattern']}")
    if "enum" in limits and value not in limits["enum"]:
        yield _violation(value, path, f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]")
    if shape.type_name == "list":
        for number, entry in enumerate(value, start=1):
            yield from _of_value(shape.member, entry, f"{path}.{number}.member")
    if shape.type_name == "structure":
        yield from _of_members(shape, value, f"{path}.")


def _violation(value: Any, path: str, rule: str) -> str:
    return f"Value '{value}' at '{path}' failed to satisfy constraint: {rule}"
