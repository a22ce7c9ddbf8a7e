"""A run of pytest that is told to end: it ends with its fixtures and its workers, so that no server outlives it."""

from __future__ import annotations

from contextlib import ExitStack

import psutil
import pytest

from lab.signals import interrupt_on_signals


def pytest_configure(config: pytest.Config) -> None:
    """SIGTERM and SIGHUP end a run as Ctrl-C does, with its fixtures: no server outlives it. So too in its workers."""
    interrupts = ExitStack()
    interrupts.enter_context(interrupt_on_signals())
    config.add_cleanup(interrupts.close)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tell the workers of an interrupted run at once: xdist lets them go on for 5 s, and kills them after 5 s more."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and session.config.pluginmanager.hasplugin("dsession"):
        for worker in psutil.Process().children():
            worker.terminate()
