"""`python -m demo`: what it refuses."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from demo import __main__ as demo


@pytest.mark.parametrize("command", ["up", "down"])
def test_a_port_base_that_is_none_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("PERENNIAL_LAB_PORT_BASE", "abc")

    assert demo.main([command]) == 1

    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("PERENNIAL_LAB_PORT_BASE is 'abc', but it wants a number")


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
