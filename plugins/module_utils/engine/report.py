# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a release: from the records in the clusters, and the JSON lines beside the runner where there are any."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..cluster.session import Session
from ..release.command import Reference, parse_reference
from ..release.proceedings import JUDGED, JUDGES, PEOPLE, STEP
from ..release.spec import SpecError
from ..release.target import Refused
from ..release.values import Problem, Reader
from ..report import folder, html, junit, markdown, undone
from ..report.log import LogError, read_lines
from ..report.sentence import headline
from ..report.story import Story
from ..report.tell import Read, story_of
from . import native
from .assemble import Caller

JSON = dict[str, Any]
FOLDER = "releases"
EVENTS = "events.jsonl"
FILES: dict[str, tuple[str, Callable[[Story], str]]] = {
    "html": ("report.html", html.page),
    "markdown": ("report.md", markdown.comment),
    "junit": ("junit.xml", junit.suites),
}
FORMATS = (*FILES, "jsonl")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Asked:
    """The verb's arguments. releases, results: by host, what release_info and release returned there; None: read the record here."""

    reference: Reference | None
    releases: JSON | None
    results: JSON
    fleet: JSON | None
    log_dir: str
    report_dir: str
    formats: tuple[str, ...]
    names: JSON  # of a release that was refused before its result could tell them


def report(connect: Callable[[], Session], given: Mapping[str, Any], caller: Caller, *, check_mode: bool = False) -> JSON:
    """Write the report; where it is, and what it says. Raises SpecError, and Refused for a folder that cannot be written."""
    asked = parse(given)
    found, troubles = _read(connect, asked, caller)
    if not found and asked.fleet is None:
        said = "nothing to report: there is no release, and none was begun or refused"
        return {"changed": False, "written": False, "said": said, "paths": {}, "troubles": troubles}
    told = story_of(found, asked.fleet)
    where = os.path.abspath(os.path.join(os.path.expanduser(asked.report_dir), _name(told, caller)))
    files = {name: make(told) for kind, (name, make) in FILES.items() if kind in asked.formats}
    if "jsonl" in asked.formats:
        files[EVENTS] = _events(told, found)
    try:
        changed = folder.differing(where, files) if check_mode else folder.write(where, files)
    except OSError as error:
        allowed = f"a folder that can be written: {error.strerror or error} ({error.filename})"
        raise Refused([Problem("release_report_dir", asked.report_dir, allowed)]) from error
    names = {**{kind: name for kind, (name, _make) in FILES.items()}, "jsonl": EVENTS}
    paths = {kind: os.path.join(where, names[kind]) for kind in asked.formats}
    said = headline(told)
    if not check_mode:
        caller.live_emit(f"report: {paths.get('html', where)}")
    return {
        "changed": bool(changed),
        "written": not check_mode,
        "outcome": told.outcome,
        "said": said,
        "folder": where,
        "paths": paths,
        "summary": markdown.comment(told),
        "troubles": troubles,
    }


def parse(given: Mapping[str, Any]) -> Asked:
    """The verb's arguments. Raises SpecError."""
    read = Reader()
    releases, results = (read.mapping(name, given[name]) if given.get(name) is not None else None for name in ("releases", "results"))
    fleet = read.mapping("fleet", given["fleet"]) if given.get("fleet") is not None else None
    for number, wave in enumerate((fleet or {}).get("waves") or ()):
        if not isinstance(wave, Mapping) or not wave.get("group") or any("target" not in one for one in wave.get("targets") or ()):
            read.refuse(f"fleet.waves[{number}]", wave, "a wave with its group, and targets that each have a target")
    formats = read.sequence("formats", given["formats"]) if given.get("formats") is not None else list(FORMATS)
    for one in formats or ():
        if one not in FORMATS:
            read.refuse("formats", one, f"one of {', '.join(FORMATS)}")
    report_dir = read.text("release_report_dir", given.get("release_report_dir"), FOLDER) or FOLDER
    log_dir = read.text("release_log_dir", given.get("release_log_dir"), report_dir) or report_dir
    if read.problems:
        raise SpecError(read.problems)
    names = {"release_name": given.get("release_name") or "", "image": given.get("release_image") or ""}
    here = releases is None and results is None and fleet is None
    reference = parse_reference(given, name_is_required=False) if here else None
    return Asked(reference, releases, results or {}, fleet, log_dir, report_dir, tuple(formats or FORMATS), names)


