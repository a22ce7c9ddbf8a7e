"""Airflow's own records, read from its metadata database: what really was started on a worker."""

from __future__ import annotations

from collections import Counter

from demo.database import connect
from lab.settings import LabSettings

# A task instance gets a process id when a worker starts it. Retries and clearings move the earlier try to the history.
WORKER_STARTS = """
SELECT dag_id, count(*) FROM (
    SELECT dag_id, run_id, task_id, map_index, try_number FROM task_instance WHERE pid IS NOT NULL
    UNION
    SELECT dag_id, run_id, task_id, map_index, try_number FROM task_instance_history WHERE pid IS NOT NULL
) AS started GROUP BY dag_id
"""


def worker_starts(settings: LabSettings) -> Counter[str]:
    """How often a worker process was started for a task, by DAG id; DAGs that never needed one are not in it."""
    connection = connect(settings)
    try:
        with connection.cursor() as cursor:
            cursor.execute(WORKER_STARTS)
            return Counter({str(dag_id): int(starts) for dag_id, starts in cursor.fetchall()})
    finally:
        connection.close()
