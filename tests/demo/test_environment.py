"""What Airflow's components are told about the world they are in."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml
from airflow.configuration import conf

from demo.environment import airflow_environment
from demo.scale import FOR_A_FLEET, fleet_environment
from lab.environment import PROJECT
from lab.settings import LabSettings


def test_a_lab_keeps_its_secrets_and_shares_them_with_no_other_lab(tmp_path: Path) -> None:
    first, second = LabSettings(tmp_path / "a", 20000), LabSettings(tmp_path / "b", 20100)

    secret = airflow_environment(first)["AIRFLOW__API_AUTH__JWT_SECRET"]

    assert airflow_environment(first)["AIRFLOW__API_AUTH__JWT_SECRET"] == secret
    assert airflow_environment(second)["AIRFLOW__API_AUTH__JWT_SECRET"] != secret


def test_secrets_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    airflow_environment(LabSettings(tmp_path, 20000))

    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "secrets").iterdir()}
    assert modes == {0o600}


def test_the_vault_has_one_address_for_airflow_and_one_for_sql_server(tmp_path: Path) -> None:
    environment = airflow_environment(LabSettings(tmp_path, 20000))

    s3 = json.loads(environment["AIRFLOW_CONN_AWS_PERENNIAL"])["extra"]["service_config"]["s3"]["endpoint_url"]
    assert (s3, environment["PERENNIAL_VAULT"]) == ("http://127.0.0.1:20001", "s3://perennial-vault")
    assert environment["PERENNIAL_BACKUP_URL"] == "s3://127.0.0.1:20001/perennial-vault"


def test_a_folder_too_deep_for_postgresqls_socket_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unix socket.*107 bytes.*shorter path"):
        airflow_environment(LabSettings(tmp_path / ("deep" * 25), 20000))


def test_the_settings_for_a_fleet_are_those_of_the_compose_file_too(tmp_path: Path) -> None:
    compose = yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["x-airflow"]["environment"]
    sections = ("AIRFLOW__DAG_PROCESSOR__", "AIRFLOW__SCHEDULER__", "AIRFLOW__TRIGGERER__", "AIRFLOW__WORKERS__")
    assert {name: value for name, value in compose.items() if name.startswith(sections)} == fleet_environment()
    assert fleet_environment().items() <= airflow_environment(LabSettings(tmp_path, 20000)).items()


def test_airflow_knows_each_setting_for_a_fleet_by_that_name() -> None:
    assert [name for name in FOR_A_FLEET if conf.get_default_value(*name) is None] == []
