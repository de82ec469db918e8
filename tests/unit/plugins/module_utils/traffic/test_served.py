# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change is done when every parent serves the route as it was written: implementations that are late, and ones that never are."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.route import HOME, Route, RouteEdited, RouteError
from ansible_collections.progressive.delivery.plugins.module_utils.traffic.router import ACCEPT_SECONDS, PAUSE_SECONDS
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.traffic.meshes import (
    GATEWAY,
    GRPC_ROUTE,
    HTTP,
    ISTIO,
    OURS,
    SELECTOR,
    WITH_PARENTS,
    Served,
    said,
)

with_parents = pytest.mark.parametrize("mesh", WITH_PARENTS, ids=lambda mesh: mesh.name)
with_generations = pytest.mark.parametrize("mesh", [HTTP, GRPC_ROUTE], ids=lambda mesh: mesh.name)


class Slow(Served):
    """A mesh that looks at routes only when its time has come; until then the status is what it was."""

    def __init__(self, *objects, after_seconds):
        super().__init__(*objects)
        self.after_seconds = after_seconds
        self.waited = 0.0
        self.controllers = []
        self.wakes = self.accept

    def sleep(self, seconds):
        super().sleep(seconds)
        self.waited += seconds
        if self.waited >= self.after_seconds:
            self.wakes()


def outdated(mesh, api, **conditions):
    """The route's status speaks of the generation before."""
    found = mesh.stored(api)
    for parent in found["status"]["parents"]:
        for one in parent["conditions"]:
            one.update({"observedGeneration": found["metadata"]["generation"], **conditions})
    api.put(found)


@with_generations
def test_a_change_waits_until_the_parents_have_seen_it(mesh):
    api = Slow(mesh.object(), after_seconds=3.0)
    mesh.router(api).change(Route(10), OURS)
    assert api.waited == 3.0
    assert mesh.stored(api)["status"]["parents"][0]["conditions"][0]["observedGeneration"] == mesh.stored(api)["metadata"]["generation"]
    assert len(api.writes()) == 1


@with_generations
def test_a_change_that_is_there_already_waits_all_the_same(mesh):
    api = Slow(mesh.object(), after_seconds=3.0)
    api.lose("PATCH", mesh.kind, applied=True)  # half a second passes before the change is found done
    mesh.router(api).change(Route(10), OURS)
    assert api.waited == 3.0
    assert len(api.writes()) == 1


@with_parents
def test_parents_that_cannot_resolve_the_canary_at_first_are_waited_for(mesh):
    api = Slow(mesh.object(), after_seconds=2.0)
    outdated(mesh, api, status="False", reason="BackendNotFound")
    mesh.router(api).change(Route(10), OURS)
    assert api.waited == 2.0


@with_generations
def test_a_change_that_is_never_served_is_an_error_that_says_why(mesh):
    api = Slow(mesh.object(), after_seconds=ACCEPT_SECONDS + 1)
    with pytest.raises(
        RouteError, match=r"is not served 20 s after it was changed: its parent Gateway public has not seen generation 2 yet"
    ) as raised:
        mesh.router(api).change(Route(10), OURS)
    assert not isinstance(raised.value, RouteEdited)
    assert api.waited == ACCEPT_SECONDS
    assert mesh.written(api) == mesh.split(10)


@with_parents
def test_a_change_that_a_parent_refuses_for_good_is_an_error_that_repeats_its_words(mesh):
    api = Slow(mesh.object(), after_seconds=1000.0)
    outdated(mesh, api, status="False", reason="RefNotPermitted", message="no ReferenceGrant")
    with pytest.raises(RouteError, match=r"Accepted is False for its parent .*: RefNotPermitted: no ReferenceGrant"):
        mesh.router(api).change(Route(10), OURS)


@with_parents
def test_the_return_of_traffic_waits_for_nobody(mesh):
    api = Slow(mesh.object(), after_seconds=1000.0)
    router = mesh.router(api)
    with pytest.raises(RouteError):
        outdated(mesh, api, status="False")
        router.change(Route(10), OURS)
    waited = api.waited
    assert router.give_back(OURS).route == HOME
    assert api.waited == waited
    mesh.assert_untouched(api)


@with_generations
def test_the_slowest_of_several_parents_is_waited_for(mesh):
    two = mesh.object()
    two["spec"]["parentRefs"] = [GATEWAY[0], {**GATEWAY[0], "sectionName": "https"}]
    api = Slow(two, after_seconds=1.0)
    seen = []

    def first_one_then_both():
        found = api.objects[mesh.kind, "eu", "shop"]
        if api.waited < 4.0:
            found["status"]["parents"][0] = said(found, GATEWAY[0], "eu", mesh.kind)
            seen.append("one")
        else:
            api.accept()

    api.wakes = first_one_then_both
    mesh.router(api).change(Route(10), OURS)
    assert api.waited == 4.0
    assert len(seen) == (4.0 - 1.0) / PAUSE_SECONDS


@with_parents
def test_a_route_that_vanishes_while_it_is_awaited_is_an_edit(mesh):
    api = Slow(mesh.object(), after_seconds=1.0)
    outdated(mesh, api, status="False")
    api.wakes = api.objects.clear
    with pytest.raises(RouteEdited, match="is gone"):
        mesh.router(api).change(Route(10), OURS)


@pytest.mark.parametrize("mesh", [ISTIO, SELECTOR], ids=lambda mesh: mesh.name)
def test_objects_without_a_say_in_it_are_not_waited_for(mesh):
    api = Slow(mesh.object(), after_seconds=1000.0)
    mesh.router(api).change(Route(100), OURS)
    assert api.waited == 0.0
