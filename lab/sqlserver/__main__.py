"""`python -m lab.sqlserver`: serve the stand-ins of the lab that the environment names, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import signal

from lab.settings import HOST, LabSettings
from lab.sqlserver.backup_media.object_storage import load_client_code
from lab.sqlserver.engine.open_files import raise_limit
from lab.sqlserver.server import Server
from lab.sqlserver.siblings import end_siblings, fork_siblings

_STOPPING = (signal.SIGTERM, signal.SIGINT)


def main() -> None:
    logging.getLogger("pysqlbridge").setLevel(logging.ERROR)
    # Waited for, and blocked in all threads for that: a handler may come while its thread holds what stopping needs.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    raise_limit()
    settings = LabSettings.from_environment()
    if settings.sql_servers > 1:
        load_client_code()
    number, siblings = fork_siblings(settings.sql_servers)
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s {number:02} %(levelname)-7s %(message)s")
    try:
        server = Server(settings, number)
        logging.info("SQL Server stand-in: %s:%s, state in %s", HOST, settings.sql_port(number), server.instance.state)
        server.run_until(lambda: signal.sigwait(_STOPPING))
    finally:
        end_siblings(siblings)
    logging.info("SQL Server stand-in: stopped")


if __name__ == "__main__":
    main()
