# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the steps of a plan, journals each before and after, and brings traffic back when anything says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..cluster.errors import ClusterError, NotFound, Superseded, Unreachable
from ..traffic.route import HOME, RouteError
from . import guard_keeper, swap, webhooks
from .context import Context
from .ending import PARKED, SILENT, StepEnded, StopHere, TurnBack
from .experiment import result_of, sentence_of
from .floors import restore_floors
from .plan import TRAFFIC, Step, ending
from .record import now
from .rollback import patiently, turn_back
from .silence import lift
from .steps import HANDLERS
from .waits import go_on, leave_out, on_whose_word
from .watch import Watch

API_PATIENCE_SECONDS = 180.0
TIDY_SECONDS = 60.0


def run(context: Context, steps: list[Step]) -> str:
    """Run the steps from where the record stands to an ending; the outcome, or 'running' after stop_after.

    Whatever is raised on the way (a task's timeout and KeyboardInterrupt too) returns traffic first. Superseded is the
    exception: another runner holds the release then, and nothing is touched.
    """
    try:
        return _run(context, steps)
    finally:
        webhooks.flush(context)


def _run(context: Context, steps: list[Step]) -> str:
    try:
        _go_forward(context, steps)
    except TurnBack as why:
        return _end_back(context, why)
    except StopHere:
        return "running"
    except Superseded:
        raise
    except BaseException as error:
        _end_back(context, TurnBack("runner_failed", f"{type(error).__name__}: {error}"))
        raise
    outcome, reason = ending(context.spec, sentence_of(context.state.experiment))
    return _finish(context, outcome, reason + on_whose_word(context.state.control))


def go_back(context: Context, why: TurnBack) -> str:
    """Return traffic of a release that somebody else began; the outcome."""
    try:
        return _end_back(context, why)
    finally:
        webhooks.flush(context)


def _go_forward(context: Context, steps: list[Step]) -> None:
    watch = Watch(context)
    _with_patience(context, Step("guard", "guard"), watch)
    if not context.state.swapped and (context.route != HOME or context.state.weight_percent):
        watch.enter(next(step for step in reversed(steps) if _stands(context, step)))
    while context.state.step < len(steps):
        try:
            _wait_out_a_pause(context, steps, watch)
            step = steps[context.state.step]
            if leave_out(context, steps):
                continue
            watch.stuck.begin(step)
            entry: dict[str, Any] = {"name": step.name, "started_at": now()}
            context.state.steps = [*(one for one in context.state.steps if one["name"] != step.name), entry]
            _journaled(context, step.name)
            _with_patience(context, step, watch)
        except StepEnded:
            continue
        entry["ended_at"] = now()
        context.state.step += 1
        _journaled(context, "")
        if context.spec.stop_after == step.name:
            context.live.say("stopped", f"after {step.name}, as release_stop_after says; run again to go on")
            raise StopHere


def _wait_out_a_pause(context: Context, steps: list[Step], watch: Watch) -> None:
    if context.state.control.get("pause"):
        _with_patience(context, Step("pause", "pause"), watch)
        _journaled(context, "")
    go_on(context, steps)


def _stands(context: Context, step: Step) -> bool:
    """Whether the step gave the canary the share that it has now."""
    return step.kind in TRAFFIC and step.weight_percent == context.state.weight_percent and context.route_of(step) == context.route


def _with_patience(context: Context, step: Step, watch: Watch) -> None:
    """Run a step; while the API server does not answer, run it again: every step may be repeated."""
    deadline = None
    while True:
        try:
            return _handler(context, step)(context, step, watch)
        except Unreachable as error:
            moment = context.process.clock()
            if deadline is None:
                deadline = moment + API_PATIENCE_SECONDS
                context.live.say(
                    "hold", f"the API server does not answer during {step.name}; trying again for {API_PATIENCE_SECONDS:.0f} s ({error})"
                )
            if moment > deadline:
                raise TurnBack(SILENT, f"the API server did not answer for {API_PATIENCE_SECONDS:.0f} s: {error}") from error
            context.process.sleep(1.0)
            stop = context.process.why_stop()
            if stop:
                raise TurnBack("runner_stopped", stop) from error
        except ClusterError as error:
            if isinstance(error, Superseded):
                raise
            raise TurnBack("cluster", f"{step.name}: {error}") from error


def _journaled(context: Context, doing: str) -> None:
    """Write the record. A deleted one is no take-over (the route still bears our fence): the release goes back."""
    deadline = context.process.clock() + API_PATIENCE_SECONDS
    while True:
        try:
            return context.write(doing)
        except Unreachable:
            if context.process.clock() > deadline:
                raise
            context.process.sleep(1.0)
        except NotFound as error:
            raise TurnBack("record", f"the record was deleted while the release ran ({error})") from error


def _handler(context: Context, step: Step) -> Callable[[Context, Step, Watch], None]:
    own = swap.HANDLERS if context.spec.swap else {}
    return own.get(step.kind) or HANDLERS[step.kind]


def _end_back(context: Context, why: TurnBack) -> str:
    if context.fleet is not None:
        context.fleet.turned_back(why)
    if context.state.retiring:
        context.live.say("warning", f"{context.target.workload} goes already, {context.twin} serves: no way back from here ({why.reason})")
        patiently(context, lambda: swap.finish(context))
        return _finish(context, *ending(context.spec))
    if turn_back(context, why) == PARKED:
        let_go(context)
        return PARKED
    return _finish(context, why.outcome, why.reason)


def _finish(context: Context, outcome: str, reason: str) -> str:
    """Every ending but parking: traffic is home, stable is whole, the canary is gone."""
    patiently(context, lambda: restore_floors(context))
    lift(context)
    webhooks.tell_ending(context, outcome, reason)
    context.state.phase, context.state.outcome, context.state.reason = "ended", outcome, reason
    if result := result_of(context.state.experiment):
        context.state.evidence = {**context.state.evidence, "experiment": result}
    try:
        _journaled(context, "")
    except TurnBack as why:
        context.live.say("warning", f"the ending could not be recorded: {why.reason}")
    let_go(context)
    return outcome


def let_go(context: Context) -> None:
    """Take the fences down and give the Lease back; what stays behind would only be tidied by the next run."""
    lift(context)
    deadline = context.process.clock() + TIDY_SECONDS
    for action in (
        lambda: guard_keeper.remove(context),
        lambda: context.router.unclaim(context.token),
        context.unclaim_workload,
        context.lease.release,
    ):
        while True:
            try:
                action()
            except (ClusterError, RouteError) as error:
                if isinstance(error, Unreachable) and context.process.clock() < deadline:
                    context.process.sleep(1.0)
                    continue
                context.live.say("warning", f"not tidied up: {error}")
            break
