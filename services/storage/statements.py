"""SQLAlchemy Core statements as SQL text and positional values, for the engine that runs them without SQLAlchemy.

Compiling takes a hundred microseconds and executing through SQLAlchemy tens; a prepared statement of SQLite takes
two. So each statement is compiled once for each set of parameter names, found again by identity, and handed to
``sqlite3`` as text. That leaves out type processors, which is why column types are restricted (see
:func:`check_metadata`) and every value is checked here: what one of the two engines would refuse or alter is refused
on both.
"""

from __future__ import annotations

import keyword
import weakref
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from services.storage.errors import StatementRefused
from services.storage.transaction import Row


class Kind(NamedTuple):
    """What a column or parameter may hold; ``low`` and ``high`` bound integers."""

    type: type
    low: int = 0
    high: int = 0


_INT64 = Kind(int, -(1 << 63), (1 << 63) - 1)
_INT32 = Kind(int, -(1 << 31), (1 << 31) - 1)
_TEXT = Kind(str)
_FLOAT = Kind(float)
_BYTES = Kind(bytes)
_ANY = Kind(object)
# Combinations of value types remembered for one statement; only a programming error makes more.
_MAX_KNOWN = 64


def kind_of(column_type: sa.types.TypeEngine[Any]) -> Kind | None:
    """The kind of a column type; None for the types that the engines do not keep alike."""
    match column_type:
        case sa.BigInteger():
            return _INT64
        case sa.SmallInteger() | sa.Boolean():
            return None
        case sa.Integer():
            return _INT32
        case sa.Enum():
            return None
        case sa.String():
            return _TEXT
        case sa.Float():
            return _FLOAT
        case sa.LargeBinary():
            return _BYTES
        case _:
            return None


def check_metadata(metadata: sa.MetaData) -> None:
    """``ValueError`` naming every column that the engines would not keep alike."""
    faults = []
    for column in (column for table in metadata.tables.values() for column in table.columns):
        if kind_of(column.type) is None:
            faults.append(f"{column.table.name}.{column.name}: type {column.type!r}")
        if column.default is not None or column.onupdate is not None:
            faults.append(f"{column.table.name}.{column.name}: a default made in Python")
    if faults:
        raise ValueError("columns that storage does not support: " + "; ".join(faults))


