"""What a user of sync or deferrable operators can do about their price: load all that a worker needs before it forks.

The LocalExecutor's workers are forks of the scheduler, and the process of each task is a fork of those. Everything else
is as plugins/airflow_local_settings.py has it, which this stands in for where it is first on PYTHONPATH.
"""

from __future__ import annotations

import gc
import sys

from perennial import airflow_settings

__all__: list[str] = []
"""Airflow takes what stands here for settings of its own."""

airflow_settings.preload()

if sys.argv[1:2] == ["scheduler"]:
    airflow_settings.load_operators()
    airflow_settings.load_triggers()
    airflow_settings.load_aws_models()
    gc.collect()
    gc.freeze()
