"""Ports of labs: two that begin at once never get the same."""

from __future__ import annotations

import subprocess
import sys

from lab.environment import PROJECT
from lab.ports import free_port_base
from lab.settings import PORTS
from lab.testing.deadlines import within

FIRST = 31000


def test_who_asks_again_before_any_server_listens_gets_others() -> None:
    mine = free_port_base(FIRST)
    ask = f"from lab.ports import free_port_base; print(free_port_base({mine}))"
    asked = subprocess.run(
        [sys.executable, "-c", ask], cwd=PROJECT, capture_output=True, text=True, timeout=within(10), check=True
    )
    assert int(asked.stdout) >= mine + PORTS
    assert free_port_base(mine) >= mine + PORTS
