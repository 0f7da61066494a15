"""Which database URLs can be used, told before anything is opened; the drivers take any, and fail later in their own words."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import sqlalchemy as sa

_KINDS = ("sqlite", "postgresql", "postgres", "postgresql+asyncpg")
_MAX_PORT = 65535
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# What the driver understands in a URL, and the values that it takes; None where they are not a few.
_PARAMETERS: Mapping[str, Collection[str] | None] = {
    "host": None,
    "port": None,
    "passfile": None,
    "prepared_statement_cache_size": None,
    "ssl": _SSL_MODES,
    "sslmode": _SSL_MODES,
    "target_session_attrs": ("any", "primary", "standby", "read-write", "read-only", "prefer-standby"),
}


def url_faults(url: str) -> tuple[str, ...]:
    """What is wrong with a database URL, empty where it can be used; never its values, which may hold a password."""
    return tuple(_faults(url))


def _faults(url: str) -> Iterator[str]:
    if url.partition("://")[0] not in _KINDS:
        yield "must be postgresql://... or sqlite:///..."
        return
    try:
        parsed = sa.make_url(url)
        if not url.startswith("sqlite:"):
            parsed = parsed.set(drivername="postgresql+asyncpg")
            parsed.get_dialect()().create_connect_args(parsed)
    except (ValueError, sa.exc.ArgumentError):
        yield "cannot be read: postgresql://USER:PASSWORD@HOST:PORT/NAME, with %-codes for special signs in the password"
        return
    if parsed.drivername != "sqlite":
        yield from _server_faults(parsed)
    elif not parsed.database or parsed.database == ":memory:" or parsed.query:
        yield "must name a file and nothing else: sqlite:///relative.db or sqlite:////absolute.db"


def _server_faults(url: sa.URL) -> Iterator[str]:
    if url.port is not None and not 0 < url.port <= _MAX_PORT:
        yield f"has no port from 1 to {_MAX_PORT}"
    for name, value in url.query.items():
        if name not in _PARAMETERS:
            yield f"has a parameter that is not known here ({name}); known: {', '.join(_PARAMETERS)}"
        elif (values := _PARAMETERS[name]) is not None and value not in values:
            yield f"has a value of {name} that is none of {', '.join(values)}"
