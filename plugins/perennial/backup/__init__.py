"""Backups: the steps that make, verify and close a recovery point, and who is due for one."""
