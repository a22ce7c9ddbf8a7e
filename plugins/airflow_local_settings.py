"""What Airflow reads at each start ("local settings"). An `airflow_local_settings.py` of your own goes before this one:
write its import and its call into yours (README, first steps).
"""

from __future__ import annotations

from perennial.airflow_settings import preload

__all__: list[str] = []
"""Airflow takes what stands here for settings of its own."""

preload()
