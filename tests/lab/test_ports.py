"""Ports of labs: two that begin at once never get the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.environment import PROJECT
from lab.neighbours import check_ports_are_free
from lab.ports import free_port_base, is_free
from lab.processes import ProcessError
from lab.settings import PORTS, LabSettings
from lab.testing.deadlines import within

FIRST = 31000


def test_ports_of_which_another_users_killed_lab_has_left_a_socket_are_not_free(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = free_port_base(FIRST)
    left = Path(f"/tmp/seaweedfs-test-grpc-{base + 10}.sock")
    left.touch()
    try:
        assert is_free(base + 10), "one's own is no obstacle: weed takes its place"
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
        assert not is_free(base + 10)
        with pytest.raises(ProcessError, match=rf"has left {left}\. Remove it as that user\."):
            check_ports_are_free(LabSettings(tmp_path, base), ["storage"])
    finally:
        left.unlink()
    assert is_free(base + 10)


def test_who_asks_again_before_any_server_listens_gets_others() -> None:
    mine = free_port_base(FIRST)
    ask = f"from lab.ports import free_port_base; print(free_port_base({mine}))"
    asked = subprocess.run(
        [sys.executable, "-c", ask], cwd=PROJECT, capture_output=True, text=True, timeout=within(10), check=True
    )
    assert int(asked.stdout) >= mine + PORTS
    assert free_port_base(mine) >= mine + PORTS
