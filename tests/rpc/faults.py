"""Faulty requests made from a valid one by the rules of the contract, one field at a time.

What is faulty is decided here from the rules as they stand in the descriptors, not by the validator that the services use.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from tests.rpc.samples import PARTS

TIMESTAMP = "google.protobuf.Timestamp"

_INTEGERS = {
    FieldDescriptor.TYPE_INT32: ("int32", -(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: ("int64", -(2**63), 2**63 - 1),
}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Texts that no identifier may be, by what is wrong with them.
TEXTS = {
    "empty": "",
    "space": " ",
    "e-mail": "ahmad@example.sa",
    "half an e-mail": "ahmad@",
    "path": "../../etc/passwd",
    "quote": "' OR 1=1 --",
    "markup": "<b>x</b>",
    "NUL": "a\0b",
    "line end": "a\nb",
    "Arabic": "عميل",
    "right-to-left override": "abc\u202etxt",
    "isolate": "\u2066abc\u2069",
    "right-to-left mark": "abc\u200f",
    "zero-width joiner": "ab\u200dc",
    "byte order mark": "\ufeffabc",
    "Arabic digits": "٠١٢٣",
    "fullwidth": "\uff41\uff42\uff43",
    "look-alike": "\u0430bc",
    "emoji": "\U0001f6a8",
    "longer than anything": "a" * 20_001,
}
# What is put behind a valid value, which then is none any more.
ENDINGS = {"line end": "\n", "NUL": "\0", "right-to-left override": "\u202e", "space": " ", "at sign": "@"}


@dataclass(frozen=True)
class Fault:
    """A request with one faulty field. ``field`` is the path that a refusal must name."""

    field: str
    what: str
    request: Any


@dataclass(frozen=True)
class Leaf:
    """One way to make a field faulty: ``edit(root)`` on a copy of the request."""

    field: str
    what: str
    edit: Callable[[Any], None]


def faults(request: Message) -> Iterator[Fault]:
    """Every single fault, each in a request of its own."""
    for leaf in _leaves(request):
        copy = type(request).FromString(request.SerializeToString())
        leaf.edit(copy)
        yield Fault(leaf.field, leaf.what, copy)


def all_at_once(request: Message) -> tuple[set[str], Any]:
    """One request with as many faulty fields as it has scalars with rules, and their paths."""
    copy = type(request).FromString(request.SerializeToString())
    chosen: dict[str, Leaf] = {}
    for leaf in _leaves(request):
        # What takes a whole field away, or puts it in the plural, would hide the faults inside of it.
        if leaf.what in ("missing", "too many", "too few", "the same twice"):
            continue
        # Each edit of a map begins anew, so one entry stands for the map.
        place = leaf.field.partition("[")[0] if leaf.what.startswith(("key: ", "value: ")) else leaf.field
        chosen.setdefault(place, leaf)
    for leaf in chosen.values():
        leaf.edit(copy)
    return {leaf.field for leaf in chosen.values()}, copy


def impossible_times(request: Message) -> Iterator[Fault]:
    """Requests with a time that no calendar has, each in turn in every field that holds a time."""
    for path, reach in _messages(type(request).DESCRIPTOR, TIMESTAMP):
        for what, seconds, nanos in (
            ("after the year 9999", 253_402_300_800, 0),
            ("the last hours of the year 9999, which is another year in Riyadh", 253_402_290_000, 0),
            ("before the year 1", -62_135_596_801, 0),
            ("far away", 2**62, 0),
            ("far back", -(2**62), 0),
            ("negative nanoseconds", 1_700_000_000, -1),
            ("two seconds of nanoseconds", 1_700_000_000, 2_000_000_000),
        ):
            copy = type(request).FromString(request.SerializeToString())
            reach(copy).CopyFrom(Timestamp(seconds=seconds, nanos=nanos))
            yield Fault(path, what, copy)


def required_when_empty(descriptor: Descriptor) -> set[str]:
    """The fields of a request that an empty one must be refused for."""
    found = set()
    for field in descriptor.fields:
        rules = rules_of(field)
        single = not field.is_repeated and not field.has_presence and field.message_type is None
        if (
            rules.required
            or (field.is_repeated and rules.repeated.min_items)
            or (single and breaks(field, rules, field.default_value))
        ):
            found.add(field.name)
    return found


def rules_of(field: FieldDescriptor) -> Any:
    """The rules that stand at a field."""
    return field.GetOptions().Extensions[validate_pb2.field]


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _messages(
    descriptor: Descriptor, wanted: str, path: str = "", reach: Callable[[Any], Any] = lambda root: root
) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Every field that holds a message of a type: its path, and how to reach it in a request."""
    for field in descriptor.fields:
        if field.message_type is None or field.is_repeated:
            continue
        inner = _inner(reach, field)
        if field.message_type.full_name == wanted:
            yield f"{path}{field.name}", inner
        else:
            yield from _messages(field.message_type, wanted, f"{path}{field.name}.", inner)


