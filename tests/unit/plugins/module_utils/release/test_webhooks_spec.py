# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Webhooks as users write them, or as Flagger has them: what is read, what is refused and how, and that secrets go nowhere."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release.plan import difference
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse
from ansible_collections.progressive.delivery.plugins.module_utils.release.webhooks_spec import HIDDEN, TYPES, WebhookSpec

LEAST = {
    "release_name": "shop",
    "release_namespace": "shop",
    "release_workload": "Deployment/shop",
    "release_image": "registry.example/shop:2.4.0",
    "release_prometheus": {"url": "http://prometheus.example"},
}
SECRET = "T0KEN-of-the-hook"
GATE = {"type": "confirm-rollout", "name": "gate", "url": "https://gates.example/gate/check"}
FULL = {
    **GATE,
    "url": f"https://user:{SECRET}@gates.example/{SECRET}",
    "metadata": {"token": SECRET},
    "headers": {"Authorization": f"Bearer {SECRET}"},
    "hmac": {"secret": SECRET},
}


def webhooks(*written, **changed):
    return parse({**LEAST, **changed, "release_webhooks": list(written)}).webhooks


def problems(*written, **changed):
    """field -> problem of what is wrong with these webhooks."""
    with pytest.raises(SpecError) as caught:
        webhooks(*written, **changed)
    return {one.field: one for one in caught.value.problems}


def test_a_list_of_flaggers_is_read_as_it_stands():
    written = """
      - {name: start gate, type: confirm-rollout, url: "http://flagger-loadtester.test/gate/approve", muteAlert: true}
      - name: helm test
        type: pre-rollout
        url: "https://flagger-helmtester.flagger/"
        timeout: 3m
        retries: 2
        disableTLS: true
        metadata: {type: helmv3, cmd: "test podinfo -n test"}
      - {name: load test, url: "http://flagger-loadtester.test/", timeout: 1m30s, metadata: {cmd: "hey -z 1m http://podinfo-canary.test:9898/"}}
    """
    gate, helm, load = parse({**LEAST, "release_webhooks": written}).webhooks
    assert gate == WebhookSpec("confirm-rollout", "start gate", "http://flagger-loadtester.test/gate/approve", mute_alert=True)
    assert (helm.timeout_seconds, helm.retries, helm.validate_certs) == (180, 2, False)
    assert helm.metadata == (("cmd", "test podinfo -n test"), ("type", "helmv3"))
    assert (load.type, load.timeout_seconds, load.validate_certs) == ("rollout", 90, True)


def test_what_is_beyond_flagger_is_read_too():
    (one,) = webhooks(
        {
            **FULL,
            "ca_cert": "ca.pem",
            "client_cert": "c.pem",
            "client_key": "k.pem",
            "interval": "1m",
            "deadline": "8h",
            "on_deadline": "park",
        }
    )
    assert (one.hmac_secret, one.hmac_header, one.headers) == (SECRET, "X-Signature-256", (("Authorization", f"Bearer {SECRET}"),))
    assert (one.ca_cert, one.client_cert, one.client_key) == ("ca.pem", "c.pem", "k.pem")
    assert (one.interval_seconds, one.deadline_seconds, one.on_deadline) == (60, 8 * 3600, "park")
    assert webhooks({**GATE, "type": "rollout", "threshold": 9})[0].threshold == 9


