"""Drafts and people's decisions about them, the same in every service: store, use cases, servicer."""
