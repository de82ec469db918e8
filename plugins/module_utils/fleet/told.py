# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a fleet as people read it, with the moments that hours of business make foreseeable. Pure."""

from __future__ import annotations

from ..release import business_hours
from ..release.approvals import ANYBODY, ApprovalSpec
from ..release.freeze import spoken
from .spec import ALL, TARGET, WAVE, FleetSpec, Wave


def lines(fleet: FleetSpec, now: float) -> list[str]:
    """The plan, and when at the earliest what waits for hours would be. now is Unix time."""
    made = [f"{fleet.name}: {len(fleet.waves)} waves, {len(fleet.targets)} targets; the record is kept with {fleet.home}"]
    for wave in fleet.waves:
        share = "" if wave.share_percent is None else f"{wave.share_percent:g} % of the world"
        begins = f"begins in {wave.begin}" if wave.begin else ""
        bake = f"bakes {wave.bake_seconds:g} s" if wave.bake_seconds else f"bakes through {wave.bake_hours}" if wave.bake_hours else ""
        facts = ", ".join(part for part in (share, asks(wave.approve), begins, bake) if part)
        made.append(f"  {wave.group:<12} {', '.join(wave.targets)}{' (' + facts + ')' if facts else ''}")
    made += forecast(fleet, now)
    spared = f", once more than {fleet.failure_budget} have failed" if fleet.failure_budget else ""
    who = {ALL: "every touched target goes back", WAVE: "its wave goes back", TARGET: "that target goes back"}[fleet.on_violation]
    made.append(f"  a violation stops the fleet{spared}; {who}. An unreachable target: {fleet.on_unreachable}")
    return made


def asks(approve: ApprovalSpec | None) -> str:
    """Who has to agree, in the words of the plan; empty where nobody has to."""
    if approve is None:
        return ""
    if approve == ANYBODY:
        return "after an approval"
    lasts = f", each for {approve.expires_seconds:g} s" if approve.expires_seconds is not None else ""
    return f"after approvals by {approve}{lasts}{'' if approve.starter_may else ', not who started it'}"


def forecast(fleet: FleetSpec, now: float) -> list[str]:
    """When the waves that have hours begin and have baked, if releases and people took no time."""
    made, at = [], now
    for wave in fleet.waves:
        begins = business_hours.next_open(business_hours.parse(wave.begin), at) if wave.begin else at
        at = wave.bake_until(begins)
        if wave.begin or wave.bake_hours:
            made.append(f"  {wave.group:<12} at the earliest {_moments(wave, begins, at)}")
    return made


def _moments(wave: Wave, begins: float, ends: float) -> str:
    zone = business_hours.parse(wave.bake_hours or wave.begin).zone
    baked = f", has baked {spoken(ends, zone)}" if wave.bakes else ""
    return f"begins {spoken(begins, zone)}{baked}"
