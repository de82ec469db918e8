# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What release_ab says of an experiment: who gets variant B, for how long, what is counted, what follows. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ..traffic.route import Sticky
from .values import Reader

COOKIE = re.compile(r"[A-Za-z0-9_-]{1,64}")
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
DAY = 86400.0
LONGEST_SECONDS = 28 * DAY
SLACK_SECONDS = 7200.0  # beside the experiment itself: pods, promotion, drain
KEYS = (
    "cookie", "share", "max_age", "iterations", "iteration_seconds", "until", "at_least", "at_most", "conversions", "of", "winner",
    "not_worse_than", "confidence", "effect",
)  # fmt: skip


@dataclass(frozen=True)
class Counter:
    """A counter that pods export, and which of its series count."""

    metric: str
    labels: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        matchers = ",".join(f'{name}="{value}"' for name, value in self.labels)
        return f"{self.metric}{{{matchers}}}" if matchers else self.metric


@dataclass(frozen=True)
class AbSpec:
    """One experiment. cookie: None for groups that release_match chooses; share_percent is then what B is sized for.

    seconds: how long a fixed number of iterations takes; None when the evidence ends it, between at_least and at_most.
    """

    cookie: str | None
    share_percent: int
    max_age_seconds: int
    seconds: float | None
    at_least_seconds: float
    at_most_seconds: float
    conversions: Counter | None
    of: Counter | None
    promotes: bool
    not_worse_than: float | None
    confidence: float
    effect: float

    @property
    def longest_seconds(self) -> float:
        """The longest that it may take."""
        return self.at_most_seconds if self.seconds is None else self.seconds

    @property
    def alpha(self) -> float:
        """The chance of a winner where there is no difference."""
        return 1.0 - self.confidence

    def sticky(self, release_name: str, image: str) -> Sticky | None:
        """The groups of a release: the same in every target and after a resumption, others for another version."""
        if self.cookie is None:
            return None
        salt = hashlib.sha256(f"{release_name} {image}".encode()).hexdigest()[:8]
        return Sticky(self.cookie, salt, self.max_age_seconds)


def ab_from(saved: Mapping[str, Any] | None) -> AbSpec | None:
    """An experiment as asdict wrote it."""
    if saved is None:
        return None
    values = {one.name: saved[one.name] for one in fields(AbSpec)}
    for name in ("conversions", "of"):
        if values[name] is not None:
            values[name] = Counter(values[name]["metric"], tuple((key, value) for key, value in values[name]["labels"]))
    return AbSpec(**values)


def experiment(read: Reader, value: Any, *, chosen: bool) -> AbSpec:
    """release_ab. chosen: release_match chooses the groups."""
    found = read.mapping("release_ab", value, KEYS) or {}
    cookie = read.text("release_ab.cookie", found.get("cookie"))
    if cookie and not COOKIE.fullmatch(cookie):
        read.refuse("release_ab.cookie", cookie, "a name of at most 64 letters, digits, - and _")
    if chosen == (cookie is not None):
        both = "one of them: release_match chooses groups, release_ab.cookie draws random ones that last"
        read.refuse("release_ab.cookie", cookie, both if chosen else "is required, or release_match: who shall get the new version?")
    if chosen and found.get("max_age") is not None:
        read.refuse("release_ab.max_age", found["max_age"], "nothing: groups that release_match chooses need no cookie")
    seconds, at_least, at_most = _duration(read, found)
    ab = AbSpec(
        cookie=cookie,
        share_percent=read.integer("release_ab.share", found.get("share"), least=1, most=99, default=20),
        max_age_seconds=int(read.seconds("release_ab.max_age", found.get("max_age"), least=60, most=400 * DAY, default=30 * DAY)),
        seconds=seconds,
        at_least_seconds=at_least,
        at_most_seconds=at_most,
        conversions=_counter(read, "release_ab.conversions", found.get("conversions")),
        of=_counter(read, "release_ab.of", found.get("of")),
        promotes=read.choice("release_ab.winner", found.get("winner"), ("report", "promote"), "report") == "promote",
        not_worse_than=read.share("release_ab.not_worse_than", found["not_worse_than"]) if found.get("not_worse_than") else None,
        confidence=_share(read, "release_ab.confidence", found.get("confidence"), 0.99),
        effect=_share(read, "release_ab.effect", found.get("effect"), 0.1),
    )
    _fits(read, found, ab, chosen=chosen)
    return ab


