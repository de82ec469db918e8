# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release decided, once more: from its JSON lines, or from the last looks of its record. Reads only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..cluster.session import Session
from ..release.proceedings import JUDGED, JUDGES, PEOPLE, STEP
from ..release.recompute import STATE, Hearing, Recomputed, knows, of_log, of_record, recompute
from ..release.record import Record
from ..release.spec import SpecError
from ..release.target import Refused
from ..release.values import Problem, Reader, spoken_seconds
from ..release.what_if import other_gates, what_if
from ..report.log import LogError, read_lines
from ..version import VERSION
from .assemble import Caller
from .native import known_release

JSON = dict[str, Any]
LOG, RECORD = "release_log", "replay_record"
GOES_ON = (STEP, PEOPLE, JUDGED)
SHOWN = 10  # differences that are printed
WRONG = (KeyError, TypeError, ValueError, AttributeError)  # of lines that no release wrote


@dataclass(frozen=True)
class _Found:
    """Where the looks came from, whose they are, and what was cut short."""

    source: str
    release_id: str
    hearings: list[Hearing]
    cut: int = 0


def is_asked(given: Mapping[str, Any]) -> bool:
    """Whether the verb's arguments ask for a release's own looks, not for past traffic."""
    return given.get(LOG) is not None or given.get(RECORD) not in (None, False, "false", "no")


def replay_release(connect: Callable[[], Session], given: Mapping[str, Any], caller: Caller) -> JSON:
    """Recompute a release. Raises SpecError and Refused; a verdict that comes out otherwise is a result, no error."""
    read = Reader()
    by_record = read.truth(RECORD, given.get(RECORD))
    for name in ("release_name", "release_namespace"):
        if by_record and given.get(name) is None:
            read.refuse(name, None, f"is required with {RECORD}: whose record is it?")
    paths = _paths(read, given.get(LOG))
    if read.problems:
        raise SpecError(read.problems)
    known = known_release(connect(), given["release_namespace"], given["release_name"]) if by_record else None
    found = _of_logs(paths, given) if paths else _of_record(known, given)
    if known is not None and known.state.release_id != found.release_id:
        raise Refused(
            [Problem(LOG, paths, f"the log of {known.state.release_id}, which the record is of; this one is of {found.release_id}")]
        )
    try:
        made = recompute(found.hearings)
    except WRONG as error:
        field, value = (LOG, ", ".join(paths)) if paths else ("release_name", given["release_name"])
        raise Refused([Problem(field, value, f"looks as version {VERSION} reads them: {type(error).__name__}: {error}")]) from error
    if known is not None and not knows(made, known.state.judge):
        last = {"look": made.verdicts[-1]["look"], "gate": "", "what": STATE, "logged": "as the record has it", "recomputed": "another one"}
        made.differ([{**last, "logged_by": found.hearings[-1].version, "recomputed_by": VERSION}])
    other = other_gates(found.hearings[0].spec, given)
    supposed = what_if(found.hearings, other) if other is not None else None
    for line in _told(found, made, supposed):
        caller.live_emit(f"{caller.target_name}  replay    {line}")
    return {
        "changed": False,
        "source": found.source,
        "release_id": found.release_id,
        "recomputed": len(made.verdicts),
        "differing": made.differing,
        "differs": made.rows,
        "verdicts": [_timed(one) for one in made.verdicts],
        "final": made.last,
        "cut_lines": found.cut,
        **({"what_if": _supposed(supposed)} if supposed is not None else {}),
    }


def _paths(read: Reader, value: Any) -> list[str]:
    """The files of release_log: one, or those of each runner."""
    listed = value if isinstance(value, list) else [] if value is None else [value]
    if value == []:
        read.refuse(LOG, value, "a file at least")
    return [str(path) for index, one in enumerate(listed) if (path := read.text(f"{LOG}[{index}]", one))]


