"""Faults on order: what SQL Server answers on a bad day, for the statements and logins a rule names.

A rule says which statements (`action`, a shell pattern such as `sql:VerifyOnly`, and `match`, a text to be found in
what the statement is about: a database, a device), how often (`times`, null for always), and what then happens:

    number, severity, message   this error is answered; severity and text default to those of sys.messages
    os_error                    the operating system's number in its brackets
    percent                     so much of the data has gone through before (BACKUP, RESTORE, VERIFYONLY)
    drop                        the connection is closed without an answer
    after                       with drop: the statement is carried out, or the client signed in, first

Rules are kept in `faults.json` of the server's state folder: the cloud takes them for it, as it does the knobs.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from lab.sqlserver.errors import MESSAGES, Message, SqlServerError

FILE_NAME = "faults.json"
KEPT_HITS = 200
ACTIONS = (
    "sql:Login",
    "sql:Backup",
    "sql:Restore",
    "sql:VerifyOnly",
    "sql:HeaderOnly",
    "sql:FileListOnly",
    "sql:CheckDatabase",
    "sql:CreateDatabase",
    "sql:AlterDatabase",
    "sql:DropDatabase",
    "sql:Query",
)
_SYSTEM_TEXTS = {
    5: "Access is denied.",
    38: "Reached the end of the file.",
    50: "The request is not supported.",
    64: "The specified network name is no longer available.",
    87: "The parameter is incorrect.",
    112: "There is not enough space on the disk.",
    121: "The semaphore timeout period has expired.",
    1117: "The request could not be performed because of an I/O device error.",
}
_NO_TEXT = "failed to retrieve text for this error. Reason: 15105"  # as the server says it


@dataclass
class SqlFault:
    """One rule; `times` counts down as it strikes."""

    action: str
    match: str = ""
    times: int | None = 1
    number: int = 0
    severity: int | None = None
    message: str = ""
    os_error: int | None = None
    percent: int = 0
    drop: bool = False
    after: bool = False

    def __post_init__(self) -> None:
        if not any(fnmatchcase(action, self.action) for action in ACTIONS):
            raise ValueError(f"{self.action!r} fits no statement; there are {', '.join(ACTIONS)}.")
        if bool(self.number) == self.drop or (self.after and not self.drop):
            raise ValueError(f"The fault for {self.action} wants either a number or drop; after goes with drop.")
        for name in ("number", "severity", "os_error", "percent", "times"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise ValueError(f"{name} is {value!r}, but it wants a whole number.")
        if self.number and not self.message and self.number not in MESSAGES:
            raise ValueError(f"The lab has no text for error {self.number}: give it a message.")

    def error(self, device: str) -> SqlServerError:
        """The error to answer; `device` is what the statement reads or writes, or the database it is about."""
        severity, text = MESSAGES.get(self.number, (16, self.message))
        system = f"{self.os_error}({_SYSTEM_TEXTS.get(self.os_error or 0, _NO_TEXT)})"
        text = (self.message or text).format(*(device, system, *[""] * 8))
        error = SqlServerError(3013, "The statement")
        error.messages = [Message(self.number, severity if self.severity is None else self.severity, 1, text)]
        return error


class SqlFaults:
    """The rules of one server, in its state folder `state`, where other processes change them, too."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE_NAME

    def take(self, action: str, statement: object) -> SqlFault | None:
        """The rule that strikes this statement, counted down, if there is one; the oldest of several."""
        if not self._path.exists():
            return None
        text = str(statement)  # which takes long, for nothing on most days
        with self._changing() as content:
            for rule in content["rules"]:
                fits = fnmatchcase(action, rule["action"]) and rule.get("match", "") in text
                if fits and rule.get("times", 1) != 0:
                    if rule.get("times", 1) is not None:
                        rule["times"] = rule.get("times", 1) - 1
                    content["hits"] = [*content["hits"], {"call": action, "outcome": _outcome(rule)}][-KEPT_HITS:]
                    return SqlFault(**rule)
        return None

    def add(self, document: bytes) -> None:
        """Add the rules of a JSON list. Raises ValueError, saying what is wrong with it; then none was added."""
        rules, known = json.loads(document), {field.name for field in fields(SqlFault)}
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise ValueError('it takes a JSON list of rules, such as [{"action": "sql:Backup", "number": 3202}].')
        for rule in rules:
            if not rule.keys() <= known or "action" not in rule:
                raise ValueError(
                    f"a rule for SQL Server has an action, and of these fields: {', '.join(sorted(known))}."
                )
        checked = [asdict(SqlFault(**rule)) for rule in rules]
        with self._changing() as content:
            content["rules"] += checked

    def clear(self) -> None:
        """Forget rules and hits."""
        self._path.unlink(missing_ok=True)

    def report(self) -> dict[str, Any]:
        """The rules, with the times they may still strike, and the last hits."""
        if not self._path.exists():
            return {"rules": [], "hits": []}
        with self._changing() as content:
            return content

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = json.loads(file.read() or '{"rules": [], "hits": []}')
            yield content
            file.truncate(0)
            file.write(json.dumps(content))


def _outcome(rule: dict[str, Any]) -> str:
    return str(rule["number"]) if rule["number"] else "drop"
