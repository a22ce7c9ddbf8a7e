"""`python -m lab.sqlserver`: serve the stand-in of the lab that the environment names, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal
import threading

from lab.settings import HOST, LabSettings
from lab.sqlserver.server import Server


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)-7s %(message)s")
    logging.getLogger("pysqlbridge").setLevel(logging.ERROR)
    settings = LabSettings.from_environment()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = Server(settings)
    logging.info("SQL Server stand-in: %s:%s, state in %s", HOST, settings.sql_server_port, server.instance.state)
    server.run_until(stop)
    logging.info("SQL Server stand-in: stopped")


if __name__ == "__main__":
    main()
