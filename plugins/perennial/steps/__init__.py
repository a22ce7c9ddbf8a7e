"""The plumbing of workerless steps: trigger, operator, approval."""