def _read(connect: Callable[[], Session], asked: Asked, caller: Caller) -> tuple[dict[str, Read], list[str]]:
    """What there is to tell of each target, and what could not be read."""
    if asked.reference is not None:
        records = native.status(connect(), asked.reference.namespace, asked.reference.name)
        told: JSON = {caller.target_name: {"releases": [_with_commands(one, caller) for one in records]}}
    else:
        told = asked.releases or {}
    members = {one["target"]: one for wave in (asked.fleet or {}).get("waves") or () for one in wave.get("targets") or ()}
    found: dict[str, Read] = {}
    troubles: list[str] = []
    for target in {**told, **asked.results}:
        result = asked.results.get(target)
        listed, later = _listed(told.get(target)), None
        if target in members:
            record, later = undone.of_member(listed, members[target])
        else:
            record = _record_of(listed, result)
        if record is None and (result is None or not result.get("outcome") or result["outcome"] == native.PROMOTED):
            continue  # it had nothing to do, or nobody has released here
        lines, cut = _lines(asked.log_dir, record, troubles)
        if later is not None:
            lines = [*lines, *undone.way_home(target, later, _lines(asked.log_dir, later, troubles)[0])]
        found[target] = Read(record, {**asked.names, **(result or {})}, tuple(lines), cut)
    return found, troubles


def _with_commands(one: JSON, caller: Caller) -> JSON:
    return {**one, "next": [caller.playbook(verb, one["release_name"]) for verb in one["next_commands"]]}


def _listed(told: Any) -> list[JSON]:
    """The records that release_info told of one target."""
    return list(told.get("releases", [told] if "release_id" in told else [])) if isinstance(told, Mapping) else []


def _record_of(listed: list[JSON], result: Mapping[str, Any] | None) -> JSON | None:
    """The record that belongs to a result; the newest without one, or where it says nothing (the task crashed)."""
    wanted = (result or {}).get("release_id")
    if not wanted and not (result or {}).get("outcome"):
        return listed[0] if listed else None
    return next((one for one in listed if wanted and one["release_id"] == wanted), None)


def _lines(log_dir: str, record: JSON | None, troubles: list[str]) -> tuple[list[JSON], int]:
    """The JSON lines of a release and how many were cut short; none where there is no file."""
    path = os.path.join(os.path.expanduser(log_dir), f"{(record or {}).get('release_id')}.jsonl")
    if record is None or not os.path.exists(path):
        return [], 0
    try:
        return read_lines(path, JUDGES, (STEP, PEOPLE, JUDGED))
    except LogError as error:
        troubles.append(f"{path} was left out: {error}")
        return [], 0


def _name(told: Story, caller: Caller) -> str:
    """The folder's name: the release's id; of several without a fleet one made of theirs, of none the time."""
    ids = sorted({region.release_id for region in told.regions if region.release_id})
    if told.release_id or len(ids) == 1:
        name = told.release_id or ids[0]
    elif ids:
        name = f"{told.name}-{hashlib.sha256(' '.join(ids).encode()).hexdigest()[:6]}"
    else:
        name = f"{told.name}-{told.outcome}-{datetime.fromtimestamp(caller.process.clock(), timezone.utc):%Y%m%dT%H%M%SZ}"
    return _UNSAFE.sub("-", name).lstrip(".") or "release"


def _events(told: Story, found: Mapping[str, Read]) -> str:
    """The lines of all targets by time; of one without a log what its record tells."""
    lines: list[JSON] = []
    for region in told.regions:
        read = found.get(region.target)
        if read and read.lines:
            lines += read.lines
        else:
            lines += [{"at": one.at, "target": region.target, "event": one.word, "text": one.text} for one in region.events]
    return "".join(f"{json.dumps(line, sort_keys=True)}\n" for line in sorted(lines, key=lambda line: line["at"]))
