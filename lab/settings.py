"""Where one lab lives: its state folder, its ports and its sign-in, all taken from the environment.

Two labs can run side by side (`make up` and a test, say) as long as each has a state folder and a port base of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
REGION = "eu-central-1"
ZONE = "eu-central-1a"
VAULT_BUCKET = "perennial-vault"


FIRST_PORT, LAST_PORT = 1024, 65535
PORTS = 30  # a lab's share, from its port base on


class SettingsError(RuntimeError):
    """A variable of the environment makes no sense."""


@dataclass(frozen=True)
class LabSettings:
    """One lab: `state` holds everything it keeps, `port_base` is the first of its thirty ports."""

    state: Path
    port_base: int

    @classmethod
    def from_environment(cls) -> LabSettings:
        """Read PERENNIAL_LAB_STATE (default `.lab`) and PERENNIAL_LAB_PORT_BASE (default 15600).

        Raises:
            SettingsError: the port base is no number, or leaves no room for a lab's ports.
        """
        return cls(
            state=Path(os.environ.get("PERENNIAL_LAB_STATE") or ".lab").absolute(),
            port_base=_port_base(os.environ.get("PERENNIAL_LAB_PORT_BASE") or "15600"),
        )

    def environment(self) -> dict[str, str]:
        """The variables that make a child process see this same lab."""
        return {"PERENNIAL_LAB_STATE": str(self.state), "PERENNIAL_LAB_PORT_BASE": str(self.port_base)}

    @property
    def cloud_port(self) -> int:
        """EC2, SSM, STS and IAM (moto with a data plane)."""
        return self.port_base

    @property
    def storage_port(self) -> int:
        """S3 (SeaweedFS); its inner servers use the ports from port_base + 10 to port_base + 19."""
        return self.port_base + 1

    @property
    def sql_server_port(self) -> int:
        """The SQL Server stand-in (TDS)."""
        return self.port_base + 2

    @property
    def airflow_port(self) -> int:
        """Airflow's API server and UI; its log servers use port_base + 21 and port_base + 22."""
        return self.port_base + 20

    @property
    def cloud_url(self) -> str:
        return f"http://{HOST}:{self.cloud_port}"

    @property
    def storage_url(self) -> str:
        return f"http://{HOST}:{self.storage_port}"

    # Fixed lab credentials: every server of the lab listens on loopback only.
    access_key = "PERENNIALLABKEY00001"
    secret_key = "perenniallabsecret0000000000000000000001"  # noqa: S105
    # The key of a user `perennial` that may do only what docs/iam-policy.json allows; the one above may do everything.
    limited_access_key = "AKIAPERENNIALLAB0002"
    limited_secret_key = "perenniallabsecret0000000000000000000002"  # noqa: S105
    sql_user = "sa"
    sql_password = "Lab-Passw0rd"  # noqa: S105


def _port_base(text: str) -> int:
    last = LAST_PORT - PORTS + 1
    if not (text.isascii() and text.isdecimal() and FIRST_PORT <= int(text) <= last):
        raise SettingsError(
            f"PERENNIAL_LAB_PORT_BASE is {text!r}, but it wants a number from {FIRST_PORT} to {last}, the first of the "
            f"lab's {PORTS} ports."
        )
    return int(text)
