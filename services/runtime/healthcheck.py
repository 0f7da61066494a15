"""``python -m services.runtime.healthcheck HOST:PORT``: ends with 0 when the server there says SERVING, else with 1.

For container engines, which ask every few seconds: it loads gRPC alone, since the generated health stubs would cost more
than the question. An optional second argument asks for one service instead of the whole server.
"""

from __future__ import annotations

import sys

import grpc

_SECONDS = 2.0
# grpc.health.v1.HealthCheckResponse with status (field 1) SERVING (1), the only answer that counts.
_SERVING = b"\x08\x01"


def serving(address: str, service: str = "") -> bool:
    """Whether the server at ``HOST:PORT`` says SERVING within two seconds, for itself or for one service."""
    name = service.encode()
    if len(name) > 127:
        raise ValueError("a service name has at most 127 bytes")
    # grpc.health.v1.HealthCheckRequest: the service's name (field 1), left out where empty.
    request = b"\x0a" + bytes([len(name)]) + name if name else b""
    # Never through a proxy that the environment names: the question stays on this host or network.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            return check(request, timeout=_SECONDS) == _SERVING
        except grpc.RpcError:
            return False


def main(arguments: list[str]) -> int:
    """The command line; returns the exit code."""
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write("usage: python -m services.runtime.healthcheck HOST:PORT [SERVICE]\n")
        return 2
    return 0 if serving(*arguments) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
