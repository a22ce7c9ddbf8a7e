"""Restores: the steps from the preview to the report."""
