"""Tenants of one web host, whose folders share a volume, each with a recovery point to bring its files back from."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from bench.stored_points import TENANT, manifest
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.register.tenants import Tenant
from lab.settings import ZONE
from lab.testing.cloud import LabCloud
from lab.testing.storage import LabStorage

MOUNT = "/srv"
FILES, LARGEST = 200, 64 * 1024


@dataclass(frozen=True)
class Sites:
    """What was stored.

    Attributes:
        prefix: Of the vault in its bucket, ending in a slash.
        folders: By tenant id, where its folder truly lies.
        before: By tenant id, the digest of what was in the folder.
    """

    prefix: str
    instance: str
    snapshot: str
    tenants: tuple[Tenant, ...]
    folders: dict[str, Path]
    before: dict[str, str]

    def wreck(self) -> None:
        """Lose half of each site's files, spoil one, add one."""
        for folder in self.folders.values():
            files = sorted(path for path in folder.rglob("*") if path.is_file())
            for file in files[::2]:
                file.unlink()
            files[1].write_bytes(b"spoilt")
            (folder / "left by somebody").write_bytes(b"not there before")

    def differing(self) -> list[str]:
        """Ids of the tenants whose folder is not what it was, byte for byte."""
        return [tenant for tenant, folder in self.folders.items() if digest(folder) != self.before[tenant]]


def store_sites(storage: LabStorage, cloud: LabCloud, count: int) -> Sites:
    """Make the host and its sites, take a snapshot of their volume, and write a verified point of it for each."""
    instance = cloud.make_instance()
    volume = cloud.make_volume(instance, mount=MOUNT)
    root, prefix = cloud.host_path(instance, MOUNT), f"{uuid4().hex[:12]}/"
    tenants = tuple(_tenant(f"site{number}", instance, volume, root) for number in range(count))
    folders = {tenant.id: Path(tenant.web.path) for tenant in tenants}
    for name, folder in folders.items():
        _fill(folder, random.Random(name))  # noqa: S311 - the same tree in each run
    snapshot, client = cloud.make_snapshot(volume), storage.client()
    for tenant in tenants:
        point = _point(tenant, snapshot)
        body = json.dumps({**point.model_dump(mode="json"), "nonce": uuid4().hex}).encode()
        key = f"{prefix}recovery-points/{tenant.id}/{point.id}/manifest.json"
        client.put_object(Bucket=storage.bucket, Key=key, Body=body)
    before = {name: digest(folder) for name, folder in folders.items()}
    return Sites(prefix, instance, snapshot, tenants, folders, before)


def digest(folder: Path) -> str:
    """One hash of all paths below a folder and of all bytes in its files."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        whole.update(f"{path.relative_to(folder)}\0{path.is_file()}\0".encode())
        if path.is_file():
            whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def _tenant(name: str, instance: str, volume: str, root: Path) -> Tenant:
    web = {"instance": instance, "volume": volume, "zone": ZONE, "mount": str(root), "path": str(root / name)}
    return TENANT.model_copy(update={"id": name, "web": TENANT.web.model_validate(web)})


def _point(tenant: Tenant, snapshot: str) -> Manifest:
    at = datetime.now(UTC) - timedelta(hours=1)
    point = manifest(f"{tenant.id}-daily-{at:%Y%m%d}", at, tenant=tenant)
    web = point.parts.web_snapshot
    if web is None:
        raise AssertionError("the point has a web snapshot")
    parts = point.parts.model_copy(update={"web_snapshot": web.model_copy(update={"snapshot_id": snapshot})})
    looks = {PartName.WEB_SNAPSHOT: VolumeLook(at=at - timedelta(minutes=1))}
    return point.model_copy(update={"parts": parts, "looks": looks})


def _fill(folder: Path, chance: random.Random) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for number in range(FILES):
        file = folder / f"folder {number % 12}" / f"file {number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(chance.randrange(LARGEST)))
