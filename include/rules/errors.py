"""Every error that an operator may have to read: what happened, to which tenant, why it matters, what to do."""

from __future__ import annotations

from typing import Self


class PerennialError(Exception):
    """Base of all errors that Perennial raises on purpose.

    Args:
        what: What happened, one sentence that names the tenant.
        why: Why it matters or what it left behind, one sentence.
        todo: What the operator does now, one sentence.
        ids: Identifiers that help to look further (snapshot, file, run); they come last in the message.
    """

    def __init__(self, what: str, *, why: str = "", todo: str = "", **ids: object) -> None:
        super().__init__(what, why, todo, ids)
        self.what, self.why, self.todo, self.ids = what, why, todo, ids

    def adding(self, sentence: str) -> Self:
        """The same error, with one more sentence on what it left behind."""
        why = " ".join(part for part in (self.why, sentence) if part)
        return type(self)(self.what, why=why, todo=self.todo, **self.ids)

    def __str__(self) -> str:
        known = ", ".join(f"{name}={value}" for name, value in self.ids.items())
        return " ".join(part for part in (self.what, self.why, self.todo, f"[{known}]" if known else "") if part)


class ConfigurationError(PerennialError):
    """The register, a setting or a parameter cannot be used as it stands."""


class RefusedError(PerennialError):
    """The request is understood and not carried out, because carrying it out would be wrong."""


class LeaseBusyError(RefusedError):
    """Another run holds the tenant's lease."""


class LeaseLostError(PerennialError):
    """This run no longer holds the tenant's lease: it must not touch the tenant any more."""


class OutrankedError(LeaseLostError):
    """A later incarnation of this step, or a later step of the same run, has taken over: it speaks for the task now."""


class ConflictError(PerennialError):
    """A document in the vault was changed by somebody else between reading and writing it."""


class PartError(PerennialError):
    """A part of a recovery point could not be made or has gone."""


class DamagedBackupError(PartError):
    """A part of a recovery point was made but cannot be trusted."""


class UnavailableError(PerennialError):
    """A service did not answer, or refused for a reason of its own, for as long as the step may wait."""
