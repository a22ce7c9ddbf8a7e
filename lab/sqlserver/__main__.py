"""`python -m lab.sqlserver`: serve the stand-in of the lab that the environment names, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal

from lab.settings import HOST, LabSettings
from lab.sqlserver.server import Server

_STOPPING = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("pysqlbridge").setLevel(logging.ERROR)
    # Waited for, and blocked in all threads for that: a handler may come while its thread holds what stopping needs.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    settings = LabSettings.from_environment()
    server = Server(settings)
    logging.info("SQL Server stand-in: %s:%s, state in %s", HOST, settings.sql_server_port, server.instance.state)
    server.run_until(lambda: signal.sigwait(_STOPPING))
    logging.info("SQL Server stand-in: stopped")


if __name__ == "__main__":
    main()