def check_value(name: str, kind: Kind, value: object) -> None:
    """``StatementRefused`` for a value that one of the engines would refuse, alter or keep as another type."""
    if value is None or (kind is _ANY and not isinstance(value, str | float | int)):
        return
    if isinstance(value, str) and kind in (_TEXT, _ANY):
        if "\0" in value:
            raise StatementRefused(f"parameter {name}: text with a NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise StatementRefused(f"parameter {name}: text with a lone surrogate") from None
    elif isinstance(value, int) and kind.type is not str and kind.type is not bytes:
        bounds = _INT64 if kind.type is not int else kind
        if not bounds.low <= value <= bounds.high:
            raise StatementRefused(f"parameter {name}: integer out of range")
    elif isinstance(value, float) and kind in (_FLOAT, _ANY):
        if value != value:
            raise StatementRefused(f"parameter {name}: not a number")
    elif not (isinstance(value, bytes) and kind is _BYTES):
        raise StatementRefused(f"parameter {name}: {type(value).__name__} where {kind.type.__name__} belongs")


def check_values(compiled_binds: Mapping[str, Any], params: Mapping[str, object]) -> None:
    """:func:`check_value` for every parameter of a statement whose binds SQLAlchemy keeps."""
    for name, value in params.items():
        bind = compiled_binds.get(name)
        check_value(name, (kind_of(bind.type) if bind is not None else None) or _ANY, value)


def row_maker(names: Iterable[str]) -> Callable[[Sequence[object]], Row]:
    """Makes rows with these column names out of sequences of values."""
    columns = tuple(names)
    if len(set(columns)) < len(columns) or any(n.startswith("_") or keyword.iskeyword(n) for n in columns):
        raise StatementRefused(f"columns {columns}: label them so that each has a name of its own")
    try:
        # _make of a named tuple is the cheapest object with attributes that there is.
        return cast("Callable[[Sequence[object]], Row]", namedtuple("Row", columns)._make)  # type: ignore[attr-defined]
    except ValueError as error:
        raise StatementRefused(f"columns {columns}: label them with plain names") from error


class Compiled:
    """One statement for SQLite: its text, and how to order and check its parameters."""

    __slots__ = ("_defaults", "_kinds", "_known", "_lists", "_names", "_pick", "make_row", "sql")

    def __init__(self, statement: Executable, columns: Sequence[str], dialect: Dialect) -> None:
        compiled = cast(
            SQLCompiler,
            statement.compile(dialect=dialect, column_keys=list(columns) if _is_dml(statement) else None),  # type: ignore[attr-defined]
        )
        if getattr(compiled, "insert_prefetch", None) or getattr(compiled, "update_prefetch", None):
            raise StatementRefused("a statement with defaults made in Python")
        self.sql = str(compiled)
        names = tuple(compiled.positiontup or ())
        self._names = names
        self._kinds = tuple(kind_of(compiled.binds[name].type) or _ANY for name in names)
        self._known: dict[tuple[type, ...], tuple[int, ...]] = {}
        self._defaults = {
            name: compiled.binds[name].effective_value for name in names if not compiled.binds[name].required
        }
        self._lists = compiled if compiled.post_compile_params or compiled.literal_execute_params else None
        self._pick: Callable[[Mapping[str, object]], Sequence[object]]
        if len(names) > 1:
            self._pick = itemgetter(*names)
        elif names:
            only = names[0]
            self._pick = lambda params: (params[only],)
        else:
            self._pick = lambda _: ()
        self.make_row: Callable[[Sequence[object]], Row] | None = None

    def _expand(self, lists: SQLCompiler, params: Mapping[str, object]) -> tuple[str, Sequence[object]]:
        """Text and values of a statement with a list of values (``IN``), which has a place for each of them."""
        for name, value in params.items():
            bind = lists.binds.get(name)
            kind = (kind_of(bind.type) if bind is not None else None) or _ANY
            for each in value if isinstance(value, list | tuple) else (value,):
                check_value(name, kind, each)
        state = lists.construct_expanded_state(dict(params))
        return state.statement, state.positional_parameters

    def bind(self, params: Mapping[str, object]) -> tuple[str, Sequence[object]]:
        """The text to execute and the values in the order of their places, checked."""
        if self._lists is not None:
            return self._expand(self._lists, params)
        if self._defaults:
            merged = {**self._defaults, **params}
            try:
                values: Sequence[object] = [merged[name] for name in self._names]
            except KeyError as missing:
                raise StatementRefused(f"parameter {missing} has no value") from None
        else:
            try:
                values = self._pick(params)
            except KeyError as missing:
                raise StatementRefused(f"parameter {missing} has no value") from None
        # Values of the same types were looked at before; then only the content of texts is left to check.
        types = tuple(map(type, values))
        texts = self._known.get(types)
        if texts is None:
            for name, kind, value in zip(self._names, self._kinds, values, strict=True):
                check_value(name, kind, value)
            # The kinds whose bounds the driver itself keeps: it refuses lone surrogates and integers beyond 64 bits.
            if all(kind in (_INT64, _TEXT, _BYTES) for kind in self._kinds) and len(self._known) < _MAX_KNOWN:
                self._known[types] = tuple(i for i, kind in enumerate(types) if issubclass(kind, str))
        else:
            for position in texts:
                if "\0" in values[position]:  # type: ignore[operator]
                    check_value(self._names[position], _TEXT, values[position])
        return self.sql, values


def _is_dml(statement: Executable) -> bool:
    return isinstance(statement, sa.Insert | sa.Update)


class StatementCache:
    """Finds the compiled form of a statement by the statement's identity, for as long as the statement lives.

    Used from several threads: entries are only ever added whole, so that at worst a statement is compiled twice.
    """

    def __init__(self) -> None:
        # qmark places: the order of values is all that is needed.
        self._dialect: Dialect = sqlite.dialect(paramstyle="qmark")
        self._entries: dict[int, tuple[weakref.ref[Executable], dict[tuple[str, ...], Compiled]]] = {}

    def get(self, statement: Executable, params: Mapping[str, object]) -> Compiled:
        entry = self._entries.get(id(statement))
        if entry is None:
            key = id(statement)
            entry = (weakref.ref(statement, lambda _: self._entries.pop(key, None)), {})
            self._entries[key] = entry
        columns = tuple(params)
        compiled = entry[1].get(columns)
        if compiled is None:
            try:
                compiled = entry[1][columns] = Compiled(statement, columns, self._dialect)
            except sa.exc.CompileError as error:
                raise StatementRefused(f"a statement that cannot be compiled: {error}") from error
        return compiled