def _inner(reach: Callable[[Any], Any], field: FieldDescriptor) -> Callable[[Any], Any]:
    """Reaches a message field, filled first where it is unset; of a list its first element."""

    def find(root: Any) -> Any:
        parent = reach(root)
        if field.is_repeated:
            elements = getattr(parent, field.name)
            if not elements:
                elements.add().CopyFrom(PARTS[field.message_type.full_name]())
            return elements[0]
        if not parent.HasField(field.name):
            getattr(parent, field.name).CopyFrom(PARTS[field.message_type.full_name]())
        return getattr(parent, field.name)

    return find


def _leaves(
    request: Message, descriptor: Any = None, path: str = "", reach: Callable[[Any], Any] = lambda root: root
) -> Iterator[Leaf]:
    for field in (descriptor or request.DESCRIPTOR).fields:
        where = f"{path}{field.name}"
        rules = rules_of(field)
        if _is_map(field):
            yield from _map_leaves(field, rules.map, where, reach)
            continue
        if rules.required:
            yield Leaf(where, "missing", lambda root, f=field: reach(root).ClearField(f.name))
        if field.is_repeated:
            yield from _list_leaves(field, rules.repeated, where, reach)
            rules = rules.repeated.items
            if field.message_type is None:
                for what, value in _faulty_values(field, rules, ""):
                    yield Leaf(f"{where}[0]", what, _replace_all(reach, field.name, value))
        elif field.message_type is None:
            present = getattr(reach(type(request).FromString(request.SerializeToString())), field.name)
            for what, value in _faulty_values(field, rules, present):
                yield Leaf(where, what, lambda root, f=field, v=value: setattr(reach(root), f.name, v))
        if field.message_type is not None and field.message_type.full_name != TIMESTAMP:
            inside = f"{where}[0]." if field.is_repeated else f"{where}."
            yield from _leaves(request, field.message_type, inside, _inner(reach, field))


def _replace_all(reach: Callable[[Any], Any], name: str, value: Any) -> Callable[[Any], None]:
    def edit(root: Any) -> None:
        elements = getattr(reach(root), name)
        del elements[:]
        elements.append(value)

    return edit


def _list_leaves(field: FieldDescriptor, rules: Any, where: str, reach: Callable[[Any], Any]) -> Iterator[Leaf]:
    def times(count: int) -> Callable[[Any], None]:
        def edit(root: Any) -> None:
            elements = getattr(reach(root), field.name)
            if field.message_type is not None:
                _inner(reach, field)(root)
            assert elements, f"{where} needs an element in its sample"
            first = elements[0]
            del elements[1:]
            elements.extend([first] * (count - 1))

        return edit

    if rules.max_items:
        yield Leaf(where, "too many", times(rules.max_items + 1))
    if rules.min_items:
        yield Leaf(where, "too few", lambda root: reach(root).ClearField(field.name))
    if rules.unique:
        yield Leaf(where, "the same twice", times(2))


