"""The one error that ends the command with a message instead of a traceback."""

from __future__ import annotations


class LabError(Exception):
    """What went wrong, and what to do next."""
