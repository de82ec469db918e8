# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ValidatingAdmissionPolicy that lets ConfigMaps prove who approved: what it has to be, and whether it is in force.

It lets each user write only entries of a ConfigMap called approvals-... that begin with that user's own name, and leave those of others
alone. playbooks/approvals_policy.yml installs it. Approvals in a ConfigMap that is older than the policy prove nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ..cluster.errors import ClusterError
from ..cluster.session import Session
from .approval_sources_spec import PREFIX

JSON = dict[str, Any]
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
NAME = "progressive-delivery-approvals"
GROUP = "admissionregistration.k8s.io/v1"
SETTLE_SECONDS = 10.0  # until every API server knows a new policy
ANY: JSON = {}

MINE = "'by: ' + request.userInfo.username"
WRITTEN = (
    "!has(object.data) || object.data.all(key, "
    "(oldObject != null && has(oldObject.data) && key in oldObject.data && oldObject.data[key] == object.data[key]) || "
    "object.data[key] == variables.mine || object.data[key].startsWith(variables.mine + '\\n'))"
)
LEFT_ALONE = (
    "oldObject == null || !has(oldObject.data) || oldObject.data.all(key, "
    "(has(object.data) && key in object.data && object.data[key] == oldObject.data[key]) || "
    "oldObject.data[key] == variables.mine || oldObject.data[key].startsWith(variables.mine + '\\n'))"
)
# as the API server stores it, with its defaults
POLICY_SPEC: JSON = {
    "failurePolicy": "Fail",
    "matchConstraints": {
        "matchPolicy": "Equivalent",
        "namespaceSelector": ANY,
        "objectSelector": ANY,
        "resourceRules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["configmaps"],
                "scope": "Namespaced",
            }
        ],
    },
    "matchConditions": [{"name": "approvals", "expression": f"object.metadata.name.startsWith('{PREFIX}')"}],
    "variables": [{"name": "mine", "expression": MINE}],
    "validations": [
        {
            "expression": WRITTEN,
            "message": "an entry that you write has to begin with the line 'by: ' and your own user name",
            "reason": "Forbidden",
        },
        {"expression": LEFT_ALONE, "message": "entries that begin with another user's name are that user's", "reason": "Forbidden"},
    ],
}
BINDING_SPEC: JSON = {"policyName": NAME, "validationActions": ["Deny"]}
INSTALL = "install it with ansible-playbook progressive.delivery.approvals_policy"


def policy() -> JSON:
    """The policy as it is applied."""
    return {"apiVersion": GROUP, "kind": POLICY, "metadata": {"name": NAME}, "spec": POLICY_SPEC}


def binding() -> JSON:
    """What puts it into force, in every namespace."""
    return {"apiVersion": GROUP, "kind": BINDING, "metadata": {"name": NAME}, "spec": BINDING_SPEC}


def in_force(session: Session) -> tuple[str, float]:
    """Why the policy proves nothing (empty when it does), and since when it is in force, as Unix time."""
    since = 0.0
    for kind, wanted in ((POLICY, POLICY_SPEC), (BINDING, BINDING_SPEC)):
        try:
            found = session.find(kind, None, NAME)
        except ClusterError as error:
            return f"whether {kind} {NAME} is in force cannot be read: {error}", since
        if found is None:
            return f"there is no {kind} {NAME} in the cluster; {INSTALL}", since
        meta = found["metadata"]
        if found.get("spec") != wanted:
            return f"{kind} {NAME} is not the one that this version of the collection ships; {INSTALL}", since
        if meta.get("generation", 1) != 1:
            return f"{kind} {NAME} was changed since it was created, so that what is older than now proves nothing; {INSTALL}", since
        since = max(since, created(found) + SETTLE_SECONDS)
    return "", since


def created(found: JSON) -> float:
    """When the API server created an object, as Unix time."""
    return datetime.fromisoformat(found["metadata"]["creationTimestamp"].replace("Z", "+00:00")).timestamp()
