"""Retention: the steps that expire and delete recovery points, and what a person decides about them."""
