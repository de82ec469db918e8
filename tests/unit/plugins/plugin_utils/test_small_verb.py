# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small verb runs in the worker only where a module would do the same, and both give the same result."""

import json
import signal
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC
from ansible_collections.progressive.delivery.plugins.action import metric_gate as gate_action
from ansible_collections.progressive.delivery.plugins.action import traffic as traffic_action
from ansible_collections.progressive.delivery.plugins.action import traffic_info as info_action
from ansible_collections.progressive.delivery.plugins.doc_fragments.traffic import ModuleDocFragment
from ansible_collections.progressive.delivery.plugins.module_utils.release.arguments import CONNECTION
from ansible_collections.progressive.delivery.plugins.module_utils.traffic import declare
from ansible_collections.progressive.delivery.plugins.modules import metric_gate, traffic, traffic_info
from ansible_collections.progressive.delivery.plugins.plugin_utils import verb
from ansible_collections.progressive.delivery.plugins.plugin_utils.small_verb import is_this_python
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_canary import TASK, Canary
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_shop import OBJECTS, QA, STATES, Shop

VERBS = {
    "traffic": (traffic_action, traffic),
    "traffic_info": (info_action, traffic_info),
    "metric_gate": (gate_action, metric_gate),
}
WHICH = {"namespace": "eu", "service": "shop"}


def action(verb="traffic", args=None, *, transport="local", become=None, check=False, diff=False, **task):
    """The action of a verb with everything that Ansible gives it; the module it would execute only says so."""
    fields = {"args": args or WHICH, "async_val": 0, "check_mode": check, "diff": diff, "environment": [{}], "delegate_to": None, **task}
    connection = MagicMock(transport=transport, become=become, has_native_async=False)
    templar = SimpleNamespace(template=lambda value: {"{{ python }}": sys.executable, "{{ config }}": "/eu"}.get(str(value), value))
    made = VERBS[verb][0].ActionModule(MagicMock(**fields), connection, MagicMock(), None, templar, None)
    made._execute_module = MagicMock(return_value={"as": "module"})
    made._remove_tmp_path = MagicMock()
    return made


@pytest.fixture
def server(monkeypatch):
    """What connect() gives, and with which options it was called."""
    used = SimpleNamespace(api=None, options=[])
    monkeypatch.setattr(declare, "connect", lambda options: used.options.append(options) or used.api)
    return used


@pytest.mark.parametrize(
    ("variables", "task"),
    [
        ({}, {}), ({"ansible_python_interpreter": sys.executable}, {}), ({"ansible_python_interpreter": "{{ python }}"}, {}),
        ({"ansible_python_interpreter": "auto_silent"}, {}), ({}, {"environment": []}), ({}, {"environment": None}),
        ({"ansible_python_interpreter": "/opt/python", "ansible_delegated_vars": {"here": {"ansible_python_interpreter": sys.executable}}},
         {"delegate_to": "here"}),
    ],
)  # fmt: skip
def test_the_worker_is_the_place_when_nothing_else_is_asked_for(server, variables, task):
    server.api = Shop("istio")
    made = action(args={**WHICH, "weight": "5"}, **task)
    result = made.run(task_vars=variables)
    assert (result["changed"], result["route"]["weight_percent"], made._execute_module.called) == (True, 5, False)


