# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real guard at work on the double of the API server, with the rights that its Role gives it and no other."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

from ansible_collections.progressive.delivery.plugins.module_utils.cluster.errors import ClusterError, Conflict, NotFound, Unreachable
from ansible_collections.progressive.delivery.plugins.module_utils.cluster.kinds import api_group, plural
from ansible_collections.progressive.delivery.plugins.module_utils.guard import in_cluster
from ansible_collections.progressive.delivery.tests.unit.plugins.module_utils.fake_api import _resource

GUARD = {"release_guard": {"image": "registry.example/python:3.12", "after_seconds": 30}}
VERBS = {"GET": "get", "PATCH": "patch"}


class Forbidden(AssertionError):
    """The guard's Role does not allow a request: on a cluster it would be refused."""


class Door:
    """The guard's way to the API server: what in_cluster.Api is in a pod."""

    def __init__(self, world, role):
        self.world, self.rules = world, world.stored("Role", "eu", role)["rules"]

    def request(self, method, path, body=None):
        path, _question, query = path.partition("?")
        self._allowed(method, *_resource(path))
        try:
            return self.world.request(method, path, query=dict(parse_qsl(query)), body=body)
        except NotFound as error:
            raise in_cluster.Missing(str(error)) from error
        except (Conflict, ClusterError) as error:
            raise (in_cluster.Silent if isinstance(error, Unreachable) else in_cluster.Changed)(str(error)) from error

    def _allowed(self, method, kind, _namespace, name):
        verb = VERBS[method] if name else "list"
        for rule in self.rules:
            fits = plural(kind) in rule["resources"] and api_group(kind) in rule["apiGroups"] and verb in rule["verbs"]
            if fits and name in rule.get("resourceNames", [name]):
                return
        raise Forbidden(f"{verb} {kind} {name}")


class Idle(Exception):
    """The guard has watched for as long as the test wanted, and did nothing."""


def guards(world):
    """Names of the guards that there are."""
    return [name for name in world.names("Job") if name.startswith("guard-")]


def orders(world, name):
    return json.loads(world.stored("ConfigMap", "eu", name)["data"]["orders"])


def watch(world, name=None, *, seconds=600.0, meanwhile=None):
    """Let a guard watch until it is done, or Idle after some time. meanwhile is called each time that it sleeps."""
    name = name or guards(world)[-1]
    until, lines = world.clock() + seconds, []

    def sleep(pause):
        if world.clock() > until:
            raise Idle(lines)
        world.sleep(pause)
        if meanwhile:
            meanwhile()

    path = f"/api/v1/namespaces/eu/configmaps/{name}"
    guard = in_cluster.Guard(Door(world, name), path, "guard/pod", clock=world.clock, sleep=sleep, say=lines.append)
    return guard.watch()


def announces(world):
    """What a guard's pod does as soon as it runs: a controller of the double."""
    for (kind, _namespace, name), found in list(world.objects.items()):
        if kind == "ConfigMap" and name.startswith("guard-"):
            found["metadata"].setdefault("annotations", {})[in_cluster.WATCHING] = "now"
