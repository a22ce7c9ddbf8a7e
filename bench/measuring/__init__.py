"""What is measured of a running stack, from outside: processes, calls, Airflow's own records."""
