# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long proxies are given to learn what the API server has stored, where nobody can see that they have."""

from __future__ import annotations

from .context import Context
from .watch import Watch

SETTLE_SECONDS = 1.5  # proxies learn of new pods about a tenth of a second after the API server; this is ten times that
# who configures the proxies watches the API server, and after it was gone asks again at growing intervals: up to half a minute
AFTER_SILENCE_SECONDS = 30.0
BLIND_DRAIN_SECONDS = 10.0  # least drain where no counters show that the canary gets nothing any more


def settle(context: Context, watch: Watch) -> None:
    """Let proxies learn of new pods before requests are sent there; longer after an API server that did not answer."""
    seconds = max(SETTLE_SECONDS, late(context))
    if seconds > SETTLE_SECONDS:
        context.live.say(
            "settle", f"{seconds:.0f} s: the API server did not answer lately, and what configures the proxies follows it late"
        )
    watch.linger(seconds)


def blind_drain(context: Context) -> None:
    """Keep the canary for a while after its traffic has left, where nothing counts what it still gets."""
    seconds = max(context.spec.drain_seconds, BLIND_DRAIN_SECONDS, late(context))
    context.live.say("drain", f"{seconds:.0f} s: without gates nothing counts what proxies that are late still send to the canary")
    context.pause(seconds)
    if (more := late(context)) > 0:
        context.live.say("drain", f"{more:.0f} s more: the API server did not answer meanwhile")
        context.pause(more)


def late(context: Context) -> float:
    """Seconds until proxies have heard of what was stored while the API server did not answer everybody."""
    return context.silent_at + AFTER_SILENCE_SECONDS - context.process.clock()
