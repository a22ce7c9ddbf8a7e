"""Triggers: the coroutines that do the work of the steps, inside the triggerer."""