def _fits(read: Reader, found: Mapping[str, Any], ab: AbSpec, *, chosen: bool) -> None:
    """Options that need each other."""
    if ab.conversions is None and found.get("conversions") is None:
        if ab.seconds is None and found.get("iterations") is None:
            read.refuse("release_ab", found, "iterations (how long), or conversions (what is counted until the difference is significant)")
        for name in ("of", "not_worse_than"):
            if found.get(name) is not None:
                read.refuse(f"release_ab.{name}", found[name], "nothing, unless release_ab.conversions says what is compared")
        if ab.promotes:
            read.refuse("release_ab.winner", "promote", "report, unless release_ab.conversions says by what B wins")
    if ab.promotes and chosen:
        read.refuse("release_ab.winner", "promote", "report: groups that release_match chooses are no fair comparison; draw them by cookie")
    if ab.not_worse_than is not None and not ab.promotes:
        read.refuse("release_ab.not_worse_than", found["not_worse_than"], "nothing, unless release_ab.winner is promote")
    if ab.cookie and ab.max_age_seconds < ab.longest_seconds:
        least = f"at least as long as the experiment may take ({ab.longest_seconds:.0f} s): who loses the cookie is drawn again"
        read.refuse("release_ab.max_age", found.get("max_age", "30d"), least)


def _duration(read: Reader, found: Mapping[str, Any]) -> tuple[float | None, float, float]:
    """Seconds of a fixed experiment or None, and the least and the most of one that the evidence ends."""
    read.choice("release_ab.until", found.get("until"), ("significant",), "significant")
    if found.get("iterations") is None:
        if found.get("iteration_seconds") is not None:
            read.refuse("release_ab.iteration_seconds", found["iteration_seconds"], "nothing without release_ab.iterations")
        at_least = read.seconds("release_ab.at_least", found.get("at_least"), least=10, most=LONGEST_SECONDS, default=DAY)
        at_most = read.seconds("release_ab.at_most", found.get("at_most"), least=10, most=LONGEST_SECONDS, default=max(14 * DAY, at_least))
        if at_most < at_least:
            read.refuse("release_ab.at_most", found.get("at_most"), f"at least release_ab.at_least ({at_least:.0f} s)")
        return None, at_least, at_most
    for name in ("until", "at_least", "at_most"):
        if found.get(name) is not None:
            read.refuse(f"release_ab.{name}", found[name], "nothing: release_ab.iterations says how long it takes")
    number = read.integer("release_ab.iterations", found["iterations"], least=1, most=100000, default=1)
    each = read.seconds("release_ab.iteration_seconds", found.get("iteration_seconds"), least=1, most=7 * DAY, default=60)
    if number * each > LONGEST_SECONDS:
        read.refuse("release_ab.iterations", number, f"at most 28 days; {number} times {each:.0f} s are more")
    return number * each, number * each, number * each


def _share(read: Reader, field: str, value: Any, default: float) -> float:
    found = default if value is None else read.share(field, value)
    return default if found is None else found


def _counter(read: Reader, field: str, value: Any) -> Counter | None:
    found = read.mapping(field, value, ("metric", "labels"))
    if found is None:
        return None
    metric = read.text(f"{field}.metric", found.get("metric"))
    if metric is None or not METRIC.fullmatch(metric):
        read.refuse(f"{field}.metric", found.get("metric"), "the name of a counter, such as http_conversions_total")
        return None
    labels = read.mapping(f"{field}.labels", found.get("labels")) or {}
    for name, wanted in labels.items():
        if not LABEL.fullmatch(str(name)) or name in ("namespace", "pod"):
            read.refuse(f"{field}.labels.{name}", wanted, "a label of the counter other than namespace and pod, which tell the groups")
        elif not isinstance(wanted, str):
            read.refuse(f"{field}.labels.{name}", wanted, "a string (quote numbers and true, false)")
    return Counter(metric, tuple(sorted((str(name), str(wanted)) for name, wanted in labels.items())))
