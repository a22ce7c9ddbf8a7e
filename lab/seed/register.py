"""The lab's register: `<state>/config/tenants.yaml` and `plans.yaml`, as Perennial reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lab.settings import LabSettings

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
        entries = yaml.safe_load(path.read_text())["tenants"] if path.exists() else []
        return {entry["id"]: entry for entry in entries}
    except (yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        raise RuntimeError(
            f"{path} cannot be read as a register of tenants, so nothing was done ({error}). Mend it, or delete it and "
            "seed again: that makes the three tenants anew."
        ) from error


def register(settings: LabSettings, entry: dict[str, Any]) -> None:
    """Add a tenant, or replace its entry."""
    entries = registered(settings) | {entry["id"]: entry}
    _write(_folder(settings) / "plans.yaml", {"plans": PLANS})
    _write(_folder(settings) / "tenants.yaml", {"tenants": list(entries.values())})


def _folder(settings: LabSettings) -> Path:
    return settings.state / "config"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(yaml.safe_dump(content, sort_keys=False))
    draft.replace(path)  # a reader meets the old file or the new one, never a half
