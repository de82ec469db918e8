# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment while it runs: counts, compares, says where it stands, and what came of it. Its state is in the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..analysis import experiment as analysis
from ..analysis import sample_ratio
from ..analysis.evidence import as_number
from ..analysis.experiment import Comparison, Experiment
from ..analysis.sample_ratio import SampleRatio
from ..metrics.conversions import CONVERSIONS, Grown
from ..metrics.prometheus import MetricsError
from .ab_spec import AbSpec
from .context import Context
from .ending import PASSED, TurnBack
from .values import spoken_seconds

JSON = dict[str, Any]
LOOK_SECONDS = 5.0
WRITE_SECONDS = 15.0
SAY_SECONDS = 15.0
SAY_GROWTH = 1.5  # lines become rarer: some thirty in a fortnight


class Trial:
    """The experiment of one release. A runner that resumes goes on with the counts of the record."""

    def __init__(self, context: Context) -> None:
        if context.spec.ab is None:
            raise ValueError("an experiment without release_ab")
        self._context = context
        self._ab: AbSpec = context.spec.ab
        self._dispersion = context.target.dispersion.get(CONVERSIONS, 1.0)
        saved = context.state.experiment or {}
        now = context.process.clock()
        self._began: float = saved.get("began", now)
        self._counts = Experiment.from_dict(saved["counts"]) if saved else Experiment()
        self._ratio = SampleRatio.from_dict(saved["sample_ratio"]) if saved else SampleRatio(self._ab.share_percent)
        self._problem: str = saved.get("problem", "")
        self._looked_at = self._wrote_at = now
        self._say_at = now + SAY_SECONDS
        self._first = True  # its requests may be of the time before the groups were made
        self._keep()
        context.live.say("experiment", f"{_length(self._ab)}; {self._what()}")

    @property
    def seconds(self) -> float:
        """Since when it runs."""
        return self._context.process.clock() - self._began

    def is_over(self) -> bool:
        """Whether its time is over, or what it was to show is shown and the least time is over."""
        ab = self._ab
        if self.seconds >= ab.longest_seconds:
            return True
        return ab.seconds is None and self.seconds >= ab.at_least_seconds and self._is_decided()

    def look(self) -> None:
        """Count what is new, every few seconds."""
        context, now = self._context, self._context.process.clock()
        if context.measure is None or now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            found = context.measure.poll()
            self._problem = f"no counter {self._ab.conversions} of {missing}" if (missing := context.measure.missing()) else ""
        except (MetricsError, ValueError) as error:
            self._say_problem(f"conversions could not be read: {error}")
            return
        if found is None:
            return
        if self._first:
            self._first = False
            return
        self._count(found)
        if now >= self._say_at:
            self._say_at = now + max(SAY_SECONDS, (SAY_GROWTH - 1) * self.seconds)
            context.live.say("experiment", f"{spoken_seconds(self.seconds)}: {self._sentence()}", **self._told())
        if now - self._wrote_at >= WRITE_SECONDS:
            self._wrote_at = now
            context.write(context.state.doing)

    def conclude(self) -> None:
        """Note the result. Raises TurnBack, passed, where B might have won and has not."""
        context = self._context
        self._keep()
        result = self._told()
        context.state.experiment = {**(context.state.experiment or {}), "result": result}
        context.write("the experiment is over")
        context.live.say("result", result["sentence"], **result)
        if self._ab.promotes and not self._may_promote():
            raise TurnBack(
                "experiment", f"{result['sentence']}; stable serves all traffic", outcome=PASSED, evidence={**context.state.evidence}
            )

    def _count(self, grown: Grown) -> None:
        self._counts = analysis.look(self._counts, grown.a, grown.b, self._dispersion)
        if self._ab.cookie:
            before, (a, b) = self._ratio, grown.requests_of_equal_time()
            self._ratio = sample_ratio.look(before, b, a, self._dispersion)
            if self._ratio.alarm and not before.alarm:
                self._context.live.say("warning", f"{self._ratio_words()}; while that stands nobody wins")
        self._keep()

    def _compared(self) -> Comparison | None:
        """The comparison; None where nothing can be compared."""
        if self._context.measure is None or not self._context.measure.compares or self._problem:
            return None
        return analysis.compare(self._counts, self._ab.alpha, self._dispersion)

    def _winner(self) -> str:
        found = self._compared()
        return "none" if found is None or self._ratio.alarm else found.winner

    def _is_decided(self) -> bool:
        return self._winner() != "none" or self._may_promote()

    def _may_promote(self) -> bool:
        found, least = self._compared(), self._ab.not_worse_than
        if not self._ab.promotes or found is None or self._ratio.alarm:
            return False
        return found.winner == "b" or (least is not None and found.is_not_worse_than(least))

    def _told(self) -> JSON:
        """The result as a verb returns it."""
        found, counts = self._compared(), self._counts
        return {
            "winner": self._winner(),
            "sentence": self._sentence(),
            "ratio": found.ratio if found else None,
            "difference": found.difference if found else None,
            "interval": [found.low, found.high] if found else None,
            "confidence": self._ab.confidence,
            "no_difference_larger_than": found.largest_difference if found else None,
            "evidence": found.evidence if found else None,
            "p_value": found.p_value if found else None,
            "requests": {"a": counts.a.requests, "b": counts.b.requests},
            "conversions": {"a": counts.a.events, "b": counts.b.events} if found else None,
            "sample_ratio": self._sample_ratio(),
            "dispersion": self._dispersion,
            "seconds": round(self.seconds, 1),
        }

    def _sample_ratio(self) -> JSON | None:
        """Asked and arrived share of B; None where the groups were chosen: who they are and how many is not ours to say."""
        ratio = self._ratio
        if not self._ab.cookie:
            return None
        log_evidence = sample_ratio.log_evidence(ratio.canary, ratio.stable, ratio.asked, self._dispersion)
        return {"asked": ratio.asked, "arrived": ratio.arrived, "evidence": as_number(log_evidence), "alarm": ratio.alarm}

    def _sentence(self) -> str:
        """What the experiment says so far."""
        found, counts, image = self._compared(), self._counts, self._context.spec.image
        after = f"after {counts.a.requests:,} requests of A and {counts.b.requests:,} of B in {spoken_seconds(self.seconds)}"
        if found is None:
            seen = after if self._context.measure else f"in {spoken_seconds(self.seconds)}"
            return self._problem or f"B ({image}) broke no gate {seen}"
        rates = f"B ({image}) converts {100 * counts.b.rate:.3g} % of the requests, A {100 * counts.a.rate:.3g} %"
        if self._ratio.alarm:
            return f"{rates}; nobody wins: {self._ratio_words()}"
        span = f"{100 * self._ab.confidence:g} %: {_percent(found.low)} to {_percent(found.high)}"
        caution = "" if self._ab.cookie else "; the groups were chosen, not drawn: the difference may be theirs"
        if found.winner == "none":
            most = found.largest_difference
            limit = "" if most is None else f", none is larger than {100 * most:.3g} %"
            return f"{rates}: no difference is shown{limit} ({span}) {after}{caution}"
        better = "B wins" if found.winner == "b" else "A wins"
        decides = f"evidence {found.evidence:,.4g} where {1 / self._ab.alpha:,.4g} decides"
        return f"{rates}: {better}, {_percent(found.ratio)} ({span}), {decides}, {after}{caution}"

    def _ratio_words(self) -> str:
        ratio = self._ratio
        total = ratio.canary + ratio.stable
        return f"of {total:,} requests {100 * ratio.arrived:.3g} % are B's, asked for were {ratio.weight_percent:g} %"

    def _what(self) -> str:
        ab = self._ab
        against = ab.of or "requests"
        return f"{ab.conversions} by {against} of A and B are compared" if ab.conversions else "the gates watch"

    def _say_problem(self, problem: str) -> None:
        if problem != self._problem:
            self._context.live.say("hold", problem)
        self._problem = problem

    def _keep(self) -> None:
        self._context.state.experiment = {
            **(self._context.state.experiment or {}),
            "began": self._began,
            "counts": self._counts.to_dict(),
            "sample_ratio": asdict(self._ratio),
            "problem": self._problem,
        }


def result_of(saved: JSON | None) -> JSON | None:
    """What came of an experiment, None while nothing has."""
    return (saved or {}).get("result")


def sentence_of(saved: JSON | None) -> str:
    """What an experiment has shown, in words."""
    return str((result_of(saved) or {}).get("sentence", ""))


def _length(ab: AbSpec) -> str:
    if ab.seconds is not None:
        return f"for {spoken_seconds(ab.seconds)}"
    return f"until it is decided, {spoken_seconds(ab.at_least_seconds)} to {spoken_seconds(ab.at_most_seconds)}"


def _percent(ratio: float | None) -> str:
    return "anything" if ratio is None else f"{100 * (ratio - 1):+.3g} %"
