# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters as Ansible calls them, and that their documentation says what they take and give."""

import pathlib

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible_collections.progressive.delivery.plugins.filter import kayenta_judge as kayenta_filter
from ansible_collections.progressive.delivery.plugins.filter import mann_whitney as rank_filter
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.kayenta_config import Scale
from ansible_collections.progressive.delivery.plugins.module_utils.analysis.mann_whitney_options import CHOICES, Options

STABLE = [0.29, 0.30, 0.31, 0.32, 0.31, 0.33]
MORE = [0.40, 0.41, 0.42, 0.43, 0.42, 0.44]
CONFIG = {"metrics": [{"name": "cpu", "groups": ["system"]}]}


def template(expression, **variables):
    given = {"stable": STABLE, "more": MORE, "config": CONFIG, **variables}
    return Templar(DataLoader(), given).template(trust_as_template("{{ " + expression + " }}"))


def documentation(module):
    return yaml.safe_load(pathlib.Path(module.__file__).with_suffix(".yml").read_text())


def test_samples_are_judged():
    verdict = template("more | progressive.delivery.mann_whitney(stable, label='CPU', unit='cores', allowed_increase=1.2)")
    assert verdict["verdict"] == "High"
    assert verdict["reason"] == "CPU 0.42 against 0.31 cores, ratio 1.35 (limit 1.2), high"
    assert verdict["interval"] == [pytest.approx(0.09), pytest.approx(0.13)]


def test_all_options_arrive():
    expression = "more | progressive.delivery.mann_whitney(stable, effect_size='cles', direction='decrease', critical=true)"
    verdict = template(expression)
    assert (verdict["verdict"], verdict["cause"], verdict["effect"]) == ("Pass", "other_direction", 1.0)
    assert template("[] | progressive.delivery.mann_whitney(stable, critical=true)")["critical"] is True
    assert template("[] | progressive.delivery.mann_whitney(stable, nan_strategy='replace', kayenta_compatible=true)")["verdict"] == "Pass"


def test_the_answer_of_a_range_query_may_be_piped_in():
    answer = [[1_700_000_000 + 60 * number, str(value)] for number, value in enumerate(MORE)]
    verdict = template("answer | map('last') | progressive.delivery.mann_whitney(stable)", answer=[*answer, [0, "NaN"]])
    assert verdict["canary"] == {"mean": pytest.approx(0.42), "samples": 6, "not_numbers": 1, "outliers": 0}


def test_a_configuration_is_judged():
    judged = template("config | progressive.delivery.kayenta_judge({'cpu': {'experiment': more, 'control': stable}}, pass_score=90)")
    assert (judged["score"], judged["classification"], judged["pass_score"]) == (0.0, "Fail", 90.0)
    assert judged["reason"] == "score 0 is below 75: cpu 0.42 against 0.31, ratio 1.35 (limit 1), high"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "more | progressive.delivery.mann_whitney(stable, direction='up')",
            "mann_whitney: direction: 'up' is not allowed; one of either,",
        ),
        (
            "more | progressive.delivery.mann_whitney(stable, limit=1.2)",
            "mann_whitney: limit: 1.2 is not allowed; known options are label, unit",
        ),
        ("more | progressive.delivery.mann_whitney('0.31')", "mann_whitney: control: '0.31' is not allowed; a list of numbers"),
        (
            "[0.4, 'many'] | progressive.delivery.mann_whitney(stable)",
            "mann_whitney: experiment[1]: 'many' is not allowed; a number, a text",
        ),
        ("none | progressive.delivery.mann_whitney(stable)", "mann_whitney: experiment: None is not allowed; a list of numbers"),
        (
            "config | progressive.delivery.kayenta_judge({'x': {}})",
            "kayenta_judge: metrics.x: 'x' is not allowed; a metric of config.metrics",
        ),
        ("{} | progressive.delivery.kayenta_judge({})", "kayenta_judge: config.metrics: None is not allowed; a list"),
        ("config | progressive.delivery.kayenta_judge({}, passing=1)", "kayenta_judge: passing: 1 is not allowed; known options are"),
    ],
)
def test_an_error_names_the_filter_the_field_the_value_and_what_is_allowed(expression, message):
    with pytest.raises(AnsibleError) as refused:
        template(expression)
    assert f"progressive.delivery.{message}" in str(refused.value)


def test_the_documentation_of_mann_whitney_has_every_option_with_its_default():
    documented = documentation(rank_filter)["DOCUMENTATION"]["options"]
    options = vars(Options())
    assert set(documented) == {*options, "_input", "control"}
    for name, default in options.items():
        assert documented[name].get("default") == default, name
        assert tuple(documented[name].get("choices", ())) == CHOICES.get(name, ()), name


def test_the_documentation_of_kayenta_judge_has_every_option_with_its_default():
    documented = documentation(kayenta_filter)["DOCUMENTATION"]["options"]
    options = vars(Scale())
    assert set(documented) == {*options, "_input", "metrics"}
    assert {name: documented[name].get("default") for name in options} == options


def test_the_documentation_lists_every_key_that_is_returned():
    rank = documentation(rank_filter)["RETURN"]["_value"]["contains"]
    verdict = template("more | progressive.delivery.mann_whitney(stable)")
    assert set(rank) == set(verdict)
    assert set(rank["canary"]["contains"]) == set(verdict["canary"])
    kayenta = documentation(kayenta_filter)["RETURN"]["_value"]["contains"]
    judged = template("config | progressive.delivery.kayenta_judge({})")
    assert set(kayenta) == set(judged)
    assert set(kayenta["groups"]["contains"]) == set(judged["groups"][0])
