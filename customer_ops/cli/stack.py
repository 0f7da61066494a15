"""Commands about the stack itself: ``up``, ``today``, ``status``."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from dealix.gateway.v1 import gateway_service_pb2
from rich.console import Console
from rich.text import Text

from customer_ops import views
from customer_ops.cli.common import DEFAULT_ADDRESS, Address, Json, console, show
from customer_ops.client import Stopped, connect
from customer_ops.exits import EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_UNVERIFIED, EXIT_USAGE, CommandFailed
from customer_ops.ledgers import verify_ledgers
from customer_ops.script import load_first_week, load_today

if TYPE_CHECKING:
    from customer_ops.embedded import Stack
    from customer_ops.play_clock import PlayClock
    from services.runtime.settings import ServiceSettings


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("up")(up)
    app.command("demo")(demo)
    app.command("today")(today)
    app.command("status")(status)


def up(
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Where to answer; port 0 takes a free one.",
            show_default=f"CUSTOMER_OPS_LISTEN, else {DEFAULT_ADDRESS}",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="The folder that keeps the state.",
            show_default="CUSTOMER_OPS_DATA_DIR, else data",
        ),
    ] = None,
    first_week: Annotated[
        bool,
        typer.Option(
            "--demo",
            help="Play a customer's week where nothing is kept yet, show what is open now, and stay only on a terminal.",
        ),
    ] = False,
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        typer.Option("--log-level", help="What to log on stderr.", show_default="CUSTOMER_OPS_LOG_LEVEL, else warning"),
    ] = None,
) -> None:
    """Start the four services and the gateway in this process, and serve until Ctrl-C or SIGTERM.

    Settings come from CUSTOMER_OPS_* variables; options hold before them.
    """
    stays = not first_week or sys.stdin.isatty()
    given = {"listen": listen, "data_dir": data, "log_level": log_level}
    raise typer.Exit(_run(given, first_week=first_week, stays=stays))


def demo() -> None:
    """Play a customer's week in a folder that is removed afterwards, and end. Needs no stack, and touches none."""
    with tempfile.TemporaryDirectory(prefix="customer-ops-") as folder:
        given = {"listen": "127.0.0.1:0", "data_dir": folder, "log_level": "warning"}
        elsewhere = {"metrics_listen": "", "database_url": "", "auto_migrate": True}
        code = _run(given | elsewhere, first_week=True, stays=False, keeps=False)
    raise typer.Exit(code)


def _run(given: Mapping[str, Any], *, first_week: bool, stays: bool, keeps: bool = True) -> int:
    """Runs a stack with the settings that are given and the environment's, and gives the exit code.

    Raises ``CommandFailed`` where it must not, or cannot, start.
    """
    started = time.monotonic()
    # What is loaded now stays until the end: collecting garbage meanwhile would take a tenth of the start.
    gc.disable()
    from customer_ops.embedded import embedded_settings
    from services.domain.errors import DomainError
    from services.runtime.main import run
    from services.runtime.observe import configure_logging
    from services.runtime.settings import SettingsFaulty
    from services.storage.errors import StorageError

    try:
        settings = embedded_settings(**given)
    except SettingsFaulty as error:
        raise CommandFailed(f"wrong usage: {_named(error.faults, given)}", EXIT_USAGE) from None
    configure_logging(settings.log_level, json=settings.log_json)
    try:
        return run(_serve(settings, started, first_week=first_week, stays=stays, keeps=keeps))
    except (StorageError, DomainError) as error:
        raise CommandFailed(f"must not start on {settings.data_dir}: {error}", EXIT_REFUSED) from None
    except OSError as error:
        # The transport adds how to debug it.
        said = str(error).partition("; set GRPC_VERBOSITY")[0]
        raise CommandFailed(
            f"cannot start: {said}; --listen HOST:PORT and --data DIR say where", EXIT_REFUSED
        ) from None


def _named(faults: Mapping[str, str], given: Mapping[str, Any]) -> str:
    """Faulty settings by what named them: an option where there was one, else the variable."""
    options = {"CUSTOMER_OPS_LISTEN": ("listen", "--listen"), "CUSTOMER_OPS_DATA_DIR": ("data_dir", "--data")}

    def name(variable: str) -> str:
        setting, option = options.get(variable, ("", ""))
        return option if given.get(setting) is not None else variable

    return "; ".join(f"{name(variable)}: {said}" for variable, said in faults.items())


