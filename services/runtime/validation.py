"""The bounds of the contract, checked by protovalidate: every faulty field of a request at once.

A blank text where one is required is within the contract's bounds and refused by the domains, beside what else they find.
A request that does not come to them is told of it here: all that is wrong is named at once.
"""

from __future__ import annotations

import functools
import re

import protovalidate
from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from services.domain.checks import Checks
from services.domain.errors import Violation

# What every free text of the contract is bound to, in the contract's words.
_WITHOUT_NUL = r"^[^\x00]*$"


class RequestValidator:
    """Checks messages against the rules in their descriptors. It keeps the rules that it compiled: a process shares one."""

    def __init__(self) -> None:
        self._collect = protovalidate.Validator().collect_violations

    def __call__(self, message: Message) -> None:
        """Raises ``InvalidInput`` naming every faulty field."""
        found = self._collect(message)
        if found:
            checks = Checks([_violation(v) for v in found])
            _check_required_texts(checks, message)
            checks.done()


@functools.cache
def shared_validator() -> RequestValidator:
    """The validator of this process: services that run in one compile the rules of a message once."""
    return RequestValidator()


def _check_required_texts(checks: Checks, message: Message, path: str = "") -> None:
    for field in _required_texts(message.DESCRIPTOR):
        where, value = f"{path}{field.name}", getattr(message, field.name)
        if field.message_type is None:
            if value:  # an empty one is below min_len
                checks.text(where, value)
        elif field.is_repeated:
            for number, part in enumerate(value):
                _check_required_texts(checks, part, f"{where}[{number}].")
        elif message.HasField(field.name):
            _check_required_texts(checks, value, f"{where}.")


@functools.cache
def _required_texts(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields of a message that are a required free text, or a message that has one further in; not those of maps."""
    return tuple(field for field in descriptor.fields if _is_or_has_required_text(field))


def _is_or_has_required_text(field: FieldDescriptor) -> bool:
    if field.message_type is not None:
        return not field.message_type.GetOptions().map_entry and bool(_required_texts(field.message_type))
    rules = field.GetOptions().Extensions[validate_pb2.field].string
    return bool(rules.pattern == _WITHOUT_NUL and rules.min_len)


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
