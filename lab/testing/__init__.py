"""Servers of the lab for tests and benchmarks: each on a folder and ports of its own, with a power switch."""
