# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks before traffic as users write them: what is refused and how, and that secrets of webhooks go nowhere."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.checks_spec import (
    JobCheck,
    WebhookCheck,
    checks_from,
)
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import difference, plan
from ansible_collections.progressive.delivery.plugins.module_utils.release.secrets import HASH, HIDDEN, hashed
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import Condition

LEAST = {
    "release_name": "shop",
    "release_namespace": "shop",
    "release_workload": "Deployment/shop",
    "release_image": "registry.example/shop:2.4.0",
    "release_prometheus": {"url": "http://prometheus.example"},
}
POD = {"template": {"spec": {"containers": [{"name": "migrate", "image": "shop:2"}]}}}
SECRET = "T0KEN-of-the-hook"
HOOK = {"url": f"https://user:{SECRET}@hooks.example/allow/{SECRET}", "headers": {"Authorization": f"Bearer {SECRET}"}}


def checks(*written, reason=None):
    return parse({**LEAST, "release_checks": list(written), "release_no_way_back": reason}).checks


def problems(written, **changed):
    """field -> problem of what is wrong with these checks."""
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, **changed, "release_checks": written})
    return {one.field: one for one in caught.value.problems}


def test_an_http_check_says_all_that_it_expects():
    written = {
        "path": "/basket?item=7",
        "port": "http",
        "status": [200, "404"],
        "contains": "basket",
        "header": {"x-version": {"prefix": "2."}},
    }
    (one,) = checks({"name": "smoke", "http": {**written, "timeout_seconds": "500ms", "attempts": 5, "pause_seconds": 0}})
    found = one.detail
    assert (found.path, found.port, found.statuses, found.contains) == ("/basket?item=7", "http", (200, 404), "basket")
    assert found.headers == (Condition("header", "x-version", "prefix", "2."),)
    assert (found.timeout_seconds, found.attempts, found.pause_seconds) == (0.5, 5, 0)
    assert checks({"name": "smoke", "http": {"port": 8080}})[0].detail.port == "8080"


def test_a_job_is_made_from_one_of_two_and_may_be_a_point_of_no_return():
    first, second = checks(
        {"name": "load", "job": {"from_cronjob": "load-test"}},
        {"name": "migrate", "job": {"spec": POD}, "point_of_no_return": "yes"},
        reason="it only adds a table",
    )
    assert first.detail == JobCheck("load-test", None, 600, False)
    assert second.detail == JobCheck(None, POD, 600, True)


@pytest.mark.parametrize("strategy", ["canary", "blue_green", "shadow"])
def test_checks_stand_in_their_order_between_the_canary_and_its_first_traffic(strategy):
    written = [{"name": "smoke", "http": {}}, {"name": "load", "job": {"spec": POD}}]
    names = [step.name for step in plan(parse({**LEAST, "release_strategy": strategy, "release_checks": written}))]
    assert names[:4] == ["validate", "deploy", "check-smoke", "check-load"]
    assert names[4].split("-")[0] in ("weight", "switch", "mirror")


@pytest.mark.parametrize(
    ("item", "field", "says"),
    [
        (None, "", "is required"),
        ("smoke", "", "a dictionary"),
        ({"http": {}}, ".name", "is required"),
        ({"name": "Smoke", "http": {}}, ".name", "lower-case"),
        ({"name": "smoke"}, "", "exactly one of http"),
        ({"name": "smoke", "http": {}, "job": {"spec": POD}}, "", "exactly one of http"),
        ({"name": "smoke", "htp": {}}, ".htp", "did you mean http?"),
        ({"name": "smoke", "http": {}, "point_of_no_return": True}, ".point_of_no_return", "only a job"),
        ({"name": "smoke", "job": {"spec": POD}, "point_of_no_return": "maybe"}, ".point_of_no_return", "true or false"),
        ({"name": "smoke", "http": {}, "against": "blue"}, ".against", "one of canary, stable"),
        ({"name": "hook", "webhook": {"url": "http://h.example"}, "against": "stable"}, ".against", "asks neither version"),
        ({"name": "smoke", "http": {"path": "healthz"}}, ".http.path", "begins with /"),
        ({"name": "smoke", "http": {"path": "/a b"}}, ".http.path", "percent-encoded"),
        ({"name": "smoke", "http": {"path": "/../../secrets"}}, ".http.path", "without .."),
        ({"name": "smoke", "http": {"path": "/%2E%2e/secrets"}}, ".http.path", "without .."),
        ({"name": "smoke", "http": {"port": 70000}}, ".http.port", "1 to 65535"),
        ({"name": "smoke", "http": {"port": "HTTP"}}, ".http.port", "lower-case"),
        ({"name": "smoke", "http": {"status": 99}}, ".http.status", "100 to 599"),
        ({"name": "smoke", "http": {"status": []}}, ".http.status", "a list of them"),
        ({"name": "smoke", "http": {"contains": 7}}, ".http.contains", "a non-empty string"),
        ({"name": "smoke", "http": {"header": {"x-version": 2}}}, ".http.header.x-version", "quote numbers"),
        ({"name": "smoke", "http": {"timeout_seconds": 0}}, ".http.timeout_seconds", "from 0.1 s"),
        ({"name": "smoke", "http": {"attempts": 0}}, ".http.attempts", "from 1 to"),
        ({"name": "smoke", "http": {"pause_seconds": -1}}, ".http.pause_seconds", "from 0 s"),
        ({"name": "load", "job": None}, ".job", "is required"),
        ({"name": "load", "job": {}}, ".job", "exactly one of from_cronjob"),
        ({"name": "load", "job": {"from_cronjob": "a", "spec": POD}}, ".job", "exactly one of from_cronjob"),
        ({"name": "load", "job": {"from_cronjob": "Load"}}, ".job.from_cronjob", "lower-case"),
        ({"name": "load", "job": {"spec": {"template": {}}}}, ".job.spec.template.spec.containers", "is required"),
        ({"name": "load", "job": {"spec": {**POD, "note": "x" * 9000}}}, ".job.spec", "use from_cronjob"),
        ({"name": "load", "job": {"spec": POD, "timeout_seconds": "2 days"}}, ".job.timeout_seconds", "to 86400 s"),
        ({"name": "hook", "webhook": {}}, ".webhook.url", "is required"),
        ({"name": "hook", "webhook": {"url": "ftp://hooks.example"}}, ".webhook.url", "http:// or https://"),
        ({"name": "hook", "webhook": {"url": "https://"}}, ".webhook.url", "names a host"),
        ({"name": "hook", "webhook": {"url": "https://a.example:port"}}, ".webhook.url", "names a host"),
        ({"name": "hook", "webhook": {**HOOK, "headers": {"X Y": "1"}}}, ".webhook.headers", "letters, digits"),
        ({"name": "hook", "webhook": {**HOOK, "headers": {"X-Y": "a\nb"}}}, ".webhook.headers.X-Y", "of one line"),
        ({"name": "hook", "webhook": {**HOOK, "attempts": "many"}}, ".webhook.attempts", "a whole number"),
    ],
)
def test_a_wrong_check_is_refused_with_its_field_and_what_is_allowed(item, field, says):
    assert says in problems([item])[f"release_checks[0]{field}"].allowed


