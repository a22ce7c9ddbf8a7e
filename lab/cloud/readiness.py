"""Is the lab's cloud answering yet? Kept apart from the server, so that asking does not import moto."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException

from lab.settings import HOST, LabSettings
from lab.waiting import wait_until


def is_ready(settings: LabSettings) -> bool:
    """Whether the lab's cloud answers on its port."""
    connection = HTTPConnection(HOST, settings.cloud_port, timeout=2)
    try:
        connection.request("GET", "/lab/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def wait_until_ready(settings: LabSettings, seconds: float) -> None:
    """Wait for the lab's cloud to answer.

    Raises:
        TimeoutError: it did not answer within `seconds`.
    """
    complaint = (
        f"The lab's cloud did not answer on {settings.cloud_url} within {seconds:g} s, so nothing that needs EC2 or "
        f"SSM can start. Look at its log, or run `python -m lab.cloud` by hand to see why."
    )
    wait_until(lambda: is_ready(settings), seconds, complaint)