@pytest.mark.parametrize(
    ("variables", "task", "why"),
    [
        ({}, {"transport": "ssh"}, "connection ssh"), ({}, {"become": object()}, "become"), ({}, {"async_val": 5}, "async"),
        ({}, {"environment": [{"HTTPS_PROXY": "x"}]}, "environment"),
        ({"ansible_python_interpreter": "/opt/python"}, {}, "interpreter /opt/python"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("verb", list(VERBS))
def test_anything_else_runs_as_a_module(server, verb, variables, task, why):
    made = action(verb, **task)
    assert made.why_module(variables) == why
    assert made.run(task_vars=variables)["as"] == "module"
    assert made._execute_module.call_args.kwargs["wrap_async"] is ("async_val" in task)
    assert made._remove_tmp_path.called is ("async_val" not in task)
    assert server.options == []


def test_the_same_python_goes_by_several_names_and_that_of_another_virtualenv_is_another(tmp_path, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        for name in ("python", "python3"):
            (tmp_path / folder / name).symlink_to(sys.executable)
    (tmp_path / "here" / "other").write_text("")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "here" / "python3"))
    assert is_this_python(str(tmp_path / "here" / "python"))
    assert not is_this_python(str(tmp_path / "there" / "python3"))
    assert not is_this_python(str(tmp_path / "here" / "other"))


def test_arguments_that_are_wrong_are_worded_by_the_module(server):
    for args in ({"namespace": "eu"}, {**WHICH, "weigth": 5}, {**WHICH, "weight": "half"}, {**WHICH, "provider": "nginx"}):
        assert action(args=args).run()["as"] == "module"
    assert server.options == []


def test_the_inventory_says_which_cluster_unless_the_task_does(server):
    server.api = Shop("istio")
    variables = {"kubeconfig": "{{ config }}", "context": "eu", "host": "not read"}
    action(args={**WHICH, "context": "us"}).run(task_vars=variables)
    assert server.options == [{"kubeconfig": "/eu", "context": "us"}]
    made = action(args=WHICH, transport="ssh")
    made.run(task_vars=variables)
    assert made._execute_module.call_args.kwargs["module_args"] == {**WHICH, "kubeconfig": "/eu", "context": "eu"}


def as_module(verb, args, capsys, *, check, diff):
    """The verb as a module on a target: its own arguments in, JSON on its output out."""
    with patch_module_args({**args, "_ansible_check_mode": check, "_ansible_diff": diff}), pytest.raises(SystemExit):
        VERBS[verb][1].main()
    result = json.loads(capsys.readouterr().out)
    result.pop("invocation", None)
    return result


CASES = [(provider, state) for provider in OBJECTS for state in [*STATES[provider], {}, {"weight": 101}, {"weight": 5, "canary": "zzz"}]]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(("provider", "state"), CASES)
def test_both_ways_give_the_same_result_and_leave_the_same_object(server, capsys, provider, state, check):
    args = {**WHICH, "provider": provider, **state}
    results, objects = [], []
    for way in ("worker", "module"):
        server.api = api = Shop(provider)
        if way == "worker":
            results.append(action(args=args, check=check, diff=True).run())
        else:
            results.append(as_module("traffic", args, capsys, check=check, diff=True))
        results[-1].pop("put_ms", None)
        objects.append(api.spec)
    assert results[0] == results[1]
    assert objects[0] == objects[1]
    assert "changed" in results[0]


@pytest.mark.parametrize("service", ["shop", "zzz"])
def test_both_ways_read_the_same(server, capsys, service):
    server.api = Shop("istio")
    action(args={**WHICH, "weight": 7, "match": QA}).run()
    here = action("traffic_info", args={**WHICH, "service": service}).run()
    there = as_module("traffic_info", {**WHICH, "service": service}, capsys, check=False, diff=False)
    assert here == there
    assert (here["route"] is None) == (service == "zzz")


@pytest.fixture
def signals():
    """A gate notes them; the process of the tests keeps its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_both_ways_plan_the_same_gate_and_the_worker_prints_whose_it_is(server, signals, capsys, monkeypatch):
    lines = []
    monkeypatch.setattr(verb.display, "display", lines.append)
    server.api = Canary()
    here = action("metric_gate", args=TASK, check=True).run(task_vars={"inventory_hostname": "eu-west-1"})
    server.api = Canary()
    there = as_module("metric_gate", TASK, capsys, check=True, diff=False)
    assert here == there
    assert here["gates"][0]["requests"] > 0 and here["verdict"] is None
    assert [line for line in lines if "eu-west-1     plan       gate errors" in line]


def test_a_gate_in_the_worker_hears_that_it_should_stop(server, signals, monkeypatch):
    world = server.api = Canary()
    monkeypatch.setattr(verb.display, "display", lambda line: signal.raise_signal(signal.SIGTERM))
    result = action("metric_gate", args={**TASK, "on_violation": "restore"}).run()
    assert (result["verdict"], result["cause"], result["restored"]) == ("inconclusive", "runner_stopped", True)
    assert [one["destination"]["host"] for one in world.route] == ["shop"]


@pytest.mark.parametrize(("verb", "spec"), [("traffic", {**declare.WHICH, **declare.STATE}), ("traffic_info", declare.WHICH)])
def test_the_documentation_says_what_the_arguments_are(verb, spec):
    own = yaml.safe_load(VERBS[verb][1].DOCUMENTATION).get("options", {})
    options = {**yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"], **own}
    assert {name: {key: value for key, value in one.items() if key != "description"} for name, one in options.items()} == spec
    assert VERBS[verb][0].ActionModule.argument_spec == {**AUTH_ARG_SPEC, **spec}
    assert set(AUTH_ARG_SPEC) == set(CONNECTION)
