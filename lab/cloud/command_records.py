"""What SSM remembers of a command: what was asked, of which hosts, and how far each host has come with it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

UNFINISHED = ("Pending", "InProgress", "Cancelling")


@dataclass
class Invocation:
    """A command's run on one host, in the words of the SSM API; times are UTC."""

    instance_id: str
    folder: Path
    status: str = "Pending"
    status_details: str = "Pending"
    response_code: int = -1
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def output(self, stream: str, characters: int) -> str:
        """The first characters of `stdout` or `stderr`, given once the run has ended, as SSM does."""
        file = self.folder / stream
        if self.ended_at is None or not file.exists():
            return ""
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.read(characters)

    @property
    def elapsed(self) -> str:
        """How long the script ran, as an ISO 8601 duration; empty while it is not known."""
        if not (self.started_at and self.ended_at):
            return ""
        return f"PT{(self.ended_at - self.started_at).total_seconds():.3f}S"

    def end(self, status: str, details: str, response_code: int) -> None:
        self.status, self.status_details, self.response_code = status, details, response_code
        self.ended_at = datetime.now(UTC)


@dataclass
class Command:
    """One SendCommand."""

    document: str
    comment: str
    lines: list[str]
    working_directory: str | None
    execution_seconds: float
    delivery_seconds: int
    command_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    requested_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    invocations: dict[str, Invocation] = field(default_factory=dict)
