"""What the product needs in its environment to find a vault in the lab's S3, and the lab's cloud."""

from __future__ import annotations

import json

from lab.environment import lab_environment
from lab.settings import REGION, LabSettings

CONNECTION = "aws_benchmark"


def vault_environment(settings: LabSettings, place: str) -> dict[str, str]:
    """For a vault at `place` (bucket and prefix) of the lab with these settings."""
    extra = {
        "region_name": REGION,
        "endpoint_url": settings.cloud_url,
        "service_config": {"s3": {"endpoint_url": settings.storage_url}},
        "config_kwargs": {"s3": {"addressing_style": "path"}},
        "verify": False,
    }
    login = {"login": settings.access_key, "password": settings.secret_key}
    return {
        **lab_environment(settings),
        f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps({"conn_type": "aws", **login, "extra": extra}),
        "PERENNIAL_VAULT": f"s3://{place}",
        "PERENNIAL_BACKUP_URL": f"s3://127.0.0.1/{place}",
        "PERENNIAL_AWS_CONN_ID": CONNECTION,
        "PERENNIAL_DEPLOYMENT": "bench",
    }