@pytest.mark.parametrize(
    ("written", "field", "words"),
    [
        ("gate", "", "a dictionary"),
        (None, "", "is required"),
        ({**GATE, "type": "pre-roll-out"}, ".type", "one of confirm-rollout, pre-rollout, rollout"),
        ({**GATE, "tiemout": "5s"}, ".tiemout", "did you mean timeout?"),
        ({**GATE, "name": None}, ".name", "is required"),
        ({**GATE, "name": "x" * 64}, ".name", "one line of at most 63 characters"),
        ({**GATE, "name": "a\nb"}, ".name", "one line of at most 63 characters"),
        ({**GATE, "url": None}, ".url", "is required"),
        ({**GATE, "url": "gates.example/gate"}, ".url", "begins with http:// or https://"),
        ({**GATE, "url": "file:///etc/passwd"}, ".url", "begins with http:// or https://"),
        ({**GATE, "timeout": "soon"}, ".timeout", "a duration from 0.1 s to 3600 s"),
        ({**GATE, "timeout": "2h"}, ".timeout", "a duration from 0.1 s to 3600 s"),
        ({**GATE, "retries": -1}, ".retries", "a whole number from 0 to 20"),
        ({**GATE, "metadata": {"limit": 5}}, ".metadata.limit", "a string (quote numbers"),
        ({**GATE, "headers": {"X Y": "1"}}, ".headers", "names of headers"),
        ({**GATE, "headers": {"X-Y": "a\r\nb"}}, ".headers.X-Y", "a non-empty string of one line"),
        ({**GATE, "hmac": SECRET}, ".hmac", "a dictionary"),
        ({**GATE, "hmac": {}}, ".hmac.secret", "is required"),
        ({**GATE, "hmac": {"secret": SECRET, "header": "a b"}}, ".hmac.header", "a header's name"),
        ({**GATE, "client_key": "key.pem"}, ".client_key", "nothing without client_cert"),
        ({**GATE, "validate_certs": "maybe"}, ".validate_certs", "true or false"),
        ({**GATE, "muteAlert": 1}, ".mute_alert", "true or false"),
        ({**GATE, "interval": "100ms"}, ".interval", "a duration from 1 s"),
        ({**GATE, "threshold": 3}, ".threshold", "nothing: only webhooks of type rollout have it, this is confirm-rollout"),
        ({**GATE, "type": "event", "interval": "10s"}, ".interval", "this is event"),
        ({**GATE, "type": "rollout", "deadline": "1h"}, ".deadline", "only webhooks of type confirm-rollout, "),
        ({**GATE, "on_deadline": "promote"}, ".on_deadline", "one of roll_back, park"),
    ],
)
def test_a_mistake_is_named_with_what_is_allowed(written, field, words):
    found = problems(written)
    assert words in found[f"release_webhooks[0]{field}"].allowed


def test_the_list_itself_is_checked():
    with pytest.raises(SpecError, match="a list"):
        parse({**LEAST, "release_webhooks": {"name": "gate"}})
    assert "at most 30" in problems(*({**GATE, "name": f"g{number}"} for number in range(31)))["release_webhooks"].allowed
    assert "no other webhook of type confirm-rollout" in problems(GATE, GATE)["release_webhooks[1].name"].allowed
    assert len(webhooks(GATE, {**GATE, "type": "confirm-promotion"})) == 2


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("confirm-promotion", {"release_strategy": "shadow"}),
        ("confirm-traffic-increase", {"release_strategy": "shadow"}),
        ("confirm-promotion", {"release_strategy": "ab_test", "release_ab": {"cookie": "ab", "iterations": 1}}),
    ],
)
def test_a_webhook_that_would_never_be_asked_is_refused(kind, changed):
    assert "another type: " in problems({**GATE, "type": kind}, **changed)["release_webhooks[0].type"].allowed


@pytest.mark.parametrize("kind", TYPES)
def test_a_plan_names_every_type_and_no_secret(kind):
    line = webhooks({**FULL, "type": kind})[0].plan_line()
    assert line.startswith(f"webhook {kind} gate: POST to https://gates.example, ")
    assert SECRET not in line


def test_the_record_keeps_hashes_that_tell_a_change_and_nobody_can_be_asked_with_them():
    spec = parse({**LEAST, "release_webhooks": [FULL]})
    kept = spec.to_dict()
    assert SECRET not in json.dumps(kept)
    again = spec_from(json.loads(json.dumps(kept)))
    assert difference(again.to_dict(), kept) == []
    assert (again.webhooks[0].lost_secrets, spec.webhooks[0].lost_secrets) == (True, False)
    assert again.webhooks[0].shown == HIDDEN
    for changed in (
        {"metadata": {"token": "other"}},
        {"headers": {"Authorization": "other"}},
        {"hmac": {"secret": "other"}},
        {"url": "http://other"},
    ):
        assert difference(kept, parse({**LEAST, "release_webhooks": [{**FULL, **changed}]}).to_dict()) != []


def test_a_record_from_before_webhooks_is_read():
    saved = parse(LEAST).to_dict()
    del saved["webhooks"]
    assert spec_from(json.loads(json.dumps(saved))).webhooks == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"url": SECRET},
        {"metadata": {"token": [SECRET]}},
        {"metadata": SECRET},
        {"headers": {"Authorization": f"{SECRET}\n"}},
        {"hmac": {"secret": SECRET, "header": f"{SECRET} x"}},
        {"hmac": SECRET},
        {"naem": SECRET},
        {"client_key": SECRET},
        {"type": f"https://gates.example/{SECRET}"},
    ],
)
def test_no_problem_shows_what_could_be_a_secret(changed):
    with pytest.raises(SpecError) as caught:
        webhooks({**GATE, **changed})
    said = "; ".join(str(one.to_dict()) for one in caught.value.problems)
    assert SECRET not in said
    assert HIDDEN in said
