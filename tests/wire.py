"""Raw bytes over a socket: for what no HTTP client would send."""

import re
import socket
import time


def talk(port, *pieces, pause=0.0, timeout=5.0):
    """Sends the pieces one after another, then reads until the peer closes or is silent for `timeout` seconds.

    Returns (bytes received, True when the peer closed the connection)."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            try:
                s.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
            if pause:
                time.sleep(pause)
        received = b""
        while True:
            try:
                data = s.recv(65536)
            except socket.timeout:
                return received, False
            except ConnectionResetError:
                return received, True
            if not data:
                return received, True
            received += data


def statuses(received):
    """The status codes of every answer in the bytes."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)]


def post(key, body, *, head=(), length=True, path="/api/v1/extract/"):
    """An extraction request as bytes; `head`: further header lines."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", f"Authorization: Bearer {key}"]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, *head, "", ""]).encode() + body
