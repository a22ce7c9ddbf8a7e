"""Trees of files as real sites have them: made, wrecked, and compared."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


def fingerprint(folder: Path) -> dict[str, tuple[object, ...]]:
    """Kind, mode, time and content of everything below a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        if path.is_symlink():
            content: object = path.readlink()
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        time = None if path.is_symlink() else status.st_mtime_ns
        found[str(path.relative_to(folder))] = (status.st_mode, time, content)
    return found


def furnish(site: Path) -> None:
    """Files as real sites have them: odd names, modes, times, links, empty folders."""
    (site / "bin").mkdir()
    (site / "bin" / "run.sh").write_text("#!/bin/sh\n")
    (site / "bin" / "run.sh").chmod(0o755)
    (site / "secret.cfg").write_text("x")
    (site / "secret.cfg").chmod(0o600)
    (site / "with space and ü'\"\n").write_text("odd")
    (site / "-rf").write_text("odd")
    (site / "empty").mkdir(mode=0o750)
    (site / "current").symlink_to("bin")
    (site / "dangling").symlink_to("/nowhere/at/all")
    (site / "large.bin").write_bytes(os.urandom(300_000))
    os.mkfifo(site / "pipe")
    os.utime(site / "large.bin", (1_600_000_000, 1_600_000_000.5))
    os.utime(site / "bin", (1_500_000_000, 1_500_000_000))


def wreck_files(site: Path) -> None:
    """What attackers and updates do: files gone, changed, added, folders become files and the other way round."""
    (site / "index.html").write_text("HACKED")
    (site / "large.bin").unlink()
    (site / "new.php").write_text("evil")
    (site / "new").mkdir()
    (site / "new" / "deep.php").write_text("evil")
    shutil.rmtree(site / "bin")
    (site / "bin").write_text("now a file")
    (site / "-rf").unlink()
    (site / "-rf").mkdir()
    (site / "current").unlink()
    (site / "current").mkdir()
    (site / "secret.cfg").chmod(0o644)
