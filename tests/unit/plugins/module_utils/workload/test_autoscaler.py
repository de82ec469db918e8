# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which autoscalers scale a workload, what is wrong with some, and how their floors move."""

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.workload.autoscaler import (
    Floor,
    ceiling,
    floor,
    raising,
    restoring,
    scalers_of,
    would_shrink,
    wrongs,
)
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import apply_patch

HPA, KEDA = "HorizontalPodAutoscaler", "ScaledObject"


def scaler(name="shop", owner=None, target=None, **spec):
    meta = {"name": name, "resourceVersion": "7", **({"ownerReferences": [{"kind": owner}]} if owner else {})}
    return {"metadata": meta, "spec": {"scaleTargetRef": {"name": "shop", **(target or {})}, **spec}}


@pytest.mark.parametrize(
    ("kind", "found", "is_ours"),
    [
        (HPA, scaler(target={"kind": "Deployment", "apiVersion": "apps/v1"}), True),
        (KEDA, scaler(), True),
        (HPA, scaler(target={"kind": "StatefulSet"}), False),
        (HPA, scaler(target={"kind": "Deployment", "apiVersion": "other.io/v1"}), False),
        (HPA, scaler(target={"name": "cart"}), False),
        (HPA, scaler(owner="ScaledObject"), False),
    ],
    ids=["HPA", "KEDA, kind left out", "another kind", "another group", "another name", "made by KEDA"],
)
def test_an_autoscaler_is_found_by_what_it_scales(kind, found, is_ours):
    assert scalers_of("shop", {kind: [found]}) == ([(kind, found)] if is_ours else [])


def test_bounds_that_are_left_out_are_those_of_the_kind():
    assert (floor(HPA, scaler(maxReplicas=5)), ceiling(HPA, scaler(maxReplicas=5))) == (1, 5)
    assert (floor(KEDA, scaler()), ceiling(KEDA, scaler())) == (0, 100)
    assert (floor(KEDA, scaler(minReplicaCount=2)), ceiling(KEDA, scaler(maxReplicaCount=3))) == (2, 3)


def test_what_cannot_work_is_said_with_its_number_and_its_cure():
    assert wrongs("shop", [(HPA, scaler(maxReplicas=4))], 4) == []
    (small,) = wrongs("shop", [(HPA, scaler(maxReplicas=3))], 4)
    assert "the 4 pods which shop has" in small and "HorizontalPodAutoscaler shop has maxReplicas 3; raise it to 4" in small
    (idle,) = wrongs("shop", [(KEDA, scaler(idleReplicaCount=0))], 4)
    assert "remove idleReplicaCount" in idle
    (two,) = wrongs("shop", [(HPA, scaler("a", maxReplicas=1)), (KEDA, scaler("b"))], 4)
    assert "HorizontalPodAutoscaler a, ScaledObject b" in two


@pytest.mark.parametrize(
    ("kind", "spec"), [(HPA, {"minReplicas": 2}), (KEDA, {"minReplicaCount": 2}), (KEDA, {})], ids=["HPA", "KEDA", "KEDA, not set"]
)
def test_a_raised_floor_goes_back_to_exactly_what_it_was(kind, spec):
    before = scaler(**spec)
    up = apply_patch(before, raising(kind, before, 5), "raise")
    assert floor(kind, up) == 5
    noted = Floor(kind, "shop", next(iter(spec.values()), None), [5])
    assert apply_patch(up, restoring(noted, up), "restore") == before


@pytest.mark.parametrize("spec", [{"minReplicas": 2}, {}], ids=["set", "not set"])
def test_neither_move_overwrites_what_somebody_else_wrote_meanwhile(spec):
    read = scaler(**spec)
    theirs = {"metadata": {**read["metadata"], "resourceVersion": "8"}, "spec": {**read["spec"], "minReplicas": 3}}
    for operations in (raising(HPA, read, 5), restoring(Floor(HPA, "shop", 1, [2]), read)):
        with pytest.raises(Exception, match="error in our request"):
            apply_patch(theirs, operations, "late")


def conditions(active, limited, reason):
    pairs = [{"type": "ScalingActive", "status": active}, {"type": "ScalingLimited", "status": limited, "reason": reason}]
    return {**scaler(), "status": {"conditions": pairs}}


def test_only_an_autoscaler_that_its_floor_holds_back_would_shrink_at_once():
    assert would_shrink(HPA, conditions("True", "True", "TooFewReplicas"))
    assert not would_shrink(HPA, conditions("True", "True", "TooManyReplicas"))
    assert not would_shrink(HPA, conditions("True", "False", "DesiredWithinRange"))
    assert not would_shrink(HPA, conditions("False", "True", "TooFewReplicas"))
    assert not would_shrink(HPA, scaler())
    assert would_shrink(KEDA, scaler())
