# Perennial's image: the official Airflow image, this project's pinned dependencies, its DAGs, plugins and rules.
# The target `lab` is the stand-in for AWS and SQL Server; it never belongs into production.

FROM apache/airflow:3.3.2-python3.11 AS airflow
COPY requirements.txt /opt/airflow/requirements.txt
RUN pip install --no-cache-dir -r /opt/airflow/requirements.txt
COPY include /opt/airflow/include
COPY plugins /opt/airflow/plugins
COPY dags /opt/airflow/dags
ENV PYTHONPATH=/opt/airflow

FROM python:3.11-slim-bookworm AS lab
WORKDIR /perennial
COPY requirements.txt requirements-dev.txt ./
RUN pip install --no-cache-dir -r requirements-dev.txt
COPY lab lab
COPY docs/iam-policy.json docs/
COPY Procfile .
ENV PERENNIAL_LAB_STATE=/var/lib/perennial-lab PYTHONUNBUFFERED=1
CMD ["sh", "-c", "python -m lab up && exec tail --follow=name --lines=+1 $PERENNIAL_LAB_STATE/logs/*.log"]
