# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of releases that really ran: told from their JSON lines, and from their records alone."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.report.course import events_of_lines, weights_of
from ansible_collections.progressive.delivery.plugins.module_utils.report.limits import limits
from ansible_collections.progressive.delivery.plugins.module_utils.report.looks import looks_of_lines, looks_of_record
from ansible_collections.progressive.delivery.plugins.module_utils.report.sentence import account, headline, listed
from ansible_collections.progressive.delivery.plugins.module_utils.report.story import Count, Step
from ansible_collections.progressive.delivery.plugins.module_utils.report.tell import Read, story_of
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.report.fake_stories import (
    ENDINGS,
    fleet_story,
    lines_of,
    read_of,
    record_of,
    refused,
    story,
)

SHARES = {"good": [10, 25, 50, 100, 100], "bad": [10, 0], "aborted": [10, 25, 0], "parked": [10, 25, 50, 0]}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_log_and_the_record_tell_of_the_same_looks(name):
    logged, kept = looks_of_lines(lines_of(name)), looks_of_record(record_of(name)["looks"])
    assert len(logged) == len(kept) > 3
    for one, other in zip(logged, kept, strict=True):
        assert (one.number, one.at, one.weight, one.counts, one.decision) == (
            other.number,
            other.at,
            other.weight,
            other.counts,
            other.decision,
        )
        assert one.readings == other.readings


def test_what_was_read_so_far_is_what_the_gates_judged():
    last = story("bad").regions[0].looks[-1].readings["errors"]
    assert (last.canary_so_far, last.stable_so_far) == (Count(79, 7), Count(1121, 0))
    assert last.canary == 3 / 29


def test_answers_of_queries_are_read_from_either():
    scalar = {"gate": "p99", "canary": 120.5, "baseline": "inf"}
    look = {"number": 1, "at_seconds": 5.0, "weight_percent": 10, "closes_block": False, "metrics": [], "scalars": [scalar]}
    verdict = {"decision": "hold", "cause": "failed_look", "reason": "p99 too high"}
    (logged,) = looks_of_lines([{"event": "judged", "look": look, "verdict": verdict}])
    (kept,) = looks_of_record([{"number": 1, "at": 5.0, "weight": 10, "counts": "p99 120.5 vs inf · orders no data", "decision": "hold"}])
    assert logged.readings["p99"] == kept.readings["p99"]
    assert (kept.readings["p99"].canary, kept.readings["p99"].stable) == (120.5, None)
    assert kept.readings["orders"].canary is None


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("log", [True, False])
def test_the_share_of_the_new_version_as_it_changed(name, log):
    region = story(name, log=log).regions[0]
    shares = [share for _at, share in region.weights]
    assert shares == (SHARES[name] if log else SHARES[name][: -1 if name == "good" else None])
    assert [at for at, _share in region.weights] == sorted(at for at, _share in region.weights)
    assert region.highest_percent == max(shares)
    assert all(region.started_at <= at <= region.updated_at for at, _share in region.weights)


def test_a_shadow_is_drawn_by_the_requests_that_were_copied():
    steps = [Step("deploy", 1.0, 2.0), Step("mirror-10", 2.0, 3.0), Step("analyze-10", 3.0, 4.0), Step("mirror-50", 4.0, 5.0)]
    mirrored = {"event": "mirror", "at": 2.5, "text": "mirrors 10 %", "weight_percent": 0}
    home = {"event": "traffic", "at": 9.0, "text": "100 % stable · returned in 5 ms"}
    assert weights_of([mirrored, home], steps, "shadow", None) == ((3.0, 10.0), (5.0, 50.0), (9.0, 0.0))


def test_a_switch_gives_everybody_the_new_version():
    assert weights_of([], [Step("switch", 1.0, 2.0)], "blue_green", 7.0) == ((2.0, 100.0), (7.0, 0.0))


def test_decisions_are_numbered_in_their_order_and_bars_are_left_out():
    region = story("good").regions[0]
    assert [event.mark for event in region.decisions] == [1, 2, 3, 4, 5, 6]
    assert [event.word for event in region.decisions] == ["approve", "advance", "advance", "advance", "approve", "promote"]
    assert region.decisions[1].text.startswith("to 25 %: error rate below 6 %")
    assert not any("█" in event.text for event in region.events)


