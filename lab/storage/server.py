"""`python -m lab.storage`: the lab's S3, SeaweedFS's `weed` under a supervisor, on loopback with signatures checked.

The supervisor makes sure that weed never outlives it and that stopping is bounded. Killing weed loses nothing: an
acknowledged write has left its memory.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lab.settings import LabSettings
from lab.storage.door import StorageProxy
from lab.storage.weed import inner_s3_port, weed_command, write_identities

STOP_SECONDS = 5
LOOK_SECONDS = 0.2
_PR_SET_PDEATHSIG = 1  # prctl(2)


def storage_folder(settings: LabSettings) -> Path:
    """Where the lab's S3 keeps everything."""
    return settings.state / "storage"


def main() -> None:
    """Run weed until SIGTERM or SIGINT; it also ends when this process is killed."""
    settings = LabSettings.from_environment()
    folder = storage_folder(settings)
    for name in ("data", "log"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_identities(settings, folder / "identities.json")
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
