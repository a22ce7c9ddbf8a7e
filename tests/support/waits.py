"""Shorter waits for tests of what happens when one is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from perennial.hooks import waits


def shorten(monkeypatch: pytest.MonkeyPatch, name: str, seconds: float) -> None:
    """Let one of `perennial.hooks.waits` last only so long."""
    monkeypatch.setattr(waits, name, replace(getattr(waits, name), seconds=seconds))
