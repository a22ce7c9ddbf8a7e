"""One client's connection over TDS: its login, and the answers to its batches, streamed while a statement runs."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

import apsw
from pysqlbridge.tds.connection import ConnectionState
from pysqlbridge.tds.packet import Message as Packet
from pysqlbridge.tds.packet import (
    PacketType,
    TdsProtocolError,
    next_session_id,
)
from pysqlbridge.tds.prelogin import Version
from pysqlbridge.tds.token import DoneStatus, login_response

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.faults import SqlFault
from lab.sqlserver.engine.instance import PRODUCT_VERSION, Instance
from lab.sqlserver.engine.open_files import is_lack_of_descriptors, most_sessions
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.errors import UNSUPPORTED, Cause, Interrupted, Message, SqlServerError, message
from lab.sqlserver.translation.sqlite_errors import no_file_error
from lab.sqlserver.wire.reply import StreamedReply
from lab.sqlserver.wire.requests import Request, Requests, asks_for_reset, reset
from lab.sqlserver.wire.transport import Transport

log = logging.getLogger(__name__)

RunRequest = Callable[[Session, Request, StreamedReply], None]

_VERSION = Version(*(int(part) for part in PRODUCT_VERSION.split(".")[:3]))
_FATAL = 20  # from this severity on the connection ends


class _SignIn:
    """The server's logins in the form in which pysqlbridge asks for them."""

    configured = True

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def admits(self, user: str, password: str) -> bool:
        return self._instance.logins.admits(user, password)


class LabConnection(Transport):
    """Signs the client in; `run` then carries out its batches."""

    def __init__(self, tls: ssl.SSLContext, instance: Instance, connected: socket.socket, run: RunRequest) -> None:
        super().__init__(tls, connected, instance.name, _VERSION, _SignIn(instance))
        self._instance, self._run = instance, run
        self._requests = Requests()

    def _finish_login(self, responses: list[bytes]) -> None:
        """Open the session, in the database that the login asks for."""
        login = self.login
        fault = self._instance.faults.take("sql:Login", login.user_name)
        if fault and not fault.after:
            self._turn_away(fault)
            return
        if len(self._instance.sessions.all()) >= (most := most_sessions()):
            self._refuse(StreamedReply(self, self._tds_version), [message(17809, most)], DoneStatus.ERROR)
            return
        self._spid = next_session_id()
        session = Session(self._spid, login.user_name, login.app_name, login.host_name, "master", self.wake)
        try:
            database = self._instance.sign_in(session, login.database or "master")
            self._database = database.name
            permissions.check_entry(self._instance, session, database)
        except SqlServerError:
            self._instance.leave(session)
            self._refuse(
                StreamedReply(self, self._tds_version),
                SqlServerError(4060, login.database).then(18456, login.user_name).messages,
                DoneStatus.ERROR,
            )
            self._state = ConnectionState.FAILED
            return
        self.session = session
        self._send(
            responses,
            login_response(
                version=(_VERSION.major, _VERSION.minor, _VERSION.build),
                server_name=self.server_name,
                database=self._database,
                tds_version=self._tds_version,
            ),
        )
        # A client that has signed in goes on talking at once: it finds that nobody listens any more.
        self._state = ConnectionState.FAILED if fault else ConnectionState.READY

    def _turn_away(self, fault: SqlFault) -> None:
        """Answer a login as a rule has ordered it."""
        if fault.drop:
            raise ConnectionAbortedError("dropped by a fault rule")
        messages = fault.error(self.login.user_name).messages
        self._refuse(StreamedReply(self, self._tds_version), messages, DoneStatus.ERROR)
        self._state = ConnectionState.FAILED

    def _step_query(self, responses: list[bytes]) -> bool:
        """Answer one message, past `responses`, straight to the socket."""
        packet = self._take_message()
        if packet is None:
            return False
        if self.session is None:
            raise TdsProtocolError("a message before the login")
        reply = StreamedReply(self, self._tds_version)
        if packet.type is PacketType.ATTENTION:
            reply.finish(DoneStatus.ATTENTION)
        else:
            self._answer(self.session, packet, reply)
        return True

    def _answer(self, session: Session, packet: Packet, reply: StreamedReply) -> None:
        """Run one batch; whatever it raises becomes the client's last messages."""
        try:
            if asks_for_reset(packet):
                self._reset(session, reply)
            request = self._requests.read(packet, self._tds_version)
            reply.in_procedure = request.is_call
            self._run(session, request, reply)
            reply.finish(tokens=request.tokens)
        except SqlServerError as error:
            self._refuse(reply, error.messages, DoneStatus.ERROR)
        except Interrupted as interruption:
            self._interrupt(reply, interruption)
        except OSError as error:
            if not is_lack_of_descriptors(error):
                raise  # the client's socket; there is nobody to tell
            self._refuse(reply, no_file_error(session.database).messages, DoneStatus.ERROR)
        except apsw.CantOpenError:
            self._refuse(reply, no_file_error(session.database).messages, DoneStatus.ERROR)
        except Exception as error:
            log.exception("A fault of the stand-in itself, in session %s", session.id)
            fault = message(UNSUPPORTED, f"what to do: it failed itself with {type(error).__name__}: {error}")
            self._refuse(reply, [fault], DoneStatus.ERROR)

    def _reset(self, session: Session, reply: StreamedReply) -> None:
        """Forget what the last user of a pooled connection left behind."""
        request = reset(self.login.database or "master")
        self._run(session, request, StreamedReply(_Nowhere(self), self._tds_version))
        session.no_count, session.identity_insert = False, None
        self._instance.locks.release_all(session.id)
        reply.token(request.tokens)

    def _interrupt(self, reply: StreamedReply, interruption: Interrupted) -> None:
        if interruption.cause is Cause.CLIENT_GONE:
            raise ConnectionAbortedError(interruption.cause.value)
        if interruption.cause is Cause.CANCELLED:
            self._refuse(reply, interruption.messages, DoneStatus.ATTENTION)
        else:
            last = message(596 if interruption.cause is Cause.KILLED else 6005)
            self._refuse(reply, [*interruption.messages, last], DoneStatus.ERROR)

    def _refuse(self, reply: StreamedReply, messages: list[Message], status: DoneStatus) -> None:
        for one in messages:
            reply.message(one)
        reply.finish(status)
        if any(one.severity >= _FATAL for one in messages):
            self._state = ConnectionState.FAILED


@dataclass
class _Nowhere:
    """A transport for answers that no client wants."""

    connection: LabConnection

    @property
    def server_name(self) -> str:
        return self.connection.server_name

    def send_packet(self, payload: bytes, number: int, last: bool) -> None:
        """Nothing is sent."""

    def look_up(self) -> None:
        self.connection.look_up()
