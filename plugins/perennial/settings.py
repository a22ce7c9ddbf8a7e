"""Settings of this deployment, from environment variables that every Airflow component shares."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from math import ceil
from pathlib import Path
from urllib.parse import urlsplit

from include.rules.errors import ConfigurationError
from include.rules.points.backup_files import LARGEST_STRIPE_MB, MB

PROJECT = Path(__file__).resolve().parents[2]

STRIPE_MB = 50_000
"""Half of what one file can hold: data that does not compress, a log that grows meanwhile and stripes that come out
unequal all have room.
"""


@dataclass(frozen=True)
class Settings:
    """One deployment.

    Attributes:
        vault: Where the vault is, `s3://bucket` or `s3://bucket/prefix` (PERENNIAL_VAULT).
        backup_url: The same place as SQL Server writes it, without a closing slash (PERENNIAL_BACKUP_URL), for instance
            `s3://my-vault.s3.eu-central-1.amazonaws.com/prefix`.
        config: Folder or s3:// URI that holds tenants.yaml and plans.yaml (PERENNIAL_CONFIG).
        aws_conn_id: Airflow connection for EC2, SSM and S3 (PERENNIAL_AWS_CONN_ID).
        deployment: Name of this Airflow, part of every lease's owner (PERENNIAL_DEPLOYMENT).
        lease_ttl: A lease that is not renewed for this long may be taken over (PERENNIAL_LEASE_SECONDS).
        lease_wait: How long a backup waits for a busy tenant (PERENNIAL_LEASE_WAIT_SECONDS).
        backups_per_server: How many backups run at once on one SQL Server (PERENNIAL_BACKUPS_PER_SERVER).
        stripe_bytes: How much of a database one file of its .bak takes, before compression (PERENNIAL_STRIPE_MB).
        poll: Pause between two looks at something that takes its time (PERENNIAL_POLL_SECONDS).
    """

    vault: str
    backup_url: str
    config: str
    aws_conn_id: str
    deployment: str
    lease_ttl: timedelta
    lease_wait: timedelta
    backups_per_server: int
    stripe_bytes: int
    poll: timedelta

    @classmethod
    def from_environment(cls) -> Settings:
        """Read the environment.

        Raises:
            ConfigurationError: when a setting is missing or cannot be used; the message names the variable.
        """
        return cls(
            vault=_s3_uri("PERENNIAL_VAULT"),
            backup_url=_s3_uri("PERENNIAL_BACKUP_URL"),
            config=os.environ.get("PERENNIAL_CONFIG") or str(PROJECT / "include" / "config"),
            aws_conn_id=os.environ.get("PERENNIAL_AWS_CONN_ID", "aws_default"),
            deployment=os.environ.get("PERENNIAL_DEPLOYMENT", "airflow"),
            lease_ttl=_seconds("PERENNIAL_LEASE_SECONDS", 600),
            lease_wait=_seconds("PERENNIAL_LEASE_WAIT_SECONDS", 1800),
            backups_per_server=max(1, round(_number("PERENNIAL_BACKUPS_PER_SERVER", 2))),
            stripe_bytes=ceil(_number("PERENNIAL_STRIPE_MB", STRIPE_MB, at_most=LARGEST_STRIPE_MB) * MB),
            poll=_seconds("PERENNIAL_POLL_SECONDS", 5),
        )

    @property
    def pauses(self) -> tuple[float, ...]:
        """Seconds between tries of something that may be away for a while.

        From 5 s on, doubling five times: a server that restarts is back within two and a half minutes.
        """
        return tuple(self.poll.total_seconds() * 2**number for number in range(5))

    @property
    def second_look(self) -> timedelta:
        """How long after a first look that found damage the second one is taken: a minute."""
        return 12 * self.poll

    def run_label(self, what: str) -> str:
        """A name for something that runs elsewhere (a session, a script), by which a later attempt finds it again.

        It differs between two vaults, so that what another deployment runs on the same server is never touched.
        """
        return f"perennial {sha256(self.vault.encode()).hexdigest()[:8]} {what}"

    @property
    def vault_bucket(self) -> str:
        return urlsplit(self.vault).netloc

    @property
    def vault_prefix(self) -> str:
        """Prefix of every key in the vault: empty, or ending with a slash."""
        path = urlsplit(self.vault).path.strip("/")
        return f"{path}/" if path else ""


def _s3_uri(variable: str) -> str:
    value = os.environ.get(variable, "")
    parts = urlsplit(value)
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError(
            f"The environment variable {variable} is {value!r}, not an s3:// URI of a bucket and a prefix.",
            why="Perennial does not know where its vault is, so nothing was done.",
            todo="Set it for every Airflow component, the triggerer too; README.md shows an example.",
        )
    return value.rstrip("/")


def _seconds(variable: str, default: float) -> timedelta:
    return timedelta(seconds=_number(variable, default))


def _number(variable: str, default: float, *, at_most: float = 10**6) -> float:
    text = os.environ.get(variable, str(default))
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= at_most:
        raise ConfigurationError(
            f"The environment variable {variable} is {text!r}, not a number from 0 to {at_most:,.0f}.",
            why="Nothing was done.",
            todo=f"Set it to a number, or remove it for the default of {default:g}.",
        )
    return value
