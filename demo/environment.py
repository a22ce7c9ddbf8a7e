"""What Airflow's components see of the world: this project's folders, the lab as AWS and SQL Server, nothing else."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from demo.database import database_url
from demo.scale import fleet_environment
from lab.environment import PROJECT, lab_environment
from lab.seed.fleet import fleet_connections
from lab.settings import HOST, REGION, VAULT_BUCKET, LabSettings

AWS_CONNECTION = "aws_perennial"
SQL_SERVER_CONNECTION = "sql_server_lab"
POLL_SECONDS = 1
"""Nothing here takes long."""


def airflow_environment(settings: LabSettings) -> dict[str, str]:
    """The environment of every Airflow component of one lab, as complete as `env -i` would need it.

    Raises ValueError where the state folder's path is too long for PostgreSQL's unix socket.
    """
    return lab_environment(settings) | _airflow(settings) | _connections(settings) | _perennial(settings)


def airflow_url(settings: LabSettings) -> str:
    return f"http://{HOST}:{settings.airflow_port}"


def _airflow(settings: LabSettings) -> dict[str, str]:
    home = settings.state / "airflow"
    options = {
        ("core", "dags_folder"): PROJECT / "dags",
        ("core", "plugins_folder"): PROJECT / "plugins",
        ("core", "load_examples"): False,
        ("core", "executor"): "LocalExecutor",
        ("core", "parallelism"): 4,
        ("core", "execution_api_server_url"): f"{airflow_url(settings)}/execution/",
        # Everybody who can reach the loopback interface is an administrator: for the lab alone.
        ("core", "simple_auth_manager_all_admins"): True,
        ("api", "host"): HOST,
        ("api", "port"): settings.airflow_port,
        ("api", "base_url"): airflow_url(settings),
        ("api", "secret_key"): _secret(settings, "api"),
        ("api_auth", "jwt_secret"): _secret(settings, "jwt"),
        ("database", "sql_alchemy_conn"): database_url(settings),
        ("usage_data_collection", "enabled"): False,
    }
    return (
        fleet_environment()
        | {"AIRFLOW_HOME": str(home)}
        | {f"AIRFLOW__{section}__{option}".upper(): str(value) for (section, option), value in options.items()}
    )


def _connections(settings: LabSettings) -> dict[str, str]:
    connections = fleet_connections(settings) | {
        AWS_CONNECTION: {
            "conn_type": "aws",
            "login": settings.access_key,
            "password": settings.secret_key,
            "extra": {
                "region_name": REGION,
                "endpoint_url": settings.cloud_url,
                "service_config": {"s3": {"endpoint_url": settings.storage_url}},
                "config_kwargs": {"s3": {"addressing_style": "path"}},
            },
        },
        SQL_SERVER_CONNECTION: {
            "conn_type": "mssql",
            "host": HOST,
            "port": settings.sql_server_port,
            "login": settings.sql_user,
            "password": settings.sql_password,
        },
    }
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in connections.items()}


def _perennial(settings: LabSettings) -> dict[str, str]:
    return {
        "PERENNIAL_VAULT": f"s3://{VAULT_BUCKET}",
        "PERENNIAL_BACKUP_URL": f"s3://{HOST}:{settings.storage_port}/{VAULT_BUCKET}",  # as SQL Server writes it
        "PERENNIAL_CONFIG": str(settings.state / "config"),
        "PERENNIAL_AWS_CONN_ID": AWS_CONNECTION,
        "PERENNIAL_DEPLOYMENT": "lab",
        "PERENNIAL_POLL_SECONDS": str(POLL_SECONDS),
    }


def _secret(settings: LabSettings, name: str) -> str:
    """A secret of this state folder: made once, the same for all components, readable by its owner alone."""
    path: Path = settings.state / "secrets" / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(64))
    return path.read_text()
