"""What `make up` shows, and when it gives up."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from demo.foreground import follow
from lab.environment import lab_environment
from lab.processes import ProcessError, Processes
from lab.settings import LabSettings

# Says something now and something later, then ends.
BRIEF = "import time; print('hello', flush=True); time.sleep(1); print('goodbye', flush=True); raise SystemExit(3)"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    found.stop(found.names(), seconds=0)


def test_when_one_process_ends_its_last_lines_are_shown_and_it_is_named(processes: Processes) -> None:
    environment = lab_environment(LabSettings(processes.state, 1))
    processes.start("brief", [sys.executable, "-c", BRIEF], environment)
    processes.start("steady", [sys.executable, "-c", "import time; time.sleep(60)"], environment)
    shown = io.StringIO()

    with pytest.raises(ProcessError, match=r"(?s)brief has ended by itself.*brief\.log.*goodbye"):
        follow(processes, ("brief", "steady"), Console(file=shown, soft_wrap=True))

    assert "brief         | goodbye" in shown.getvalue()
