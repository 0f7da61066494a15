"""Bare grpc.aio servers to measure against: bytes in, a canned answer of a like size out, nothing in between.

``python -m tests.bench.echo ANSWER_BYTES [TARGET]`` prints its port; with a target it asks that server for each call and
passes the answer on, which is the least that any gateway does.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc

from services.runtime.main import run


class _Anything(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def service(self, handler_call_details: Any) -> Any:
        return self._handler


async def _serve(answer_bytes: int, target: str) -> int:
    answer = b"x" * answer_bytes
    if target:
        ask = grpc.aio.insecure_channel(target).unary_unary("/echo/Echo")

        async def handle(payload: bytes, _: Any) -> bytes:
            return await ask(payload, timeout=30)

    else:

        async def handle(payload: bytes, _: Any) -> bytes:
            return answer

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_Anything(grpc.unary_unary_rpc_method_handler(handle)),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    sys.stdout.write(f"127.0.0.1:{port}\n")
    sys.stdout.flush()
    # The parent ends the run by closing our standard input.
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)
    return 0


if __name__ == "__main__":
    sys.exit(run(_serve(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")))
