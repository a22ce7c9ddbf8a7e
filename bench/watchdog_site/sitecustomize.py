"""Python reads this at its start where the folder is in PYTHONPATH: the watchdog for every process of a bench."""

from bench.loop_watchdog import install_from_environment

install_from_environment()
