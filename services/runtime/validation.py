"""The bounds of the contract, checked by protovalidate: every faulty field of a request at once."""

from __future__ import annotations

import functools
import re

import protovalidate
from google.protobuf.message import Message

from services.domain.errors import Violation

# What every free text of the contract is bound to, in the contract's words.
_WITHOUT_NUL = r"^[^\x00]*$"


class RequestValidator:
    """Checks messages against the rules in their descriptors. It keeps the rules that it compiled: a process shares one."""

    def __init__(self) -> None:
        self._collect = protovalidate.Validator().collect_violations

    def faults(self, message: Message) -> list[Violation]:
        """Every faulty field."""
        return [_violation(v) for v in self._collect(message)]


@functools.cache
def shared_validator() -> RequestValidator:
    """The validator of this process: services that run in one compile the rules of a message once."""
    return RequestValidator()


def _violation(violation: protovalidate.Violation) -> Violation:
    proto = violation.proto
    path = ""
    for element in proto.field.elements if proto.field is not None else ():
        path += f".{element.field_name}" if path else element.field_name
        subscript = element.subscript
        if subscript is not None:
            key = subscript.value
            # A map key is the caller's text, and one that is out of bounds may be anything, a credential too: only a
            # plain name is repeated in the answer, in quotes as the domains write it.
            text = f'"{key}"' if re.fullmatch(r"[a-z][a-z0-9_]{0,63}", str(key)) else "?"
            path += f"[{key if isinstance(key, int) else text}]"
    described = "must not hold a NUL character (U+0000)" if violation.rule_value == _WITHOUT_NUL else proto.message
    return Violation(path, _reason(proto.rule_id), f"{described}.")


def _reason(rule_id: str) -> str:
    return re.sub(r"[^A-Z0-9]+", "_", rule_id.upper())
