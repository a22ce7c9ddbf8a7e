"""One client's connection over TDS: pysqlbridge's handshake and framing, our answers, streamed while a statement runs.

pysqlbridge answers a message as a whole, so that nothing could be said, and no cancel be heard, during a long BACKUP.
Here a statement writes to the socket as it goes, and looks at it for an attention or an end. This needs some of
pysqlbridge's private names: its version is pinned, and tests/lab/sqlserver/test_wire.py holds the two together.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from pysqlbridge.tds.connection import Connection, ConnectionState
from pysqlbridge.tds.packet import Message as Packet
from pysqlbridge.tds.packet import (
    PacketStatus,
    PacketType,
    TdsProtocolError,
    build_packet,
    next_session_id,
    reassemble,
)
from pysqlbridge.tds.prelogin import Encryption, Prelogin, Version, server_response
from pysqlbridge.tds.tls import TlsTunnel
from pysqlbridge.tds.token import DoneStatus, login_response

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.instance import PRODUCT_VERSION, SERVER_NAME, Instance
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.errors import UNSUPPORTED, Cause, Interrupted, Message, SqlServerError, message
from lab.sqlserver.wire.reply import StreamedReply
from lab.sqlserver.wire.requests import Request, Requests, asks_for_reset, reset

log = logging.getLogger(__name__)

RunRequest = Callable[[Session, Request, StreamedReply], None]

_VERSION = Version(*(int(part) for part in PRODUCT_VERSION.split(".")[:3]))
_RECEIVE_SIZE = 65_536
_LOOK_SECONDS = 0.2  # how long to wait for a client that does not read before looking whether its session must end
_FATAL = 20  # from this severity on the connection ends


class _SignIn:
    """The server's logins in the form in which pysqlbridge asks for them."""

    configured = True

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def admits(self, user: str, password: str) -> bool:
        return self._instance.logins.admits(user, password)


class LabConnection(Connection):  # type: ignore[misc]  # pysqlbridge has no types
    """The protocol's state; `run` carries out a batch for a session once the client has signed in."""

    def __init__(self, tls: ssl.SSLContext, instance: Instance, connected: socket.socket, run: RunRequest) -> None:
        super().__init__(None, version=_VERSION, server_name=SERVER_NAME, logins=_SignIn(instance))
        self._tls, self._instance, self._socket, self._run = tls, instance, connected, run
        self._requests = Requests()
        self.session: Session | None = None

    def serve(self) -> None:
        """Answer the client until it goes or must go."""
        while self.state is not ConnectionState.FAILED and not (self.session and self.session.stop):
            data = self._socket.recv(_RECEIVE_SIZE)
            if not data:
                return
            for response in self.receive(data):
                self._socket.sendall(response)

    def look_up(self) -> None:
        """Raise Interrupted if the running statement must stop: ended from outside, cancelled, or without a client."""
        if self.session is not None and self.session.stop:
            raise Interrupted(self.session.stop)
        if not select.select([self._socket], [], [], 0)[0]:
            return
        data = self._socket.recv(_RECEIVE_SIZE)
        if not data:
            raise Interrupted(Cause.CLIENT_GONE)
        self._buffer += data
        packet = self._take_message()
        if packet is not None:
            # Without MARS a client sends nothing else before it has its answer.
            raise Interrupted(Cause.CANCELLED if packet.type is PacketType.ATTENTION else Cause.CLIENT_GONE)

    def send_packet(self, payload: bytes, number: int, last: bool) -> None:
        status = PacketStatus.END_OF_MESSAGE if last else PacketStatus.NORMAL
        packet = build_packet(PacketType.TABULAR_RESULT, payload, status=status, spid=self._spid, packet_id=number)
        left = memoryview(self._tunnel.wrap(packet) if self._session_encrypted else packet)
        while left:
            if select.select([], [self._socket], [], _LOOK_SECONDS)[1]:
                left = left[self._socket.send(left) :]
            elif self.session and self.session.stop:
                raise ConnectionAbortedError("the client does not read and its session must end")

    def _step_prelogin(self, responses: list[bytes]) -> bool:
        """Open the connection; a client that cannot encrypt (python-tds without a CA) signs in without."""
        packet = reassemble(self._buffer)
        if packet is None:
            return False
        if packet.type is not PacketType.PRELOGIN:
            raise TdsProtocolError(f"expected PRELOGIN to open the connection, got {packet.type.name}")
        del self._buffer[: packet.consumed]
        asked = Prelogin.parse(packet.payload)
        in_clear = asked.encryption is Encryption.NOT_SUPPORTED
        agreed = Encryption.NOT_SUPPORTED if in_clear else self._negotiate_encryption(asked.encryption)
        self._session_encrypted = agreed is Encryption.ON
        answer = server_response(version=_VERSION, encryption=agreed, asked=asked)
        responses.append(build_packet(PacketType.TABULAR_RESULT, answer.build()))
        self._tunnel = _Clear() if in_clear else TlsTunnel(self._tls)
        self._state = ConnectionState.EXPECT_LOGIN if in_clear else ConnectionState.TLS_HANDSHAKE
        return True

    def _finish_login(self, responses: list[bytes]) -> None:
        """Open the session, in the database that the login asks for."""
        login = self.login
        self._spid = next_session_id()
        session = Session(
            self._spid, login.user_name, login.app_name, login.host_name, "master", lambda: _shut(self._socket)
        )
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
                server_name=SERVER_NAME,
                database=self._database,
                tds_version=self._tds_version,
            ),
        )
        self._state = ConnectionState.READY

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
        except OSError:
            raise  # the client's socket; there is nobody to tell
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


class _Clear:
    """The tunnel of a connection that has none."""

    def unwrap(self, data: bytes) -> bytes:
        return data

    def wrap(self, data: bytes) -> bytes:
        return data


@dataclass
class _Nowhere:
    """A transport for answers that no client wants."""

    connection: LabConnection

    def send_packet(self, payload: bytes, number: int, last: bool) -> None:
        """Nothing is sent."""

    def look_up(self) -> None:
        self.connection.look_up()


def _shut(connected: socket.socket) -> None:
    """Close both directions of a socket, so that a thread waiting to read from it wakes."""
    try:
        connected.shutdown(socket.SHUT_RDWR)
    except OSError:
        log.debug("The other side closed first.")
