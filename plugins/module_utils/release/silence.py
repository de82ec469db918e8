# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Silences the release's own alerts in Alertmanager while it runs. A courtesy: what goes wrong here is told, and stops nothing.

A silence always has an expiry some minutes ahead and is prolonged while the release runs, so that one whose runner died ends by itself.
Alerts that are meant to return traffic are never silenced.
"""

from __future__ import annotations

from ..metrics.alertmanager import AlertmanagerError
from .alerts_spec import ACTION
from .context import Context

LASTS_SECONDS = 600.0
PROLONG_SECONDS = 240.0
RETRY_SECONDS = 60.0


class Silencer:
    """Puts the silence at the first check and prolongs it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next_at = float("-inf")
        self._said = False

    def check(self) -> None:
        """Put or prolong the silence when it is time."""
        context, now = self._context, self._context.process.clock()
        client, alerts = context.alertmanager, context.spec.alerts
        if client is None or alerts is None or now < self._next_at:
            return
        known = context.state.silence
        try:
            context.state.silence = client.silence(
                dict(alerts.matchers),
                never=ACTION,
                until=now + LASTS_SECONDS,
                by="progressive.delivery",
                why=f"release {context.state.release_id}",
                now=now,
                known=known,
            )
        except AlertmanagerError as error:
            self._next_at = now + RETRY_SECONDS
            if not self._said:
                context.live.say("warning", f"alerts are not silenced: {error}")
                self._said = True
            return
        self._next_at = now + PROLONG_SECONDS
        if context.state.silence != known:
            context.write(context.state.doing)


def lift(context: Context) -> None:
    """Remove the silence: the release has ended, or waits for people."""
    if not context.state.silence or context.alertmanager is None:
        return
    try:
        context.alertmanager.lift(context.state.silence)
    except AlertmanagerError as error:
        context.live.say("warning", f"silence {context.state.silence} could not be removed, it ends by itself in minutes: {error}")
    context.state.silence = ""
