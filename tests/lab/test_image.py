"""The image of the Dockerfile's target `lab`: what is copied into it is enough for the lab to start."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.environment import PROJECT, lab_environment
from lab.servers import stop_servers
from lab.settings import LabSettings
from lab.testing.command import COMMAND_SECONDS
from lab.testing.server import new_settings

pytestmark = pytest.mark.lab


def copied() -> Iterator[tuple[list[str], str]]:
    """Sources and target of every COPY of the target `lab`."""
    _, _, stage = (PROJECT / "Dockerfile").read_text().partition(" AS lab\n")
    for line in stage.partition("\nFROM ")[0].splitlines():
        if line.startswith("COPY "):
            *sources, target = line.split()[1:]
            yield sources, target


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[LabSettings]:
    """A lab that is stopped at the end."""
    settings = new_settings(tmp_path / "the lab's state")
    yield settings
    stop_servers(settings)


def test_what_the_image_copies_is_not_shut_out_of_its_build() -> None:
    let_in = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert {source for sources, _ in copied() for source in sources} <= let_in


def test_the_lab_starts_from_what_the_image_holds_and_in_folders_with_spaces(
    tmp_path: Path, settings: LabSettings
) -> None:
    image = tmp_path / "my perennial"
    for sources, target in copied():
        for source in sources:
            if (PROJECT / source).is_dir():
                shutil.copytree(PROJECT / source, image / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (image / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / source, image / target)

    done = subprocess.run(
        [sys.executable, "-m", "lab", "up"],
        cwd=image,
        env=lab_environment(settings) | {"PYTHONPATH": str(image)},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" yes ") == 3
