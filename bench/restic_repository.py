"""A restic repository with snapshots of chosen times, made without ten thousand backups.

The snapshots hold nothing: `restic forget` reads only their times. Format: restic.readthedocs.io, "References",
sections "Keys, Encryption and MAC" and "Snapshots".
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

from bench.stored_points import put_all
from lab.settings import REGION
from lab.testing.storage import LabStorage

PASSWORD = "benchmark"  # noqa: S105


def environment(folder: Path) -> dict[str, str]:
    """What restic needs to know of the repository in `folder`."""
    return os.environ | {
        "RESTIC_REPOSITORY": str(folder / "repository"),
        "RESTIC_PASSWORD": PASSWORD,
        "RESTIC_CACHE_DIR": str(folder / "cache"),
    }


def make_repository(restic: str, folder: Path, times: Iterable[datetime]) -> None:
    """Make a repository below `folder` with one snapshot at each of `times`."""
    subprocess.run([restic, "init", "--quiet"], env=environment(folder), check=True, timeout=120)
    encryption, mac_k, mac_r = _master_key(folder / "repository")
    snapshots = folder / "repository" / "snapshots"
    for time in times:
        content = {"time": time.isoformat(), "tree": "0" * 64, "paths": ["/acme"], "hostname": "acme"}
        sealed = _seal(json.dumps(content).encode(), encryption, mac_k, mac_r)
        (snapshots / hashlib.sha256(sealed).hexdigest()).write_bytes(sealed)


def store_in_s3(storage: LabStorage, folder: Path) -> dict[str, str]:
    """Copy the repository below `folder` to the lab's S3.

    Returns:
        The environment variables with which restic finds it there; its cache is `folder / "cache"`.
    """
    repository, prefix = folder / "repository", storage.new_prefix()
    files = {prefix + str(file.relative_to(repository)): file for file in repository.rglob("*") if file.is_file()}
    put_all(storage, storage.bucket, {key: file.read_bytes() for key, file in files.items()})
    return environment(folder) | {
        "RESTIC_REPOSITORY": f"s3:{storage.settings.storage_url}/{storage.bucket}/{prefix}",
        "AWS_ACCESS_KEY_ID": storage.settings.access_key,
        "AWS_SECRET_ACCESS_KEY": storage.settings.secret_key,
        "AWS_DEFAULT_REGION": REGION,
    }


def _master_key(repository: Path) -> tuple[bytes, bytes, bytes]:
    """The repository's key for AES-256, and the two halves k and r of its key for Poly1305-AES."""
    (file,) = (repository / "keys").iterdir()
    key = json.loads(file.read_text())
    user = hashlib.scrypt(
        PASSWORD.encode(),
        salt=base64.b64decode(key["salt"]),
        n=key["N"],
        r=key["r"],
        p=key["p"],
        dklen=64,
        maxmem=2**30,
    )
    sealed = base64.b64decode(key["data"])
    master = json.loads(_aes_ctr(user[:32], sealed[:16], sealed[16:-16]))
    parts = (master["encrypt"], master["mac"]["k"], master["mac"]["r"])
    encryption, mac_k, mac_r = (base64.b64decode(part) for part in parts)
    return encryption, mac_k, mac_r


def _seal(content: bytes, encryption: bytes, mac_k: bytes, mac_r: bytes) -> bytes:
    nonce = os.urandom(16)
    hidden = _aes_ctr(encryption, nonce, content)
    one_block = Cipher(algorithms.AES(mac_k), modes.ECB()).encryptor()  # noqa: S305  Poly1305-AES is made of one block
    return nonce + hidden + Poly1305.generate_tag(mac_r + one_block.update(nonce), hidden)


def _aes_ctr(key: bytes, nonce: bytes, content: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(content)
