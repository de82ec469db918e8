# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether enough people agree: n of m, named, with an expiry, and never by the one who started it unless allowed. Pure.

Where the words come from (the command line, a ConfigMap, a file, a webhook) is not known here: each Approval says it itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from .values import Reader

DAY = 86400.0
FUTURE_SECONDS = 60.0  # by how much two clocks may differ
MOST_PEOPLE = 50
KEYS = ("count", "of", "expires", "starter_may")


@dataclass(frozen=True)
class ApprovalSpec:
    """What is asked for: count different people, of those named (nobody named: of everybody).

    expires_seconds: how long an approval counts, None for ever. starter_may: whether who started the release counts, too.
    """

    count: int = 1
    of: tuple[str, ...] = ()
    expires_seconds: float | None = None
    starter_may: bool = False

    def __str__(self) -> str:
        return f"{self.count} of {', '.join(self.of)}" if self.of else str(self.count)


ANYBODY = ApprovalSpec(starter_may=True)  # what approve: true asks for: that people look, not that two pairs of eyes do


@dataclass(frozen=True)
class Approval:
    """What one person said: yes, or no (rejects). at is Unix time; source names the place; verified: that it is this person's word."""

    by: str
    reason: str
    at: float
    source: str
    verified: bool = True
    rejects: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As the record keeps it."""
        return asdict(self)


@dataclass(frozen=True)
class Standing:
    """Where it stands: counted are the approvals that count, ignored the other words, each with why; rejected is a no that counts."""

    enough: bool
    counted: tuple[Approval, ...]
    ignored: tuple[tuple[Approval, str], ...]
    rejected: Approval | None
    missing: int  # approvals that are still asked for
    said: str


def standing(asked: ApprovalSpec, given: Iterable[Approval], *, started_by: Collection[str], now: float) -> Standing:
    """What the words of people come to. started_by: every name of the one who started the release. now is Unix time.

    A person counts once, by the last word that can be trusted; a no of anyone who is asked outweighs every yes.
    """
    ignored: list[tuple[Approval, str]] = []
    last: dict[str, Approval] = {}
    for one in sorted(given, key=lambda word: word.at):
        why = _untrusted(asked, one, now)
        if why:
            ignored.append((one, why))
            continue
        if one.by in last:
            ignored.append((last[one.by], f"{one.by} spoke again later; a person counts once"))
        last[one.by] = one
    counted = []
    for one in last.values():
        why = "" if one.rejects else _uncounted(asked, one, started_by, now)
        if why:
            ignored.append((one, why))
        elif not one.rejects:
            counted.append(one)
    rejected = next((one for one in last.values() if one.rejects), None)
    missing = max(0, asked.count - len(counted))
    said = _said(asked, counted, now)
    return Standing(not missing and rejected is None, tuple(counted), tuple(ignored), rejected, missing, said)


def _untrusted(asked: ApprovalSpec, one: Approval, now: float) -> str:
    """Why a word is nobody's who is asked; empty when it may count."""
    if not one.verified:
        return f"unverified: nothing proves that {one.source} has it from {one.by}"
    if asked.of and one.by not in asked.of:
        return f"{one.by} is not among {', '.join(asked.of)}"
    return "dated in the future" if one.at > now + FUTURE_SECONDS else ""


def _uncounted(asked: ApprovalSpec, one: Approval, started_by: Collection[str], now: float) -> str:
    """Why a yes does not count; empty when it does."""
    if one.by in started_by and not asked.starter_may:
        return f"{one.by} started the release; somebody else has to approve it (starter_may is false)"
    if asked.expires_seconds is not None and now >= one.at + asked.expires_seconds:
        return f"expired {moment(one.at + asked.expires_seconds, now)}"
    return ""


def _said(asked: ApprovalSpec, counted: list[Approval], now: float) -> str:
    """Such as: 1 of 2 of ana, ben, eva; ana approved 12:01."""
    of = f" of {', '.join(asked.of)}" if asked.of else ""
    gave = ", ".join(f"{one.by} approved {moment(one.at, now)}" for one in counted)
    return f"{len(counted)} of {asked.count}{of}" + (f"; {gave}" if gave else "")


def moment(at: float, now: float) -> str:
    """A Unix time as hour and minute of this machine's zone, with the date when it is not today's."""
    then, today = datetime.fromtimestamp(at).astimezone(), datetime.fromtimestamp(now).astimezone()
    return then.strftime("%H:%M" if then.date() == today.date() else "%Y-%m-%d %H:%M %z")


def approval_spec(read: Reader, field: str, value: Any) -> ApprovalSpec | None:
    """approve: true, false, or {count: 2, of: [ana, ben], expires: 4h, starter_may: false}; None when nobody is asked."""
    if value is None or isinstance(value, bool) or (isinstance(value, str) and "{" not in value):
        return ANYBODY if read.truth(field, value) else None
    found = read.mapping(field, value, KEYS)
    if found is None:
        return None
    return _from_mapping(read, field, found)


def _from_mapping(read: Reader, field: str, found: Mapping[str, Any]) -> ApprovalSpec:
    people = _people(read, f"{field}.of", found.get("of"))
    count = read.integer(f"{field}.count", found.get("count"), least=1, most=MOST_PEOPLE, default=1)
    if people and count > len(people):
        read.refuse(f"{field}.count", count, f"at most {len(people)}: so many are named in of")
    expires = None
    if found.get("expires") is not None:
        expires = read.seconds(f"{field}.expires", found["expires"], least=1, most=30 * DAY, default=DAY)
    return ApprovalSpec(count, people, expires, read.truth(f"{field}.starter_may", found.get("starter_may")))


def _people(read: Reader, field: str, value: Any) -> tuple[str, ...]:
    """Different names of people."""
    listed = read.sequence(field, value)
    if listed is None:
        return ()
    names = [read.text(f"{field}[{index}]", one) for index, one in enumerate(listed)]
    if not 0 < len(listed) <= MOST_PEOPLE:
        read.refuse(field, value, f"1 to {MOST_PEOPLE} names, or leave it out: then anybody may approve")
    for name in sorted({name for name in names if name and names.count(name) > 1}):
        read.refuse(field, name, "each name once")
    return tuple(name for name in names if name)


def approval_from(saved: Mapping[str, Any] | None) -> ApprovalSpec | None:
    """What a record keeps of it."""
    return None if saved is None else ApprovalSpec(**{**saved, "of": tuple(saved["of"])})
