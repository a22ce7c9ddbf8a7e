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
SQL_SERVER_AGENT = "lab-sql-server"  # in the User-Agent of SQL Server's requests of S3, to tell them from others


FIRST_PORT, LAST_PORT = 1024, 65535
PORTS = 60  # a lab's share, from its port base on
MOST_SQL_SERVERS = 31  # the first has a port of its own, the others those from port_base + 30 on


class SettingsError(RuntimeError):
    """A variable of the environment makes no sense."""


@dataclass(frozen=True)
class LabSettings:
    """One lab: `state` holds everything it keeps, `port_base` is the first of its sixty ports.

    `sql_servers` is how many SQL Servers it has, numbered from 1; each is an instance of its own.
    """

    state: Path
    port_base: int
    sql_servers: int = 1

    @classmethod
    def from_environment(cls) -> LabSettings:
        """Read PERENNIAL_LAB_STATE (`.lab`), PERENNIAL_LAB_PORT_BASE (15600) and PERENNIAL_LAB_SQL_SERVERS (1).

        Raises:
            SettingsError: the port base is no number, or leaves no room for a lab's ports; or the number of servers.
        """
        return cls(
            state=Path(os.environ.get("PERENNIAL_LAB_STATE") or ".lab").absolute(),
            port_base=_port_base(os.environ.get("PERENNIAL_LAB_PORT_BASE") or "15600"),
            sql_servers=_sql_servers(os.environ.get("PERENNIAL_LAB_SQL_SERVERS") or "1"),
        )

    def environment(self) -> dict[str, str]:
        """The variables that make a child process see this same lab."""
        return {
            "PERENNIAL_LAB_STATE": str(self.state),
            "PERENNIAL_LAB_PORT_BASE": str(self.port_base),
            "PERENNIAL_LAB_SQL_SERVERS": str(self.sql_servers),
        }

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
        """The first SQL Server stand-in (TDS)."""
        return self.sql_port(1)

    @property
    def sql_numbers(self) -> range:
        """The numbers of the lab's SQL Servers."""
        return range(1, self.sql_servers + 1)

    def sql_port(self, number: int) -> int:
        """The port of one of the SQL Servers: port_base + 2, and for the others port_base + 30 and on."""
        return self.port_base + (2 if number == 1 else 28 + number)

    def sql_folder(self, number: int) -> Path:
        """What one of the SQL Servers keeps: `sqlserver`, `sqlserver-02`, ..."""
        return self.state / ("sqlserver" if number == 1 else f"sqlserver-{number:02}")

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


def _sql_servers(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= MOST_SQL_SERVERS):
        raise SettingsError(
            f"PERENNIAL_LAB_SQL_SERVERS is {text!r}, but it wants a number from 1 to {MOST_SQL_SERVERS}: how many SQL "
            "Servers the lab has."
        )
    return int(text)
