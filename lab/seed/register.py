"""The lab's register: `<state>/config/tenants.yaml` and `plans.yaml`, as Perennial reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import yaml

from lab.settings import LabSettings

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as quick, where PyYAML has libyaml
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

PLANS = {
    "standard": {"cadence": "daily", "manual_backups_per_month": 10, "rpo_hours": 26},
    "hourly": {"cadence": "hourly", "manual_backups_per_month": 30, "rpo_hours": 2},
}


def registered(settings: LabSettings) -> dict[str, dict[str, Any]]:
    """The tenants' entries by tenant id; empty before the first seeding.

    Raises RuntimeError when the file is there and no register.
    """
    path = _folder(settings) / "tenants.yaml"
    try:
        document = yaml.load(path.read_text(), _LOADER) if path.exists() else {"tenants": []}  # noqa: S506 - a safe one
        return {entry["id"]: entry for entry in document["tenants"]}
    except (yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise RuntimeError(
            f"{path} cannot be read as a register of tenants, so nothing was done ({error}). Mend it, or delete it and "
            "seed again: that makes the three tenants anew."
        ) from error


def register(settings: LabSettings, entry: dict[str, Any]) -> None:
    """Add a tenant, or replace its entry."""
    register_all(settings, [entry])


def register_all(settings: LabSettings, entries: Iterable[dict[str, Any]]) -> None:
    """Add tenants, or replace their entries, in one write."""
    by_id = registered(settings) | {entry["id"]: entry for entry in entries}
    _write(_folder(settings) / "plans.yaml", {"plans": PLANS})
    _write(_folder(settings) / "tenants.yaml", {"tenants": list(by_id.values())})


def unregister(settings: LabSettings, tenants: Collection[str]) -> None:
    """Take tenants out of the register, in one write; what they have stays."""
    kept = [entry for tenant, entry in registered(settings).items() if tenant not in tenants]
    _write(_folder(settings) / "tenants.yaml", {"tenants": kept})


def _folder(settings: LabSettings) -> Path:
    return settings.state / "config"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(yaml.dump(content, Dumper=_DUMPER, sort_keys=False))
    draft.replace(path)  # a reader meets the old file or the new one, never a half
