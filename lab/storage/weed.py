"""How weed is started: its command line, its ports, and who may do what."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lab.environment import PROJECT
from lab.settings import HOST, VAULT_BUCKET, LabSettings

POLICY_FILE = PROJECT / "docs" / "iam-policy.json"
LOCK_RIGHTS = ("GetObjectRetention", "PutObjectRetention", "GetObjectLegalHold")


def weed_command(settings: LabSettings) -> list[str]:
    """weed's command line: all its servers in one process, each on a port of ours, because the defaults collide.

    `master.resumeState` is off because a master that resumes can miss the first message of the volume server, whose
    next one comes 5 s later; it learns from that message whatever it needs. weed's own maintenance does not find its
    admin server on a port of ours, and warns of it every few seconds: the lab needs none. Nobody has to see that, so
    weed shows its errors alone; the rest is in files below its folder.
    """
    inner = master_port(settings)
    flags = {
        "dir": "data",
        "ip": HOST,
        "ip.bind": HOST,
        "master.port": inner,
        "master.port.grpc": inner + 1,
        "master.resumeState": "false",
        "master.telemetry": "false",
        "master.volumeSizeLimitMB": 256,
        "volume.port": inner + 2,
        "volume.port.grpc": inner + 3,
        "volume.max": 400,
        "filer.port": inner + 4,
        "filer.port.grpc": inner + 5,
        "filer.localSocket": "filer.sock",
        "s3.port": inner_s3_port(settings),
        "s3.port.grpc": inner + 6,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.localSocket": "s3.sock",
        "s3.config": "identities.json",
        "s3.iam": "false",
        "s3.autoCreateBucket": "false",
        "s3.allowDeleteBucketNotEmpty": "false",
        "admin.ui": "false",
        "admin.port": inner + 7,
        "admin.port.grpc": inner + 8,
        "webdav": "false",
    }
    weed = Path(sys.executable).parent / "weed"
    logging = ("-logtostderr=false", "-alsologtostderr=false", "-stderrthreshold=ERROR", "-logdir=log")
    return [str(weed), *logging, "mini", *(f"-{name}={value}" for name, value in flags.items())]


def master_port(settings: LabSettings) -> int:
    """Where weed's master answers; its other inner ports follow."""
    return settings.port_base + 10


def inner_s3_port(settings: LabSettings) -> int:
    """Where weed itself answers, behind the door."""
    return settings.port_base + 19


def filer_address(settings: LabSettings) -> str:
    """Host and port of weed's filer: it takes files below /buckets/ without a signature, for seeding many at once."""
    return f"{HOST}:{master_port(settings) + 4}"


def write_identities(settings: LabSettings, file: Path) -> None:
    """Write the keys of the lab's administrator and of the limited user, with their rights.

    weed has rights of its own for reading, writing and listing; those on locks are called as in IAM, and the limited
    user has what docs/iam-policy.json names.
    """
    (vault,) = [one for one in json.loads(POLICY_FILE.read_text())["Statement"] if one["Sid"] == "Vault"]
    on_locks = [right for right in LOCK_RIGHTS if f"s3:{right}" in vault["Action"]]
    rights = [f"{right}:{VAULT_BUCKET}" for right in ("Read", "Write", "List", *on_locks)]
    identities = [
        _identity("perennial-lab", settings.access_key, settings.secret_key, ["Admin"]),
        _identity("perennial", settings.limited_access_key, settings.limited_secret_key, rights),
    ]
    file.write_text(json.dumps({"identities": identities}, indent=2))


def _identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
