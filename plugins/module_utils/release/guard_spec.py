# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_guard: who returns traffic when the runner has died and nobody runs the release again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .engine_spec import NATIVE
from .values import Reader, spoken_seconds

FIELD = "release_guard"
ROLLING = "rolling"
LEAST_SECONDS = 30.0  # a Lease is renewed every 5 s; what a runner waits for in between may take as long as this
AFTER_SECONDS = 120.0
ANSWERS = 4  # that a look may wait for, one after another


@dataclass(frozen=True)
class GuardSpec:
    """The image of the guard's Job, which has python3, and for how long the Lease may not be renewed before it acts."""

    image: str
    after_seconds: float


def guard_from(saved: Mapping[str, Any] | None) -> GuardSpec | None:
    """What asdict wrote."""
    return None if saved is None else GuardSpec(**saved)


def guard(read: Reader, value: Any, fields: Mapping[str, Any]) -> GuardSpec | None:
    """release_guard; fields are those of the release that were read before."""
    found = read.mapping(FIELD, value, ("image", "after_seconds"))
    if found is None:
        return None
    answer_seconds = fields["prometheus_access"].timeout_seconds  # so long a runner may wait for one answer, and renews nothing meanwhile
    image = read.text(f"{FIELD}.image", found.get("image"))
    if image is None and found.get("image") is None:
        read.refuse(f"{FIELD}.image", None, "is required: an image that has python3 (3.9 or newer), from a registry of yours")
    if fields["strategy"] == ROLLING:
        read.refuse(FIELD, value, "nothing: strategy rolling moves no route that a guard could return")
    if fields["engine"] != NATIVE:
        read.refuse(FIELD, value, f"nothing: the controller of {fields['engine']} goes on without a runner")
    after = read.seconds(f"{FIELD}.after_seconds", found.get("after_seconds"), least=LEAST_SECONDS, most=86400, default=AFTER_SECONDS)
    if after < ANSWERS * answer_seconds:
        allowed = f"at least {ANSWERS * answer_seconds:g} s: {ANSWERS} times release_prometheus.timeout_seconds, in which a living runner may renew nothing"
        read.refuse(f"{FIELD}.after_seconds", after, allowed)
    return GuardSpec(image or "", after)


def guard_line(spec: GuardSpec | None, strategy: str) -> list[str]:
    """What the plan says of the case that no next run comes."""
    if strategy == ROLLING:
        return []
    if spec is None:
        return ["no guard: should this runner die and nobody run it again, traffic stays where it is (release_guard)"]
    return [
        f"guard: a Job in the cluster returns traffic when no runner gave a sign for {spoken_seconds(spec.after_seconds)} ({spec.image})"
    ]
