# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets us into Prometheus: kept from the record, and missed by who has only the record."""

import json

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import transport
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import SpecError, parse

LEAST = {"release_name": "shop", "release_namespace": "eu", "release_workload": "Deployment/shop", "release_image": "shop:2"}
SECRETS = {"url": "https://p.example", "username": "ann", "password": "sesame", "headers": {"X-Scope-OrgID": "tenant-7"}}


def test_the_record_keeps_hashes_that_tell_one_secret_from_another():
    spec = parse({**LEAST, "release_prometheus": SECRETS})
    saved = json.dumps(spec.to_dict())
    assert "sesame" not in saved and "tenant-7" not in saved and "ann" in saved
    known = spec_from(json.loads(saved))
    assert known.to_dict() == spec.to_dict()
    assert known.to_dict() != parse({**LEAST, "release_prometheus": {**SECRETS, "password": "other"}}).to_dict()


def test_who_has_only_the_record_does_not_knock_with_hashes():
    spec = parse({**LEAST, "release_prometheus": SECRETS})
    assert transport(None, spec).access.password == "sesame"
    assert transport(None, spec_from(json.loads(json.dumps(spec.to_dict())))) is None
    open_to_all = parse({**LEAST, "release_prometheus": {"url": "https://p.example"}})
    assert transport(None, spec_from(json.loads(json.dumps(open_to_all.to_dict())))).url == "https://p.example"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({}, "release_prometheus"),
        ({"url": "http://a", "service": "m/p:9090"}, "release_prometheus"),
        ({"url": "a.example:9090"}, "release_prometheus.url"),
        ({"url": 5}, "release_prometheus.url"),
        ({"service": "prometheus:9090"}, "release_prometheus.service"),
        ({"service": "monitoring/prometheus"}, "release_prometheus.service"),
        ({"url": "http://a", "tokn": "x"}, "release_prometheus.tokn"),
        ({"url": "http://a", "token": ""}, "release_prometheus.token"),
        ({"url": "http://a", "token": "x", "username": "u", "password": "p"}, "release_prometheus.token"),
        ({"url": "http://a", "username": "u"}, "release_prometheus.username"),
        ({"url": "http://a", "client_key": "/key"}, "release_prometheus.client_key"),
        ({"url": "http://a", "validate_certs": "no"}, "release_prometheus.validate_certs"),
        ({"url": "http://a", "path": "prometheus/"}, "release_prometheus.path"),
        ({"url": "http://a", "timeout_seconds": 0}, "release_prometheus.timeout_seconds"),
        ({"url": "http://a", "headers": {"X-Scope-OrgID": 5}}, "release_prometheus.headers.X-Scope-OrgID"),
        ({"url": "http://u:p@a"}, "release_prometheus.url"),
        ({"service": "m/p:9090", "token": "x"}, "release_prometheus.token"),
        ("http://a.example", "release_prometheus"),
    ],
    ids=str,
)
def test_a_prometheus_that_cannot_be_reached_so_is_refused(value, field):
    with pytest.raises(SpecError) as caught:
        parse({**LEAST, "release_prometheus": value})
    assert field in [one.field for one in caught.value.problems]
