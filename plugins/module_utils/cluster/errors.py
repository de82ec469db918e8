# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong between us and an API server, one class a cause."""

from __future__ import annotations

import re

# An API server that has just started denies everybody everything until it has read its rules: "later", as far as one answer
# can say. Rights are asked for in preflight (SelfSubjectAccessReview); quota and admission deny in other words.
NOT_AUTHORIZED = re.compile(r'User ".*" cannot \w+ resource')


class ClusterError(Exception):
    """An API call that did not succeed.

    status is the HTTP status, 0 when no answer came; reason is Kubernetes' own word for it (NotFound, Conflict, ...).
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "", call: str = "") -> None:
        super().__init__(f"{call}: {message}" if call else message)
        self.status = status
        self.reason = reason
        self.call = call


class Unreachable(ClusterError):
    """No answer, or an answer that says "later": nothing is known about whether a write took effect."""


class SlowAnswer(ClusterError):
    """The API server took the request, and what it passed it on to did not answer in time."""


class NotFound(ClusterError):
    """The object, or its kind, does not exist."""


class Conflict(ClusterError):
    """Somebody else changed the object first, or it exists already."""


class Rejected(ClusterError):
    """The API server understood the request and rejects it: forbidden, invalid, denied by admission."""


class Superseded(ClusterError):
    """Another runner holds this release now: whoever sees this must not change anything any more."""


class Unmarked(Superseded):
    """An object of this release bears nobody's mark: somebody has replaced it, or the release has ended. The Lease tells which."""


def error_for(status: int, reason: str, message: str, call: str) -> ClusterError:
    """The error class that HTTP status stands for."""
    if status in {0, 429} or status >= 500 or (status == 403 and NOT_AUTHORIZED.search(message)):
        return Unreachable(message, status=status, reason=reason, call=call)
    if status == 404:
        return NotFound(message, status=status, reason=reason, call=call)
    if status == 409:
        return Conflict(message, status=status, reason=reason, call=call)
    return Rejected(message, status=status, reason=reason, call=call)
