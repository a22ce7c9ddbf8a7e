"""How the baselines are queued: as the product's own are, by one task whose events name many tenants each."""

from __future__ import annotations

from typing import Any, cast

import pendulum
from airflow.sdk import Asset, BaseOperator
from airflow.sdk.definitions.context import Context

MAX_ACTIVE_RUNS = 96
"""As dags/tenant_backup.py has it: a test holds both to each other."""

REQUEST = "{{ dag_run.partition_key or params.request }}"


class QueueTenantsOperator(BaseOperator):
    """Queues one run for each tenant that is due, as `QueueBackupsOperator` does."""

    def __init__(self, *, asset: Asset, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset

    def execute(self, context: Context) -> int:
        """Queue them; returns how many."""
        from include.rules.points.partition_keys import join_keys
        from perennial.backup.dispatch import partitions_due

        run = context["dag_run"]
        keys = partitions_due(pendulum.instance(run.run_after).in_timezone("UTC"))
        outlet, joined = context["outlet_events"][self.asset], join_keys(keys)
        outlet.add_partitions(list(joined))
        outlet.partition_keys = cast("set[str]", dict.fromkeys(joined).keys())  # in their order, as the product has it
        return len(keys)
