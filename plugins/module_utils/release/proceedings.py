# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes down what the judges were given and what they said, so that each verdict can be recomputed to the last bit.

Everything goes to the JSON lines at the runner. The record keeps the end of it: the judges' state some looks ago, and what they were
given since. It is kept in two halves, the older of which is dropped when the younger one is full: ten to twenty looks, as space allows.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from ..analysis.look import Look
from ..analysis.panel import Panel, PanelState, StepEntry
from ..analysis.plain import canonical, digest, entry_to_dict, look_to_dict, verdict_to_dict
from ..analysis.verdict import Verdict
from ..version import VERSION
from .alert_watch import Silence
from .context import Context
from .plan import Step
from .record_size import compressed, unpacked

JSON = dict[str, Any]
JUDGES, STEP, PEOPLE, JUDGED = "judges", "step", "people", "judged"  # the events of the JSON lines
HALF_LOOKS, HALF_LINES, MOST_LINES = 10, 40, 400  # looks inside an open block are lines, too
MOST_BYTES = 8 * 1024  # of the record
JUDGES_NOTHING: JSON = {"template_patch": None, "manifests": None, "config": None, "webhooks": (), "checks": ()}


class Proceedings:
    """Of one runner of one release. A state is written as JSON before the judges see the next look, and never changed."""

    def __init__(self, context: Context, panel: Panel, state: PanelState) -> None:
        self._context, self._panel = context, panel
        self._began_with: JSON | None = _exact(panel.to_dict(state))
        saved = context.state.proceedings
        self._halves: list[JSON] = unpacked(saved) if saved else [_half(self._began_with or {})]
        self._guards_began_with = {"sample_ratio": context.state.sample_ratio, "budget": context.state.budget}
        self._weight = context.state.weight_percent

    def entered(self, step: Step, entry: StepEntry, now: float) -> None:
        """A step began for the judges. now: when it began for the guards."""
        plain = entry_to_dict(entry)
        self._weight = step.weight_percent
        told = {"kind": step.kind, "name": step.name, "weight_percent": step.weight_percent}
        self._write(STEP, step=told, entry=plain, now=now, share=self._share())
        self._halves[-1]["lines"].append({"entry": plain})

    def people(self, at_seconds: float) -> None:
        """People have taken their time."""
        self._write(PEOPLE, people=at_seconds)
        self._halves[-1]["lines"].append({"people": at_seconds})

    def judged(self, look: Look, said: tuple[PanelState, Verdict], final: Verdict, silence: Silence | None) -> None:
        """What the panel said of a look, and what the guards made of it."""
        after, verdict = said
        plain, words, last = look_to_dict(look), verdict_to_dict(verdict), verdict_to_dict(final)
        facts: JSON = {"look": plain, "verdict": words, "share": self._share(), "matched": bool(self._context.route.matches)}
        if silence is not None:
            facts["silence"] = asdict(silence)
        if last != words:
            facts["final"] = last
        self._write(JUDGED, **facts)
        self._halves[-1]["lines"].append({"look": plain, "said": [verdict.decision, verdict.cause, digest(words)]})
        if len(self._halves[-1]["lines"]) >= MOST_LINES:  # nothing was worth a write of the record for that long
            self._halves = [_half(_exact(self._panel.to_dict(after)))]

    def keep(self, state: PanelState) -> None:
        """Put the end of it into the release's state, and the judges' state."""
        plain = _exact(self._panel.to_dict(state))
        kept = self._context.state
        kept.judge, kept.proceedings = plain, self._fitted(plain)

    def _fitted(self, plain: JSON) -> str:
        """The halves as text; of what is too long the older one goes first."""
        lines = self._halves[-1]["lines"]
        full = sum(1 for one in lines if _is_whole(one)) >= HALF_LOOKS or len(lines) >= HALF_LINES
        text = compressed(self._halves)
        while len(text) > MOST_BYTES and self._halves[-1]["lines"]:
            self._halves = self._halves[1:] or [_half(plain)]
            text = compressed(self._halves)
        if full and self._halves[-1]["lines"]:
            self._halves = [self._halves[-1], _half(plain)]
        return text

    def _share(self) -> float:
        """The share that the present weight is, as the guards were told last."""
        return self._context.reals.get(self._weight, self._weight)

    def _write(self, event: str, **facts: Any) -> None:
        live = self._context.live
        if self._began_with is not None:
            spec, target = self._context.spec, self._context.target
            live.note(
                JUDGES,
                version=VERSION,
                release_id=self._context.state.release_id,
                release_name=spec.name,
                namespace=spec.namespace,
                spec={**spec.to_dict(), **JUDGES_NOTHING},
                requests_factor=spec.requests_factor,
                dispersion=target.dispersion,
                allowance=target.budget,
                state=self._began_with,
                guards=self._guards_began_with,
            )
            self._began_with = None
        live.note(event, **facts)


def _half(state: JSON) -> JSON:
    return {"version": VERSION, "state": state, "lines": []}


def _exact(plain: JSON) -> JSON:
    """The same as reading it back would give."""
    return json.loads(canonical(plain))


def _is_whole(line: JSON) -> bool:
    """Whether it is a look that ended a block, or one with answers."""
    return "look" in line and bool(line["look"]["closes_block"] or line["look"]["scalars"])
