# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the judge of one metric says: the decision, its cause, and one sentence with the numbers."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import Options
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.sample_finding import judge_samples

STABLE = [0.29, 0.30, 0.31, 0.32, 0.31, 0.33]
MORE = [0.40, 0.41, 0.42, 0.43, 0.42, 0.44]
NAN = float("nan")


@pytest.mark.parametrize(
    ("canary", "baseline", "options", "outcome", "reason"),
    [
        (
            MORE,
            STABLE,
            {"allowed_increase": 1.2},
            "roll_back: evidence_of_harm",
            "CPU 0.42 against 0.31 cores, ratio 1.35 (limit 1.2), high",
        ),
        (
            STABLE,
            MORE,
            {"allowed_decrease": 0.8},
            "roll_back: evidence_of_harm",
            "CPU 0.31 against 0.42 cores, ratio 0.74 (limit 0.8), low",
        ),
        (
            MORE,
            STABLE,
            {"allowed_increase": 1.5},
            "advance: no_evidence_of_harm",
            "CPU 0.42 against 0.31 cores, ratio 1.35 (limit 1.5), pass",
        ),
        (
            STABLE,
            MORE,
            {"direction": "increase", "allowed_increase": 1.2},
            "advance: no_evidence_of_harm",
            "CPU 0.31 against 0.42 cores, ratio 0.74 (limit 1.2), certain, but only an increase counts, pass",
        ),
        (
            [value + 0.005 for value in STABLE],
            STABLE,
            {},
            "advance: no_evidence_of_harm",
            "CPU 0.315 against 0.31 cores, ratio 1.02 (limit 1), not certain (shift from -0.015 to 0.025 cores with 98 % confidence), pass",
        ),
        (STABLE, STABLE[::-1], {}, "advance: no_evidence_of_harm", "CPU 0.31 against 0.31 cores, the same samples, pass"),
        (
            MORE,
            STABLE,
            {"effect_size": "cles", "allowed_increase": 0.7},
            "roll_back: evidence_of_harm",
            "CPU 0.42 against 0.31 cores, higher in 100 % of pairs (limit 70 %), high",
        ),
        (MORE, [0.0] * 6, {}, "roll_back: evidence_of_harm", "CPU 0.42 against 0 cores, no ratio of these means, high"),
        ([NAN, NAN], STABLE, {}, "hold: no_data", "CPU: no samples of the canary (2 were not numbers), no data"),
        (MORE, [], {"must_have_data": True}, "hold: no_data", "CPU: no samples of the baseline, no data, which it must have"),
        (
            MORE[:3],
            STABLE[:4],
            {},
            "hold: too_little_data",
            "CPU 0.41 against 0.305 cores, 3 and 4 samples are too few for 98 % confidence (5 of each suffice), no data",
        ),
        (
            [123456.0 + number for number in range(6)],
            [23456.0 + number for number in range(6)],
            {"unit": "requests"},
            "roll_back: evidence_of_harm",
            "CPU 123,458 against 23,458 requests, ratio 5.26 (limit 1), high",
        ),
        (
            [1004.0 + number / 10.0 for number in range(6)],
            [1000.0 + number / 10.0 for number in range(6)],
            {"unit": "MiB"},
            "roll_back: evidence_of_harm",
            "CPU 1,004 against 1,000 MiB, ratio 1.004 (limit 1), high",
        ),
        (
            [0.31004 + number * 1e-6 for number in range(6)],
            [0.31 + number * 1e-6 for number in range(6)],
            {},
            "roll_back: evidence_of_harm",
            "CPU 0.31004 against 0.31 cores, ratio 1.0001 (limit 1), high",
        ),
    ],
)
def test_one_sentence_says_it_all(canary, baseline, options, outcome, reason):
    found = judge_samples(canary, baseline, Options(**{"label": "CPU", "unit": "cores", **options}))
    assert (f"{found.decision}: {found.cause}", found.reason) == (outcome, reason)


def test_the_evidence_holds_the_numbers():
    found = judge_samples([*MORE, NAN], STABLE)
    assert found.evidence == {
        "cause": "shifted",
        "canary": {"mean": pytest.approx(0.42), "samples": 6, "not_numbers": 1, "outliers": 0},
        "baseline": {"mean": pytest.approx(0.31), "samples": 6, "not_numbers": 0, "outliers": 0},
        "effect_size": "mean_ratio",
        "effect": pytest.approx(0.42 / 0.31),
        "estimate": pytest.approx(0.11),
        "interval": [pytest.approx(0.09), pytest.approx(0.13)],
        "confidence": 0.98,
    }


def test_critical_comes_with_it():
    assert judge_samples(MORE, STABLE, Options(critical=True)).critical
    assert not judge_samples(STABLE, STABLE, Options(critical=True)).critical
