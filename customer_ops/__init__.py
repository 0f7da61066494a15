"""The stack in one process, and the command line in front of it."""
