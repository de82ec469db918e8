# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb metric_gate: runs gates over a canary and stable until a verdict, without a release around them.

The same function runs in Ansible's worker and as a module on a target; it takes arguments and gives back a result. It changes nothing
but, where it is told to, the route, which it sends home.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis.verdict import ADVANCE, BAD_QUERY, HOLD, NO_DATA, ROLL_BACK, Verdict
from ..cluster.errors import ClusterError
from ..cluster.session import Session
from ..release.context import Process
from ..release.judges import panel_of
from ..release.values import Problem
from ..report.live import Live
from ..traffic import declare
from ..traffic.place import Unusable
from ..traffic.route import RouteError
from ..traffic.sight import Sight
from . import gate_plan
from .gate_arms import Counted, Pair, counted, find_pair
from .gate_evidence import FIELD, kept_for, state_of
from .gate_return import command, restore
from .gate_share import Share, moved, share_of
from .gate_task import GateTask, in_our_words, parse
from .gate_watch import STOPPED, Decided, GateWatch

JSON = dict[str, Any]
AGAIN_SECONDS = 10.0  # when nobody can tell how long a gate still needs


@dataclass(frozen=True)
class Runner:
    """Who runs the verb: how to print, what the target is called, its process."""

    emit: Callable[[str], None]
    target_name: str
    process: Process


def metric_gate(given: Mapping[str, Any], runner: Runner, *, check_mode: bool = False) -> JSON:
    """Arguments in, result out. Bad input is a result with failed and msg; of a verdict only those that fail_on names are."""
    try:
        task = parse(given)
        return judge(declare.session_of(given), task, runner, check_mode=check_mode)
    except Unusable as error:
        return declare.refusal(in_our_words(error.problems))
    except (ClusterError, RouteError) as error:
        return {"failed": True, "changed": False, "msg": str(error)}


def judge(session: Session, task: GateTask, runner: Runner, *, check_mode: bool = False) -> JSON:
    """Look until there is a verdict; restore the route at once where that is asked for. Raises Unusable, ClusterError, RouteError before that."""
    live = Live(runner.emit, runner.target_name, clock=runner.process.clock)
    sight = declare.seen(session, task.declared) if task.weight is None else None
    problems: list[Problem] = []
    share = share_of(task, sight.seen if sight else None, problems)
    if check_mode:
        problems.clear()  # the tasks before this one, which would have moved traffic, have not
    if task.restores and sight:
        _may_restore(session, task, sight, problems)
    pair = find_pair(session, task, _selector(session, task, sight), problems, judged=not check_mode)
    kept = kept_for(task, pair, problems) if pair else None
    if problems or pair is None:
        raise Unusable(problems)
    found = counted(session, task, pair, runner.process, problems=problems, kept=kept, sample=check_mode)
    if problems or found is None:
        raise Unusable(problems)
    if check_mode:
        return _plan(task, found, share, live)
    if share is None:
        raise AssertionError("a share without problems is one")
    return _judge(session, task, _Judged(pair, found, share, sight, kept), runner, live)


@dataclass(frozen=True)
class _Judged:
    """What a task judges: the versions, their counters, what the canary gets, the route, evidence that goes on."""

    pair: Pair
    counted: Counted
    share: Share
    sight: Sight | None
    kept: JSON | None


def _judge(session: Session, task: GateTask, judged: _Judged, runner: Runner, live: Live) -> JSON:
    try:
        decided = _watch(session, task, judged, runner, live)
    except Unusable:
        raise
    except BaseException:
        if task.restores:  # a task's timeout, too: whatever it was, nobody looks at the canary any more
            restore(session, task, runner.process, live)
        raise
    state = state_of(task, judged.pair, judged.counted, judged.share, decided)
    back: JSON = {}
    if task.restores and (decided.verdict.decision == ROLL_BACK or decided.verdict.cause == STOPPED):
        back = restore(session, task, runner.process, live)
    home = bool(back) and not back.get("failed")
    verdict = decided.verdict
    result = {
        "changed": bool(back.get("changed")),
        "verdict": verdict.decision,
        "cause": verdict.cause,
        "reason": verdict.reason,
        "evidence": verdict.evidence,
        "looks": decided.looks,
        "seconds": round(decided.seconds, 1),
        "weight_percent": 0 if home else judged.share.percent,
        "restored": home,
        "next": _next(task, verdict, home=home),
        "retry_after": _retry_after(task, verdict),
        FIELD: state,
    }
    if back.get("failed"):
        return {**result, "failed": True, "msg": f"{verdict.decision}: {verdict.reason}; {back['msg']}"}
    if verdict.decision in task.fail_on:
        return {**result, "failed": True, "msg": f"{verdict.decision}: {verdict.reason}"}
    return result


