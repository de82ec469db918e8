# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What whole releases decided, recomputed from their JSON lines and from their records to the last bit, and judged by other gates."""

import json
from dataclasses import replace

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine import assemble, native
from ansible_collections.progressive.delivery.plugins.module_utils.engine.recompute import is_asked, replay_release
from ansible_collections.progressive.delivery.plugins.module_utils.metrics.source import GateReading, MetricsPreflight
from ansible_collections.progressive.delivery.plugins.module_utils.release import preflight, record
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError
from ansible_collections.progressive.delivery.plugins.module_utils.release.target import Refused
from ansible_collections.progressive.delivery.plugins.module_utils.version import VERSION
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_people import People
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_budget_release import ALERTED, SLO, Prometheus
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.release.test_judges import (
    BASE,
    ERRORS,
    LIMIT,
    ORDERS,
    P99,
    RATE,
    Asked,
    Scraped,
    Serving,
)


class Logged(People, Serving):
    """A world whose releases write their JSON lines into a folder; of the canary's requests only a part may arrive."""

    folder = None
    arriving = 1.0

    def sleep(self, seconds):
        before = dict(self.asked)
        super().sleep(seconds)
        lost = (1 - self.arriving) * (self.asked["canary"] - before["canary"])
        self.asked["canary"] -= lost
        self.asked["stable"] += lost

    @property
    def caller(self):
        return replace(super().caller, log_dir=str(self.folder))

    def ship(self, *gates, **more):
        base = {name: value for name, value in BASE.items() if name != "release_looks" or list(gates) != [ERRORS]}
        return self.start(**{**base, "release_gates": list(gates), **more})

    def again(self, **given):
        """Replay what the only log of the folder says, or what is given."""
        logs = [] if "replay_record" in given else [str(path) for path in sorted(self.folder.iterdir())]
        return replay_release(lambda: self, {**({"release_log": logs} if logs else {}), **given}, self.caller)

    def of_record(self, **given):
        return self.again(replay_record=True, release_name="shop", release_namespace="eu", **given)


