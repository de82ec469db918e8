# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lets us into Prometheus: kept from the record, and missed by who has only the record."""

import json

from ansible_collections.progressive.delivery.plugins.module_utils.engine.assemble import transport
from ansible_collections.progressive.delivery.plugins.module_utils.release.saved import spec_from
from ansible_collections.progressive.delivery.plugins.module_utils.release.spec import parse

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
