"""`python -m lab` as a person types it."""

from __future__ import annotations

import subprocess
import sys

from lab.environment import PROJECT, lab_environment
from lab.settings import LabSettings
from lab.testing.deadlines import within

COMMAND_SECONDS = within(120)


def run_lab(settings: LabSettings, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run one command of `python -m lab` and return how it ended, what it printed and what it complained about."""
    command = [sys.executable, "-m", "lab", *arguments]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=lab_environment(settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
