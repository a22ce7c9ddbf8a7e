"""Operators: one for each step, all of them workerless (their trigger does the work and ends the task)."""
