# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of metric_gate may say, how it is refused, and that its documentation knows every option."""

import json
import re
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.progressive.delivery.plugins.doc_fragments.traffic import ModuleDocFragment
from ansible_collections.progressive.delivery.plugins.module_utils.engine import gate_task
from ansible_collections.progressive.delivery.plugins.module_utils.engine.gate_task import OPTIONS, parse
from ansible_collections.progressive.delivery.plugins.module_utils.engine.metric_gate import Runner, metric_gate
from ansible_collections.progressive.delivery.plugins.module_utils.release.prometheus_spec import OPTIONS as PROMETHEUS
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.place import Unusable
from ansible_collections.progressive.delivery.plugins.modules import metric_gate as module
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_canary import ERRORS, TASK, Canary

ROWS = Path(__file__).resolve().parents[5] / "extensions" / "molecule" / "metric_gate" / "vars" / "wrong.yml"
RIGHT = {"namespace": "eu", "service": "shop", "gates": [ERRORS], "prometheus": {"service": "monitoring/prometheus:9090"}}
WRONG = yaml.safe_load(ROWS.read_text())["wrong_tasks"]


@pytest.mark.parametrize("row", WRONG, ids=[row["name"] for row in WRONG])
def test_what_is_wrong_is_named_with_what_is_allowed_before_a_cluster_is_asked(row):
    with pytest.raises(Unusable) as caught:
        parse({**RIGHT, **row["given"]})
    found = {problem.field: problem.allowed for problem in caught.value.problems}
    assert row["says"] in found[row["field"]]
    assert not any("release_" in problem.field or "release_" in problem.allowed for problem in caught.value.problems)


def test_all_mistakes_are_told_at_once_and_each_once():
    wrong = {"gates": [{"name": "errors", "error_rate": {"max": 1}}], "namespace": "EU", "interval_seconds": "0", "prometheus": None}
    with pytest.raises(Unusable) as caught:
        parse({**RIGHT, **wrong})
    fields = [problem.field for problem in caught.value.problems]
    assert sorted(fields) == ["gates[0].error_rate.max", "interval_seconds", "namespace", "prometheus"]


def test_a_task_reads_like_a_release():
    task = parse(
        {**RIGHT, "next_weight": 25, "min_seconds": "5m", "max_hold_seconds": "20m", "no_data_seconds": 30, "timeout_seconds": "45"}
    )
    assert (task.spec.minimum_step_seconds, task.spec.max_hold_seconds, task.spec.no_data_seconds) == (300, 1200, 30)
    assert (task.next_weight, task.timeout_seconds, task.interval_seconds, task.restores) == (25, 45, 1, False)
    assert [(gate.name, gate.max_share, gate.judge) for gate in task.spec.gates] == [("errors", 0.01, "sequential")]
    assert task.spec.prometheus_service == ("monitoring", "prometheus", "9090")


def test_what_the_argument_spec_fills_in_is_no_mistake():
    checked = ArgumentSpecValidator({**declare.WHICH, **OPTIONS}).validate({**RIGHT, "interval_seconds": 2})
    assert checked.error_messages == []
    assert parse(checked.validated_parameters).interval_seconds == 2


def test_the_result_of_bad_input_has_no_verdict():
    result = metric_gate({**RIGHT, "gates": []}, Canary().runner)
    assert (result["failed"], result["changed"], "verdict" in result) == (True, False, False)
    assert result["msg"].endswith("Nothing was changed.") and result["problems"][0]["field"] == "gates"


def test_a_cluster_that_cannot_be_asked_is_a_failed_task_and_no_verdict(monkeypatch):
    world = Canary()
    monkeypatch.setattr(declare, "connect", lambda options: world)
    world.silence(100)
    result = metric_gate(TASK, world.runner)
    assert (result["failed"], result["changed"], "verdict" in result) == (True, False, False)
    assert "connection reset" in result["msg"]


def test_the_result_is_plain_json(monkeypatch):
    world = Canary()
    monkeypatch.setattr(declare, "connect", lambda options: world)
    result = metric_gate(TASK, world.runner)
    assert json.loads(json.dumps(result)) == result
    assert isinstance(world.runner, Runner)


def test_the_documentation_has_every_option_with_its_type_and_default():
    own = yaml.safe_load(module.DOCUMENTATION)["options"]
    shared = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert set(own) | set(shared) == set(OPTIONS) | set(declare.WHICH)
    for name, spec in OPTIONS.items():
        documented = own[name]
        assert documented["type"] == spec["type"], name
        assert documented.get("default") == spec.get("default"), name
        assert documented.get("choices") == spec.get("choices"), name
    assert set(own["prometheus"]["suboptions"]) == set(PROMETHEUS)


def test_secrets_are_no_log():
    options = OPTIONS["prometheus"]["options"]
    assert {name for name, spec in options.items() if spec.get("no_log")} == set(gate_task.SECRET)


def test_every_return_value_is_documented():
    documented = set(yaml.safe_load(module.RETURN)) | {"changed"}
    judged, planned = Canary().run(), Canary().run(check_mode=True)
    assert set(judged) <= documented and set(planned) <= documented
    assert documented <= {*judged, *planned, "problems"}


def tasks_of(value):
    """Every metric_gate task in a piece of YAML."""
    if isinstance(value, dict):
        yield from ([value["progressive.delivery.metric_gate"]] if "progressive.delivery.metric_gate" in value else [])
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from tasks_of(one)


def test_the_examples_and_the_page_give_tasks_that_are_right():
    page = (ROWS.parents[4] / "docs" / "metric-gate.md").read_text()
    (playbook,) = re.findall(r"^```yaml\n(# canary_by_hand\.yml\n.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (play,) = yaml.safe_load(playbook)
    said = {"gates": play["vars"]["shop_gates"], "prometheus": play["vars"]["shop_prometheus"]}
    shown = [{**task, **said} for task in tasks_of(play)]
    assert len(shown) == 2
    for task in (*shown, *tasks_of(yaml.safe_load(module.EXAMPLES))):
        assert parse({"namespace": "shop", "service": "shop", **task, "evidence_state": None}).spec.gates
