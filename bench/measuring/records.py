"""Airflow's own records of what ran, read from its metadata database: the API would answer at the cost of CPU."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from demo.database import connect
from lab.settings import LabSettings

DISPATCHED = "SELECT queued_at FROM dag_run WHERE dag_id = %s AND run_id = %s"
STATE = "SELECT state FROM dag_run WHERE dag_id = %s AND run_id = %s"
STATES = "SELECT state, count(*) FROM dag_run WHERE dag_id = %s AND queued_at >= %s GROUP BY state"
RUNS = "SELECT partition_key, state, queued_at, end_date FROM dag_run WHERE dag_id = %s AND queued_at >= %s"
# A worker that starts to work for a task says so: twice for one that defers, to begin it and to end it.
STARTS = "SELECT count(*) FROM log WHERE event = 'running' AND dag_id = %s AND dttm >= %s"
MISMATCHES = "SELECT count(*) FROM log WHERE event = 'state mismatch' AND dag_id = %s AND dttm >= %s"
CALLBACKS = "SELECT count(*) FROM callback WHERE type = 'dag_processor'"


class Dispatch(NamedTuple):
    """The run that has queued a fleet."""

    dag_id: str
    run_id: str


@dataclass(frozen=True)
class Runs:
    """The tenants' runs that one dispatch has brought about; all have ended.

    Attributes:
        states: How many ended how.
        per_key: How many runs each partition key had.
        queued_after: Seconds from the dispatch to the moment at which the last of them was queued.
        ended_after: Seconds from the dispatch to the end of the last of them.
        starts: How often a worker was started for their tasks.
        mismatches: How often Airflow failed a deferred task because the executor's word came late.
    """

    states: Counter[str]
    per_key: Counter[str]
    queued_after: float
    ended_after: float
    starts: int
    mismatches: int


class Records:
    """The metadata database of one lab's Airflow."""

    def __init__(self, settings: LabSettings) -> None:
        self._settings = settings

    def state(self, dispatch: Dispatch) -> str:
        """The state of the dispatching run itself."""
        return str(self._rows(STATE, *dispatch)[0][0])

    def states(self, dag_id: str, dispatch: Dispatch) -> Counter[str]:
        """How many of a DAG's runs since the dispatch are in which state."""
        return Counter(dict(self._rows(STATES, dag_id, self._moment(dispatch))))

    def starts(self, dag_id: str, dispatch: Dispatch) -> int:
        """How often a worker was started for a DAG's tasks since the dispatch."""
        return int(self._rows(STARTS, dag_id, self._moment(dispatch))[0][0])

    def runs(self, dag_id: str, dispatch: Dispatch) -> Runs:
        """A DAG's runs since the dispatch; raises ValueError where there is none, or one has not ended."""
        moment = self._moment(dispatch)
        rows = self._rows(RUNS, dag_id, moment)
        return Runs(
            states=Counter(row[1] for row in rows),
            per_key=Counter(row[0] for row in rows),
            queued_after=_longest(moment, [row[2] for row in rows]),
            ended_after=_longest(moment, [row[3] for row in rows]),
            starts=self.starts(dag_id, dispatch),
            mismatches=int(self._rows(MISMATCHES, dag_id, moment)[0][0]),
        )

    def callbacks_waiting(self) -> int:
        """Callback requests that the dag-processor has not fetched yet."""
        return int(self._rows(CALLBACKS)[0][0])

    def _moment(self, dispatch: Dispatch) -> datetime:
        ((moment,),) = self._rows(DISPATCHED, *dispatch)
        queued: datetime = moment
        return queued

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        connection = connect(self._settings)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall())
        finally:
            connection.close()


def _longest(begin: datetime, times: Sequence[datetime | None]) -> float:
    ended = [time for time in times if time]
    if not ended or len(ended) < len(times):
        raise ValueError(f"{len(times) - len(ended)} of {len(times)} runs have no such time yet")
    return (max(ended) - begin).total_seconds()
