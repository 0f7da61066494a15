"""Alembic's environment for every service: run the migrations on the connection that the caller opened.

The caller owns connection and transaction; see ``services.storage.migrations``.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
