"""The contract's enum values as people write them: ``P0`` for ``PRIORITY_P0``, ``connected_draft_only`` in any case."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message


def short_names(enum: Any) -> dict[str, int]:
    """Each valid value of a generated enum by its short name, in the order of the contract."""
    values = enum.DESCRIPTOR.values
    prefix = values[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix): value.number for value in values if value.number}


def value_of(enum: Any, text: str) -> int:
    """The number of a value by its short or full name, in any case. ``ValueError`` names those that exist."""
    names = short_names(enum)
    prefix = enum.DESCRIPTOR.values[0].name.removesuffix("UNSPECIFIED")
    wanted = text.strip().upper().replace("-", "_").removeprefix(prefix)
    if wanted not in names:
        raise ValueError(f"{text!r} is none of {', '.join(names)}")
    return names[wanted]


def name_of(enum: Any, number: int) -> str:
    """The short name of a value; the number itself for one that this version does not know, empty for none."""
    return _name_in(enum.DESCRIPTOR, number)


def field_name(message: Message, field: str) -> str:
    """The short name of the value of an enum field."""
    return _name_in(message.DESCRIPTOR.fields_by_name[field].enum_type, getattr(message, field))


def _name_in(descriptor: Any, number: int) -> str:
    if not number:
        return ""
    known = descriptor.values_by_number.get(number)
    prefix = descriptor.values[0].name.removesuffix("UNSPECIFIED")
    return str(number) if known is None else str(known.name).removeprefix(prefix)
