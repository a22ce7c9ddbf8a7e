"""Whether the lab's own tests need to run again: not where nothing that they are made of has changed since they passed.

Neither the lab nor its tests know anything of the product (import contracts hold that), so that the content of
LAB_MADE_OF, and what the machine has for them, decides.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path
from stat import S_IXUSR
from sysconfig import get_path

from lab.environment import PROJECT

STAMP = PROJECT / ".tested-lab"
LAB_MADE_OF = (
    "lab",
    "tests/lab",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/stamp.py",
    "tests/support/interrupts.py",
    "tests/support/labs.py",
    "tests/support/service_models.py",
    "tests/tiers.py",
    "bench/__init__.py",
    "bench/lab_backup.py",
    "docs/iam-policy.json",
    "Dockerfile",
    ".dockerignore",
    "Procfile",
    "conftest.py",
    "pyproject.toml",
    "pytest.ini",
    "requirements-dev.txt",
    "setup.cfg",
    "tox.ini",
)
"""With all that pytest would read settings from, also where there is no such file yet."""
PROGRAMS = ("mount", "rsync", "pwsh", "tsql")
CHINOOK = PROJECT.parent / "shared/data/Chinook_SqlServer.sql"
"""What some of the lab's tests are skipped without."""


def fingerprint() -> str:
    """A hash of what the lab and its tests are made of, and of what this machine has for them."""
    digest = hashlib.sha256("\n".join(_facts()).encode())
    for file in sorted(_files()):
        mode = "x" if file.stat().st_mode & S_IXUSR else "-"
        digest.update(f"\n{file.relative_to(PROJECT)} {mode} ".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _facts() -> Iterator[str]:
    """What the lab's tests find on this machine, whatever the project holds."""
    yield from (sys.version, str(os.geteuid() == 0), str(find_library("ltdl")), str(CHINOOK.exists()))
    yield from (f"{name} {shutil.which(name)}" for name in PROGRAMS)
    yield from sorted(folder.name for folder in Path(get_path("purelib")).glob("*.dist-info"))  # names and versions


def _files() -> Iterator[Path]:
    for name in LAB_MADE_OF:
        path = PROJECT / name
        found = _files_below(path) if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def _files_below(folder: Path) -> Iterator[Path]:
    """The files below a folder, also behind links, which Path.rglob does not follow."""
    for found, _, names in os.walk(folder, followlinks=True):
        yield from (Path(found, name) for name in names)


def is_stamped() -> bool:
    """Whether the lab's tests have passed with exactly this content."""
    return STAMP.exists() and STAMP.read_text() == fingerprint()


def stamp(content: str | None) -> None:
    """Remember that the lab's tests have passed with this content; None: that they have failed.

    A run that somebody may have narrowed down proves nothing.
    """
    if content is None:
        STAMP.unlink(missing_ok=True)
    elif not is_narrowed_down():
        STAMP.write_text(content)


def is_narrowed_down() -> bool:
    """Whether somebody has given pytest options of their own, which may leave tests out."""
    return bool(os.environ.get("PYTEST_ADDOPTS"))
