"""The play of `tests/compose/run`: the stack comes up, a first day passes, replicas and the database die under load.

Ends with 0 when every claim held. Loopback only, bounded in time and in calls, and nothing stays behind.
"""

from __future__ import annotations

import asyncio
import shlex
import sys
import time

import grpc

from tests.compose.load import Caller, Load, check_kept
from tests.compose.stack import SERVICES, CommandError, Stack, run, say

# The whole play; on an idle machine of two cores it takes a third of it.
_SECONDS = 1500.0
# How long callers may go without any acknowledged write when one of three replicas dies.
_REPLICA_GAP = 10.0
# The same for the database, from the moment it is started again.
_DATABASE_GAP = 30.0
# Kills everything in a container but its init, as a fault of the process would; the restart policy has to answer.
_CRASH = """
import os, pathlib, signal
for path in pathlib.Path("/proc").glob("[0-9]*"):
    if int(path.name) not in (1, os.getpid()):
        os.kill(int(path.name), signal.SIGKILL)
"""


async def check_containers(stack: Stack) -> None:
    """What the compose file promises about the processes: nobody is root, nothing is written, one port is published."""
    published = []
    for service in ("gateway", *SERVICES):
        for container in await stack.containers(service):
            facts = await stack.inspect(container)
            assert facts["Config"]["User"] not in ("", "0", "root"), f"{service} runs as root"
            assert facts["HostConfig"]["ReadonlyRootfs"], f"{service} may write to its root file system"
            published += [(service, *bind) for bind in _published(facts)]
    for container in await stack.containers("postgres"):
        published += [("postgres", *bind) for bind in _published(await stack.inspect(container))]
    host, port = stack.address.split(":")
    assert published == [("gateway", host, port)], f"published: {published}"


def _published(facts: dict) -> list[tuple[str, str]]:  # type: ignore[type-arg]
    ports = facts["NetworkSettings"]["Ports"] or {}
    return [(bind["HostIp"], bind["HostPort"]) for binds in ports.values() for bind in binds or ()]


FIRST_DAY = (
    "status",
    "onboarding start al-olaya-demo --bundle growth_starter --as operator-1",
    "success activate al-olaya-demo growth_starter --start 2026-01-04 --renewal 2027-01-04 --channel email --as success-1",
    "handle al-olaya-demo 'ظهرت بيانات عميل آخر في حسابنا' --as operator-1",
    "overview al-olaya-demo",
    "ledger verify",
)


async def first_day(stack: Stack) -> None:
    """A customer's first day by the command line through the published gateway: every service answers and remembers."""
    for command in FIRST_DAY:
        await run(sys.executable, "-m", "customer_ops", *shlex.split(command), "--address", stack.address, seconds=60)


async def all_answer(stack: Stack, replicas: list[str], *, within: float = 40) -> dict[str, int]:
    """Waits until each of the replicas has answered writes since now; how many each."""
    before = {replica: await stack.writes_answered(replica) for replica in replicas}
    end = time.monotonic() + within
    while True:
        answered = {replica[:12]: await stack.writes_answered(replica) - before[replica] for replica in replicas}
        if all(count >= 5 for count in answered.values()):
            return answered
        assert time.monotonic() < end, f"replicas that get no calls in {within:g} s: {answered}"
        await asyncio.sleep(1)


async def play(stack: Stack) -> None:
    """Everything, in order. Raises ``AssertionError`` where a claim does not hold."""
    began = time.monotonic()
    say("building the image")
    await stack.build()
    built = time.monotonic()
    say(f"built in {built - began:.0f} s; starting the stack")
    await stack.up()
    say(f"healthy {time.monotonic() - built:.0f} s later, gateway on {stack.address}")
    await check_containers(stack)
    say("no process is root or may write to its root file system; only the gateway is published")
    started = time.monotonic()
    await first_day(stack)
    say(f"first day played in {time.monotonic() - started:.1f} s")
    async with grpc.aio.insecure_channel(stack.address) as channel:
        await under_load(stack, Caller(channel))
    say(f"done in {time.monotonic() - began:.0f} s")


