"""The command line: ``customer-ops``. Every command is a client of a running stack, but for those that start or need none."""

from customer_ops.cli.root import app

__all__ = ["app"]