async def _serve(settings: ServiceSettings, started: float, *, first_week: bool, stays: bool, keeps: bool) -> int:
    from customer_ops.embedded import running_stack
    from customer_ops.play_clock import PlayClock

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    out = console()
    clock = PlayClock()
    async with running_stack(settings, clock=clock) as stack:
        gc.freeze()
        gc.enable()
        seconds = time.monotonic() - started
        _say(out, f"Customer Ops answers at {stack.address} (ready in {seconds:.2f} s, state in {settings.data_dir}/)")
        code = 0
        if first_week:
            code = await _shown(stack, clock, out, stop)
            if keeps and not stop.is_set():
                _next_steps(out, stack.address, settings.data_dir, stays=stays)
        if stays:
            await stop.wait()
            _say(out, "stopping")
    return code


async def _shown(stack: Stack, clock: PlayClock, out: Console, stop: asyncio.Event) -> int:
    """Shows the week in a thread; a signal ends it with the call under way."""
    stopping = threading.Event()
    week_time = _StackTime(stack, clock, asyncio.get_running_loop())
    showing = asyncio.create_task(asyncio.to_thread(_show, stack.address, week_time, out, stopping))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({showing, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    stopping.set()
    try:
        return await showing
    except Stopped:
        _say(out, "stopped before the week was over")
        return 0


def _show(address: str, week_time: _StackTime, out: Console, stopping: threading.Event) -> int:
    from customer_ops.week.play import play
    from customer_ops.week.today import today as what_is_open

    intact = True
    with connect(address, stopping) as client:
        if any(answer.checked for answer in verify_ledgers(client).values()):
            _say(out, "A week is kept here already. This is what is open now; another --data DIR plays it anew.")
        else:
            week_time.begin()
            intact = play(client, load_first_week(), out, week_time)
            out.rule(style="cyan")
        out.print(what_is_open(client, load_today()))
        out.print()
        _say(out, f"{client.answers} answers, live_send_allowed=false explicitly present in every one.")
    return 0 if intact else EXIT_UNVERIFIED


class _StackTime:
    """The time of the stack, for a play that runs in a thread of its own."""

    def __init__(self, stack: Stack, clock: PlayClock, loop: asyncio.AbstractEventLoop) -> None:
        self._stack, self._clock, self._loop = stack, clock, loop

    def begin(self) -> None:
        from customer_ops.play_clock import opening_of_last_week

        self._clock.begin(opening_of_last_week(datetime.now(UTC)))

    def now(self) -> datetime:
        return self._clock()

    def advance_to(self, moment: datetime) -> None:
        asyncio.run_coroutine_threadsafe(self._stack.advance(self._clock, moment), self._loop).result()

    def end(self) -> None:
        self.advance_to(datetime.now(UTC))
        self._clock.end()


def today(address: Address = DEFAULT_ADDRESS) -> None:
    """Show what is open, due and waiting now, over all customers."""
    from customer_ops.week.today import today as what_is_open

    with connect(address) as client:
        shown = what_is_open(client, load_today())
        line = f"{client.answers} answers, live_send_allowed=false explicitly present in every one."
    out = console()
    out.print(shown)
    out.print()
    _say(out, line)


def status(address: Address = DEFAULT_ADDRESS, as_json: Json = False) -> None:
    """Say which services answer. Ends with code 3 where one does not."""
    with connect(address) as client:
        answer = client.call(client.gateway.GetStatus, gateway_service_pb2.GetStatusRequest())
    show(answer, views.status(answer), as_json)
    silent = [line.service for line in answer.services if not line.serving]
    if silent:
        raise CommandFailed(f"not serving now: {', '.join(silent)}", EXIT_UNREACHABLE)


def _say(out: Console, line: str) -> None:
    out.print(Text(line), soft_wrap=True)


def _next_steps(out: Console, address: str, data: Path, *, stays: bool) -> None:
    at = "" if address == DEFAULT_ADDRESS or not stays else f" --address {address}"
    out.rule(style="cyan")
    if stays:
        _say(out, f"Serving at {address} until Ctrl-C. Try in another terminal:")
    else:
        kept = "" if data == Path("data") else f" --data {data}"
        _say(out, f"Ended at {address}: standard input is no terminal. The state is kept. To serve it:")
        _say(out, f"  .venv/bin/customer-ops up{kept}")
        _say(out, "and in another terminal:")
    for line in (
        f"today{at}",
        f"tickets list --customer {load_first_week().customer_id}{at}",
        f"approvals pending{at}",
        f"classify 'وصلت رسالة إلى عملائنا بدون موافقتي'{at}",
        f"ledger verify --json{at}",
    ):
        _say(out, f"  .venv/bin/customer-ops {line}")
    _say(out, "`make run` again shows what is open then; `make run DATA=DIR` plays the week in another folder.")
