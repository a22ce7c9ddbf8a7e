"""The folders behind the lab's volumes, snapshots and hosts.

    volumes/<volume>/      what is on a volume; its folders p1, p2 are its partitions when it has a file PARTITION_TABLE
    sizes/<volume>         its size in bytes
    snapshots/<snapshot>/  a volume's content at the moment of CreateSnapshot
    hosts/<instance>/      a host's root folder
        dev/sdf            the attached volume, a symbolic link to its folder
        run/mounts/sdf     where that device is mounted, a symbolic link to the mount point
                           (a mount that was killed on its way leaves one that leads to no link: nothing is mounted)
    commands/<command>/    script and output of what SSM ran

A mount point is a symbolic link to the volume's folder, so a script writes `find DIR/` (right on a real host too) and
not `find DIR`.

This shows that orchestration is right and that bytes come back. It does not show block semantics: no file system is on
a volume, a snapshot of a tree being written to is not crash-consistent across files, nothing is loaded lazily, and
a volume holds more than its size.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

PARTITION_TABLE = ".partition-table"


class DataPlane:
    """The folders under `root`; every method is called with the state's lock held."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for kind in ("volumes", "sizes", "snapshots", "hosts", "commands"):
            (root / kind).mkdir(parents=True, exist_ok=True)

    def volume(self, volume_id: str) -> Path:
        return self.root / "volumes" / volume_id

    def note_size(self, volume_id: str, gib: int) -> None:
        """Let hosts see how large a volume is."""
        (self.root / "sizes" / volume_id).write_text(f"{gib * 2**30}\n")

    def snapshot(self, snapshot_id: str) -> Path:
        return self.root / "snapshots" / snapshot_id

    def host(self, instance_id: str) -> Path:
        return self.root / "hosts" / instance_id

    def command(self, command_id: str, instance_id: str) -> Path:
        return self.root / "commands" / command_id / instance_id

    def copy(self, source: Path, target: Path) -> None:
        """Copy a folder with modes, owners, times, links and attributes; `target` appears whole or not at all.

        Raises:
            RuntimeError: something could not be copied, other than a file its writer removed meanwhile.
        """
        unfinished = target.with_name(f"{target.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        command = ["cp", "--archive", "--reflink=auto", f"{source}/.", str(unfinished)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
        complaints = [line for line in done.stderr.splitlines() if not line.endswith("No such file or directory")]
        if done.returncode and complaints:
            raise RuntimeError(f"The lab could not copy {source} to {target}: {complaints[0]}")
        unfinished.replace(target)

    def attach(self, volume_id: str, instance_id: str, device: str) -> None:
        """Show a volume as a device of a host."""
        link, volume = self._device(instance_id, device), self.volume(volume_id)
        link.parent.mkdir(parents=True, exist_ok=True)
        parts = {part.name: part for part in volume.glob("p[1-9]")} if (volume / PARTITION_TABLE).exists() else {}
        shown = {link: volume, **{link.with_name(link.name + name[1:]): part for name, part in parts.items()}}
        for path, folder in shown.items():
            path.unlink(missing_ok=True)
            path.symlink_to(folder)

    def detach(self, instance_id: str, device: str) -> None:
        """Take a device from a host; a mount that still shows it is broken off, as forcing does on AWS."""
        self.unmount(instance_id, device)
        for path in (self._device(instance_id, device), *self._parts(instance_id, device)):
            path.unlink(missing_ok=True)

    def has_other_device(self, instance_id: str, device: str) -> bool:
        """Whether something that is no volume, a disk of the instance's own, has that name: no volume shows it."""
        path = self._device(instance_id, device)
        return path.exists() and not path.is_symlink()

    def is_mounted(self, instance_id: str, device: str) -> bool:
        """Whether some folder of the host shows the device, or a partition of it."""
        records = self._mount_records(instance_id, device)
        return any(record.is_symlink() and record.readlink().is_symlink() for record in records)

    def unmount(self, instance_id: str, device: str) -> None:
        """Make the mount points of a device and its partitions, if it has any, empty folders again."""
        for record in self._mount_records(instance_id, device):
            self._unmount(record)

    def _unmount(self, record: Path) -> None:
        if not record.is_symlink():
            return
        mount_point = record.readlink()
        if mount_point.is_symlink():
            mount_point.unlink()
            mount_point.mkdir()
        record.unlink()

    def sweep(self, volumes: set[str], snapshots: set[str], hosts: set[str]) -> None:
        """Remove folders nothing knows: copies cut off half-way, and deletions cut off after their metadata."""
        for kind, known in (("volumes", volumes), ("snapshots", snapshots), ("hosts", hosts)):
            for folder in (self.root / kind).iterdir():
                if folder.name not in known:
                    shutil.rmtree(folder)
        for size in (self.root / "sizes").iterdir():
            if size.name not in volumes:
                size.unlink()

    def keep_devices(self, instance_id: str, devices: dict[str, str]) -> None:
        """Show exactly these devices (name -> volume) on a host; mounts of the others are broken off."""
        names = {Path(device).name for device in devices}
        for link in (self.host(instance_id) / "dev").glob("*"):
            if link.is_symlink() and link.name not in names and link.name.rstrip("123456789") not in names:
                self.detach(instance_id, link.name)
        for device, volume_id in devices.items():
            self.attach(volume_id, instance_id, device)

    def _device(self, instance_id: str, device: str) -> Path:
        return self.host(instance_id) / "dev" / Path(device).name

    def _parts(self, instance_id: str, device: str) -> list[Path]:
        """The partitions of a device: a disk /dev/sdf has /dev/sdf1, the disk /dev/sda1 has none."""
        whole = self._device(instance_id, device)
        return [] if whole.name[-1].isdigit() else list(whole.parent.glob(f"{whole.name}[1-9]"))

    def _mount_records(self, instance_id: str, device: str) -> list[Path]:
        names = [Path(device).name, *(part.name for part in self._parts(instance_id, device))]
        return [self.host(instance_id) / "run" / "mounts" / name for name in names]
