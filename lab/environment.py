"""The environment of every process a lab starts: the machine's own, without anything that could lead it astray."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lab.settings import HOST, LabSettings

PROJECT = Path(__file__).resolve().parents[1]

# Someone else's Airflow, AWS account or interpreter settings must never reach a lab: it would talk to the wrong ones.
FOREIGN = ("AIRFLOW", "AWS_", "PERENNIAL_", "PYTHON", "VIRTUAL_ENV")
KNOBS = "PERENNIAL_LAB_"


def lab_environment(settings: LabSettings) -> dict[str, str]:
    """What a process of this lab sees: this project, this interpreter, this lab, loopback past any proxy."""
    inherited = {
        name: value for name, value in os.environ.items() if name.startswith(KNOBS) or not name.startswith(FOREIGN)
    }
    return inherited | {
        **settings.environment(),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": f"{HOST},localhost",
        "no_proxy": f"{HOST},localhost",
        # Credentials come from the lab alone, not from files in a home folder or a machine's metadata service.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