def _of_logs(paths: list[str], given: Mapping[str, Any]) -> _Found:
    """The looks of all files, one runner after the other. Raises Refused."""
    problems: list[Problem] = []
    runners: list[tuple[JSON, list[JSON]]] = []
    cut = 0
    for path in paths:
        try:
            lines, broken = read_lines(path, JUDGES, GOES_ON)
        except LogError as error:
            problems.append(Problem(LOG, path, f"a file of JSON lines, as release_log_dir makes them (<release id>.jsonl): {error}"))
            continue
        cut += broken
        here = _runners(lines)
        if not any(looked for _judges, looked in here):
            allowed = f"the log of a release whose gates have looked, written by version {VERSION} or later of this collection"
            problems.append(Problem(LOG, path, allowed))
        runners += here
    if problems:
        raise Refused(problems)
    runners.sort(key=lambda one: float(one[0].get("at", 0.0)))
    first = runners[0][0]
    for judges, _lines in runners:
        problems += _strange(judges, first, given)
    if problems:
        raise Refused(problems[:1])
    try:
        return _Found("log", first["release_id"], [of_log(judges, lines) for judges, lines in runners], cut)
    except WRONG as error:
        allowed = f"looks as version {VERSION} reads them: {type(error).__name__}: {error}"
        raise Refused([Problem(LOG, ", ".join(paths), allowed)]) from error


def _runners(lines: list[JSON]) -> list[tuple[JSON, list[JSON]]]:
    """For each runner how its judges began, and its lines for them."""
    found: list[tuple[JSON, list[JSON]]] = []
    for line in lines:
        if line.get("event") == JUDGES:
            found.append((line, []))
        elif line.get("event") in GOES_ON and found:
            found[-1][1].append(line)
    return found


def _strange(judges: JSON, first: JSON, given: Mapping[str, Any]) -> list[Problem]:
    """A problem when the log is not of the release that is asked for, or of two of them."""
    problems = []
    for name in ("release_name", "release_namespace"):
        own = judges.get(name.replace("release_namespace", "namespace"))
        if given.get(name) is not None and given[name] != own:
            problems.append(Problem(name, given[name], f"the release that the log is of, {own} ({judges.get('release_id')}), or nothing"))
    if judges.get("release_id") != first.get("release_id"):
        both = f"{first.get('release_id')} and {judges.get('release_id')}"
        problems.append(Problem(LOG, both, "the logs of one release"))
    return problems


def _of_record(known: Record | None, given: Mapping[str, Any]) -> _Found:
    hearings = of_record(known) if known is not None else []
    if known is None or not any("look" in line for one in hearings for line in one.lines):
        allowed = "a release whose record holds looks (it has gates, and they have looked); else give release_log"
        raise Refused([Problem("release_name", given["release_name"], allowed)])
    return _Found("record", known.state.release_id, hearings)


def _told(found: _Found, made: Recomputed, supposed: JSON | None) -> list[str]:
    """The lines that people read."""
    cut = f" ({found.cut} line cut short by a runner that died, left out)" if found.cut else ""
    told = [f"{found.release_id}: {len(made.verdicts):,} looks recomputed from its {found.source}, {made.differing} differ{cut}"]
    told += [
        f"  look {one['look']} differs in {one['what']}: {one['logged']} ({one['logged_by']}), now {one['recomputed']} ({one['recomputed_by']})"
        for one in made.rows[:SHOWN]
    ]
    if made.last is not None:
        told.append(f"  the last verdict: {made.last['decision']} ({made.last['cause']}): {made.last['reason']}")
    if supposed is not None and supposed["decision"] is not None:
        when = f"look {supposed['look']} at {supposed['weight_percent']:g} %, after {spoken_seconds(supposed['seconds'])}"
        told.append(f"  other gates would have come to {supposed['decision']} ({supposed['cause']}), {when}: {supposed['reason']}")
    return told


def _supposed(found: JSON) -> JSON:
    """What other gates would have said, with its times as people write them."""
    timed = _timed(found) if "at_seconds" in found else found
    return {**timed, "verdicts": [_timed(one) for one in found["verdicts"]]}


def _timed(one: JSON) -> JSON:
    at = datetime.fromtimestamp(one["at_seconds"], timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**{name: value for name, value in one.items() if name != "at_seconds"}, "at": at}
