"""What a sys view is: its columns, and what computes its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import apsw

from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.sessions import Session

Row = tuple[object, ...]


@dataclass(frozen=True)
class View:
    """`columns` declares them (see declarations); `rows` computes what is in it."""

    columns: str
    rows: Callable[[Instance, Session, apsw.Connection], Iterator[Row]]