def test_only_a_look_that_is_the_first_to_find_something_wrong_is_a_decision():
    def look(cause, decision="hold"):
        return {"event": "look", "at": 1.0, "text": f"   1   errors 1/2   {cause}!", "cause": cause, "decision": decision}

    told = events_of_lines([look("needs_requests"), look("watching"), look("watching"), look("certified", "advance"), look("watching")])
    assert [(event.word, event.text, event.mark) for event in told] == [("watch", "watching!", 1), ("watch", "watching!", 2)]


def test_the_record_alone_tells_steps_commands_and_the_ending():
    region = story("good", log=False).regions[0]
    assert [event.word for event in region.decisions] == ["approve", "advance", "advance", "advance", "advance", "ended"]
    assert [event.text for event in region.events if event.word == "step"][:3] == ["validate", "deploy", "weight-10"]
    assert region.lines == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("good", "shop 1.1.0 serves everybody in eu-west-1. It replaced 1.0.0 in 1 min 17 s."),
        (
            "bad",
            "shop 1.3.0-errors was rolled back in eu-west-1 at 10 % of the traffic: errors 8.86 % against 0 % on stable, and the limit is 3 %.",
        ),
        ("aborted", "shop 1.1.0 was aborted in eu-west-1 at 25 % of the traffic."),
        ("parked", "shop 1.2.0 is parked in eu-west-1."),
    ],
)
def test_the_first_sentence_says_what_where_and_why_with_or_without_a_log(name, sentence):
    assert headline(story(name)) == headline(story(name, log=False)) == sentence


def test_the_account_says_when_harm_was_seen_and_that_traffic_is_back():
    said = account(story("bad"))
    assert "The reason: errors 7/79 vs 0/1,121: at least 11.5x stable's with 99.2 % certainty." in said
    assert (
        "It began on 2026-11-21 18:46:57 UTC. Harm was first seen 18:47:07, decided on 18:47:17, 20 s after the beginning, "
        "and traffic was back by 18:47:17."
    ) in said
    assert "All traffic is back on 1.0.0, the version before." in said
    assert "Of 1,200 requests that the gates counted meanwhile, of both versions, 7 failed." in said
    assert not any("record alone" in sentence for sentence in said)
    assert any("record alone" in sentence for sentence in account(story("bad", log=False)))


def test_a_parked_release_tells_until_when_it_may_be_taken_up():
    assert "In eu-west-1 the new version has 0 % of the traffic; it may be taken up again until 2026-11-22 18:51:49 UTC." in account(
        story("parked")
    )


def test_who_aborted_and_who_approved_is_told():
    (abort,) = story("aborted").regions[0].people
    assert (abort.what, abort.by, abort.reason) == ("abort", "mia", "support sees wrong totals")
    (approval,) = story("good").regions[0].people
    assert (approval.what, approval.by, approval.reason) == ("approve", "dana", "checked carts & orders, all fine")


def test_approvals_that_came_another_way_and_an_overridden_freeze_are_told_once():
    dana = {"by": "dana", "reason": "checked", "at": "2026-11-21T18:47:58Z", "source": "command", "verified": True}
    lee = {"by": "lee", "reason": "orders are right", "at": "2026-11-21T18:48:30Z", "source": "configmap", "verified": True}
    bot = {"by": "bot", "reason": "", "at": "2026-11-21T18:48:31Z", "source": "file", "verified": False, "why": "not one of those who may"}
    approval = {"step": "approve-50", "given": [dana, lee], "ignored": [bot]}
    override = {"freeze": "weekend", "until": "Monday", "by": "mia", "reason": "fixes the outage"}
    people = story("good", approvals=[approval], freeze_override=override).regions[0].people
    assert [(told.by, told.what, told.said) for told in people] == [
        ("mia", "override", "freeze weekend, until Monday"),
        ("dana", "approve", "approve-50 is approved"),
        ("lee", "approve approve-50", "counts, by configmap"),
        ("bot", "approve approve-50", "does not count: not one of those who may"),
    ]


