"""The ticket classifier: labelled sets, their evaluation, and its tests."""
