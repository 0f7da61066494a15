"""The commands put together, and the one place where a failure becomes a line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from customer_ops.cli import approvals, freezes, gateway, incidents, ledger, onboarding, papers, stack, success, support
from customer_ops.exits import EXIT_USAGE, CommandFailed
from customer_ops.text import one_line

_HELP = """Customer operations of Dealix: tickets, SLA, incidents, onboarding, connectors and customer success.

Nothing here sends anything: every text for a customer is a draft that a person approves.

Exit codes: 0 done; 1 refused by the service (or `up` must not start); 2 wrong usage; 3 nobody answers, try again;
4 a check failed (ledger broken, lexicon faulty, answer without live_send_allowed=false); 5 a fault on the other side.
"""


# typer exports one wrong usage by name; its parent stands for all of them.
_WrongUsage: type[Any] = typer.BadParameter.__bases__[0]


class Commands(TyperGroup):
    """Ends failed commands with one line and the code that belongs to it."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _failures_told():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                # A terminal that cannot show Arabic shows escapes; it gets no traceback.
                stream.reconfigure(errors="backslashreplace")
        with _failures_told():
            try:
                return super().invoke(ctx)
            finally:
                # Here, where it can be told that this fails; at the end of the process it could not. Closed output is none.
                print(end="", flush=True)


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except CommandFailed as failure:
        _say(failure.message)
        raise typer.Exit(failure.exit_code) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        if error.filename is None:
            # What is still to be written would fail once more at the end of the process.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _say(f"{error.filename or 'cannot write the output'}: {error.strerror or error}")
        raise typer.Exit(EXIT_USAGE) from None
    except UnicodeEncodeError:
        _say("wrong usage: an argument is not valid UTF-8")
        raise typer.Exit(EXIT_USAGE) from None
    except _WrongUsage as error:
        path = error.ctx.command_path if error.ctx is not None else "customer-ops"
        _say(f"wrong usage: {error.format_message().rstrip('.')}; see `{path} --help`")
        raise typer.Exit(EXIT_USAGE) from None


def _say(message: str) -> None:
    print(f"customer-ops: {one_line(message)}", file=sys.stderr)


app = typer.Typer(
    name="customer-ops",
    cls=Commands,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.callback(help=_HELP)
def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


stack.add_to(app)
support.add_to(app)
gateway.add_to(app)
incidents.add_to(app)
freezes.add_to(app)
papers.add_to(app)
onboarding.add_to(app)
success.add_to(app)
approvals.add_to(app)
ledger.add_to(app)
