"""`python -m demo`: what it refuses."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from demo import __main__ as demo


def test_a_second_demo_leaves_the_first_one_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo, "STORY_STATE", tmp_path)
    (tmp_path / "of-the-first").touch()
    with Path(demo.__file__).open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        assert demo.main(["run"]) == 1
    assert (tmp_path / "of-the-first").exists()
    assert "runs from this folder already" in capsys.readouterr().out
