"""What else is wrong with a request that breaks the bounds of the contract.

The domains look at a request only once it is within those bounds. So that all faulty fields are named at once, one that is
not is *tried*: its handler runs up to what it would change or ask of others, and the fields for which the domain refuses it
are named beside the contract's. Where a field must be one of some values and is none, each of them is tried in its
place: what is named is wrong whichever was meant.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from dealix.common.v1 import actor_pb2
from google.protobuf.message import Message

from services.domain.errors import InvalidInput, Violation
from services.runtime.call import Call

# A request of many bytes is not tried that often: it is refused, and refusing is to be cheap.
_MOST_BYTES = 1 << 20
# Not that of an entry of a map, whose key is the caller's text.
_PLAIN_PATH = re.compile(r"[a-z0-9_]+(\[[0-9]+\])?(\.[a-z0-9_]+(\[[0-9]+\])?)*")
_SOMEBODY = actor_pb2.Actor(kind=actor_pb2.ACTOR_KIND_PERSON, id="unknown")


async def faults_of_domain(
    handle: Callable[[Any, Call], Awaitable[Any]], request: Any, call: Call, named: Sequence[Violation]
) -> list[Violation]:
    """The fields that the domain refuses, without those that are named already, and what is inside or around these."""
    call.tried = True
    certain: list[Violation] | None = None
    for attempt in _attempts(request, [violation.field for violation in named]):
        refused = await _refused(handle, attempt, call)
        certain = refused if certain is None else [violation for violation in certain if violation in refused]
        if not certain:
            return []
    return [
        violation
        for violation in certain or ()
        if not any(_is_within(violation.field, v.field) or _is_within(v.field, violation.field) for v in named)
    ]


async def _refused(handle: Callable[[Any, Call], Awaitable[Any]], request: Any, call: Call) -> list[Violation]:
    try:
        await handle(request, call)
    except InvalidInput as refusal:
        return list(refusal.violations)
    except Exception:
        # It came to where the call would go on, or a faulty field stopped it: no more can be told.
        return []
    return []


def _attempts(request: Any, faulty: Sequence[str]) -> Iterator[Any]:
    """The request with each value in turn where one of some values is asked for; with an actor where there is none."""
    choices = {path: numbers for path in faulty if (numbers := _values_at(request, path))}
    count = max(map(len, choices.values()), default=1)
    if request.ByteSize() * count > _MOST_BYTES:
        return
    for number in range(count):
        attempt = type(request)()
        attempt.CopyFrom(request)
        if "actor" in faulty:
            attempt.actor.CopyFrom(_SOMEBODY)
        for path, numbers in choices.items():
            _set(attempt, path, numbers[number % len(numbers)])
        yield attempt


def _is_within(field: str, other: str) -> bool:
    return field == other or field.startswith((f"{other}.", f"{other}["))


def _values_at(message: Message, path: str) -> list[int]:
    """The values of the enum at a path; none where something else stands there."""
    if _PLAIN_PATH.fullmatch(path) is None:
        return []
    parent, name, index = _parent_of(message, path)
    field = parent.DESCRIPTOR.fields_by_name[name]
    if field.enum_type is None or (field.is_repeated and index is None):
        return []
    return [value.number for value in field.enum_type.values if value.number]


def _set(message: Message, path: str, number: int) -> None:
    parent, name, index = _parent_of(message, path)
    if index is None:
        setattr(parent, name, number)
    else:
        getattr(parent, name)[index] = number


def _parent_of(message: Any, path: str) -> tuple[Any, str, int | None]:
    """The message that has the last field of a path (``statuses[0].state``), that field's name and its index, if any."""
    *outer, last = [step.partition("[") for step in path.split(".")]
    for name, _, index in outer:
        message = getattr(message, name)
        if index:
            message = message[int(index[:-1])]
    name, _, index = last
    return message, name, int(index[:-1]) if index[:-1].isdecimal() else None
