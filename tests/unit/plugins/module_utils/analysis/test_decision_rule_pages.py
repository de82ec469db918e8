# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/decision-rule.md and docs/decision-rule-statistics.md quote the constants that the code has."""

import pathlib
import re

import ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule as rule_module
import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis import dispersion, evidence, incident, sample_size
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.look import Counts
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.rule import Gate, Rule

DOCS = pathlib.Path(rule_module.__file__).parents[3] / "docs"
GATE = Gate("errors", 0.01)
RULE = Rule((GATE,))


def words(name):
    return " ".join((DOCS / name).read_text().split())


def listed(values):
    return ", ".join(f"{value:g}" for value in values)


STATISTICS = [
    f"H₀: λ ≤ λ₀ = {GATE.margin:g},",
    f"the alternatives r = {listed(evidence.RATIOS)}.",
    f"p_max times {listed(evidence.EXCESSES)} (",
    f"p_max times {listed(evidence.SHORTFALLS)})",
    f"α = {RULE.alpha:g} per release: {RULE.relative_share:g} of it",
    f"(E ≥ {RULE.relative_threshold:g}), the rest for the limit (E ≥ {RULE.absolute_threshold:g})",
    f"evidence is {evidence.WHOLE_RELEASE_SHARE:g} of the whole release's and, at step k, {1 - evidence.WHOLE_RELEASE_SHARE:.2g}/(k(k−1))",
    f"at least {RULE.min_events} canary events in at least {RULE.min_looks} looks",
    f"at least {RULE.one_look_events} new events in it when the comparison, with φ {RULE.one_look_dispersion:g} times larger, reaches "
    f"{RULE.relative_threshold:g}",
    f"E ≥ {RULE.hold_at:g} of any gate holds",
    f"β = {RULE.beta:g}.",
    f"H₀: λ ≥ {GATE.max_ratio:g} (",
    f"when its evidence reaches {RULE.promote_threshold:g}.",
    f"stayed below {RULE.relative_threshold:g}, so that each end is anytime-valid at {100 - 100 / RULE.relative_threshold:g} %",
    f"ln {sample_size.ALTERNATIVES_THAT_COUNT})",
    f"ln {len(evidence.SHORTFALLS)})/",
    f"within {RULE.incident_after_rise_seconds / 60:.0f} minutes".replace("5", "five"),
]
MANAGERS = [
    f"no worse than {GATE.margin:g} times the old one",
    f"in at most {100 * RULE.alpha:g} % of releases",
    f"in at most {100 * RULE.beta:g} % of releases",
    f"at least {RULE.min_events} are needed, in at least {RULE.min_looks} looks, or {RULE.one_look_events} in one look",
]


@pytest.mark.parametrize("said", STATISTICS)
def test_the_statistics_are_those_of_the_code(said):
    assert said in words("decision-rule-statistics.md")


@pytest.mark.parametrize("said", MANAGERS)
def test_the_page_for_everybody_says_the_same(said):
    assert said in words("decision-rule.md")


def test_the_requests_that_certify_one_percent():
    needed = evidence.clean_requests_to_certify(Counts(0, 0), GATE.max_rate, 1.0, RULE.promote_threshold)
    about = int(re.search(r"about (\d+) requests without an error", words("decision-rule.md")).group(1))
    assert needed == pytest.approx(about, rel=0.01)
    predicted = sample_size.requests_to_certify(0.0, GATE.max_rate)
    assert f"{predicted:.0f} requests at p = 0 and p_max = 1 %, where the mixture needs {needed}." in words("decision-rule-statistics.md")


def test_the_words_for_history_and_incidents():
    assert (dispersion.BLOCKS_OF_AN_HOUR, dispersion.BUSIEST_SHARE_DROPPED) == (60, 0.1)
    assert "one-minute blocks of the hour before" in words("decision-rule-statistics.md")
    assert "without the busiest tenth" in words("decision-rule-statistics.md")
    assert pytest.approx(100.0) == 2.718281828459045**incident.CERTAINTY_NATS
    assert "Chernoff's bound at 99 %" in words("decision-rule-statistics.md")


@pytest.mark.parametrize(("weight", "scale"), [(1.0, 10.0), (10.0, 5.0), (50.0, 1.0), (100.0, 1.0)])
def test_the_risk_scaled_test(weight, scale):
    assert sample_size.certification_scale(weight) == scale
    assert "p_max·min(10, 50/w)" in words("decision-rule-statistics.md")


@pytest.mark.parametrize(
    ("share", "needed"),
    [
        (0.01, "2/2/3/4/5"),
        (0.05, "3/3/4/7/11"),
        (0.1, "4/5/6/10/17"),
        (0.2, "5/7/9/16/30"),
        (0.5, "11/17/25/46/95"),
    ],
)
def test_published_canary_errors_that_roll_back(share, needed):
    """With 0, 1, 3, 10 and 30 errors of stable, by the comparison alone: the published table, before the floor of three."""
    for stable, published in zip((0, 1, 3, 10, 30), map(int, needed.split("/")), strict=True):
        baseline = Counts(round(10**9 * (1 - share) / share), stable)
        assert _is_evident(published, baseline)
        assert not _is_evident(published - 1, baseline)


def _is_evident(events, baseline):
    ratios = evidence.relative_log_ratios(Counts(10**9, events), baseline, GATE.margin, evidence.RATIOS)
    return evidence.log_mixture(ratios) >= 4.8283137  # ln 125
