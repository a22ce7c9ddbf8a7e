"""What a statement is carried out with: the server, the session, its rows and the way back to its client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from pysqlbridge.tds.result import ColumnType

from lab.sqlserver.engine.instance import PRODUCT_VERSION, Instance
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.engine.storage import Storage
from lab.sqlserver.errors import Interrupted, Message, SqlServerError


class Reply(Protocol):
    """What goes back to the client, statement by statement (see wire)."""

    def message(self, message: Message) -> None: ...
    def info(self, number: int, *values: object, state: int = 1) -> None: ...
    def rows(self, columns: Sequence[tuple[str, ColumnType]], rows: Iterable[Sequence[object]]) -> int: ...
    def done(self, row_count: int | None = None) -> None: ...
    def more(self) -> None: ...
    def changed_database(self, new: str, old: str) -> None: ...
    def check(self) -> None: ...


@dataclass
class Context:
    """One session at work."""

    instance: Instance
    session: Session
    storage: Storage
    reply: Reply

    def global_variables(self) -> dict[str, object]:
        """@@SPID and its like."""
        return {
            "@@SPID": self.session.id,
            "@@VERSION": f"Microsoft SQL Server 2022 (RTM) - {PRODUCT_VERSION} (X64), the stand-in of Perennial's lab",
            "@@SERVERNAME": self.instance.name,
            "@@TRANCOUNT": self.session.transactions,
            "@@ROWCOUNT": self.session.row_count,
            "@@IDENTITY": self.storage.connection.last_insert_rowid(),
            "@@ERROR": 0,
        }

    @contextmanager
    def terminating(self, what: str) -> Iterator[None]:
        """Where `what` (BACKUP DATABASE, say) fails, a second message says so; where it must stop, it was aborted."""
        try:
            yield
        except SqlServerError as error:
            error.then(3013, what)
            raise
        except Interrupted as interruption:
            interruption.messages += SqlServerError(3204).then(3013, what).messages
            raise
