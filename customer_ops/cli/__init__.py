"""The command line: ``customer-ops``. Every command is a client of a running stack, but for those that start or need none."""

import os

# The transport writes lines of its own beside ours otherwise; whoever looks for a fault in it sets this.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from customer_ops.cli.root import app

__all__ = ["app"]
