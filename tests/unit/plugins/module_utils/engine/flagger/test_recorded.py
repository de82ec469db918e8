# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries as Flagger 1.44 left them on a cluster, one for each phase: what is read of them, and which cells of the table they lead to."""

import json
from pathlib import Path

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.edits import edited
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import canary as canaries
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger import control, table
from ansible_collections.progressive.delivery.plugins.module_utils.engine.flagger.canary import MOVING, SUSPENDED, view
from ansible_collections.progressive.delivery.plugins.module_utils.engine.table import DOES, NOTHING, REFUSED
from ansible_collections.progressive.delivery.plugins.module_utils.release.record import Record, State

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text())
AT_WORK = sorted({*MOVING, SUSPENDED} & set(RECORDED))


def record(stamp, *, phase="running"):
    state = State("shop-1", phase=phase, control={"flagger": {"stamp": stamp}})
    return Record("release-shop", "eu", {}, {"workload": "shop"}, state, "shop-1.1", None)


def test_the_phases_of_a_release_were_recorded():
    assert {
        "Initializing",
        "Initialized",
        "Progressing",
        "WaitingPromotion",
        "Promoting",
        "Finalising",
        "Succeeded",
        "Failed",
        "Suspended",
    } <= set(RECORDED)


@pytest.mark.parametrize("phase", RECORDED)
def test_a_phase_is_read_as_it_is(phase):
    told = view(RECORDED[phase])
    assert told.phase == phase
    assert told.moved_at > 0
    assert (canaries.interval_seconds(RECORDED[phase]), canaries.threshold(RECORDED[phase])) == (10, 2)
    assert (canaries.service_of(RECORDED[phase]), canaries.target_of(RECORDED[phase])) == ("shop", "shop")


@pytest.mark.parametrize("phase", [one for one in RECORDED if one not in ("Initializing",)])
def test_a_change_of_phase_changes_the_stamp(phase):
    others = {view(one).stamp for name, one in RECORDED.items() if view(one).under != view(RECORDED[phase]).under}
    assert view(RECORDED[phase]).stamp not in others


@pytest.mark.parametrize("phase", AT_WORK)
@pytest.mark.parametrize("verb", table.TABLE)
def test_each_verb_meets_a_canary_at_work(phase, verb):
    here = view(RECORDED[phase])
    effect = table.TABLE[verb][control.column(record("before"), here)]
    assert effect == table.TABLE[verb][phase]
    if verb in ("rollback", "cleanup"):
        assert effect.kind == REFUSED
    if verb in ("abort", "retry"):
        assert effect.kind == DOES
    if verb == "resume":
        assert effect.kind == (DOES if phase == SUSPENDED else NOTHING)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_the_ending_of_an_earlier_release_is_none_of_this_one(phase):
    here = view(RECORDED[phase])
    assert control.column(record(here.stamp), here) == "Initialized"
    assert control.column(record("before"), here) == phase
    assert control.column(record(here.stamp, phase="ended"), here) == phase


def test_a_canary_that_is_not_there():
    assert view(None).phase == "Gone"


def test_silence_counts_while_it_is_at_work_alone():
    later = canaries.seconds_of(RECORDED["Progressing"]["status"]["lastTransitionTime"]) + 41
    assert canaries.is_silent(RECORDED["Progressing"], [], later)
    assert not canaries.is_silent(RECORDED["Progressing"], [(later - 5, "Normal", "Advance shop")], later)
    assert not canaries.is_silent(RECORDED["Succeeded"], [], later + 1e6)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Halt shop.eu advancement errors 5.68 > 1", {"metric": "errors", "value": "5.68", "sign": ">", "limit": "1"}),
        ("Halt shop.eu advancement success rate 94.32% < 99%", {"metric": "success rate", "value": "94.32%", "sign": "<", "limit": "99%"}),
        ("Halt shop.eu advancement request duration 1.2s > 500ms", {"metric": "request duration", "value": "1.2s", "sign": ">", "limit": "500ms"}),
        ("Halt advancement no values found for custom metric: errors: no values found", {"metric": "errors"}),
        ("Halt advancement no values found for istio metric request-success-rate probably", {"metric": "request-success-rate"}),
        ("Metric query failed for errors: request failed", {}),
    ],
)  # fmt: skip
def test_why_a_check_failed_in_flaggers_words(text, found):
    later = (3.0, "Warning", "Canary failed! Scaling down shop.eu")
    assert canaries.why([(1.0, "Normal", "Starting"), (2.0, "Warning", text), later]) == {"message": text, **found}


def test_prometheus_is_out_of_reach_while_that_is_the_last_word():
    failed = (1.0, "Warning", "Prometheus query failed: request failed")
    assert canaries.unreachable([failed]) == failed[2]
    assert canaries.unreachable([failed, (2.0, "Normal", "Advance shop.eu canary weight 25")]) == ""


@pytest.mark.parametrize(
    ("interval", "seconds"), [("10s", 10), ("1m", 60), ("1m30s", 90), ("5s", 10), ("", 60), ("soon", 60), ("1h", 3600)]
)
def test_an_interval_is_what_flagger_makes_of_it(interval, seconds):
    assert canaries.interval_seconds({"spec": {"analysis": {"interval": interval}}}) == seconds


def test_what_the_api_server_fills_in_is_no_edit():
    written = {"service": {"port": 80}, "analysis": {"threshold": 2, "webhooks": []}}
    assert edited({"service": {"port": 80, "targetPort": 80}, "analysis": {"threshold": 2}, "suspend": True}, written) == []
    assert edited({"service": {}, "analysis": {"threshold": 3}}, written) == ["spec.service.port", "spec.analysis.threshold"]
