"""Adapters: they speak AWS and T-SQL and return the rules' values. Every call can be made twice."""
