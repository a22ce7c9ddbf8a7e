"""What DAGs that a person starts have in common: their settings, and the fields of their forms."""

from __future__ import annotations

from typing import Any, Final

from airflow.sdk import Param

BY_HAND: Final[dict[str, Any]] = {
    "schedule": None,
    "catchup": False,
    "max_active_runs": 16,
    "is_paused_upon_creation": False,
}
"""Arguments of a DAG that only a person starts."""


def text(title: str, description: str) -> Param:
    """A field of the form that has to be filled in; the step refuses it empty.

    Its default is an empty text: one that breaks its own schema, or none at all, would end the whole triggerer.
    """
    return Param("", type="string", title=title, description=description)


def optional_text(title: str, description: str, **more: Any) -> Param:
    """A field of the form that may stay empty; `more` goes into its schema, for instance `section`."""
    return Param(None, type=["null", "string"], title=title, description=description, **more)


def tenant() -> Param:
    """The field for the tenant that the run is about."""
    return text("Tenant", "The tenant's id")
