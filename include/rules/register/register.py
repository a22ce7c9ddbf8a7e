"""The register: every tenant that parses, and every entry that does not, with the reason.

One tenant's mistake never costs another tenant its backup: entries are judged one by one, and what cannot be used is
listed as a problem that the daily run reports by name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from include.rules.errors import ConfigurationError
from include.rules.register.grounds import Grounds, grounds_by_volume
from include.rules.register.shared_volumes import clashes
from include.rules.register.tenants import Plan, Tenant


@dataclass(frozen=True)
class Problem:
    """One entry that cannot be used: the file, the entry's name, and what is wrong with it."""

    source: str
    entry: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.entry}: {self.message}"


@dataclass(frozen=True)
class Register:
    """All tenants by id, and the problems of the entries that were left out.

    Attributes:
        clashing: Tenants that were left out because of each other: they have files and databases all the same.
    """

    tenants: Mapping[str, Tenant]
    problems: tuple[Problem, ...] = ()
    clashing: Mapping[str, Tenant] = field(default_factory=dict)

    @property
    def everyone(self) -> dict[str, Tenant]:
        """All of whom it is known where they live, those that cannot be backed up included."""
        return {**self.tenants, **self.clashing}

    @cached_property
    def grounds(self) -> Mapping[str, Grounds]:
        """Whose the folders of each web volume are."""
        return grounds_by_volume(self.everyone.values())

    def mentions(self, tenant_id: str) -> bool:
        """True when there is an entry of that id, usable or not."""
        return tenant_id in self.tenants or bool(self.problems_of(tenant_id))

    def problems_of(self, tenant_id: str) -> tuple[Problem, ...]:
        """What is wrong with the entries of that id; empty when they can be used, or there are none."""
        return self._problems_by_entry.get(f"tenant {tenant_id}", ())

    @cached_property
    def _problems_by_entry(self) -> Mapping[str, tuple[Problem, ...]]:
        """One wrong plan is a problem of every tenant on it, and each of them is asked for."""
        by_entry = defaultdict[str, tuple[Problem, ...]](tuple)
        for problem in self.problems:
            by_entry[problem.entry] += (problem,)
        return dict(by_entry)

    def tenant(self, tenant_id: str) -> Tenant:
        """Find one tenant.

        Raises:
            ConfigurationError: when there is none of that id, or its entry cannot be used; the message says which.
        """
        if tenant_id in self.tenants:
            return self.tenants[tenant_id]
        of_this = [str(problem) for problem in self.problems_of(tenant_id)]
        if of_this:
            raise ConfigurationError(
                f"Tenant {tenant_id} cannot be used: {'; '.join(of_this)}.",
                why="Nothing was done.",
                todo="Correct the entry and start again.",
            )
        raise ConfigurationError(
            f"There is no tenant {tenant_id!r} in the register.",
            why="Nothing was done.",
            todo="Check the spelling, or add the tenant to tenants.yaml.",
            known=", ".join(sorted(self.tenants)) or "none",
        )


def parse_register(tenants: object, plans: object, *, tenants_source: str, plans_source: str) -> Register:
    """Judge the parsed contents of the two files.

    Args:
        tenants: What tenants.yaml holds: a mapping with the list `tenants`.
        plans: What plans.yaml holds: a mapping with the mapping `plans`.
        tenants_source, plans_source: Names of the two files, for messages.

    Raises:
        ConfigurationError: when a file as a whole is not of that shape, so that no tenant can be told from it.
    """
    plan_entries = _section(plans, "plans", dict, plans_source)
    tenant_entries = _section(tenants, "tenants", list, tenants_source)
    problems: list[Problem] = []
    known_plans = _parse_plans(plan_entries, plans_source, problems)
    parsed = _parse_tenants(tenant_entries, known_plans, tenants_source, problems)
    sound = _leave_out_clashing(parsed, tenants_source, problems)
    clashing = {name: tenant for name, tenant in parsed.items() if name not in sound}
    register = Register(tenants=sound, problems=tuple(dict.fromkeys(problems)), clashing=clashing)
    _ = register.grounds  # now, away from the event loop that asks for them
    return register


def _section(document: object, key: str, shape: type, source: str) -> Any:
    if isinstance(document, Mapping) and isinstance(document.get(key), shape):
        return document[key]
    kind = "list" if shape is list else "mapping"
    raise ConfigurationError(
        f"{source} has no {kind} named {key!r}.",
        why="No tenant can be read from it, so nothing was backed up.",
        todo=f"Give the file one top-level {kind} {key!r}; include/config/ has an example.",
    )


def _parse_plans(entries: Mapping[Any, Any], source: str, problems: list[Problem]) -> dict[str, Plan]:
    plans = {}
    for name, entry in entries.items():
        try:
            plans[str(name)] = Plan.model_validate({**_mapping(entry), "name": str(name)})
        except (ValidationError, ValueError) as error:
            problems.append(Problem(source, f"plan {name}", explain(error)))
    return plans


def _parse_tenants(
    entries: list[Any], plans: Mapping[str, Plan], source: str, problems: list[Problem]
) -> dict[str, Tenant]:
    names = [str(entry.get("id")) if isinstance(entry, Mapping) else None for entry in entries]
    counts = Counter(names)
    tenants = {}
    for number, (entry, name) in enumerate(zip(entries, names, strict=True), start=1):
        label = f"tenant {name}" if name not in (None, "None") else f"tenant number {number}"
        if name not in (None, "None") and counts[name] > 1:
            problems.append(Problem(source, label, f"the id stands {counts[name]} times; none of them is used"))
            continue
        try:
            tenant = Tenant.model_validate(_with_plan(_mapping(entry), plans))
        except (ValidationError, ValueError) as error:
            problems.append(Problem(source, label, explain(error)))
        else:
            tenants[tenant.id] = tenant
    return tenants


def _leave_out_clashing(tenants: dict[str, Tenant], source: str, problems: list[Problem]) -> dict[str, Tenant]:
    """A folder and a database belong to one tenant: restoring one of two sharers would overwrite the other."""
    found = clashes(tenants.values())
    problems.extend(Problem(source, f"tenant {tenant}", what) for tenant in sorted(found) for what in found[tenant])
    return {tenant_id: tenant for tenant_id, tenant in tenants.items() if tenant_id not in found}


def _mapping(entry: object) -> dict[str, Any]:
    if not isinstance(entry, Mapping):
        raise ValueError(f"is {type(entry).__name__}, expected a mapping of fields")
    return {str(key): value for key, value in entry.items()}


def _with_plan(entry: dict[str, Any], plans: Mapping[str, Plan]) -> dict[str, Any]:
    name = entry.get("plan")
    if name is not None and str(name) not in plans:
        raise ValueError(f"plan: there is no usable plan {name!r}; known are {', '.join(sorted(plans)) or 'none'}")
    return {**entry, "plan": plans[str(name)]} if name is not None else entry


def explain(error: ValidationError | ValueError) -> str:
    """What is wrong, field by field, without the values themselves."""
    if not isinstance(error, ValidationError):
        return str(error)
    return "; ".join(
        f"{'.'.join(str(step) for step in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
        for item in error.errors(include_url=False, include_input=False)
    )
