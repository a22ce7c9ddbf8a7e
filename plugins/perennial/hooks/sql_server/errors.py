"""What SQL Server's refusals mean: read from pymssql's exceptions, told apart by number, put for an operator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from include.rules.errors import UnavailableError

DAMAGE = frozenset({3132, 3183, 3187, 3189, 3203, 3227, 3241, 3242, 3243, 3254, 3256, 3258, 3266, 3270})
"""Numbers by which SQL Server says that a backup is not whole, or that its stripes do not belong together
(learn.microsoft.com, Database Engine errors)."""

CORRUPTION = frozenset(
    {605, 823, 824, 3313, 3414, 3456, 5171, 5172, 5173, 9003, 9004}
    | {*range(2508, 2580), *range(7984, 7999), *range(8901, 9000)} - {8921}
)
"""Numbers by which SQL Server says that a database's own files are damaged: when it reads, recovers or checks them.

8921 is not among them: a check ends with it when tempdb is full, too (same source).
"""

CONNECTION = frozenset({20002, 20003, 20004, 20006, 20009, 20017, 20047, 233, 596, 6005, 10054})
"""Numbers by which the client or the server says that the connection is gone: the statement may have ended or not."""


class SqlServerError(Exception):
    """SQL Server's answer to a statement it refused: `number` of its first error, `message` in its own words."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)
        self.number, self.message = number, message

    def __str__(self) -> str:
        return f"SQL Server error {self.number}: {self.message}"

    @property
    def is_damage(self) -> bool:
        """True when the backup file itself is at fault."""
        return self.number in DAMAGE

    @property
    def is_corruption(self) -> bool:
        """True when a database's own files are at fault."""
        return self.number in CORRUPTION

    @property
    def lost_connection(self) -> bool:
        """True when nobody knows whether the statement ended."""
        return self.number in CONNECTION

    @classmethod
    def of(cls, error: Exception, server_messages: Sequence[str] = ()) -> SqlServerError:
        """Read pymssql's exception: a number, and a text with DB-Lib's remarks glued on.

        Args:
            server_messages: The texts of the errors that the server sent, in order. pymssql raises the severest: where
                the cause is a milder one (a missing right, 262 or 3110), all it says is that the statement ended
                abnormally.
        """
        details = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], tuple) else error.args
        number, text = (details[0], details[1]) if len(details) >= 2 else (0, details[0] if details else str(error))
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if of_client := re.match(r"DB-Lib error message (\d+)", str(text)):
            # No server has spoken: the number beside the text is the last one of some earlier connection.
            number = of_client[1]
        # The first line of the text is the server's first error; what follows repeats it in DB-Lib's words.
        message = re.split(r"DB-Lib error message", str(text))[0].strip() or str(text).strip()
        if server_messages and server_messages[0] not in message:
            message = f"{server_messages[0]} {message}"
        return cls(int(number) if str(number).lstrip("-").isdigit() else 0, message)


@contextmanager
def translate_sql_errors(
    what: str, *, why: str, todo: str = "Bring the server up, then clear the task `open` of this run.", **ids: object
) -> Iterator[None]:
    """Turn what SQL Server refuses within the block, or does not answer, into an UnavailableError for an operator.

    Raises:
        UnavailableError: with `what`, followed by SQL Server's own words.
    """
    try:
        yield
    except SqlServerError as error:
        raise UnavailableError(f"{what}: {error}", why=why, todo=todo, **ids) from error
