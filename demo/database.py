"""Where Airflow's metadata database is: PostgreSQL on a unix socket in the lab's state folder."""

from __future__ import annotations

import os
from pathlib import Path

import psycopg2

from lab.settings import LabSettings

SUPERUSER = "postgres"
SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107  # bytes of sun_path in struct sockaddr_un, less the closing NUL


def data_folder(settings: LabSettings) -> Path:
    """The server's data, and the unix socket in it."""
    return settings.state / "postgres"


def database_url(settings: LabSettings) -> str:
    """SQLAlchemy's address of the server.

    Raises ValueError where the state folder's path is too long for a unix socket.
    """
    socket = data_folder(settings) / SOCKET_NAME
    if len(os.fsencode(socket)) > SOCKET_PATH_LIMIT:
        raise ValueError(
            f"PostgreSQL cannot start in {settings.state}: the path of its unix socket would be longer than the "
            f"system's limit of {SOCKET_PATH_LIMIT} bytes. Move the project to a folder with a shorter path."
        )
    return f"postgresql+psycopg2://{SUPERUSER}@/{SUPERUSER}?host={data_folder(settings)}"


def is_ready(settings: LabSettings) -> bool:
    """Whether the server takes connections."""
    try:
        connect(settings).close()
    except psycopg2.OperationalError:
        return False
    return True


def connect(settings: LabSettings) -> psycopg2.extensions.connection:
    """A connection to Airflow's metadata, for reading Airflow's own records."""
    return psycopg2.connect(host=str(data_folder(settings)), user=SUPERUSER, dbname=SUPERUSER)
