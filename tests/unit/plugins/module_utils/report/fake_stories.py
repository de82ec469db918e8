# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases that really ran, as release_info and release_log_dir told of them, and the story of a fleet made of two of them."""

import json
import pathlib

from ansible_collections.progressive.delivery.plugins.module_utils.report.limits import limits
from ansible_collections.progressive.delivery.plugins.module_utils.report.log import read_lines
from ansible_collections.progressive.delivery.plugins.module_utils.report.tell import Read, story_of

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
ENDINGS = ("good", "bad", "aborted", "parked")
EVIL = "<script>alert('x')</script>\"&|`*@everyone\x00\n# [link](http://evil.example)"
PROBLEM = {"field": "release_steps", "value": [10, 25], "allowed": "a list that ends at 100"}
REFUSED = {
    "failed": True,
    "outcome": "refused",
    "release_name": "shop",
    "reason": "release_steps: [10, 25] is not allowed; a list that ends at 100",
    "problems": [PROBLEM],
}


def lines_of(name):
    return read_lines(str(FIXTURES / f"{name}.jsonl"), "judges", ("judged", "step", "people"))[0]


def record_of(name):
    """What release_info returned; it tells strategy and gates since the report reads them."""
    spec = next(line["spec"] for line in lines_of(name) if line["event"] == "judges")
    record = json.loads((FIXTURES / f"{name}.json").read_text())
    return {**record, "strategy": spec["strategy"], "gates": limits(spec["gates"])}


def read_of(name, *, log=True, **changed):
    return Read({**record_of(name), **changed}, None, tuple(lines_of(name)) if log else ())


def story(name, *, log=True, **changed):
    return story_of({"eu-west-1": read_of(name, log=log, **changed)})


def refused(**changed):
    return story_of({"eu-west-1": Read(None, {**REFUSED, **changed})})


def fleet(**changed):
    """Wave 1 was promoted and returned with the fleet, for wave 2 has a bad region; one is away, the rest never had its turn."""

    def one(target, state, outcome=None, reason="", **more):
        return {"target": target, "state": state, "outcome": outcome, "reason": reason, **more}

    waves = [
        {
            "group": "wave_1",
            "share_percent": 5,
            "bake_seconds": 60,
            "state": "returned",
            "started_at": "2026-11-21T18:40:00Z",
            "ended_at": None,
            "targets": [one("us-west-1", "returned", "promoted", failed=False, release_id="shop-341ba2")],
        },
        {
            "group": "wave_2",
            "share_percent": 40,
            "bake_seconds": 120,
            "state": "returned",
            "targets": [
                one("eu-west-1", "returned", "rolled_back", failed=True, release_id="shop-ab3aec"),
                one("us-east-1", "unreachable", reason="no answer"),
            ],
        },
        {"group": "rest", "share_percent": 100, "bake_seconds": 0, "state": "skipped", "targets": [one("ap-south-1", "skipped")]},
    ]
    told = {
        "name": "shop",
        "release_id": "shop-7c1a2b",
        "outcome": "rolled_back",
        "reason": "eu-west-1 failed",
        "started_at": "2026-11-21T18:40:00Z",
        "ended_at": "2026-11-21T18:49:20Z",
        "stopped": {"by": "mia", "reason": "enough", "at": "2026-11-21T18:47:18Z"},
        "waves": waves,
    }
    return {**told, **changed}


def fleet_story(**changed):
    good = read_of("good", updated_at="2026-11-21T18:45:00Z")  # its own release ended well, before the bad one began
    return story_of({"us-west-1": good, "eu-west-1": read_of("bad")}, fleet(**changed))


def every_story():
    """All endings, with and without JSON lines."""
    told = {f"{name}{'' if log else '-record'}": story(name, log=log) for name in ENDINGS for log in (True, False)}
    return {**told, "refused": refused(), "fleet": fleet_story(), "evil": evil()}


def evil():
    """All that people may write is written with bad intent."""
    said = [{"command": "approve", "by": EVIL, "reason": EVIL, "at": "2026-11-21T18:48:00Z", "said": EVIL, "number": 1}]
    names = dict.fromkeys(("reason", "release_name", "namespace", "workload", "image", "digest", "stable_image", "strategy"), EVIL)
    history = [{"release_id": EVIL, "reason": EVIL, "image": EVIL, "outcome": EVIL, "started_at": EVIL}]
    gates = [{"name": "errors", "most": 0.03, "least": None, "unit": EVIL, "is_share": False}]
    hooks = [{"said": EVIL, "at": "2026-11-21T18:48:00Z", "times": 2}]
    changed = {**names, "commands": said, "history": history, "next": [EVIL], "gates": gates, "webhooks": hooks}
    told = fleet(name=EVIL, reason=EVIL)
    told["waves"][0]["group"] = EVIL
    return story_of(
        {EVIL: read_of("bad", **changed), "ap": Read(None, {**REFUSED, "reason": EVIL, "problems": [{**PROBLEM, "value": EVIL}]})}, told
    )
