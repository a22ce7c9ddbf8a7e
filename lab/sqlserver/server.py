"""The listening server: one thread for each connection, all on one instance."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable

from lab.settings import HOST, LabSettings
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.open_files import is_lack_of_descriptors
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.engine.storage import Storage
from lab.sqlserver.statements.batch import run_batch
from lab.sqlserver.wire.connection import LabConnection
from lab.sqlserver.wire.reply import StreamedReply
from lab.sqlserver.wire.requests import Request
from lab.sqlserver.wire.tls import server_tls

log = logging.getLogger(__name__)

_STOP_SECONDS = 2.0
_NO_DESCRIPTORS_SECONDS = 0.2


class Server(socketserver.ThreadingTCPServer):
    """One of a lab's SQL Servers, on loopback; `number` counts them from 1."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, settings: LabSettings, number: int = 1) -> None:
        state = settings.sql_folder(number)
        state.mkdir(parents=True, exist_ok=True)
        self.instance = Instance(state, server_name(number), settings.sql_user, settings.sql_password)
        self.tls = server_tls()
        super().__init__((HOST, settings.sql_port(number)), _Handler)

    def get_request(self) -> tuple[socket.socket, object]:
        """The next client; where there are no descriptors for it, it waits until there are."""
        try:
            return super().get_request()
        except OSError as error:
            if is_lack_of_descriptors(error):
                log.warning("A client waits until somebody leaves: %s", error)
                time.sleep(_NO_DESCRIPTORS_SECONDS)
            raise

    def run_until(self, wait: Callable[[], object]) -> None:
        """Serve until `wait` returns; then end all sessions, running backups with them."""
        thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, name="listener")
        thread.start()
        try:
            wait()
        finally:
            self.shutdown()
            self.server_close()
            self.instance.stop(_STOP_SECONDS)
            thread.join()


class _Handler(socketserver.BaseRequestHandler):
    """One connection, from the first byte to the last."""

    server: Server

    def handle(self) -> None:
        connected: socket.socket = self.request
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._storage: Storage | None = None
        connection = LabConnection(self.server.tls, self.server.instance, connected, self._run)
        self._connection = connection
        try:
            connection.serve()
        except OSError as error:
            log.info("Session %s is gone: %s", connection.session.id if connection.session else "not yet", error)
        finally:
            if self._storage:
                self._storage.close()
            if connection.session:
                self.server.instance.leave(connection.session)

    def _run(self, session: Session, request: Request, reply: StreamedReply) -> None:
        if self._storage is None:
            self._storage = Storage(self.server.instance, session, self._connection.look_up)
        context = Context(self.server.instance, session, self._storage, reply)
        run_batch(context, request.text, request.variables)


def server_name(number: int) -> str:
    """What one of a lab's SQL Servers calls itself; each lab's first has the same name."""
    return "PERENNIAL-LAB" if number == 1 else f"PERENNIAL-LAB-{number:02}"


def wait_until_ready(settings: LabSettings, seconds: float) -> None:
    """Wait until all SQL Servers of that lab take connections. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_ready(settings):
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"The SQL Server stand-in did not answer on {HOST}:{settings.sql_server_port} within {seconds:.0f} s"
                + (f", or one of the {settings.sql_servers} did not." if settings.sql_servers > 1 else ".")
            )
        time.sleep(0.05)


def is_ready(settings: LabSettings) -> bool:
    """Whether something listens on the port of each of the lab's SQL Servers."""
    try:
        for number in settings.sql_numbers:
            socket.create_connection((HOST, settings.sql_port(number)), timeout=1).close()
    except OSError:
        return False
    return True
