"""The smallest participant: a websocket that joins a meeting and stays until it is closed.

Sessions begin when somebody joins, which no REST call can do. This speaks just enough of the signaling
protocol, over a plain socket, so that nothing but the SDK under test needs to be installed.
"""

import base64
import os
import socket
import threading
import uuid
from urllib.parse import quote, urlsplit

JOIN_ROOM = 3


class Peer:
    """One connection of a participant; in the meeting once the constructor returns."""

    def __init__(self, base_url: str, meeting_id: str, token: str):
        self.id = str(uuid.uuid4())
        self._gone = False
        address = urlsplit(base_url)
        self._socket = socket.create_connection((address.hostname, address.port or 80), timeout=10)
        self._unread = b""
        path = f"/ws?roomID={meeting_id}&peerID={self.id}&authToken={quote(token)}&ping=true&capabilities=2"
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        while b"\r\n\r\n" not in self._unread:
            self._unread += self._receive()
        head, self._unread = self._unread.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise AssertionError(f"the socket was refused: {head.decode()} {self._unread.decode()}")
        self._send(2, self._message(JOIN_ROOM, b"join"))
        # The answer echoes the id; keepalives and pushes may come before it.
        while True:
            kind, payload = self._frame()
            if kind == 2 and b"join" in payload:
                break
        if payload[:2] != bytes([0x08, JOIN_ROOM]):
            raise AssertionError(f"joining failed: {payload!r}")
        # Keepalives are answered for as long as the peer is in.
        threading.Thread(target=self._stay, daemon=True).start()

    def leave(self) -> None:
        """Leaves on purpose, as a closed tab does."""
        self._gone = True
        self._send(8, (1000).to_bytes(2, "big"))
        self._socket.close()

    def _stay(self) -> None:
        self._socket.settimeout(None)
        try:
            while True:
                self._frame()
        except OSError:
            self._socket.close()

    @staticmethod
    def _message(event: int, message_id: bytes) -> bytes:
        """SocketMessage {event, id} with an empty payload."""
        return bytes([0x08, event, 0x12, len(message_id)]) + message_id

    def _send(self, kind: int, payload: bytes) -> None:
        """One masked frame; everything sent here is short."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self._socket.sendall(bytes([0x80 | kind, 0x80 | len(payload)]) + mask + masked)

    def _receive(self) -> bytes:
        piece = self._socket.recv(65536)
        if not piece:
            raise OSError("the server closed the socket")
        return piece

    def _take(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._unread += self._receive()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def _frame(self) -> tuple[int, bytes]:
        first, second = self._take(2)
        length = second & 0x7F
        if length >= 126:
            length = int.from_bytes(self._take(2 if length == 126 else 8), "big")
        kind, payload = first & 0x0F, self._take(length)
        if kind == 1 and payload == b"2" and not self._gone:
            self._send(1, b"3")
        if kind == 9:
            self._send(10, payload)
        return kind, payload
