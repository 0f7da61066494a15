"""What the tables of an edited file may hold: a kind for each field, and a sentence for each faulty one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple


@dataclass(frozen=True, slots=True)
class Kind:
    """What a field may hold: how that is said to people, and whether a value is such."""

    said: str
    said_ar: str
    accepts: Callable[[Any], bool]
    required: bool = False


class Fault(NamedTuple):
    """A field with what is wrong with it: a stable code, and a sentence in each language."""

    field: str
    code: str
    message: str
    message_ar: str


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _all(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(accepts, value))


TEXT: Final = Kind("a text in quotation marks, not empty", "نصًا غير فارغ بين علامتي اقتباس", _is_text)
TEXTS: Final = Kind('a list of texts: ["one", "another"]', 'قائمة نصوص: ["one", "another"]', _all(_is_text))
LISTS: Final = Kind('a list of lists: [["one", "another"]]', 'قائمة قوائم: [["one", "another"]]', _all(_all(_is_text)))
FORMS: Final = Kind(
    "forms in quotation marks, separated by commas, at least one",
    "صيغًا بين علامتي اقتباس تفصل بينها فواصل، واحدة على الأقل",
    _all(_is_text),
)
SWITCH: Final = Kind("true or false", "true أو false", lambda value: isinstance(value, bool))
TABLES: Final = Kind("tables", "جداول", _all(lambda value: isinstance(value, dict)))


def number(low: int, high: int) -> Kind:
    """Whole numbers between two bounds, both included; TOML's ``true`` is none."""
    return Kind(
        f"a whole number from {low} to {high}",
        f"عددًا صحيحًا من {low} إلى {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def one_of(names: Collection[str]) -> Kind:
    """One of some names."""
    said = ", ".join(names)
    return Kind(f"one of {said}", f"واحدًا من {said}", lambda value: isinstance(value, str) and value in names)


def some_of(names: Collection[str]) -> Kind:
    """A list of one or more of some names."""
    said = ", ".join(names)
    return Kind(f"a list of one or more of {said}", f"قائمة من {said}", _all(one_of(names).accepts))


def by_name(kind: Kind) -> Kind:
    """A value of a kind for each of some names that the editor chooses."""
    return Kind(
        f"{{ name = … }} with, for each name, {kind.said}",
        f"{{ name = … }} ولكل اسم {kind.said_ar}",
        lambda value: isinstance(value, dict) and all(map(kind.accepts, value.values())),
    )


def required(kind: Kind) -> Kind:
    """The same for a field that must be there."""
    return replace(kind, required=True)


def faults(table: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[Fault]:
    """Every field of a table that it must not have, that does not hold what it should, or that is missing."""
    for field in sorted(set(table) - set(kinds)):
        names = ", ".join(sorted(kinds))
        message = f"there is no field {field}; the fields are {names}"
        yield Fault(field, "UNKNOWN_KEY", message, f"لا يوجد حقل باسم {field}؛ الحقول هي {names}")
    for field, kind in kinds.items():
        if field not in table:
            if kind.required:
                message = f"{field} is missing; it must be {kind.said}"
                yield Fault(field, "FIELD_MISSING", message, f"الحقل {field} ناقص؛ يجب أن يكون {kind.said_ar}")
        elif not kind.accepts(table[field]):
            written = _shortened(repr(table[field]))
            message = f"{field} is {written}; it must be {kind.said}"
            yield Fault(field, "WRONG_VALUE", message, f"قيمة الحقل {field} هي {written}؛ يجب أن يكون {kind.said_ar}")


def _shortened(written: str, length: int = 60) -> str:
    return written if len(written) <= length else written[:length] + "…"
