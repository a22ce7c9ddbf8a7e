"""moto's way from a call to the code that answers it, asked for once: it looks for it anew for each call.

moto reads the folder of its own package for each call, tries the addresses of all services in turn, and lists all
methods of the class that answers. That took a quarter of the cloud's work, and none of it changes while it runs.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from moto.core import responses
from moto.core.utils import method_names_from_class
from moto.moto_server.werkzeug_app import DomainDispatcherApplication


class CachedDispatcher(DomainDispatcherApplication):
    """moto's dispatcher, which remembers whose a host is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._backends: dict[str, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host is None:
            return None
        if host not in self._backends:
            self._backends[host] = super().get_backend_for_host(host)
        return self._backends[host]


def remember_methods() -> None:
    """Let moto list the methods of each class of responses once."""
    responses.method_names_from_class = cache(method_names_from_class)  # type: ignore[attr-defined]