def test_two_checks_of_one_name_and_too_long_jobs_are_refused():
    same = {"name": "smoke", "http": {}}
    assert "no other check" in problems([same, same])["release_checks[1].name"].allowed
    long = {"name": "a" * 20, "job": {"spec": POD}}
    assert "at most 16 characters" in problems([long], release_name="r" * 40)["release_checks[0].name"].allowed
    assert checks(long)
    assert "at most 20" in problems([{"name": f"c{number}", "http": {}} for number in range(21)])["release_checks"].allowed


@pytest.mark.parametrize(
    "written",
    [
        [{"name": "hook", "webhook": {**HOOK, "header": HOOK["headers"]}}],
        [{"name": "hook", "webhook": {"url": SECRET}}],
        [{"name": "hook", "webhook": HOOK["url"]}],
        [{"name": "hook", "webhook": {**HOOK, "headers": {"X-Token": f"{SECRET}\n"}}}],
        [{"name": "hook", "webhook": {**HOOK, "headers": [SECRET]}}],
        [{"name": "hook", "url": HOOK["url"]}],
        [[HOOK]],
        {"webhook": HOOK},
        f"webhook: {HOOK['url']}",
        [{"name": "Hook", "webhook": HOOK}, {"name": "x"}],
    ],
)
def test_a_refusal_never_shows_what_stands_in_a_webhook(written):
    for problem in problems(written).values():
        assert SECRET not in str(problem)
        assert SECRET not in json.dumps(problem.to_dict())


def test_the_record_of_a_release_holds_hashes_of_a_webhooks_secrets_and_still_tells_a_change():
    def saved(hook):
        return json.loads(json.dumps(parse({**LEAST, "release_checks": [{"name": "hook", "webhook": hook}]}).to_dict()["checks"]))

    assert SECRET not in json.dumps(saved(HOOK))
    again = [one.to_dict() for one in checks_from(saved(HOOK))]
    assert json.loads(json.dumps(again)) == saved(HOOK)
    other = saved({**HOOK, "headers": {"Authorization": "Bearer other"}})
    (changed,) = difference({"checks": saved(HOOK)}, {"checks": other})
    assert HASH in changed
    assert "other" not in changed


def test_every_kind_of_check_comes_back_from_the_record_as_it_was():
    made = checks(
        {"name": "smoke", "http": {"header": {"x-version": "2"}, "status": [200, 204]}},
        {"name": "load", "job": {"spec": POD}, "point_of_no_return": True},
        {"name": "old", "http": {}, "against": "stable"},
    )
    assert [one.against for one in made] == ["canary", "canary", "stable"]
    assert checks_from(json.loads(json.dumps([one.to_dict() for one in made]))) == made


def test_of_a_webhooks_url_only_scheme_host_and_port_are_shown():
    hook = WebhookCheck("https://user:pw@hooks.example:8443/allow?token=x", (), 10, 3)
    assert hook.shown == "https://hooks.example:8443"
    (saved,) = checks_from([{"name": "h", "kind": "webhook", "detail": {**vars(hook), "url": hashed("any")}}])
    assert saved.detail.shown == HIDDEN
