"""Sessions: one for each connection that signed in, and the register of them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from threading import RLock

from lab.sqlserver.engine.faults import SqlFault
from lab.sqlserver.errors import Cause, SqlServerError
from lab.sqlserver.translation.dates import now


@dataclass
class Request:
    """A statement that runs, as sys.dm_exec_requests shows it; `fault` is what is to go wrong in its midst."""

    command: str
    started: str = field(default_factory=now)
    percent_complete: float = 0.0
    fault: SqlFault | None = None


class Work(Enum):
    """What a session may do to a database as a whole: each of these one at a time, but one beside another."""

    DATA_BACKUP = auto()
    LOG_BACKUP = auto()
    RESTORE = auto()
    ALTER = auto()


@dataclass(eq=False)
class Session:
    """One connection's state.

    `transactions` is @@TRANCOUNT; `attached` are databases that the running statement reads beside the current one,
    `works_on` is the one that it backs up, restores or alters; `stop` is set from outside to end it, `hang_up` then
    wakes it if it waits for its client.
    """

    id: int
    login: str
    program: str
    host: str
    database: str
    hang_up: Callable[[], None]
    started: str = field(default_factory=now)
    variables: dict[str, object] = field(default_factory=dict)
    transactions: int = 0
    no_count: bool = False
    identity_insert: str | None = None
    row_count: int = 0
    attached: set[str] = field(default_factory=set)
    works_on: tuple[Work, str] | None = None
    request: Request | None = None
    stop: Cause | None = None

    def end(self, cause: Cause) -> None:
        """Make the session end, whatever it is doing."""
        self.stop = cause
        if self.request is None:
            self.hang_up()

    def uses(self, database: str) -> bool:
        """Whether the session is in a database: as its current one, or in the statement it runs."""
        name = database.lower()
        works_here = self.works_on is not None and self.works_on[1].lower() == name
        return self.database.lower() == name or name in self.attached or works_here


class Sessions:
    """All sessions that are signed in."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._by_id: dict[int, Session] = {}

    def add(self, session: Session) -> None:
        with self._lock:
            self._by_id[session.id] = session

    def remove(self, session: Session) -> None:
        with self._lock:
            self._by_id.pop(session.id, None)

    def all(self) -> list[Session]:
        with self._lock:
            return list(self._by_id.values())

    def get(self, session_id: int) -> Session:
        """Raises SqlServerError 6106 if there is no such session."""
        with self._lock:
            if session_id not in self._by_id:
                raise SqlServerError(6106, session_id)
            return self._by_id[session_id]

    def inside(self, database: str) -> list[Session]:
        """The sessions that use a database."""
        return [session for session in self.all() if session.uses(database)]

    def at_work(self, database: str) -> set[Work]:
        """What is being done to a database as a whole."""
        works = [session.works_on for session in self.all() if session.works_on]
        return {work for work, name in works if name.lower() == database.lower()}