@pytest.fixture
def world(monkeypatch, tmp_path):
    made = Logged()
    made.folder = tmp_path
    names = ["errors", "limit", "p99", "orders"]
    reading = MetricsPreflight({name: GateReading(9000, 0, RATE) for name in names}, "http", {"errors": 1.7, "limit": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    monkeypatch.setattr(assemble, "source_of", lambda _session, spec, *_: Scraped(made, spec.counted) if spec.counted else None)
    monkeypatch.setattr(assemble, "_queries", lambda _session, spec, *_: Asked(made) if len(spec.counted) < len(spec.gates) else None)
    return made


def assert_same(result, world):
    """Nothing differs, and the last verdict is the one that the release ended with."""
    assert (result["differing"], result["differs"], result["changed"]) == (0, [], False)
    state = record.load(world, "eu", "shop").state
    looked = {"look": result["final"]["evidence"]["look"]}  # between two answers of a query looks come to the same and are not recorded
    assert result["final"]["evidence"] == {**json.loads(json.dumps(state.evidence)), **looked}
    assert result["recomputed"] == len(result["verdicts"]) > 0
    assert result["release_id"] == state.release_id


@pytest.mark.parametrize("gates", [[ERRORS], [LIMIT], [P99], [ORDERS], [ERRORS, LIMIT, P99, ORDERS]], ids=lambda gates: str(len(gates)))
@pytest.mark.parametrize("bad", [False, True])
def test_every_judge_says_the_same_again_from_the_log_and_from_the_record(world, gates, bad):
    if bad:
        world.failing, world.slow, world.orders = 0.5, 0.5, 10.0
    ended = world.ship(*gates)
    assert ended["outcome"] == ("rolled_back" if bad else "promoted")
    result = world.again()
    assert_same(result, world)
    assert result["final"]["decision"] == ("roll_back" if bad else "advance")
    assert result["final"]["reason"] == (ended["reason"] if bad else result["verdicts"][-1]["reason"])
    of_record = world.of_record()
    assert_same(of_record, world)
    begin = result["verdicts"].index(of_record["verdicts"][0])
    assert of_record["verdicts"] == result["verdicts"][begin:][: of_record["recomputed"]]
    assert of_record["recomputed"] >= min(10, result["recomputed"])
    assert any(f"{result['recomputed']:,} looks recomputed from its log, 0 differ" in line for line in world.lines)


LOOKS = {"release_looks": BASE["release_looks"]}
THIRD_LOOK = "look          3   "


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def write(path, lines):
    path.write_text("".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))


def judged(lines):
    return [line for line in lines if line["event"] == "judged"]


@pytest.fixture
def log(world):
    """The log of a good release."""
    world.ship(ERRORS, LIMIT)
    (path,) = world.folder.iterdir()
    return path


def test_a_resumed_release_goes_on_where_the_record_stood_in_one_log_or_in_two(world, tmp_path):
    world.failing = 0.004
    gates = {"release_gates": [ERRORS, LIMIT, ORDERS]}
    world.killed(THIRD_LOOK, **{**BASE, **gates})
    world.ship(*gates["release_gates"])
    result = world.again()
    assert_same(result, world)
    (path,) = world.folder.iterdir()
    lines = lines_of(path)
    second = max(index for index, line in enumerate(lines) if line["event"] == "judges")
    assert second > 0 and [line["look"]["number"] for line in judged(lines)].count(3) == 2  # the third look was never recorded
    parts = (tmp_path / "first", tmp_path / "second")
    for part, those in zip(parts, (lines[:second], lines[second:]), strict=True):
        write(part, those)
    assert world.again(release_log=[str(parts[1]), str(parts[0])])["verdicts"] == result["verdicts"]  # in the order of time
    alone = world.again(release_log=str(parts[1]))
    assert (alone["differing"], alone["final"]) == (0, result["final"])
    lines[second]["state"]["sequential"]["state"]["gates"][0]["relative"][3] += 1e-9
    write(path, lines)
    differs = world.again(release_log=str(path))["differs"]
    assert differs[0]["what"] == "the state of the judges" and differs[0]["look"] == 3


def test_people_s_time_and_fresh_evidence_are_replayed(world):
    steps = [{"weight": 10, "approve": True}, 50, 100]
    world.at["approve-10 waits"] = lambda: world.when("  look ", "approve")
    assert world.ship(ERRORS, LIMIT, release_steps=steps)["outcome"] == "promoted"
    (path,) = world.folder.iterdir()
    events = [line["event"] for line in lines_of(path)]
    assert events.count("people") == 1 and events.count("step") >= 3
    assert_same(world.again(), world)
    assert_same(world.of_record(), world)


def test_what_the_guards_make_of_a_verdict_is_recomputed_too(world):
    world.arriving = 0.5
    world.at["asked 20 %"] = lambda: setattr(world, "arriving", 1.0)
    world.ship(ERRORS, LIMIT)
    (path,) = world.folder.iterdir()
    lines = lines_of(path)
    held = [line for line in judged(lines) if line.get("final", {}).get("cause") == "share_missed"]
    assert held and held[0]["verdict"]["decision"] == "advance"
    assert_same(world.again(), world)
    held[0]["share"] = 10.0  # as if that had been asked for
    held[0]["final"] = held[0]["verdict"]
    write(path, lines)
    assert any((one["what"], one["logged"]) == ("decision", "advance") for one in world.again()["differs"])


@pytest.mark.parametrize(
    ("failing", "allowance", "cause"), [(0.04, "0.005%", "budget_spent"), (0.04, "1%", "budget_burn"), (0.0, "1%", "no_data")]
)
def test_budget_and_alerts_are_recomputed_too(world, monkeypatch, failing, allowance, cause):
    prometheus = Prometheus()
    for module in (assemble, native):
        monkeypatch.setattr(module, "transport", lambda *_: prometheus)
    reading = MetricsPreflight({"errors": GateReading(9000, 0, RATE)}, "pods", {"errors": 1.0}, True)
    monkeypatch.setattr(preflight, "inspect", lambda *_, **__: reading)
    limit = [{"name": "errors", "error_rate": {"max": "5%"}, "judge": "threshold"}]
    slo = {**SLO, "allowance": allowance}
    world.failing = failing
    if cause == "no_data":
        world.at["  weight "] = lambda: setattr(prometheus, "down", True)
    world.ship(*limit, release_slo=slo, release_alerts=ALERTED["release_alerts"])
    (path,) = world.folder.iterdir()
    finals = {line["final"]["cause"] for line in judged(lines_of(path)) if "final" in line}
    assert finals == {cause}
    assert_same(world.again(), world)


def test_a_number_that_was_another_one_is_told_with_look_gate_and_versions(world, log):
    lines = lines_of(log)
    third = judged(lines)[2]
    gate = third["verdict"]["evidence"]["gates"]["errors"]
    gate["e_promote"] = gate["e_promote"] * (1 + 2**-52)
    write(log, lines)
    result = world.again()
    (row,) = result["differs"]
    assert (row["look"], row["gate"], row["what"]) == (3, "errors", "evidence.gates.errors.e_promote")
    assert row["logged"] != row["recomputed"] == pytest.approx(row["logged"])
    assert (row["logged_by"], row["recomputed_by"]) == (VERSION, VERSION)
    assert any("look 3 differs in evidence.gates.errors.e_promote" in line for line in world.lines)


def test_counts_that_were_others_make_the_looks_after_them_differ(world, log):
    lines = lines_of(log)
    judged(lines)[1]["look"]["metrics"][0]["canary"][1] += 5
    write(log, lines)
    result = world.again()
    assert 1 < result["differing"] <= result["recomputed"]
    assert result["differs"][0]["look"] == 2 and len(result["differs"]) == 50


def test_a_record_whose_end_was_changed_differs(world, log):
    known = world.objects["ConfigMap", "eu", "release-shop"]
    state = json.loads(known["data"]["state"])
    state["judge"]["sequential"]["state"]["gates"][0]["relative"][0] += 1.0
    known["data"]["state"] = json.dumps(state)
    assert [one["what"] for one in world.of_record()["differs"]] == ["the state of the judges"]
    both = world.again(release_log=str(log), replay_record=True, release_name="shop", release_namespace="eu")
    assert (both["source"], both["differing"]) == ("log", 1)


def test_a_line_that_was_cut_short_is_left_out_and_said(world, log):
    whole = world.again()
    text = log.read_text()
    kept = text[: text.rindex('"event": "judged"')]
    log.write_text(kept)
    result = world.again()
    assert (result["cut_lines"], result["differing"], result["recomputed"]) == (1, 0, whole["recomputed"] - 1)
    assert any("1 line cut short by a runner that died" in line for line in world.lines)


def test_other_gates_are_judged_on_the_same_looks(world, log):
    strict = {"name": "errors", "error_rate": {"max": "0.1%"}}
    loose = {"name": "any", "error_rate": {"max": "20%"}, "judge": "threshold"}
    late = world.again(release_gates=[strict])["what_if"]
    assert late["decision"] == "hold" and "clean requests" in late["reason"]
    soon = world.again(release_gates=[loose], release_looks={"interval_seconds": 5})["what_if"]
    assert soon["decision"] == "advance" and soon["advanced"][0] == {"weight_percent": 10, "seconds": pytest.approx(7, abs=3)}
    assert [one["logged"] for one in soon["verdicts"]] == [one["decision"] for one in world.again()["verdicts"]]
    assert "what_if" not in world.again(release_gates=[ERRORS, LIMIT], **LOOKS)
    assert any("other gates would have come to advance" in line for line in world.lines)


def test_other_gates_would_have_returned_it_sooner(world):
    world.failing = 0.03
    world.ship(
        {"name": "errors", "error_rate": {"max": "1%"}, "judge": "threshold"}, release_looks={"interval_seconds": 60, "threshold": 3}
    )
    was = world.again()["verdicts"][-1]
    found = world.again(release_gates=[ERRORS])["what_if"]
    assert (was["decision"], found["decision"], found["cause"]) == ("roll_back", "roll_back", "evidence_of_harm")
    assert found["look"] < was["look"] and found["seconds"] < 60 and found["weight_percent"] == 10
    assert world.of_record(release_gates=[ERRORS])["what_if"]["decision"] == "roll_back"


def test_a_combination_of_gates_needs_no_numbers_of_its_own(world):
    world.failing = 0.03
    world.ship({"name": "errors", "error_rate": {"max": "20%"}, "judge": "threshold"})
    strict = {"name": "errors", "error_rate": {"max": "1%"}}
    both = {"name": "twice", "error_rate": {"max": "2%"}}
    assert world.again(release_gates=[strict, both, {"name": "usable", "all": ["errors", "twice"]}])["what_if"]["decision"] == "roll_back"


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ({"latency": {"slower_than": "500ms", "max": "1%"}}, "requests slower than 500 ms"),
        ({"latency": {"p99": {"max": "1s"}}}, "latency buckets"),
        ({"query": {"promql": "up", "min": 1}}, "up"),
        ({"burn_rate": {"over": ["1h"]}}, "burn_rate over 1h"),
    ],
)
def test_a_gate_whose_numbers_nobody_has_read_is_refused(world, log, gate, says):
    with pytest.raises(SpecError) as caught:
        world.again(release_gates=[{"name": "other", **gate}])
    (problem,) = caught.value.problems
    assert problem.field == "release_gates[0]" and says in problem.value
    assert "errors: error_rate" in problem.allowed


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"release_log": "/nowhere/shop.jsonl"}, "release_log", "No such file"),
        ({"release_log": []}, "release_log", "a file at least"),
        ({"release_log": [3]}, "release_log[0]", "a non-empty string"),
        ({"replay_record": "perhaps"}, "replay_record", "true or false"),
        ({"replay_record": True, "release_namespace": "eu"}, "release_name", "is required with replay_record"),
        ({"replay_record": True, "release_namespace": "eu", "release_name": "cart"}, "release_name", "there is: shop"),
        ({"release_name": "cart"}, "release_name", "the release that the log is of, shop"),
        ({"release_namespace": "us"}, "release_namespace", "the release that the log is of, eu"),
        ({"release_gates": []}, "release_gates", "a gate at least"),
        ({"release_gates": [{"error_rate": {"max": "1"}}]}, "release_gates[0].error_rate.max", "with its sign"),
    ],
)
def test_wrong_arguments_are_refused(world, log, given, field, says):
    with pytest.raises((SpecError, Refused)) as caught:
        world.again(**given)
    assert any(one.field == field and says in str(one) for one in caught.value.problems)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda lines: [line for line in lines if line["event"] != "judges"], "whose gates have looked"),
        (
            lambda lines: [{**line, "release_id": "shop-other"} if line["event"] == "judges" else line for line in lines] + lines,
            "logs of one",
        ),
        (lambda lines: [{**line, "look": {}} if line["event"] == "judged" else line for line in lines], "KeyError"),
        (lambda lines: [{**line, "spec": {}} if line["event"] == "judges" else line for line in lines], "KeyError"),
    ],
)
def test_files_that_are_no_log_of_one_release_are_refused(world, log, spoil, says):
    write(log, spoil(lines_of(log)))
    with pytest.raises(Refused, match=says):
        world.again()


def test_a_broken_line_in_the_middle_is_refused_with_its_number(world, log):
    lines = log.read_text().splitlines()
    broken = next(number for number, line in enumerate(lines, 1) if '"judged"' in line)
    lines[broken - 1] = lines[broken - 1][:50]
    log.write_text("\n".join(lines))
    with pytest.raises(Refused, match=f"line {broken} is no JSON object"):
        world.again()


def test_a_record_of_another_release_than_the_log_s_is_refused(world, log):
    world.ship(ERRORS, release_image="shop:3")
    with pytest.raises(Refused, match="which the record is of"):
        world.again(release_log=str(log), replay_record=True, release_name="shop", release_namespace="eu")


def test_a_record_without_looks_is_refused(world):
    world.start(release_gates=[])
    with pytest.raises(Refused, match="whose record holds looks"):
        world.of_record()


def test_only_who_asks_for_a_release_gets_one():
    assert not is_asked({}) and not is_asked({"release_log": None, "replay_record": False})
    assert is_asked({"release_log": []}) and is_asked({"replay_record": True}) and is_asked({"replay_record": "yes"})
