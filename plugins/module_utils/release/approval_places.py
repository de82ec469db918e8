# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks the places of release_approval_sources what people said: a ConfigMap, a file on the control node, a webhook.

A place that cannot be asked says nothing new: what it said last stands, and the trouble is told once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..cluster.errors import ClusterError
from ..cluster.session import Session
from . import approvals_policy
from .approval_entry import About, from_mapping, from_text
from .approval_sources_spec import CONFIG_MAP, FILE, SourceSpec
from .approvals import Approval
from .asking import Asking
from .context import Context
from .plan import Step
from .values import yaml
from .webhook_client import longest_seconds, post_for_body
from .webhook_messages import request

JSON = dict[str, Any]
POLL_SECONDS = 5.0
LARGEST_BYTES = 256 * 1024
MOST_ENTRIES = 200


class Unheard(Exception):
    """A place could not be asked; its words say why."""


def ask(session: Session, place: SourceSpec, about: About, warn: Callable[[str], None]) -> list[Approval]:
    """What a place says on a step; entries that cannot be read are told by warn. Raises Unheard."""
    if place.kind == CONFIG_MAP:
        return _config_map(session, place, about, warn)
    return _file(place, about, warn) if place.kind == FILE else _webhook(place, about, warn)


def _config_map(session: Session, place: SourceSpec, about: About, warn: Callable[[str], None]) -> list[Approval]:
    try:
        found = session.find("ConfigMap", about.namespace, place.name)
    except ClusterError as error:
        raise Unheard(str(error)) from error
    entries = sorted(((found or {}).get("data") or {}).items())[:MOST_ENTRIES]
    if found is None or not entries:
        return []
    why, since = approvals_policy.in_force(session)
    if not why and approvals_policy.created(found) < since:
        why = f"{place.name} is older than the admission policy; delete it, and let people approve again"
    if why:
        warn(f"approvals in {place.said} are unverified and do not count: {why}")
    said = []
    for key, text in entries:
        try:
            one = from_text(text, about, place.said, verified=not why)
        except ValueError as error:
            warn(f"{place.said}, entry {key}: {error}")
            continue
        said += [one] if one else []
    return said


def _file(place: SourceSpec, about: About, warn: Callable[[str], None]) -> list[Approval]:
    try:
        text = Path(place.name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise Unheard(f"it cannot be read: {error}") from error
    return _listed(text, place, about, warn, asked=False)


def _webhook(place: SourceSpec, about: About, warn: Callable[[str], None]) -> list[Approval]:
    hook = place.webhook
    if hook is None or hook.lost_secrets:
        raise Unheard("the record has only a hash of its URL; run your playbook again")
    body: JSON = {**vars(about), "metadata": dict(hook.metadata)}
    reply, text = post_for_body(request(hook, about.release_id), body, LARGEST_BYTES)
    if not reply.agrees:
        raise Unheard(str(reply))
    return _listed(text, place, about, warn, asked=True)


def _listed(text: str, place: SourceSpec, about: About, warn: Callable[[str], None], *, asked: bool) -> list[Approval]:
    """The entries of a list, or of a dictionary with a list approvals, in YAML or JSON. Raises Unheard."""
    try:
        found = json.loads(text) if asked else (yaml.safe_load(text) if text.strip() else [])
    except (ValueError, yaml.YAMLError) as error:
        raise Unheard(f"it is no {'JSON' if asked else 'YAML'}: {' '.join(str(error).split())[:200]}") from error
    entries = found.get("approvals") if isinstance(found, dict) else found
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise Unheard(f"it is no list of at most {MOST_ENTRIES} approvals, nor a dictionary with such a list approvals")
    said = []
    for number, entry in enumerate(entries):
        try:
            one = from_mapping(entry, about, place.said, verified=True, asked=asked)
        except ValueError as error:
            warn(f"{place.said}, approval {number}: {error}")
            continue
        said += [one] if one else []
    return said


class Places:
    """The places while one step is waited at; a webhook is asked beside the release."""

    def __init__(
        self, session: Session, sources: tuple[SourceSpec, ...], about: About, clock: Callable[[], float], warn: Callable[[str], None]
    ) -> None:
        self._session, self._sources, self._about, self._clock, self._say = session, sources, about, clock, warn
        self._said: dict[SourceSpec, list[Approval]] = {}
        self._asking: dict[SourceSpec, Asking[tuple[list[Approval], list[str]]]] = {}
        self._next_at: dict[SourceSpec, float] = {}
        self._told: set[str] = set()

    def hear(self) -> list[Approval] | None:
        """What the places say by now; None when nothing was heard since the last time."""
        before = dict(self._said)
        for place in self._sources:
            try:
                self._poll(place)
            except Unheard as error:
                self._warn(f"{place.said} could not be asked for approvals: {error}")
        if self._said == before:
            return None
        return [one for said in self._said.values() for one in said]

    def _poll(self, place: SourceSpec) -> None:
        moment, hook = self._clock(), place.webhook
        if moment >= self._next_at.get(place, 0.0) and place not in self._asking:
            self._next_at[place] = moment + (hook.interval_seconds if hook else POLL_SECONDS)
            if hook is None:
                self._said[place] = ask(self._session, place, self._about, self._warn)
                return
            self._asking[place] = Asking(lambda: self._question(place), seconds=longest_seconds(hook.timeout_seconds, 0))
        asking = self._asking.get(place)
        if asking is not None and asking.is_over():
            del self._asking[place]
            self._said[place], warnings = asking.answer((self._said.get(place, []), [f"{place.said} did not answer in time"]))
            for words in warnings:
                self._warn(words)

    def _question(self, place: SourceSpec) -> tuple[list[Approval], list[str]]:
        """Asked in a thread, which prints nothing."""
        warnings: list[str] = []
        return ask(self._session, place, self._about, warnings.append), warnings

    def _warn(self, words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            self._say(words)


def about_of(context: Context, step: Step) -> About:
    """What is asked while a step waits."""
    return About(context.namespace, context.spec.name, context.state.release_id, context.spec.image, step.name, step.weight_percent)


def heard(session: Session, places: tuple[SourceSpec, ...], about: About, warn: Callable[[str], None]) -> list[Approval]:
    """What all places say, asked one after another, while no release runs that would have to look at something else."""
    said = []
    for place in places:
        try:
            said += ask(session, place, about, warn)
        except Unheard as error:
            warn(f"{place.said} could not be asked for approvals: {error}")
    return said
