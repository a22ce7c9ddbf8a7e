"""How a dispatch's events become runs: one for each tenant that is named in an event's key."""

from __future__ import annotations

from airflow.partition_mappers.base import PartitionMapper

from include.rules.points.partition_keys import split_key


class TenantsMapper(PartitionMapper):
    """Maps `<tenant>,<tenant>|daily|<date>` to a partition, and so to a run, for each of the tenants.

    The API server asks it when the dispatch ends, the scheduler whether it is the one that was asked; both know it by
    `plugins/perennial_plugin.py`.
    """

    def to_downstream(self, key: str) -> list[str]:
        """The partition keys, in the order in which the event's key names their tenants."""
        return list(split_key(key))
