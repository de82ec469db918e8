# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a fleet stands, as its record says: for the report, for people, and for what has to be done next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..release.ending import ABORTED, PARKED, PROMOTED, ROLLED_BACK
from . import record as records
from .member import is_meant
from .people import border, has_begun
from .record import Entry, FleetRecord, waves_left

JSON = dict[str, Any]
SIGNS = {
    records.WAITING: "·",
    records.RUNNING: "…",
    records.PROMOTED: "new",
    records.RETURNED: "old",
    records.UNREACHABLE: "?",
    records.SKIPPED: "-",
    records.LET_GO: "gone",
}


def status(record: FleetRecord, entries: Mapping[str, Entry], now: float, holder: JSON | None = None) -> JSON:
    """A fleet as the verb returns it, and as the report reads it. holder: who has its Lease, and since when; now is Unix time."""
    progress, fleet = record.progress, record.fleet
    waves = []
    for number, (wave, state) in enumerate(zip(fleet.waves, progress.waves)):
        targets = [
            {
                "service": fleet.service_of(target),
                **{
                    key: getattr(entries[target], key)
                    for key in ("target", "state", "outcome", "reason", "release_id", "failed", "unchanged", "digest", "at")
                },
            }
            for target in wave.targets
        ]
        waves.append(
            {
                "group": wave.group,
                "share_percent": wave.share_percent,
                "bake_seconds": wave.bake_seconds,
                "bake_hours": wave.bake_hours,
                "begin": wave.begin,
                "waits_for": border(record, number, now).said if record.unfinished and not has_begun(record, wave.group) else "",
                **state,
                "targets": targets,
            }
        )
    return {
        "name": record.name,
        "release_id": progress.release_id,
        "image": progress.image,
        "phase": progress.phase,
        "outcome": progress.outcome,
        "reason": progress.reason,
        "started_at": progress.started_at,
        "ended_at": progress.ended_at,
        "by": progress.by,
        "stopped": record.stop,
        "approvals": record.people.get("approvals") or {},
        "started_by": record.people.get("started_by") or [],
        "home": fleet.home,
        "holder": holder,
        "waves": waves,
        "history": progress.history,
    }


def matrix(told: JSON) -> list[str]:
    """Regions by waves in text: one row for each target, its state in the column of its wave."""
    groups = [wave["group"] for wave in told["waves"]]
    name = max([len("target"), *(len(one["target"]) for wave in told["waves"] for one in wave["targets"])])
    widths = [max(len(group), 8) for group in groups]
    head = f"{'target':<{name}}  " + "  ".join(f"{group:<{width}}" for group, width in zip(groups, widths))
    made = [
        f"{told['name']} {told['image']}: {told['outcome'] or told['phase']}{': ' + told['reason'] if told['reason'] else ''}",
        head.rstrip(),
    ]
    for number, wave in enumerate(told["waves"]):
        for one in wave["targets"]:
            cells = ["" for _group in groups]
            cells[number] = SIGNS[one["state"]] + ("!" if one["failed"] else "")
            row = f"{one['target']:<{name}}  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths))
            made.append(row.rstrip() + (f"  {one['reason']}" if one["failed"] else ""))
    shares = [wave["share_percent"] for wave in told["waves"]]
    if any(share is not None for share in shares):
        cells = ["" if share is None else f"{share:g} %" for share in shares]
        made.append((f"{'share':<{name}}  " + "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths))).rstrip())
    made.append((f"{'wave':<{name}}  " + "  ".join(f"{wave['state']:<{width}}" for wave, width in zip(told["waves"], widths))).rstrip())
    made += [f"{wave['group']} waits for {wave['waits_for']}" for wave in told["waves"] if wave["waits_for"]]
    if (holder := told["holder"]) and told["phase"] != records.ENDED:
        advice = " and is gone: the same playbook goes on, or abort brings everybody back" if holder["is_dead"] else ""
        made.append(f"held by {holder['said']}{advice}")
    for wave in told["waves"]:
        gone = [one for one in wave["targets"] if one["state"] == records.LET_GO]
        made += [f"{one['target']} was let go: {one['reason']}" for one in gone]
    made.append(
        "new: serves the new version · old: went back · …: under way · ·: waits · ?: cannot be reached · -: left out · gone: let go · !: said no"
    )
    return made


def must_return(record: FleetRecord, entry: Entry) -> bool:
    """Whether a target has to go back: it is touched, and the stop sign means it, or it has said no itself."""
    return entry.is_touched and (entry.failed or (record.stop is not None and is_meant(record.stop, entry)))


def conclude(record: FleetRecord, entries: Mapping[str, Entry]) -> tuple[str, str, str]:
    """Phase, outcome and reason of a fleet at the end of a run."""
    progress, stop = record.progress, record.stop
    left = [entry.target for entry in entries.values() if must_return(record, entry)]
    away = [entry.target for entry in entries.values() if entry.state in (records.UNREACHABLE, records.SKIPPED)]
    gone = [entry.target for entry in entries.values() if entry.state == records.LET_GO]
    aside = (f"; not reached: {', '.join(away)}" if away else "") + (f"; let go: {', '.join(gone)}" if gone else "")
    if stop is not None:
        outcome = ABORTED if stop["cause"] == "abort" else ROLLED_BACK
        reason = f"stopped by {stop['by']}: {stop['reason']}"
        if left:
            return (
                records.RETURNING,
                outcome,
                f"{reason}; not returned yet: {', '.join(left)} (run it again; one that never answers again: let_go)",
            )
        return records.ENDED, outcome, reason + aside
    if waves_left(record):
        parked = [entry.target for entry in entries.values() if entry.outcome == PARKED]
        waits = next((record.fleet.waves[number] for number in waves_left(record)), None)
        group = waits.group if waits else ""
        held = record.progress.waves[record.fleet.number_of(group)].get("held") if group else ""
        why = f"parked in {', '.join(parked)}" if parked else held or f"{group} has not begun, or not ended"
        return records.RUNNING, PARKED, f"{why}; run it again to go on, or abort it"
    failed = [entry.target for entry in entries.values() if entry.failed]
    spared = f"; failed within the budget: {', '.join(failed)}" if failed else ""
    return records.ENDED, PROMOTED, f"{progress.image} serves in {_count(entries)} targets{spared}{aside}"


def _count(entries: Mapping[str, Entry]) -> int:
    return sum(entry.state == records.PROMOTED for entry in entries.values())
