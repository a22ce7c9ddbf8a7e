"""A register in a folder, as the triggerer's steps find it, and how often it is judged."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.rules.register.register import Register, parse_register
from perennial.hooks import register
from perennial.hooks.register import read_register
from perennial.settings import Settings
from tests.unit.builders import PLANS, tenant_entry

STANDARD = PLANS["plans"]["standard"]


class Files:
    """The register's files in a folder, the settings that name it, and how often they were judged."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.judged = folder, 0
        self.settings = replace(SETTINGS, config=str(folder))

    def write(self, *tenants: str, plans: tuple[str, ...] = ("standard",)) -> None:
        """Replace both, plans first, as a careful writer does; all tenants have the first plan."""
        entries = [tenant_entry(tenant, 1 + number, plan=plans[0]) for number, tenant in enumerate(tenants)]
        self.replace("plans.yaml", yaml.safe_dump({"plans": dict.fromkeys(plans, STANDARD)}))
        self.replace("tenants.yaml", yaml.safe_dump({"tenants": entries}))

    def replace(self, name: str, text: str) -> None:
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.folder / name)

    def age(self, seconds: float = 60) -> None:
        """Let the files have been written a while ago."""
        for file in self.folder.iterdir():
            os.utime(file, (time.time() - seconds,) * 2)

    async def read(self) -> Register:
        return await read_register(self.settings)


SETTINGS = Settings("s3://v", "s3://v", "", "aws_default", "test", *[None] * 5)  # type: ignore[arg-type]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    files = Files(tmp_path)

    def count(*args: Any, **kwargs: Any) -> Register:
        files.judged += 1
        return parse_register(*args, **kwargs)

    monkeypatch.setattr(register, "parse_register", count)
    return files
