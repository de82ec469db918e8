# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of Argo's metrics as limits: the same numbers pass, fail and are neither."""

import math
import re

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.limits import FAILED, PASSED, UNCLEAR, Limit
from ansible_collections.progressive.delivery.plugins.module_utils.release.translate.conditions import Unreadable, limits
from hypothesis import given
from hypothesis import strategies as st

PYTHON = {"||": " or ", "&&": " and ", "!(": " not ("}


def argo(success, failure, value):
    """What Argo makes of a number, by Python's own arithmetic over the same expressions."""

    def holds(text):
        for there, here in PYTHON.items():
            text = text.replace(there, here)
        names = {
            "result": [value],
            "isNaN": math.isnan,
            "isInf": math.isinf,
            "len": len,
            "default": lambda one, _other: one,
            "asFloat": float,
        }
        return bool(
            eval(
                re.sub(
                    r"result(?!\[)(?!\))",
                    "result[0]",
                    text.replace("isNaN(result)", "isNaN(result[0])").replace("default(result,", "default(result[0],"),
                ),
                {},
                names,
            )
        )

    good = holds(success) if success else None
    bad = holds(failure) if failure else not good
    if bad:
        return FAILED
    return PASSED if good or success is None else UNCLEAR


CONDITIONS = [
    ("result[0] >= 0.95", None),
    ("result <= 0.01", None),
    ("result[0] > 3", None),
    ("default(result, 0) < 5", None),
    ("isNaN(result) || result[0] >= 0.95", None),
    ("len(result) > 0 && result[0] >= 0.95", None),
    ("len(result) == 0 || result[0] <= 2", None),
    ("asFloat(result[0]) > 1 and result[0] <= 4", None),
    ("!(result[0] > 3)", None),
    ("0.5 <= result[0]", None),
    ("result[0] == 4", None),
    (None, "result[0] >= 10"),
    (None, "result[0] > 4 or result[0] < 2"),
    ("result[0] >= 0.95", "result[0] < 0.5"),
    ("result[0] >= 2 && result[0] <= 3", "result[0] < 1 || result[0] > 4"),
    ("result[0] <= 3", "result[0] > 2"),
]


@pytest.mark.parametrize(("success", "failure"), CONDITIONS)
@given(value=st.one_of(st.floats(-20, 20), st.sampled_from([0, 0.01, 0.5, 0.95, 1, 2, 3, 4, 5, 10])))
def test_a_number_has_the_outcome_that_argo_gives_it(success, failure, value):
    found = limits(success, failure)
    outcome = Limit(found.least, found.most, found.fails_below, found.fails_above).judge(value)
    assert outcome == argo(success, failure, float(value))


@pytest.mark.parametrize(
    ("success", "failure", "says"),
    [
        ("result.ok && result.rate >= 0.9", None, "stops being read at '.ok"),
        ("result == true", None, "compares with 'true', which is no number"),
        ("result == 'yes'", None, "stops being read at"),
        ("all(result, # < 1000)", None, "stops being read at"),
        ("result[1] > 2", None, "has '1' where '0' is read"),
        ("result >", None, "ends too early"),
        ("result != 3", None, "one range of numbers"),
        ("isNaN(result) && result < 3", None, "succeeds for no number"),
        (None, "isInf(result)", "one range of numbers"),
        (None, None, "or failureCondition"),
        ("result >= 0.9", "result > 5", "never fails below 0.9"),
        ("default(result, 0) < 5 && default(result, 1) > 2", None, "two defaults"),
        ("result < 5 result", None, "stops being read at 'result'"),
        ("(result < 5", None, "ends too early"),
    ],
)
def test_what_is_no_limit_is_refused_with_where_reading_stops(success, failure, says):
    with pytest.raises(Unreadable, match=re.escape(says)):
        limits(success, failure)


def test_guards_and_defaults_are_told_apart_from_numbers():
    assert limits("isNaN(result) || result >= 1", None).guards
    assert not limits("result >= 1", None).guards
    assert limits("default(result, 7) < 9", None).default == 7
