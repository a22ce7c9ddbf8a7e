"""Descriptions of AWS's services, read once for all the clients of a test run.

Every test has event loops and AWS clients of its own, so that no connection and no retry of one is felt by the next.
Most of a client's making is the same each time, though: botocore reads the service's description (EC2's has some
megabytes), and makes a method of each operation and an object of each rule by which an endpoint is found. For Airflow,
which makes its clients once, that does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import botocore.client
import botocore.endpoint_provider
import botocore.session


def share_service_models() -> None:
    """Let botocore read each description, and make methods and rules from it, once in this process."""
    botocore.session.create_loader = cache(botocore.session.create_loader)
    creator = botocore.client.ClientCreator
    make_methods = creator._create_methods
    made: dict[tuple[type, str], dict[str, Any]] = {}

    def methods(self: Any, service_model: Any) -> dict[str, Any]:
        key = type(self), service_model.service_name
        if key not in made:
            made[key] = make_methods(self, service_model)
        return dict(made[key])  # the client's class adds its own

    creator._create_methods = methods
    botocore.endpoint_provider.RuleSet = _made_once(botocore.endpoint_provider.RuleSet)


def _made_once(rule_set: Callable[..., Any]) -> Callable[..., Any]:
    """The same rules, which nobody changes, for the same description, which the loader keeps."""
    made: dict[int, tuple[object, Any]] = {}

    def known(*, rules: object, **rest: Any) -> Any:
        if id(rules) not in made:
            made[id(rules)] = rules, rule_set(rules=rules, **rest)
        return made[id(rules)][1]

    return known
