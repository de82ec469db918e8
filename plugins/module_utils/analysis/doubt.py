# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Could what the canary shows be an incident that stable's pods have not told of yet?

Pods are not read in step: a canary's sample may hold seconds of an outage that no sample of stable holds yet. Two signs of that put
evidence of harm into doubt. The canary is ahead: it has new events, and stable has had no request since. Stable has trouble: its
own newest sample, or its block, is above the limit. While there is doubt, evidence of harm is at most what it was before, which can
only lower it: the chance of a false alarm stays bounded. Doubt is over when stable has been read again, and of trouble when a
whole block has passed after the one in which it began: every pod of both arms has told of the same time by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

BLOCKS = 2  # that end before doubt does: the one in which it began, and a whole one
Blocks = Optional[int]


@dataclass(frozen=True)
class Doubt:
    """How many blocks have ended since each sign was first seen; None: there is no such sign."""

    ahead: Blocks = None
    trouble: Blocks = None

    @property
    def is_open(self) -> bool:
        """Whether evidence of harm does not count yet."""
        return any(each is not None and each < BLOCKS for each in (self.ahead, self.trouble))

    def after_look(self, new_canary_events: int, new_stable_requests: int, *, trouble: bool) -> Doubt:
        """With what a look brought since the one before it. trouble: stable is above the limit, in what is new or in its block."""
        ahead = self.ahead
        if new_stable_requests > 0:
            ahead = None
        elif new_canary_events > 0 and ahead is None:
            ahead = 0
        return Doubt(ahead, 0 if trouble and self.trouble is None else self.trouble)

    def after_block(self, *, burning: bool) -> Doubt:
        """When a block ends. Trouble lasts as long as stable burns, and ahead no longer than two blocks: stable may have no requests."""
        ahead = None if self.ahead is None or self.ahead + 1 >= BLOCKS else self.ahead + 1
        trouble = None if self.trouble is None else self.trouble + 1
        return Doubt(ahead, None if trouble is not None and trouble >= BLOCKS and not burning else trouble)


NO_DOUBT = Doubt()
