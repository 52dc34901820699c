"""Checkpoint files: read, renamed, fitted to a network, converted."""
