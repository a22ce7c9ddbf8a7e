"""Perennial running on this machine: PostgreSQL, Airflow's components and the lab, and the story `make demo` tells."""
