"""Perennial in Airflow: hooks speak to AWS and SQL Server, operators and triggers carry out, rules live in include/."""
