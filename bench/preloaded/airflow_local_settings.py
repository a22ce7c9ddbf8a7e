"""What a user of sync or deferrable operators can do about their price: load all that a worker needs before it forks.

The LocalExecutor's workers are forks of the scheduler, and the process of each task is a fork of those. Everything else
is as plugins/airflow_local_settings.py has it, which this stands in for where it is first on PYTHONPATH.
"""

from __future__ import annotations

import gc
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

__all__: list[str] = []
"""Airflow takes what stands here for settings of its own."""

SHIPPED = Path(__file__).parents[2] / "plugins" / "airflow_local_settings.py"

_spec = spec_from_file_location("shipped_local_settings", SHIPPED)
if _spec is None or _spec.loader is None:
    raise ImportError(f"{SHIPPED} is not there")
shipped = module_from_spec(_spec)
_spec.loader.exec_module(shipped)  # which loads what this component needs

if sys.argv[1:2] == ["scheduler"]:
    shipped.load_operators()
    shipped.load_triggers()
    shipped.load_aws_models()
    gc.collect()
    gc.freeze()
