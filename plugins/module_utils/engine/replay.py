# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release's gates would have said of the past: how often they would have returned a version that was no worse. Reads only,
and writes a page of it where release_report_dir says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..analysis.replay import FALSE, Interval, Summary, Trial, rate, split_at_random, summarise, trials, worsened
from ..cluster.session import Session
from ..metrics import history
from ..metrics.catalogue import Arms
from ..metrics.prometheus import Prometheus
from ..metrics.source import inspect
from ..release import objects
from ..release.arguments import completed
from ..release.gates_spec import SEQUENTIAL
from ..release.judges import rule_of
from ..release.spec import Spec, SpecError, parse
from ..release.target import Refused
from ..release.values import Problem, Reader, spoken_seconds
from ..report import folder, past
from .assemble import Caller, transport
from .from_cluster import with_documents

JSON = dict[str, Any]
OWN = ("replay_hours", "replay_window_seconds", "replay_step_seconds", "replay_share_percent", "replay_ratios", "replay_record")
SEED = 1  # the same data give the same answer
LEAST_WINDOWS = 1
SHOWN = 10  # windows that would have been returned


@dataclass(frozen=True)
class Options:
    """How the past is cut: hours of it, the length of a trial, seconds between looks, the canary's share where it is drawn, harm to be caught."""

    hours: int
    window_seconds: float
    step_seconds: float
    share_percent: int
    ratios: tuple[int, ...]


def replay(session: Session, given: Mapping[str, Any], caller: Caller, *, check_mode: bool = False) -> JSON:
    """Judge the past. check_mode: writes no page. Raises SpecError and Refused, with nothing changed in any case."""
    options = parse_options(given)
    spec = parse(completed(with_documents(lambda: session, {name: value for name, value in given.items() if name not in OWN})))
    gates = spec.judged_by(SEQUENTIAL)
    if not gates or spec.pods is not None:
        allowed = f"a source in Prometheus, and a gate whose judge is {SEQUENTIAL}: pods know nothing of their past"
        raise SpecError([Problem("release_metrics_source", spec.metrics_source, allowed)])
    client, arms = _where(session, spec)
    now = client.instant("vector(time())")[0][1]
    start, step = now - 3600 * options.hours, options.step_seconds
    intervals = history.read(client, arms, gates, start_seconds=start, end_seconds=now, step_seconds=step)
    there = intervals[-1].at_seconds - intervals[0].at_seconds if intervals else 0.0
    if there < LEAST_WINDOWS * options.window_seconds:
        needed, found = spoken_seconds(options.window_seconds), spoken_seconds(there)
        allowed = f"at least {LEAST_WINDOWS} window of {needed} of requests; Prometheus has {found} of {spec.workload}"
        raise Refused([Problem("replay_hours", options.hours, allowed)])
    by_pod = history.parts_are_pods(arms) and any(len(one.parts()) > 1 for one in intervals)
    dealt = intervals if by_pod else split_at_random(intervals, options.share_percent / 100, SEED)
    judged = _Judge(spec, dealt, options, caller.live_emit, caller.target_name)
    judged.say(f"{len(intervals):,} looks of {spoken_seconds(there)}, {_split(by_pod, options)}")
    others = [gate.name for gate in spec.gates if gate not in gates]
    if others:
        judged.say(f"left out: {', '.join(others)}, whose judge is not {SEQUENTIAL}")
    result = judged.result({"source": arms.source.name, "split": "by_pod" if by_pod else "at_random", "hours": round(there / 3600, 2)})
    where = given.get("release_report_dir")
    return result if not where or check_mode else {**result, **_page(str(where), caller.target_name, result, judged.said)}


def _page(where: str, target: str, result: JSON, said: Sequence[str]) -> JSON:
    """Write the page; its path, and whether it is another one than before. Raises Refused when it cannot be written."""
    name = f"replay-{target}.html"
    try:
        changed = folder.write(where, {name: past.page(target, result, said)})
    except OSError as error:
        raise Refused([Problem("release_report_dir", where, f"a folder that can be written to: {error.strerror}")]) from error
    return {"page": os.path.join(where, name), "changed": bool(changed)}


def parse_options(given: Mapping[str, Any]) -> Options:
    """The replay_... options. Raises SpecError."""
    read = Reader()
    hours = read.integer("replay_hours", given.get("replay_hours"), least=1, most=31 * 24, default=6)
    window = read.seconds("replay_window_seconds", given.get("replay_window_seconds"), least=60, most=86400, default=600)
    step = read.seconds("replay_step_seconds", given.get("replay_step_seconds"), least=1, most=300, default=15)
    share = read.integer("replay_share_percent", given.get("replay_share_percent"), least=1, most=50, default=10)
    listed = read.sequence("replay_ratios", given.get("replay_ratios"))
    ratios = [
        read.integer(f"replay_ratios[{index}]", one, least=2, most=1000, default=2)
        for index, one in enumerate([2, 5, 10] if listed is None else listed)
    ]
    if window < 4 * step:
        read.refuse("replay_window_seconds", given.get("replay_window_seconds"), f"at least four looks of replay_step_seconds ({step:g} s)")
    if read.problems:
        raise SpecError(read.problems)
    return Options(hours, window, step, share, tuple(ratios))


