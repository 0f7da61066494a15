"""The gateway's channels to the services."""

from __future__ import annotations

import time

from gateway.service import remote_upstreams
from services.runtime.settings import GatewaySettings
from tests.gateway.conftest import backend


async def test_services_behind_one_address_have_a_connection_each():
    """Channels that share a connection crashed gRPC's core when they began to check its health at the same moment."""
    peers: dict[str, str] = {}

    async def answer(path, payload, context):
        peers[path] = context.peer()
        return payload

    async with backend(answer) as address:
        names = ("support", "incidents", "onboarding", "success")
        upstreams = remote_upstreams(GatewaySettings(**{f"{name}_target": address for name in names}))
        for name, upstream in upstreams.items():
            assert await upstream.call(f"/{name}/Echo", b"?", "", time.monotonic() + 10) == b"?"
        for upstream in upstreams.values():
            await upstream.close()
    assert len(set(peers.values())) == len(peers) == 4
