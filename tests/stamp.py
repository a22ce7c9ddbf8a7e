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

from lab.environment import PROJECT

STAMP = PROJECT / ".tested-lab"
LAB_MADE_OF = (
    "lab",
    "tests/lab",
    "tests/__init__.py",
    "tests/conftest.py",
    "tests/stamp.py",
    "tests/support/labs.py",
    "tests/support/service_models.py",
    "tests/tiers.py",
    "bench/__init__.py",
    "bench/lab_backup.py",
    "docs/iam-policy.json",
    "Dockerfile",
    ".dockerignore",
    "Procfile",
    "pyproject.toml",
    "requirements-dev.txt",
)
PROGRAMS = ("mount", "rsync", "pwsh", "tsql")
"""What some of the lab's tests are skipped without."""


def fingerprint() -> str:
    """A hash of what the lab and its tests are made of, and of what this machine has for them."""
    facts = [sys.version, str(os.geteuid() == 0), str(find_library("ltdl"))]
    facts += [f"{name} {shutil.which(name)}" for name in PROGRAMS]
    digest = hashlib.sha256("\n".join(facts).encode())
    for file in sorted(_files()):
        digest.update(f"\n{file.relative_to(PROJECT)} ".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _files() -> Iterator[Path]:
    for name in LAB_MADE_OF:
        path = PROJECT / name
        found = path.rglob("*") if path.is_dir() else [path]
        yield from (file for file in found if file.is_file() and "__pycache__" not in file.parts)


def is_stamped() -> bool:
    """Whether the lab's tests have passed with exactly this content."""
    return STAMP.exists() and STAMP.read_text() == fingerprint()


def stamp(content: str | None) -> None:
    """Remember that the lab's tests have passed with this content; None: that they have failed.

    A run that somebody has narrowed down proves nothing.
    """
    if content is None:
        STAMP.unlink(missing_ok=True)
    elif not os.environ.get("PYTEST_ADDOPTS"):
        STAMP.write_text(content)