def _watch(session: Session, task: GateTask, judged: _Judged, runner: Runner, live: Live) -> Decided:
    found, sight = judged.counted, judged.sight
    panel = panel_of(found.spec, found.dispersion)
    if panel is None:
        raise AssertionError("a task has at least one gate")
    toward = "" if task.next_weight is None else f" → {task.next_weight} %"
    live.say("gate", f"{judged.pair.workload} at {judged.share}{toward}: {', '.join(gate.name for gate in found.spec.gates)}")
    for note in found.metrics.notes:
        live.say("note", note)
    try:
        watch = GateWatch(
            panel,
            found,
            judged.share,
            runner.process,
            live,
            moved=lambda: moved(session, sight) if sight else "",
            kept=judged.kept,
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        allowed = f"{FIELD} of an earlier result of this verb, as it was returned: {error}"
        raise Unusable([Problem(FIELD, sorted(judged.kept or {}), allowed)]) from error
    return watch.run(interval_seconds=task.interval_seconds, timeout_seconds=task.timeout_seconds)


def _may_restore(session: Session, task: GateTask, sight: Sight, problems: list[Problem]) -> None:
    """What would keep the task from sending everybody home is found before it is needed."""
    try:
        declare.free(session, task.declared, sight)
    except Unusable as error:
        problems += error.problems
    kind = sight.router.place.kind
    if not session.allowed("patch", kind, task.declared.namespace):
        allowed = f"report, or a namespace where you may patch {kind} objects; ask for that right"
        problems.append(Problem("on_violation", "restore", allowed))


def _selector(session: Session, task: GateTask, sight: Sight | None) -> Mapping[str, str] | None:
    """The labels of stable's pods. A Service that is the route itself may select the canary's just now."""
    which = task.declared
    if sight and which.provider == "service":
        return dict(sight.router.place.original["selector"])
    found = session.find("Service", which.namespace, which.service)
    return (found or {}).get("spec", {}).get("selector") or None


def _plan(task: GateTask, found: Counted, share: Share | None, live: Live) -> JSON:
    gates = gate_plan.gates_of(found, share)
    for line in gate_plan.lines(gates):
        live.say("plan", line)
    return {
        "changed": False,
        "verdict": None,
        "reason": gate_plan.sentence(gates, share, task.spec.minimum_step_seconds),
        "weight_percent": share.percent if share else 0,
        "gates": gates,
    }


def _next(task: GateTask, verdict: Verdict, *, home: bool) -> str:
    """What to do now, with the command where there is one."""
    if home:
        return "all traffic is home: remove the canary when it has drained"
    back = f"send everybody home: {command(task)}"
    if verdict.decision == ADVANCE:
        to = "give the canary more, or promote it" if task.next_weight is None else f"give the canary {task.next_weight} %"
        return f"{to} (progressive.delivery.traffic), and bring {FIELD} along to the next gate"
    if verdict.decision == HOLD:
        return f"run the gate again with {FIELD} of this result"
    if verdict.decision == ROLL_BACK:
        return back
    if verdict.cause in (NO_DATA, BAD_QUERY):
        return f"mend where the counters are read ({verdict.reason}) and run the gate again, or {back}"
    return f"look at the canary, or {back}"


def _retry_after(task: GateTask, verdict: Verdict) -> float | None:
    """Seconds after which the same gates may have decided, at today's traffic; None when they have."""
    if verdict.decision != HOLD:
        return None
    gates = verdict.evidence.get("gates") or {}
    waits = [one["seconds_to_go"] for one in gates.values()]
    if not waits or None in waits:
        return AGAIN_SECONDS
    left = task.spec.minimum_step_seconds - verdict.evidence["watched_seconds"]
    return round(max(task.interval_seconds, left, *waits), 1)
