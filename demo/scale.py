"""Settings of Airflow for a fleet, each with its reason; docker-compose.yaml has the same, and a test compares them.

What is not here was looked at and left as Airflow has it: `triggerer.capacity` (1000: there are at most as many waiting
steps as active runs), `triggerer.max_trigger_to_select_per_loop` (50 a second, where 1,000 backups in eight minutes
begin 13), `scheduler.scheduler_idle_sleep_time` (1 s: less burns CPU time, more adds to each step),
`scheduler.max_tis_per_query` and `scheduler.max_dagruns_to_create_per_loop` (neither takes part in runs of partitions
and steps without workers), `database.sql_alchemy_pool_size` (each component uses one or two connections).
"""

from __future__ import annotations

FOR_A_FLEET: dict[tuple[str, str], object] = {
    # A DAG file that has changed is parsed at once whatever this says, because of the next setting. Parsing the others
    # again costs 0.4 CPU-s each time, by default every 30 s. What a file imports changes with an upgrade, which
    # restarts the dag-processor anyway.
    ("dag_processor", "min_file_process_interval"): 600,
    ("dag_processor", "file_parsing_sort_mode"): "modified_time",
    # Each end of a step asks the dag-processor for callbacks, whether there are any or not, and each process that it
    # starts for that parses the DAG file: what has come in together is told to one process.
    ("dag_processor", "max_callbacks_per_loop"): 500,
    # A loop a second looks at so many runs for steps that have ended, 40 of the 96 backups that are active at once:
    # a step waits 1.2 s for its successor, and 2.4 s at most. 20, the default, would double that. Each look costs 4 ms
    # of CPU time, needed or not: all 96 would cost a scheduler that waits for snapshots over a third of a core.
    ("scheduler", "max_dagruns_per_loop_to_schedule"): 40,
    # The dispatch ends with one request that writes all its runs' keys, 4.5 ms for each. A worker that has no answer
    # after 5 s, the default, asks again, and that request waits for the rows of the first, up to five times.
    ("workers", "execution_api_timeout"): 60,
}


def fleet_environment() -> dict[str, str]:
    """The settings as environment variables."""
    return {f"AIRFLOW__{section}__{option}".upper(): str(value) for (section, option), value in FOR_A_FLEET.items()}
