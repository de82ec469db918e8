# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives the judges again what a release gave them, and compares what they say with what they said, to the last bit. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..analysis.panel import Panel
from ..analysis.plain import canonical, digest, entry_from_dict, look_from_dict, verdict_to_dict
from ..analysis.verdict import Verdict
from ..report.live import Live
from ..traffic.route import Route
from ..version import VERSION
from .alert_watch import Silence
from .budget_plan import effective
from .guards import Guards
from .judges import panel_of
from .plan import Step
from .record import Record, State
from .record_size import unpacked
from .saved import spec_from
from .spec import Spec

JSON = dict[str, Any]
MOST_ROWS = 50  # one difference makes all looks after it differ
STATE = "the state of the judges"


@dataclass(frozen=True)
class Hearing:
    """What one runner gave its judges. version wrote it; state: what they knew before; guards: what those knew, None where it is not told.

    A line has entry (a step began), people (they took their time), or look with what was said of it: verdict, final where the guards
    changed it; or, in a record, decision, cause and digest alone.
    """

    spec: Spec
    dispersion: dict[str, float]
    allowance: JSON | None
    version: str
    state: JSON
    guards: JSON | None
    lines: Sequence[JSON]

    def panel(self) -> Panel:
        """Its judges. Raises ValueError when its spec has no gate."""
        made = panel_of(self.spec, self.dispersion)
        if made is None:
            raise ValueError("a release without gates")
        return made


@dataclass
class Recomputed:
    """What came out. verdicts: one for each look; differing: looks that came out otherwise; rows: in what (at most 50 are kept)."""

    verdicts: list[JSON] = field(default_factory=list)
    differing: int = 0
    rows: list[JSON] = field(default_factory=list)
    last: JSON | None = None
    states: set[str] = field(default_factory=set)  # digests of all that the judges knew on the way

    def differ(self, rows: Sequence[JSON]) -> None:
        """A look came out otherwise, in these ways."""
        self.differing += bool(rows)
        self.rows += rows[: max(0, MOST_ROWS - len(self.rows))]


@dataclass(frozen=True)
class _Measured:
    dispersion: dict[str, float]
    budget: JSON | None


class _Stage:
    """The release as the guards saw it: whatever they asked then is answered by the line at hand."""

    def __init__(self, hearing: Hearing, known: Mapping[str, Any]) -> None:
        self.spec, self.target = hearing.spec, _Measured(hearing.dispersion, hearing.allowance)
        self.state = State("", sample_ratio=known["sample_ratio"], budget=known["budget"])
        self.live = Live(lambda _line: None, "", clock=lambda: 0.0)
        self.line: Mapping[str, Any] = {}

    @property
    def route(self) -> Route:
        """With matches where they were active."""
        return Route(matches=self.spec.matches if self.line["matched"] else ())

    def real_percent(self, weight: int) -> float:
        """The share that it was."""
        return self.line["share"]


def of_log(judges: Mapping[str, Any], lines: Sequence[JSON]) -> Hearing:
    """What a runner wrote into its JSON lines. Raises KeyError, TypeError and ValueError when that is no such thing."""
    spec = replace(spec_from(judges["spec"]), requests_factor=judges["requests_factor"])
    known = {"dispersion": judges["dispersion"], "allowance": judges["allowance"], "version": judges["version"]}
    return Hearing(spec=spec, **known, state=judges["state"], guards=judges["guards"], lines=lines)


def of_record(known: Record) -> list[Hearing]:
    """The last looks of a record: none where it has none. Its guards' states of that time are not kept."""
    halves = unpacked(known.state.proceedings) if known.state.proceedings else []
    allowance = known.target.get("budget")
    spec = effective(spec_from(known.spec), allowance)
    told = {"dispersion": known.target["dispersion"], "allowance": allowance, "guards": None}
    return [Hearing(spec=spec, **told, version=one["version"], state=one["state"], lines=one["lines"]) for one in halves]


def recompute(hearings: Sequence[Hearing]) -> Recomputed:
    """All verdicts again, of one runner after the other. Raises KeyError, TypeError and ValueError for lines that nobody wrote so."""
    made = Recomputed()
    for hearing in hearings:
        begun = digest(hearing.state)
        if made.states and begun not in made.states:
            before = made.verdicts[-1]["look"] if made.verdicts else 0
            made.differ([_row(before, STATE, "taken over from the looks before", "another one", hearing.version)])
        _again(made, hearing)
    return made


def knows(made: Recomputed, state: JSON | None) -> bool:
    """Whether the judges of a record have a state that came out on the way."""
    return state is None or digest(state) in made.states


def _again(made: Recomputed, hearing: Hearing) -> None:
    """One runner's verdicts."""
    panel = hearing.panel()
    state = panel.from_dict(hearing.state)
    made.states.add(digest(panel.to_dict(state)))
    stage = _Stage(hearing, hearing.guards) if hearing.guards is not None else None
    guards = Guards(stage) if stage else None
    for line in hearing.lines:
        if stage:
            stage.line = {"matched": False, **line}
        if "entry" in line:
            state = panel.enter_step(state, entry_from_dict(line["entry"]))
            if guards:
                guards.enter(Step(**line["step"]), line["now"])
        elif "people" in line:
            state = panel.after_people(state, line["people"])
        else:
            look = look_from_dict(line["look"])
            if guards and look.closes_block:
                guards.block({one.gate: (one.canary, one.baseline) for one in look.metrics}, look.at_seconds)
            state, verdict = panel.look(state, look)
            silence = Silence(**line["silence"]) if line.get("silence") else None
            final = guards.judge(verdict, silence, look.at_seconds) if guards else verdict
            _compare(made, line, (verdict, final), hearing.version)
        made.states.add(digest(panel.to_dict(state)))


def _compare(made: Recomputed, line: Mapping[str, Any], said: tuple[Verdict, Verdict], version: str) -> None:
    """One look's verdicts beside those that were written down."""
    look = line["look"]
    verdict, final = (verdict_to_dict(one) for one in said)
    made.last = final
    made.verdicts.append(
        {
            "look": look["number"],
            "at_seconds": look["at_seconds"],
            "weight_percent": look["weight_percent"],
            **{name: final[name] for name in ("decision", "cause", "reason")},
        }
    )
    if "said" in line:
        again = [verdict["decision"], verdict["cause"], digest(verdict)]
        names = ("decision", "cause", "digest of the verdict")
        pairs = [(name, before, now) for name, before, now in zip(names, line["said"], again) if before != now]
    else:
        pairs = [*_differences("", line["verdict"], verdict)]
        pairs = pairs or [*_differences("", line.get("final", line["verdict"]), final)]
    made.differ([_row(look["number"], *pair, version) for pair in pairs])


def _differences(path: str, logged: Any, found: Any) -> Iterator[tuple[str, Any, Any]]:
    """(where, before, now) of all that differs."""
    if canonical(logged) == canonical(found):
        return
    if isinstance(logged, dict) and isinstance(found, dict):
        for key in sorted({*logged, *found}):
            yield from _differences(f"{path}.{key}" if path else key, logged.get(key), found.get(key))
    else:
        yield path, logged, found


def _row(look: int, what: str, logged: Any, found: Any, version: str) -> JSON:
    """One difference."""
    parts = what.split(".")
    gate = parts[2] if parts[:2] == ["evidence", "gates"] else ""
    return {"look": look, "gate": gate, "what": what, "logged": logged, "recomputed": found, "logged_by": version, "recomputed_by": VERSION}
