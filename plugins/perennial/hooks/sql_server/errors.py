"""What SQL Server refuses or leaves unanswered: read from pymssql's exceptions, and put for an operator."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from include.rules.errors import UnavailableError
from perennial.hooks.sql_server.faults import (
    CONNECTION,
    CORRUPTION,
    SUMMARIES,
    WITH_SYSTEM_NUMBER,
    Fault,
    advice_for,
    fault_of,
    meets_file_limit,
)

LOST = (
    "Could not set connection properties",  # the server has hung up after the login
    "Not connected to any MS SQL server",
    "Connection is closed",
)
"""What pymssql says, without a number, when the connection is gone."""

READING_PAGES = 823
"""Number of a read or write of a database's own files that the operating system has refused."""

HUNG_UP = 20017
"""Number of DB-Library for a connection that the server has closed."""


UNNAMED = 20018
"""Number of DB-Library for a message of the server, whose own number is not known."""


@dataclass(frozen=True)
class ServerMessage:
    """One error that the server has sent; DB-Library hands its number to nobody."""

    severity: int
    text: str


class SqlServerError(Exception):
    """SQL Server's answer to a statement it refused, or the client's when there was none.

    Attributes:
        number: Of the severest error; of several, of the first.
        message: In the server's own words, the cause first.
        severity: Of the cause; 0 where nobody has said it.
    """

    def __init__(self, number: int, message: str, severity: int = 0) -> None:
        super().__init__(number, message, severity)
        self.number, self.message, self.severity = number, message, severity

    def __str__(self) -> str:
        return f"SQL Server error {self.number}: {self.message}"

    @property
    def fault(self) -> Fault:
        """What kind of fault it tells of (`faults`, the table)."""
        return fault_of(self.number, self.message, self.severity)

    @property
    def is_damage(self) -> bool:
        """True when what was read, and is not whole, is a backup."""
        return self.fault is Fault.DAMAGE and not self.is_corruption

    @property
    def is_corruption(self) -> bool:
        """True when what is not whole are a database's own files."""
        return self.fault is Fault.DAMAGE and (self.number in CORRUPTION or self.number == READING_PAGES)

    @property
    def is_transient(self) -> bool:
        """True when the same may succeed a little later."""
        return self.fault is Fault.TRANSIENT

    @property
    def is_unexplained_io(self) -> bool:
        """True when reading or writing has failed for a reason that is not in the table."""
        return self.number in WITH_SYSTEM_NUMBER and self.fault is Fault.UNKNOWN

    @property
    def met_file_limit(self) -> bool:
        """True when one file of a backup cannot hold its share: it wants more files."""
        return meets_file_limit(self.number, self.message)

    @property
    def lost_connection(self) -> bool:
        """True when nobody knows whether the statement ended."""
        return self.number in CONNECTION

    @property
    def advice(self) -> str:
        """What an operator does about it: the beginning of a sentence, to which the caller adds what comes then."""
        return advice_for(self.number, self.fault)

    @classmethod
    def of(cls, error: Exception, heard: Sequence[ServerMessage] = ()) -> SqlServerError:
        """Read pymssql's exception: a number, and a text with DB-Lib's remarks glued on.

        Args:
            heard: The errors that the server sent, in order. pymssql raises the severest: where the cause is a milder
                one (a missing right, 262 or 3110), all it says is that the statement ended abnormally.
        """
        details = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], tuple) else error.args
        number, text = (details[0], details[1]) if len(details) >= 2 else (0, details[0] if details else str(error))
        text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        if of_client := re.match(r"DB-Lib error message (\d+)", text):
            # No server has spoken: the number beside the text is the last one of some earlier connection.
            number = of_client[1]
        elif text.startswith(LOST):
            number, text = HUNG_UP, f"The connection is gone, or was refused while it was made ({text})."
        number = int(number) if str(number).lstrip("-").isdigit() else 0
        # The first line of the text is the server's first error; what follows repeats it in DB-Lib's words.
        message = re.split(r"DB-Lib error message", text)[0].strip() or text.strip()
        if heard and heard[0].text not in message:
            message = f"{heard[0].text} {message}"
        if not heard:
            return cls(number, message)
        return cls(number, message, heard[0].severity if number in SUMMARIES else max(one.severity for one in heard))


def may_pass(error: Exception) -> bool:
    """True when SQL Server's refusal, which `error` is or was raised for, may not be its answer a little later."""
    refusal = error if isinstance(error, SqlServerError) else error.__cause__
    return isinstance(refusal, SqlServerError) and refusal.is_transient


@contextmanager
def translate_sql_errors(
    what: str, *, why: str, then: str = "clear the task `open` of this run", **ids: object
) -> Iterator[None]:
    """Turn what SQL Server refuses within the block, or does not answer, into an UnavailableError for an operator.

    Args:
        then: What the operator does once what the error tells of is mended.

    Raises:
        UnavailableError: with `what`, followed by SQL Server's own words.
    """
    try:
        yield
    except SqlServerError as error:
        raise UnavailableError(f"{what}: {error}", why=why, todo=f"{error.advice}, then {then}.", **ids) from error
