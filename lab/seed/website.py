"""A web application as one finds it on a server: hundreds of files, links, modes, times, and what users uploaded.

The application itself is the web interface that ships, built, inside the installed Airflow package.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
from pathlib import Path

UPLOADS = 60
FIRST_UPLOAD = 1_740_000_000  # seconds since the epoch: some day in February 2025
DAY = 86_400


def write_website(folder: Path, tenant: str) -> None:
    """Make `folder` anew with one tenant's application; the same tenant always gets the same bytes.

    releases/1/          the application
    current              a link to it
    uploads/             files from users: names with blanks and umlauts, each some kilobytes
    config/site.json     readable by its owner and group only
    bin/nightly.sh       executable
    cache/               empty
    """
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(_application(), folder / "releases" / "1", symlinks=True)
    (folder / "current").symlink_to("releases/1")
    _write_uploads(folder / "uploads", tenant)
    _write(folder / "config" / "site.json", json.dumps({"tenant": tenant, "theme": "plain"}).encode(), mode=0o640)
    _write(folder / "bin" / "nightly.sh", f"#!/bin/sh\necho 'nightly work of {tenant}'\n".encode(), mode=0o755)
    (folder / "cache").mkdir()


def _application() -> Path:
    package = importlib.util.find_spec("airflow")
    if package is None or package.origin is None:
        raise FileNotFoundError("The web application to seed ships inside apache-airflow, which is not installed here.")
    return Path(package.origin).parent / "ui" / "dist"


def _write_uploads(folder: Path, tenant: str) -> None:
    for number in range(UPLOADS):
        path = folder / f"{2024 + number % 2}" / f"Übersicht {number:02d}.bin"
        block = hashlib.sha256(f"{tenant} {number}".encode()).digest()
        _write(path, block * (16 + 5 * number), mode=0o644)
        os.utime(path, (FIRST_UPLOAD, FIRST_UPLOAD + number * DAY))


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
