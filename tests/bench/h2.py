"""A load client for unary gRPC calls that costs little beside the server it measures.

Requests are made into bytes beforehand, each with a body of its own (a write needs a request_id of its own); while the
clock runs the client only moves frames. It speaks as much HTTP/2 as a gRPC server needs: settings, flow control, pings.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_BIG = (1 << 31) - 1
_REFILL = 1 << 29


@dataclass(frozen=True, slots=True)
class Load:
    """What a run came to. ``seconds`` from the first byte sent to the last answer; latencies in milliseconds."""

    calls: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _literal(name: str, value: str) -> bytes:
    """A header that no table keeps: the same bytes serve for every request."""
    encoded = b"\x00"
    for text in (name.encode(), value.encode()):
        if len(text) < 127:
            encoded += bytes((len(text),)) + text
        else:
            encoded += b"\x7f" + bytes((len(text) - 127,)) + text
    return encoded


def run_load(address: str, path: str, bodies: Sequence[bytes], *, in_flight: int, limit_seconds: float = 60.0) -> Load:
    """Sends every body once, ``in_flight`` calls at a time on one connection, and waits for all answers.

    Raises ``TimeoutError`` past the limit and ``ConnectionError`` when the server ends the connection.
    """
    host, _, port = address.rpartition(":")
    headers = b"".join(
        _literal(name, value)
        for name, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", path),
            (":authority", address),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        )
    )
    requests = []
    for number, body in enumerate(bodies):
        stream = 2 * number + 1
        message = b"\x00" + struct.pack(">I", len(body)) + body
        requests.append(_frame(_HEADERS, _END_HEADERS, stream, headers) + _frame(_DATA, _END_STREAM, stream, message))
    sizes = [len(body) + 5 for body in bodies]
    with socket.create_connection((host, int(port)), timeout=limit_seconds) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(
            _PREFACE
            # INITIAL_WINDOW_SIZE for every stream, then the same for the connection.
            + _frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, _BIG))
            + _frame(_WINDOW, 0, 0, struct.pack(">I", _BIG - 65535))
        )
        return _pump(connection, requests, sizes, in_flight, limit_seconds)


def _pump(
    connection: socket.socket, requests: list[bytes], sizes: list[int], in_flight: int, limit_seconds: float
) -> Load:
    total = len(requests)
    began = [0.0] * total
    took = [0.0] * total
    sent = done = failed = received = 0
    window = 65535
    buffer = bytearray()
    start = time.perf_counter()
    while done < total:
        out = bytearray()
        now = time.perf_counter()
        while sent < total and sent - done < in_flight and sizes[sent] <= window:
            out += requests[sent]
            window -= sizes[sent]
            began[sent] = now
            sent += 1
        if out:
            connection.sendall(out)
        chunk = connection.recv(1 << 18)
        if not chunk:
            raise ConnectionError(f"the server ended the connection after {done} answers")
        now = time.perf_counter()
        if now - start > limit_seconds:
            raise TimeoutError(f"{done} of {total} answers in {limit_seconds} s")
        buffer += chunk
        position, end = 0, len(buffer)
        replies = bytearray()
        while end - position >= 9:
            length = (buffer[position] << 16) | (buffer[position + 1] << 8) | buffer[position + 2]
            if end - position - 9 < length:
                break
            kind, flags = buffer[position + 3], buffer[position + 4]
            (stream,) = struct.unpack_from(">I", buffer, position + 5)
            payload = position + 9
            if kind == _DATA:
                received += length
            elif kind == _HEADERS and flags & _END_STREAM:
                took[stream >> 1] = now - began[stream >> 1]
                done += 1
                # Trailers alone are an error; an answer has a data frame before them. Status 0 is "grpc-status" "0".
                if b"grpc-status\x010" not in buffer[payload : payload + length] and not _status_ok(
                    buffer[payload : payload + length]
                ):
                    failed += 1
            elif kind == _RST:
                done += 1
                failed += 1
            elif kind == _SETTINGS and not flags & _ACK:
                replies += _frame(_SETTINGS, _ACK, 0, b"")
            elif kind == _PING and not flags & _ACK:
                replies += _frame(_PING, _ACK, 0, bytes(buffer[payload : payload + length]))
            elif kind == _WINDOW and stream == 0:
                (increment,) = struct.unpack_from(">I", buffer, payload)
                window += increment
            elif kind == _GOAWAY:
                raise ConnectionError(f"the server said goodbye after {done} answers")
            position = payload + length
        del buffer[:position]
        if received > _REFILL:
            replies += _frame(_WINDOW, 0, 0, struct.pack(">I", received))
            received = 0
        if replies:
            connection.sendall(replies)
    seconds = time.perf_counter() - start
    ordered = sorted(took)
    return Load(total, failed, seconds, ordered[total // 2] * 1000, ordered[min(total - 1, (total * 99) // 100)] * 1000)


def _status_ok(block: bytes | bytearray) -> bool:
    """Whether trailers that the server compresses say OK: it sends a short indexed block for status 0.

    A failure carries a message and details, so its block is longer than any OK.
    """
    return len(block) <= 24