def test_who_let_the_wave_of_a_fleet_begin_is_told_with_its_targets():
    ana = {"by": "ana", "reason": "CHG-7", "at": 1_795_287_000.0, "source": "the command line", "verified": True}
    crossing = {"wave": "production", "at": "2026-11-21T18:50:00Z", "approved": {"by": "ana", "given": [ana]}}
    [told] = [one for one in story("good", crossing=crossing).regions[0].people if one.by == "ana"]
    assert (told.what, told.reason, told.said) == ("approve wave production", "CHG-7", "counts, by the command line")
    assert told.at == 1_795_287_000.0


def test_a_freeze_that_the_wave_waited_for_is_told_with_its_targets():
    crossing = {"wave": "production", "at": "2026-11-21T18:50:00Z", "freeze": "freeze audit of eu-west-1, until Sat"}
    assert ("wave production", "waited for freeze audit of eu-west-1, until Sat") in [
        (one.what, one.said) for one in story("good", crossing=crossing).regions[0].people
    ]


def test_a_refusal_changed_nothing_and_says_what_was_wrong():
    told = refused()
    assert headline(told) == "shop was refused in eu-west-1."
    assert "Nothing was changed." in account(told)
    assert told.regions[0].problems[0]["field"] == "release_steps"


def test_a_release_that_never_got_traffic_says_so():
    said = account(story("bad", log=False, steps=[{"name": "deploy", "started_at": "2026-11-21T18:46:58Z"}], looks=[]))
    assert "The new version never got traffic." in said


def test_a_fleet_is_led_by_the_region_that_failed_not_by_one_that_was_returned_with_it():
    told = fleet_story()
    assert told.lead.target == "eu-west-1"
    assert {region.target: region.outcome for region in told.regions} == {
        "us-west-1": "rolled_back",
        "eu-west-1": "rolled_back",
        "us-east-1": "unreachable",
        "ap-south-1": "untouched",
    }
    assert headline(told).startswith("shop 1.3.0-errors was rolled back in eu-west-1 (wave_2) at 10 % of the traffic: errors 8.86 %")
    said = " ".join(account(told))
    assert "All traffic in us-west-1 and eu-west-1 is back on 1.0.0" in said
    assert "Untouched: ap-south-1." in said
    assert "us-east-1" in said and "mia stopped the fleet at 18:47:18 UTC: enough." in said


def test_several_targets_without_a_fleet_end_as_the_worst_of_them():
    told = story_of({"us": read_of("good"), "eu": read_of("aborted"), "ap": read_of("parked")})
    assert (told.outcome, told.lead.target, told.is_fleet) == ("parked", "ap", False)


def test_a_story_of_nothing_is_none():
    with pytest.raises(ValueError, match="no release"):
        story_of({})


def test_a_runner_that_died_leaves_an_unfinished_release():
    region = story_of({"eu": Read({**record_of("bad"), "phase": "running", "outcome": None, "weight_percent": 10})}).regions[0]
    assert (region.outcome, region.weight_percent, region.ended_at) == ("running", 10, None)


def test_limits_of_every_kind_of_gate():
    counted = {"name": "errors", "kind": "error_rate", "max_share": 0.01}
    kinds = [
        counted,
        {"name": "p99", "kind": "latency", "max_share": 0.0, "quantile": {"quantile": 0.99, "max_ms": 500}},
        {"name": "rate", "kind": "request_rate", "max_share": 0.0, "min_per_second": 5},
        {"name": "orders", "kind": "query", "max_share": 0.0, "query": {"least": 0.9, "most": None, "unit": "s"}},
        {"name": "cpu", "kind": "cpu", "max_share": 0.0},
    ]
    told = {one["name"]: (one["most"], one["least"], one["unit"], one["is_share"]) for one in limits(kinds)}
    assert told == {
        "errors": (0.01, None, "", True),
        "p99": (500, None, "ms", False),
        "rate": (None, 5, "requests/s", False),
        "orders": (None, 0.9, "s", False),
        "cpu": (None, None, "", False),
    }


def test_many_names_are_shortened():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefghi")) == "a, b, c, d, e, f and 3 more"
