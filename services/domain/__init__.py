"""Shared domain kernel: pure rules that several services decide by. Standard library only."""