def _map_leaves(field: FieldDescriptor, rules: Any, where: str, reach: Callable[[Any], Any]) -> Iterator[Leaf]:
    def put(pairs: dict[str, str]) -> Callable[[Any], None]:
        def edit(root: Any) -> None:
            entries = getattr(reach(root), field.name)
            entries.clear()
            entries.update(pairs)

        return edit

    key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
    yield Leaf(where, "too many", put({f"key_{n}": "x" for n in range(rules.max_pairs + 1)}))
    for what, text in _faulty_values(key, rules.keys, "folder"):
        # What is no name is not repeated: it may be a credential.
        yield Leaf(f"{where}[?]", f"key: {what}", put({text: "x"}))
    for what, text in _faulty_values(value, rules.values, "drafts"):
        yield Leaf(f'{where}["folder"]', f"value: {what}", put({"folder": text}))


def _faulty_values(field: FieldDescriptor, rules: Any, present: Any) -> Iterator[tuple[str, Any]]:
    """Values that the rules of a field refuse, each with what is wrong."""
    for what, value in _candidates(field, rules, present):
        if breaks(field, rules, value):
            yield what, value


def _candidates(field: FieldDescriptor, rules: Any, present: Any) -> Iterator[tuple[str, Any]]:
    if field.type == FieldDescriptor.TYPE_STRING:
        yield from TEXTS.items()
        if rules.string.max_len:
            yield "one letter too long", "ط" * (rules.string.max_len + 1)
        if present:
            for what, ending in ENDINGS.items():
                yield f"{what} at the end", present + ending
            yield "shortened", present[:-1]
            yield "doubled", present + present
    elif field.type == FieldDescriptor.TYPE_BYTES:
        yield from (("empty", b""), ("short", b"x"), ("long", b"x" * 33))
    elif field.type == FieldDescriptor.TYPE_ENUM:
        yield from (("unspecified", 0), ("negative", -1), ("unknown", 99), ("huge", 2**31 - 1), ("least", -(2**31)))
    elif field.type == FieldDescriptor.TYPE_DOUBLE:
        yield from (("NaN", math.nan), ("infinite", math.inf), ("minus infinite", -math.inf))
        yield from (("negative", -1.0), ("hardly negative", -5e-324), ("huge", 1e308))
        yield "above the bound", math.nextafter(rules.double.lte, math.inf)
    elif field.type in _INTEGERS:
        name, least, most = _INTEGERS[field.type]
        bounds = getattr(rules, name)
        yield from (("zero", 0), ("negative", -1), ("least", least), ("most", most))
        if bounds.HasField("lte"):
            yield "above the bound", bounds.lte + 1


def breaks(field: FieldDescriptor, rules: Any, value: Any) -> bool:
    """Whether the rules refuse a value."""
    if field.type == FieldDescriptor.TYPE_STRING:
        string = rules.string
        listed = list(getattr(string, "in"))
        return bool(
            (string.uuid and not _UUID.fullmatch(value))
            or (string.HasField("max_len") and len(value) > string.max_len)
            or (string.HasField("min_len") and len(value) < string.min_len)
            # The patterns are anchored; to RE2, `$` is the end of the text and not a line's.
            or (string.pattern and not re.search(re.sub(r"\$$", r"\\Z", string.pattern), value))
            or (listed and value not in listed)
        )
    if field.type == FieldDescriptor.TYPE_BYTES:
        return rules.bytes.HasField("len") and len(value) != rules.bytes.len
    if field.type == FieldDescriptor.TYPE_ENUM:
        known = field.enum_type.values_by_number
        return bool((rules.enum.defined_only and value not in known) or value in rules.enum.not_in)
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        bounds = rules.double
        return bool(
            (bounds.finite and not math.isfinite(value))
            or (bounds.HasField("gte") and not value >= bounds.gte)
            or (bounds.HasField("lte") and not value <= bounds.lte)
        )
    if field.type in _INTEGERS:
        bounds = getattr(rules, _INTEGERS[field.type][0])
        return bool((bounds.HasField("gte") and value < bounds.gte) or (bounds.HasField("lte") and value > bounds.lte))
    return False
