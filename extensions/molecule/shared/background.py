"""A helper that a playbook starts and that goes on beside it."""

from __future__ import annotations

import os


def stays_behind() -> bool:
    """Fork. True in the child, which has let go of the caller's streams and session; False in the parent, which may end."""
    if os.fork():
        return False
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    return True