async def under_load(stack: Stack, caller: Caller) -> None:
    """Grow to three replicas; lose one, the database, the gateway; shrink to one; find everything acknowledged again."""
    load = Load(caller)
    async with load.running():
        await load.acknowledged(200, within=60)
        anchors = {name: (await caller.verify_ledger(name)).head for name in SERVICES}

        load.phase("scale support to 3")
        await stack.up(support=3)
        replicas = await stack.containers("support")
        assert len(replicas) == 3, f"replicas of support: {replicas}"
        answered = await all_answer(stack, replicas)
        say(f"three replicas of support answer writes: {_listed(answered)}")

        killed = load.phase("kill one replica")
        await run("docker", "kill", replicas[0])
        # Longer than a connection lives, so that the gateway has looked for replicas again.
        await asyncio.sleep(6)
        await load.acknowledged(50, within=60)
        load.phase("start it again")
        await run("docker", "start", replicas[0])
        await stack.healthy()
        say(f"after its death and start again: {_listed(await all_answer(stack, replicas))}")

        database = (await stack.containers("postgres"))[0]
        load.phase("kill the database")
        await run("docker", "kill", database)
        told = await load.repeated(within=15)
        await asyncio.sleep(2)
        await run("docker", "start", database)
        restarted = time.monotonic()
        await load.acknowledged(200, within=120)
        recovery = load.phases[-1].first_after(restarted)
        await stack.healthy()
        say(f"database dead: callers told after {told:.1f} s; first write {recovery:.1f} s after it was started again")

        load.phase("crash the gateway")
        gateway = (await stack.containers("gateway"))[0]
        await run("docker", "exec", gateway, "python", "-c", _CRASH)
        crashed = time.monotonic()
        await load.acknowledged(100, within=60)
        say(
            f"first write {load.phases[-1].first_after(crashed):.1f} s after the gateway crashed: it came back by itself"
        )
        await stack.healthy()

        shrunk = load.phase("scale support to 1")
        await stack.up(support=1)
        await load.acknowledged(100, within=60)
    report(load)
    assert not load.failed, f"writes that failed for good: {load.failed[:5]}"
    assert killed.longest_gap < _REPLICA_GAP, f"{killed.longest_gap:.1f} s without a write after a replica's death"
    assert recovery < _DATABASE_GAP, f"{recovery:.1f} s without a write after the database's start"
    assert not shrunk.repeats, f"callers noticed replicas that ended gracefully: {dict(shrunk.repeats)}"

    lost, changed = await check_kept(load.writes)
    say(f"{len(load.writes)} acknowledged writes read back: {lost} lost; repeated: {changed} made something else")
    assert lost == 0, f"{lost} acknowledged writes are lost"
    assert changed == 0, f"{changed} repeated writes made something else"
    tickets = sum(write.kind is caller.ticket for write in load.writes)
    stored = await caller.tickets_with_prefix(load.prefix)
    assert stored == tickets, f"{stored} tickets are stored, {tickets} were acknowledged"
    for name in SERVICES:
        verified = await caller.verify_ledger(name, anchors[name])
        assert verified.intact, f"ledger of {name}: {verified.problem}"
        say(f"ledger of {name}: intact, {verified.checked} entries, the first {anchors[name].sequence} as noted before")
    faults = await stack.faults()
    assert not faults, "faults were logged:\n" + "\n".join(faults)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def report(load: Load) -> None:
    """What callers saw in each phase."""
    say(f"{'while':<20}{'seconds':>8}{'written':>9}{'p50 ms':>8}{'p99 ms':>8}{'longest gap s':>15}  repeats")
    for phase, end in zip(load.phases, [later.began for later in load.phases[1:]] + [time.monotonic()], strict=True):
        times = sorted(phase.latencies) or [0.0]
        say(
            f"{phase.name:<20}{end - phase.began:>8.1f}{phase.acknowledged:>9}{times[len(times) // 2] * 1000:>8.0f}"
            f"{times[int(len(times) * 0.99)] * 1000:>8.0f}{phase.longest_gap:>15.2f}"
            f"  {_listed(dict(phase.repeats)) or 'none'}"
        )


async def main() -> int:
    """The play with its end; returns the exit code."""
    stack = Stack()
    try:
        async with asyncio.timeout(_SECONDS):
            await play(stack)
    except (AssertionError, CommandError, TimeoutError, grpc.aio.AioRpcError) as error:
        say(f"FAILED: {error or type(error).__name__}")
        try:
            say(await stack.logs())
        except CommandError as silent:
            say(str(silent))
        return 1
    finally:
        try:
            await stack.down()
        except CommandError as error:
            say(f"something stays behind: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
