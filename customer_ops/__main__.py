"""``python -m customer_ops``: the command line."""

from customer_ops.cli import app

if __name__ == "__main__":
    app(prog_name="customer-ops")
