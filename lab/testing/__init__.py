"""Servers of the lab for tests and benchmarks, each on a folder and ports of its own, and deadlines."""
