"""Scripts of include/scripts/ on a host of the lab, sent through its SSM."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from include.rules.register.tenants import Platform
from lab.cloud.hosts import HOST_TOOLS
from lab.testing.cloud import LabCloud, ScriptResult
from perennial.hooks.aws.host_scripts import script_lines

MARKER = "app_offline.htm"
MOUNT = "perennial-under-test"
PLACES = {
    "MOUNT_NAME": MOUNT,
    "DEVICE": "/dev/sdg",
    "VOLUME_GIB": "8",
    "OFFLINE_MARKER": MARKER,
    "ONLY_LOOK_SECONDS": "0",
}
"""What the scripts that read from a volume of the lab are told of it, beside its id."""

IS_ROOT = os.geteuid() == 0
"""Whether scripts on hosts, which run with this process's rights, may give files to somebody else."""


@dataclass(frozen=True)
class HostWithVolume:
    """A host with a volume from a snapshot attached: `volume` is that volume's root, `site` a folder of the host."""

    cloud: LabCloud
    instance: str
    volume_id: str
    volume: Path
    site: Path
    path: str = ""

    def run(self, script: str, **parameters: str) -> ScriptResult:
        """Run a script to its end, in /bin/sh as the agent does; `path` are the folders of its programs."""
        lines = script_lines(Platform.LINUX, script, {**PLACES, "VOLUME_ID": self.volume_id, **parameters})
        file = self.cloud.host_path(self.instance, f"/tmp/{script}.sh")
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
        return self.cloud.run(self.instance, f"PATH={self.path or '$PATH'} exec /bin/sh {file}")

    def ask(self, script: str, **parameters: str) -> dict[str, Any]:
        """Run a script that is to succeed; returns its answer."""
        done = self.run(script, **parameters)
        assert done.status == "Success", done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def refusal(self, script: str, **parameters: str) -> str:
        """Run a script that is to fail; returns its complaint."""
        done = self.run(script, **parameters)
        assert done.status == "Failed", done.stdout
        return done.stderr.strip()


@contextmanager
def another_disk(folder: Path, size: str = "1m") -> Iterator[None]:
    """A file system of its own, mounted on a folder for the block; the test is skipped where nothing may be mounted."""
    mounted = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"nothing can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["/bin/umount", folder], check=True)


@pytest.fixture
def host_without_rsync(host: HostWithVolume, tmp_path: Path) -> HostWithVolume:
    """The same host; its programs are all but rsync."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if program.name != "rsync":
            (programs / program.name).symlink_to(program)
    return replace(host, path=f"{HOST_TOOLS}:{programs}")


@pytest.fixture
def host(lab_cloud: LabCloud) -> Iterator[HostWithVolume]:
    """A host with an empty folder /srv/site and an attached volume that holds the empty folder site."""
    instance = lab_cloud.make_instance()
    volume_id = lab_cloud.make_volume(instance, "/dev/sdg")
    volume, site = lab_cloud.volume_path(volume_id), lab_cloud.host_path(instance, "/srv/site")
    (volume / "site").mkdir()
    site.mkdir(parents=True)
    yield HostWithVolume(lab_cloud, instance, volume_id, volume, site)
    assert list(lab_cloud.host_path(instance, "/tmp").glob("perennial-*")) == [], "a mount point was left"