def _where(session: Session, spec: Spec) -> tuple[Prometheus, Arms]:
    """Prometheus, and whose series are stable's."""
    problems: list[Problem] = []
    workload = objects.workload(session, spec, problems)
    service = objects.service(session, spec, workload, problems, []) if workload else None
    if service is None:
        raise Refused(problems)
    way = transport(session, spec)
    name = service["metadata"]["name"]
    found = inspect(spec, name, way, problems)
    if problems or found.source is None or way is None:
        raise Refused(problems)
    where = {"namespace": spec.namespace, "workload": spec.workload, "service": name, "kind": spec.workload_kind}
    return Prometheus(way), Arms.of(found.source, own=spec.own_source, **where)


class _Judge:
    """The trials of one replay, told as they are made."""

    def __init__(self, spec: Spec, intervals: Sequence[Interval], options: Options, emit: Callable[[str], None], target: str) -> None:
        self._spec, self._intervals, self._options = spec, intervals, options
        self._emit, self._target = emit, target
        self._gates = [gate.name for gate in spec.judged_by(SEQUENTIAL)]
        self.said: list[str] = []

    def say(self, line: str) -> None:
        """Tell a line at once, and keep it for the page."""
        self.said.append(line.strip())
        self._emit(f"{self._target}  replay    {line}")

    def result(self, about: JSON) -> JSON:
        """Trials of the past as it was, then with a canary that errs more."""
        made = self._trials(None)
        plain = summarise(made)
        self.say(_healthy(plain))
        wrong = [one for one in made if one.decision == "roll_back" and one.cause in FALSE]
        for one in wrong[:SHOWN]:
            self.say(f"  returned at {_time(one.began_at + one.seconds)}: {one.canary} with {_events(one)} of {one.requests:,} requests")
        detection = []
        for ratio in self._options.ratios:
            base = {gate.name: max(rate(self._intervals, gate.name), gate.max_share / 10) for gate in self._spec.judged_by(SEQUENTIAL)}
            caught = summarise(self._trials(worsened(ratio, base, SEED)))
            self.say(_harm(ratio, base, caught))
            percents = {name: 100 * ratio * value for name, value in base.items()}
            detection.append({"ratio": ratio, "rate_percent": percents, **_told(caught)})
        rates = {name: 100 * rate(self._intervals, name) for name in self._gates}
        times = [
            {"at": _time(one.began_at + one.seconds), "canary": one.canary, "requests": one.requests, "events": dict(one.events)}
            for one in wrong
        ]
        return {"changed": False, **about, "rate_percent": rates, **_told(plain), "false_rollbacks": times, "detection": detection}

    def _trials(self, spoil: Callable[[Interval, str], Interval] | None) -> list[Trial]:
        made = trials(
            lambda dispersions: rule_of(self._spec, dict(dispersions)),
            self._intervals,
            self._gates,
            window_seconds=self._options.window_seconds,
            spoil=spoil,
        )
        return [one for one in made if one.canary != "stable"]  # dealt at random there are two parts, and one is the canary


def _told(summary: Summary) -> JSON:
    share, lower, upper = summary.rolled_back_share
    return {
        "trials": summary.trials,
        "rolled_back": summary.rolled_back,
        "rolled_back_percent": 100 * share,
        "rolled_back_percent_interval": [100 * lower, 100 * upper],
        "shared_incidents": summary.incidents,
        "advanced": summary.advanced,
        "undecided": summary.undecided,
        "seconds_to_advance": summary.seconds_to_advance,
        "seconds_to_roll_back": summary.seconds_to_roll_back,
        "events_until_rolled_back": summary.events_until_rolled_back,
    }


def _healthy(summary: Summary) -> str:
    share, lower, upper = summary.rolled_back_share
    certain = f"{100 * share:.2g} %, 95 %: {100 * lower:.2g} to {100 * upper:.2g} %"
    line = f"a version no worse than stable would have been returned in {summary.rolled_back} of {summary.trials} trials ({certain})"
    onward = f"; {summary.advanced} would have gone on" + (
        f", after {spoken_seconds(summary.seconds_to_advance)} (median)" if summary.seconds_to_advance is not None else ""
    )
    shared = f"; {summary.incidents} were stopped by an incident that both had" if summary.incidents else ""
    return line + onward + shared + (f"; {summary.undecided} needed more requests than a window has" if summary.undecided else "")


def _harm(ratio: int, base: Mapping[str, float], caught: Summary) -> str:
    rates = ", ".join(f"{name} {100 * ratio * value:.2g} %" for name, value in base.items())
    when = f" after {spoken_seconds(caught.seconds_to_roll_back)} (median)" if caught.seconds_to_roll_back is not None else ""
    return (
        f"{ratio:2d} times as bad ({rates}): caught in {caught.rolled_back} of {caught.trials}{when}; {caught.advanced} would have gone on"
    )


def _split(by_pod: bool, options: Options) -> str:
    if by_pod:
        return "each pod in turn plays the canary against the others"
    return f"{options.share_percent} % of the requests, drawn at random, play the canary (the source does not tell pods apart)"


def _events(one: Trial) -> str:
    return ", ".join(f"{count} {gate}" for gate, count in one.events.items())


def _time(at_seconds: float) -> str:
    return datetime.fromtimestamp(at_seconds, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
