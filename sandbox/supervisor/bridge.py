"""`supervisor.pyz --mcp SOCKET`: what the agent starts as an MCP server over stdio.

It only joins its standard streams to the supervisor's socket, where the protocol is spoken, so
it starts in a few milliseconds and holds nothing. Over when either side is.
"""

from __future__ import annotations

import os
import socket
import sys
import threading

_PIECE = 1 << 16


def main(arguments: list[str] | None = None) -> int:
    words = sys.argv[1:] if arguments is None else arguments
    if len(words) != 2:
        os.write(2, b"usage: supervisor --mcp SOCKET\n")
        return 2
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        supervisor.connect(words[1])
    except OSError as error:
        os.write(2, f"the supervisor does not answer: {error.strerror}\n".encode())
        return 1
    threading.Thread(target=_inwards, args=(supervisor,), daemon=True).start()
    try:
        while data := supervisor.recv(_PIECE):
            _write(1, data)
    except OSError:
        pass  # the agent or the supervisor is gone
    os._exit(0)  # the other thread may wait for input for ever


def _inwards(supervisor: socket.socket) -> None:
    try:
        while data := os.read(0, _PIECE):
            supervisor.sendall(data)
        supervisor.shutdown(socket.SHUT_WR)
    except OSError:
        os._exit(0)


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
