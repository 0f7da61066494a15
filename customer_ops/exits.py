"""How commands end, for scripts."""

from __future__ import annotations

EXIT_OK = 0
EXIT_REFUSED = 1
"""The service refused what was asked for, or `up` must not start: the address is taken, the data is in use."""
EXIT_USAGE = 2
"""The command line is wrong, or a file that it names cannot be read or written."""
EXIT_UNREACHABLE = 3
"""Nobody answers at the address, or not now: try again."""
EXIT_UNVERIFIED = 4
"""What was checked does not hold: a ledger is broken, a lexicon is faulty, an answer lacks ``live_send_allowed=false``."""
EXIT_FAULT = 5
"""A fault on the other side; its log knows more."""


class CommandFailed(Exception):
    """A command ends: one line for people, one code for scripts."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
