"""A customer's first week, played against a running stack by a client like any other, and what is there afterwards."""

from __future__ import annotations
