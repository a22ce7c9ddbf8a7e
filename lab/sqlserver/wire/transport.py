"""How a statement's answer gets to the client while it still runs: pysqlbridge's framing, on a socket of our own.

pysqlbridge answers a message as a whole, so that nothing could be said, and no cancel be heard, during a long BACKUP.
Here a statement writes to the socket as it goes, and looks at it for an attention or an end. This needs some of
pysqlbridge's private names: its version is pinned, and tests/lab/sqlserver/test_wire.py holds the two together.
"""

from __future__ import annotations

import logging
import select
import socket
import ssl
from typing import Any

from pysqlbridge.tds.connection import Connection, ConnectionState
from pysqlbridge.tds.packet import PacketStatus, PacketType, TdsProtocolError, build_packet, reassemble
from pysqlbridge.tds.prelogin import Encryption, Prelogin, Version, server_response
from pysqlbridge.tds.tls import TlsTunnel

from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.errors import Cause, Interrupted

log = logging.getLogger(__name__)

_RECEIVE_SIZE = 65_536
_LOOK_SECONDS = 0.2  # how long to wait for a client that does not read before looking whether its session must end


class Transport(Connection):  # type: ignore[misc]  # pysqlbridge has no types
    """The protocol's state and its socket; `session` is None until the client has signed in."""

    def __init__(
        self, tls: ssl.SSLContext, connected: socket.socket, server_name: str, version: Version, logins: Any
    ) -> None:
        super().__init__(None, version=version, server_name=server_name, logins=logins)
        self._tls, self._socket = tls, connected
        self._writable = select.poll()  # and not select(), which knows no descriptor above 1,023
        self._writable.register(connected, select.POLLOUT)
        self.session: Session | None = None

    @property
    def server_name(self) -> str:
        """What the server calls itself."""
        return str(self._server_name)

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
        try:
            data = self._socket.recv(_RECEIVE_SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
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
        unsent = memoryview(self._tunnel.wrap(packet) if self._session_encrypted else packet)
        while unsent:
            try:
                unsent = unsent[self._socket.send(unsent, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                if not self._writable.poll(_LOOK_SECONDS * 1000) and self.session and self.session.stop:
                    raise ConnectionAbortedError("the client does not read and its session must end") from None

    def _step_prelogin(self, responses: list[bytes]) -> bool:
        """Open the connection; a client that cannot encrypt (python-tds without a CA) signs in without."""
        packet = reassemble(self._buffer)
        if packet is None:
            return False
        if packet.type is not PacketType.PRELOGIN:
            raise TdsProtocolError(f"expected PRELOGIN to open the connection, got {packet.type.name}")
        del self._buffer[: packet.consumed]
        prelogin = Prelogin.parse(packet.payload)
        in_clear = prelogin.encryption is Encryption.NOT_SUPPORTED
        agreed = Encryption.NOT_SUPPORTED if in_clear else self._negotiate_encryption(prelogin.encryption)
        self._session_encrypted = agreed is Encryption.ON
        answer = server_response(version=self._version, encryption=agreed, asked=prelogin)
        responses.append(build_packet(PacketType.TABULAR_RESULT, answer.build()))
        self._tunnel = _Clear() if in_clear else TlsTunnel(self._tls)
        self._state = ConnectionState.EXPECT_LOGIN if in_clear else ConnectionState.TLS_HANDSHAKE
        return True

    def wake(self) -> None:
        """Close both directions of the socket, so that a thread waiting to read from it wakes."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("The other side closed first.")


class _Clear:
    """The tunnel of a connection that has none."""

    def unwrap(self, data: bytes) -> bytes:
        return data

    def wrap(self, data: bytes) -> bytes:
        return data
