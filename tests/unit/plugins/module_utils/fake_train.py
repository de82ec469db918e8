# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters with several services in one namespace, and the train that releases them."""

from __future__ import annotations

import re

from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_death import MortalWorld
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_fleet import Regions, in_cluster

SERVICES = ("catalog", "cart", "front")


def entry(name, *after):
    """A service of release_train, with its own release."""
    return {
        "service": name,
        "after": list(after),
        "release_workload": f"Deployment/{name}",
        "release_image": f"{name}:2",
        "release_traffic": {"provider": "istio", "service": name},
    }


class Mall(MortalWorld):
    """A namespace with three services, each behind a route of its own."""

    def __init__(self):
        super().__init__()
        for name in SERVICES:
            for (kind, _namespace, shop), found in [*self.objects.items()]:
                if shop == "shop" and kind in ("Service", "Deployment", "VirtualService"):
                    self.put(renamed(found, name))

    def image_of(self, name):
        return self.stored("Deployment", "eu", name)["spec"]["template"]["spec"]["containers"][0]["image"]


def renamed(found, name):
    """An object of the shop as one of another service."""
    if isinstance(found, dict):
        return {key: renamed(value, name) for key, value in found.items() if key not in ("uid", "resourceVersion", "status")}
    if isinstance(found, list):
        return [renamed(one, name) for one in found]
    return re.sub(r"^shop\b", name, found) if isinstance(found, str) else found


class Train(Regions):
    """One region: a host is a service. catalog first, then cart and front, all in one namespace of one cluster."""

    groups = {}
    home = "catalog"

    def __init__(self):
        super().__init__()
        self.variables = {
            **{name: value for name, value in self.variables.items() if name not in ("release_waves", "release_workload", "release_image")},
            "release_train": [entry("catalog"), entry("cart", "catalog"), entry("front", "catalog")],
        }
        self.returned = []

    def build(self):
        return dict.fromkeys(SERVICES, Mall())

    def do(self, command, target=None, **options):
        if command == "return":
            self.returned.append(target)
        return super().do(command, target, **options)

    @property
    def images(self):
        return {target: world.image_of(target.partition("_")[0]) for target, world in self.worlds.items()}


class WideTrain(Train):
    """The same in two regions, each a cluster and a wave."""

    groups = {
        **{name: [f"{name}_1", f"{name}_2"] for name in SERVICES},
        **{f"region_{number}": [f"{name}_{number}" for name in SERVICES] for number in (1, 2)},
    }
    home = "catalog_1"

    def __init__(self):
        super().__init__()
        self.variables["release_waves"] = [
            {"group": "region_1", "share": 5, "bake": 5, "approve": True},
            {"group": "region_2", "share": 100},
        ]

    def build(self):
        found = {}
        for number in (1, 2):
            world = in_cluster(Mall(), f"uid-{number}")
            found.update({f"{name}_{number}": world for name in SERVICES})
        return found
