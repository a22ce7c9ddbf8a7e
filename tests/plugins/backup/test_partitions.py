"""What Airflow makes of a dispatch's events: it keeps the schedule of `tenant_backup`, and finds its mapper again."""

from __future__ import annotations

from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.simple import PartitionedAssetTimetable

from include.rules.points.partition_keys import join_keys
from lab.environment import PROJECT
from perennial.backup.operators import BACKUPS_DUE


def test_a_component_reads_the_schedule_and_makes_a_run_of_each_tenant() -> None:
    bag = DagBag(str(PROJECT / "dags" / "tenant_backup.py"), load_op_links=False)
    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["tenant_backup"]))
    timetable = dag.timetable
    assert isinstance(timetable, PartitionedAssetTimetable)
    mapper = timetable.get_partition_mapper(name=BACKUPS_DUE.name, uri=BACKUPS_DUE.uri)
    keys = ["acme|daily|2026-11-23", "globex|daily|2026-11-23"]
    assert [key for one in join_keys(keys) for key in mapper.to_downstream(one)] == keys
    assert mapper.to_downstream(keys[0]) == keys[:1]
