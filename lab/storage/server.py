"""`python -m lab.storage`: the lab's S3, SeaweedFS's `weed` under a supervisor, on loopback with signatures checked.

The supervisor makes sure that weed never outlives it and that stopping is bounded. Killing weed loses nothing: an
acknowledged write has left its memory.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import subprocess
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.settings import HOST, REGION, VAULT_BUCKET, LabSettings
from lab.storage.door import StorageProxy
from lab.waiting import wait_until

STOP_SECONDS = 5
LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1  # prctl(2)


def storage_folder(settings: LabSettings) -> Path:
    """Where the lab's S3 keeps everything."""
    return settings.state / "storage"


def is_ready(settings: LabSettings) -> bool:
    """Whether the lab's S3 answers on its port and has found the volumes with the objects."""
    topology = _fetch(_master_port(settings), "/dir/status")
    volumes_found = topology is not None and json.loads(topology)["Topology"]["Max"] > 0
    return volumes_found and _fetch(settings.storage_port, "/healthz") is not None


def wait_until_ready(settings: LabSettings, seconds: float) -> None:
    """Wait for the lab's S3 to answer.

    Raises:
        TimeoutError: it did not answer within `seconds`.
    """
    complaint = (
        f"The lab's S3 did not answer on {settings.storage_url} within {seconds:g} s, so there is no vault. "
        f"Look at its log, or run `python -m lab.storage` by hand to see why."
    )
    wait_until(lambda: is_ready(settings), seconds, complaint)


def ensure_bucket(settings: LabSettings, bucket: str = VAULT_BUCKET) -> None:
    """Make the vault's bucket, without versioning, unless it is there already."""
    s3 = boto3.client(
        "s3",
        endpoint_url=settings.storage_url,
        region_name=REGION,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise


def weed_command(settings: LabSettings) -> list[str]:
    """weed's command line: all its servers in one process, each on a port of ours, because the defaults collide.

    `master.resumeState` is off because a master that resumes can miss the first message of the volume server, whose
    next one comes 5 s later; it learns from that message whatever it needs. weed's own maintenance does not find its
    admin server on a port of ours, and warns of it every few seconds: the lab needs none. Nobody has to see that, so
    weed shows its errors alone; the rest is in files below its folder.
    """
    inner = _master_port(settings)
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


def _master_port(settings: LabSettings) -> int:
    return settings.port_base + 10


def inner_s3_port(settings: LabSettings) -> int:
    """Where weed itself answers, behind the door."""
    return settings.port_base + 19


def _fetch(port: int, path: str) -> bytes | None:
    """The body of a page of one of weed's servers, None while there is none."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def main() -> None:
    """Run weed until SIGTERM or SIGINT; it also ends when this process is killed."""
    settings = LabSettings.from_environment()
    folder = storage_folder(settings)
    for name in ("data", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    _write_identities(settings, folder / "identities.json")
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, _leave)
    parent = os.getpid()
    weed = subprocess.Popen(weed_command(settings), cwd=folder, preexec_fn=lambda: _die_with(parent))
    try:
        code = asyncio.run(_serve_until_end_of(weed, settings))
    finally:
        _stop(weed)
        _remove_sockets(settings)
    sys.exit(f"The lab's S3 ended by itself with code {code}; its last messages, above and in storage/log, say why.")


async def _serve_until_end_of(weed: subprocess.Popen[bytes], settings: LabSettings) -> int:
    """Keep the door open for as long as weed runs; its exit code."""
    door = asyncio.create_task(StorageProxy(inner_s3_port(settings), settings.state).serve(settings.storage_port))
    while (code := weed.poll()) is None:
        await asyncio.wait([door], timeout=LOOK_SECONDS)
        if door.done():
            door.result()  # it never ends by itself: the port is taken, say
    return code


def _leave(signal_number: int, _: FrameType | None) -> NoReturn:
    sys.exit(0)


def _write_identities(settings: LabSettings, file: Path) -> None:
    rights = [f"{right}:{VAULT_BUCKET}" for right in ("Read", "Write", "List")]
    identities = [
        _identity("perennial-lab", settings.access_key, settings.secret_key, ["Admin"]),
        _identity("perennial", settings.limited_access_key, settings.limited_secret_key, rights),
    ]
    file.write_text(json.dumps({"identities": identities}, indent=2))


def _identity(name: str, key: str, secret: str, actions: list[str]) -> dict[str, Any]:
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}


def _die_with(parent: int) -> None:
    """In the new process: be killed when its parent dies, however that dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _stop(weed: subprocess.Popen[bytes]) -> None:
    weed.terminate()
    try:
        weed.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        weed.kill()
        weed.wait()


def _remove_sockets(settings: LabSettings) -> None:
    """weed leaves sockets named after its inner ports in /tmp, wherever TMPDIR points."""
    for port in range(settings.port_base + 10, settings.port_base + 20):
        for socket_file in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"):  # noqa: S108
            socket_file.unlink(missing_ok=True)
