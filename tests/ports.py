"""Ports for servers that must know theirs before they start, or have the same one when they start again."""

from __future__ import annotations

import contextlib
import random
import socket

# Below those that the kernel gives to connections: else one of the many that tests make could take the port before the
# server does. Any of thousands: other tests that run beside these look for one at the same time.
_PORTS = range(15_000, 32_768)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    while True:
        port = random.SystemRandom().choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
