# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""progressive.delivery.linkerd_certificates: the certificates of a mesh, made where they are missing and checked before a mesh is told."""

from __future__ import annotations

import datetime
import pathlib
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.progressive.delivery.plugins.plugin_utils import certificate_rules, certificates
from ansible_collections.progressive.delivery.plugins.plugin_utils.certificate_folder import Kept, Wish, kept_in, locked

ARGUMENT_SPEC: dict[str, Any] = {
    "folder": {"type": "path"},
    "anchors_pem": {"type": "str"},
    "certificate_pem": {"type": "str"},
    "key_pem": {"type": "str", "no_log": True},
    "issuer_name": {"type": "str", "required": True},
    "anchor_name": {"type": "str", "default": "root.linkerd.cluster.local"},
    "anchor_days": {"type": "int", "default": 3650},
    "issuer_days": {"type": "int", "default": 365},
    "renew_days": {"type": "int", "default": 90},
    "warning_days": {"type": "int", "default": 60},
    "present_anchors_pem": {"type": "str", "default": ""},
    "replace_anchors": {"type": "bool", "default": False},
}
RULES: dict[str, Any] = {
    "mutually_exclusive": [("folder", "anchors_pem"), ("folder", "certificate_pem"), ("folder", "key_pem")],
    "required_one_of": [("folder", "anchors_pem")],
    "required_together": [("anchors_pem", "certificate_pem")],
}


class ActionModule(ActionBase):
    """Runs on the controller whatever the connection: keys go nowhere else, and no key is in the result."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Check the arguments, read or make the certificates, and tell what is public of them."""
        super().run(tmp, task_vars)
        if certificates.WHY_NOT:
            return refused([certificates.WHY_NOT])
        checked = ArgumentSpecValidator(ARGUMENT_SPEC, **RULES).validate(dict(self._task.args))
        arguments = checked.validated_parameters
        wrong = list(checked.error_messages) or wrong_days(arguments)
        if wrong:
            return refused(wrong)
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        try:
            return in_folder(arguments, now, self._task.check_mode) if arguments["folder"] else given(arguments, now)
        except certificates.CertificateError as error:
            return refused(error.problems)
        except OSError as error:
            return refused([f"{error.filename}: {error.strerror}."])


def wrong_days(arguments: dict[str, Any]) -> list[str]:
    """Numbers of days that contradict each other."""
    found = [f"{name} is {arguments[name]}; at least 1 is needed." for name in ("anchor_days", "issuer_days") if arguments[name] < 1]
    if arguments["folder"] and arguments["issuer_days"] <= arguments["renew_days"]:
        found.append(
            f"issuer_days is {arguments['issuer_days']} and renew_days {arguments['renew_days']}: every run would make another issuer."
        )
    return found


def in_folder(arguments: dict[str, Any], now: datetime.datetime, check_mode: bool) -> dict[str, Any]:
    """The folder's certificates; what is missing is made, and written once all is known to be right."""
    folder = pathlib.Path(arguments["folder"]).absolute()
    names = ("anchor_name", "issuer_name", "anchor_days", "issuer_days", "renew_days")
    wish = Wish(**{name: arguments[name] for name in names})
    with locked(folder, persist=not check_mode):
        kept: Kept = kept_in(folder, wish, now, bool(arguments["present_anchors_pem"].strip()) and not arguments["replace_anchors"])
        result = checked_chain(kept.anchors, kept.issuer, arguments, now)
        if not check_mode:
            kept.write()
    return {**result, "changed": bool(kept.made), "made": kept.made}


def given(arguments: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """The certificates of the arguments; the key is compared where it is given."""
    issuer = certificates.Pair(arguments["certificate_pem"], arguments["key_pem"] or "")
    return {**checked_chain(arguments["anchors_pem"], issuer, arguments, now), "changed": False, "made": []}


def checked_chain(anchors: str, issuer: certificates.Pair, arguments: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """What is public of certificates that are right; raises CertificateError with everything that is wrong with others."""
    chain = certificates.Chain(
        certificates.certificates_of(anchors, "the trust anchor"),
        certificates.certificates_of(issuer.certificate, "the issuer certificate"),
        issuer.key or None,
    )
    problems = certificate_rules.problems(chain, arguments["issuer_name"], now)
    if arguments["present_anchors_pem"].strip() and not arguments["replace_anchors"]:
        present = certificates.certificates_of(arguments["present_anchors_pem"], "the cluster's trust anchor")
        problems += certificate_rules.rotation_problems(present, chain)
    if problems:
        raise certificates.CertificateError(problems)
    return {
        "anchors_pem": anchors,
        "certificate_pem": issuer.certificate,
        "anchors": [certificates.told(anchor, now) for anchor in chain.anchors],
        "issuer": certificates.told(chain.issuer[0], now),
        "warnings": certificate_rules.warnings(chain, arguments["warning_days"], now),
    }


def refused(problems: list[str]) -> dict[str, Any]:
    """A failure that says everything at once."""
    return {"failed": True, "changed": False, "problems": problems, "msg": " ".join([*problems, "Nothing was changed."])}
