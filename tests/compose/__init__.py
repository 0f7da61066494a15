"""The docker-compose set-up, tried for real: `tests/compose/run`."""
