# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, in plain sentences with the numbers: for somebody who was not there. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from . import story as words
from .spoken import clock, count, day_and_time, length, percent, version
from .story import Look, Region, Story

SHOWN_TARGETS = 6
_DID = {
    words.PROMOTED: "was promoted",
    words.PASSED: "passed",
    words.ROLLED_BACK: "was rolled back",
    words.ABORTED: "was aborted",
    words.REFUSED: "was refused",
    words.PARKED: "is parked",
    words.RUNNING: "is unfinished",
    words.UNTOUCHED: "was never begun",
    words.UNREACHABLE: "could not be reached",
}


def headline(told: Story) -> str:
    """One sentence: what, where, and why with the numbers."""
    lead = told.lead
    what = f"{told.name} {version(told.image)}".strip()
    where = listed([region.target for region in told.regions if region.outcome == told.outcome] or [lead.target])
    if told.outcome == words.PROMOTED and not told.is_fleet and len(told.regions) == 1:
        return f"{what} serves everybody in {where}. It replaced {version(lead.stable_image)} in {length(told.seconds)}."
    if told.outcome == words.PROMOTED:
        return f"{what} was promoted in {where}, in {length(told.seconds)}."
    wave = next((one.group for one in told.waves if lead.target in one.targets), "") if told.is_fleet else ""
    at = (
        f" at {lead.highest_percent:g} % of the traffic"
        if told.outcome in (words.ROLLED_BACK, words.ABORTED) and lead.highest_percent
        else ""
    )
    numbers = _numbers(lead) if told.outcome == words.ROLLED_BACK else ""
    return f"{what} {_DID[told.outcome]} in {lead.target if wave else where}{f' ({wave})' if wave else ''}{at}{numbers}."


def _numbers(lead: Region) -> str:
    """The gate that was furthest beyond its limit when the release was returned, with what it read; empty when none was."""
    decided = next((look for look in lead.looks if look.decision == "roll_back"), None)
    if decided is None:
        return ""
    most = {gate.name: gate.most for gate in lead.gates if gate.most and gate.is_share}
    found = []
    for name, reading in decided.readings.items():
        new = reading.canary_so_far.share if reading.canary_so_far else None
        if name in most and new is not None and new > most[name]:
            old = reading.stable_so_far.share if reading.stable_so_far else None
            against = "" if old is None else f" against {percent(old)} on stable"
            found.append((new / most[name], f": {name} {percent(new)}{against}, and the limit is {percent(most[name])}"))
    return max(found)[1] if found else ""


def account(told: Story) -> list[str]:
    """The sentences after the first: why, what became of the traffic, what failed meanwhile."""
    lead = told.lead
    said = [_why(told, lead), _when(told, lead), _traffic(told), _failed(told), _untold(lead)]
    if told.stopped:
        reason = f": {told.stopped.reason}" if told.stopped.reason else ""
        said.append(f"{told.stopped.by or 'Somebody'} stopped the fleet at {clock(told.stopped.at)} UTC{reason}.")
    return [sentence for sentence in said if sentence]


def _why(told: Story, lead: Region) -> str:
    if told.outcome == words.PROMOTED:
        last = lead.looks[-1] if lead.looks else None
        return "" if last is None or not last.reason else _sentence(f"The last look said: {last.reason}")
    reason = told.reason or lead.reason
    return _sentence(f"The reason: {reason}") if reason else ""


def _when(told: Story, lead: Region) -> str:
    """When it ended; of a release that its gates returned, when harm was first seen, when it was decided on, when traffic was back."""
    end = told.ended_at or lead.ended_at or lead.updated_at
    decided = next((look for look in lead.looks if look.decision == "roll_back"), None)
    if decided is None or lead.outcome != words.ROLLED_BACK:
        word = "It ended" if lead.ended_at else "The last sign of it is of"
        return "" if end is None else f"{word} {day_and_time(end)}."
    first = next((look for look in lead.looks if _has_events(look)), decided)
    seen = f"first seen {clock(first.at)}, " if first.at < decided.at else ""
    back = next((at for at, percentage in lead.weights if at >= decided.at and not percentage), None)
    returned = f", and traffic was back by {clock(back)}" if back is not None and lead.lines else ""
    began = f"It began on {day_and_time(lead.started_at)}. " if lead.started_at else ""
    after = f", {length(decided.at - lead.started_at)} after the beginning" if lead.started_at else ""
    return f"{began}Harm was {seen}decided on {clock(decided.at)}{after}{returned}."


def _has_events(look: Look) -> bool:
    return any(reading.canary_so_far and reading.canary_so_far.events for reading in look.readings.values())


def _traffic(told: Story) -> str:
    """Where traffic is now."""
    back = [region for region in told.regions if region.outcome in (words.ROLLED_BACK, words.ABORTED)]
    untouched = [region.target for region in told.regions if region.outcome == words.UNTOUCHED]
    away = [region.target for region in told.regions if region.outcome == words.UNREACHABLE]
    said = []
    if touched := [region for region in back if region.highest_percent]:
        stable = {version(region.stable_image) for region in touched if region.stable_image}
        where = f" in {listed([region.target for region in touched])}" if len(told.regions) > 1 else ""
        to = f"{stable.pop()}, the version before" if len(stable) == 1 else "the version before"
        said.append(f"All traffic{where} is back on {to}.")
    elif back and told.outcome != words.REFUSED:
        said.append("The new version never got traffic.")
    if told.outcome == words.REFUSED:
        said.append("Nothing was changed.")
    for region in told.regions:
        if region.outcome in (words.PARKED, words.RUNNING):
            until = f"; it may be taken up again until {day_and_time(region.open_until)}" if region.open_until else ""
            said.append(f"In {region.target} the new version has {region.weight_percent:g} % of the traffic{until}.")
    if away:
        said.append(f"Not reached, so that nothing is known of it: {listed(away)}.")
    if untouched:
        said.append(f"Untouched: {listed(untouched)}.")
    return " ".join(said)


def _failed(told: Story) -> str:
    """What clients saw of it."""
    counted = [region.costs for region in told.regions if region.costs.get("requests")]
    if not counted:
        return ""
    failed, requests = (sum(one.get(key) or 0 for one in counted) for key in ("failed_requests", "requests"))
    return f"Of {count(requests)} requests that the gates counted meanwhile, of both versions, {count(failed)} failed."


def _untold(lead: Region) -> str:
    if lead.lines or not lead.release_id:
        return ""
    return "This was read from the record alone: of the looks it keeps the last ones, and no JSON lines were found."


def listed(names: Sequence[str]) -> str:
    """Names in a sentence; of many the first ones."""
    shown = list(names[:SHOWN_TARGETS])
    if len(names) > SHOWN_TARGETS:
        return f"{', '.join(shown)} and {len(names) - SHOWN_TARGETS} more"
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
