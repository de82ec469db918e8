# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a whole release asks of Prometheus, as Prometheus itself counts it."""

from functools import partial

import pytest
from ansible_collections.progressive.delivery.tests.prometheus.forms import CANARY, STABLE, exposed
from ansible_collections.progressive.delivery.tests.prometheus.server import Lab
from ansible_collections.progressive.delivery.tests.prometheus.world import Asking, growing

SOURCE = "istio_source"
LOOKS = 3
ERRORS = {"name": "errors", "error_rate": {"max": "1%"}}
SLOW = {"name": "slow", "latency": {"slower_than": "250ms", "max": "1%"}}


@pytest.fixture(scope="module")
def traffic(binary, tmp_path_factory):
    """A Prometheus of its own, as other tests count the same series, with counters of both versions that grow by 100 requests a second."""

    def body(arm, requests):
        return exposed(SOURCE, arm, requests, 0, 0)

    with Lab(binary, tmp_path_factory.mktemp("prometheus")) as lab, growing(lab, [partial(body, arm) for arm in (STABLE, CANARY)]):
        yield lab


def test_a_release_asks_once_a_poll_whatever_its_gates_count(traffic):
    world = Asking(traffic, enough=LOOKS)
    world.start(release_gates=[ERRORS, SLOW], release_metrics_source=SOURCE, **Asking.BAKING)
    assert world.looks() > LOOKS, world.lines
    assert LOOKS <= world.questions <= world.polls
