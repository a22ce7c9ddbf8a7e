"""The knobs: how long BACKUP and RESTORE take at least, and whether the server dies in their midst.

`control.json` in the server's state folder, read anew by every statement: {"backup_seconds": 5, "restore_seconds": 5,
"crash_after_percent": 40}; what is not in it is off. `lab.faults.control` turns them from outside, through the cloud.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

FILE_NAME = "control.json"
LONGEST_SECONDS = 86_400


@dataclass(frozen=True)
class Control:
    """Seconds over which a BACKUP or RESTORE spreads its progress (0: as fast as it goes), and where it ends for good.

    At `crash_after_percent` (1 to 100) of its data the server's process kills itself, as a power cut would, once.
    """

    backup_seconds: float = 0.0
    restore_seconds: float = 0.0
    crash_after_percent: int | None = None

    def __post_init__(self) -> None:
        for name in ("backup_seconds", "restore_seconds"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_SECONDS:
                raise ValueError(f"{name} is {value!r}, but it wants seconds, from 0 to {LONGEST_SECONDS:,}.")
        percent = self.crash_after_percent
        if percent is not None and (isinstance(percent, bool) or percent not in range(1, 101)):
            raise ValueError(f"crash_after_percent is {percent!r}, but it wants a whole number from 1 to 100.")

    def turned(self, document: bytes) -> Control:
        """With the knobs of a JSON object at new positions. Raises ValueError, saying what is wrong with it."""
        positions = json.loads(document)
        known = asdict(self)
        if not isinstance(positions, dict) or not positions.keys() <= known.keys():
            raise ValueError(f"it takes a JSON object with {', '.join(known)}.")
        return replace(self, **positions)

    def without_crash(self) -> Control:
        """For a server that crashes now: up again, it shall not do so again."""
        return replace(self, crash_after_percent=None)

    @classmethod
    def read(cls, state: Path) -> Control:
        """The knob's position in the server state folder `state`; where no file is, nothing is slowed."""
        try:
            return cls(**json.loads((state / FILE_NAME).read_text()))
        except FileNotFoundError:
            return cls()

    def write(self, state: Path) -> None:
        """Set the knob; a statement sees the old position or the new, never half of one."""
        state.mkdir(parents=True, exist_ok=True)
        path = state / FILE_NAME
        new = path.with_suffix(".new")
        new.write_text(json.dumps(asdict(self)))
        new.replace(path)
