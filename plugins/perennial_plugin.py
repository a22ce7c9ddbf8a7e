"""What Airflow itself calls, and has to know by name: only this file of the plugins folder is a plugin."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from perennial.backup.partitions import TenantsMapper


class PerennialPlugin(AirflowPlugin):
    """Lets scheduler and API server find the class that a DAG's schedule names."""

    name = "perennial"
    partition_mappers = [TenantsMapper]  # noqa: RUF012 - a list of each class's own is what Airflow reads
