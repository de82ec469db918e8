# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""release_webhooks: who is asked and told while a release runs, in Flagger's words, from what a user wrote to checked values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from . import parts, secrets
from .ab_spec import AbSpec
from .secrets import HIDDEN, hashed, hashed_pairs, is_hash, shown_url
from .values import Problem, Reader, spoken_seconds

JSON = dict[str, Any]
FIELD = "release_webhooks"
CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT = "confirm-rollout", "pre-rollout", "rollout"
CONFIRM_INCREASE, CONFIRM_PROMOTION = "confirm-traffic-increase", "confirm-promotion"
POST_ROLLOUT, ROLLBACK, EVENT = "post-rollout", "rollback", "event"
APPROVALS = "approvals"  # of release_approval_sources: asked while an approval is waited for
TYPES = (CONFIRM_ROLLOUT, PRE_ROLLOUT, ROLLOUT, CONFIRM_INCREASE, CONFIRM_PROMOTION, POST_ROLLOUT, ROLLBACK, EVENT)
CONFIRMS = (CONFIRM_ROLLOUT, CONFIRM_INCREASE, CONFIRM_PROMOTION)
PARK, ROLL_BACK = "park", "roll_back"
# options that only some types have a use for
ONLY = {
    "interval": (*CONFIRMS, ROLLOUT, ROLLBACK),
    "threshold": (ROLLOUT,),
    "deadline": CONFIRMS,
    "on_deadline": CONFIRMS,
}
TLS = ("ca_cert", "client_cert", "client_key", "validate_certs", "disable_tls")
OPTIONS = ("type", "name", "url", "timeout", "retries", "metadata", "headers", "hmac", *TLS, "mute_alert", *ONLY)
AS_FLAGGER_WRITES = {"muteAlert": "mute_alert", "disableTLS": "disable_tls"}
OPEN_FIELDS = ("type", "name", "timeout", "retries", "mute_alert", "disable_tls", "validate_certs", *ONLY)  # those that hold no secret
MOST_WEBHOOKS = 30
LONGEST_NAME = 63
SIGNATURE_HEADER = "X-Signature-256"
GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")  # 1m30s, as Flagger takes it


@dataclass(frozen=True)
class WebhookSpec:
    """One webhook. url, headers, metadata and hmac_secret may hold secrets and are never printed; files are paths on the control node."""

    type: str
    name: str
    url: str
    timeout_seconds: float = 10.0
    retries: int = 0
    metadata: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    hmac_secret: str | None = None
    hmac_header: str = SIGNATURE_HEADER
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    mute_alert: bool = False  # its refusals are no events
    interval_seconds: float = 10.0  # between two questions
    threshold: int = 5  # of refusals in the whole release
    deadline_seconds: float = 3600.0  # of a confirmation
    on_deadline: str = ROLL_BACK

    @property
    def shown(self) -> str:
        """The url as far as it may be printed."""
        return shown_url(self.url)

    @property
    def title(self) -> str:
        """Its type and name, as lines and the record call it."""
        return f"{self.type} {self.name}"

    @property
    def lost_secrets(self) -> bool:
        """Whether this came from a record, which keeps only hashes: nobody can be asked then."""
        return is_hash(self.url)

    def to_dict(self) -> JSON:
        """As the record keeps it: secrets only as hashes, which is enough to see that they are the same."""
        return asdict(
            replace(
                self,
                url=hashed(self.url),
                metadata=hashed_pairs(self.metadata),
                headers=hashed_pairs(self.headers),
                hmac_secret=self.hmac_secret and hashed(self.hmac_secret),
            )
        )

    def plan_line(self) -> str:
        """What the plan says of it."""
        when = {
            CONFIRM_ROLLOUT: "asked before anything is created",
            PRE_ROLLOUT: "asked once before the canary gets requests; a refusal ends the release",
            ROLLOUT: f"asked every {spoken_seconds(self.interval_seconds)} while the canary has requests; rolls back after {self.threshold} refusals",
            CONFIRM_INCREASE: "asked before each rise",
            CONFIRM_PROMOTION: "asked before the promotion",
            POST_ROLLOUT: "told how the release ended",
            ROLLBACK: f"asked every {spoken_seconds(self.interval_seconds)}; a yes returns traffic",
            EVENT: "told what happens",
        }[self.type]
        if self.type in CONFIRMS:
            every, most = spoken_seconds(self.interval_seconds), spoken_seconds(self.deadline_seconds)
            when += f", every {every} until it agrees, at most {most}, then {self.on_deadline}"
        return f"webhook {self.title}: POST to {self.shown}, {when}"


def webhooks_from(saved: Iterable[Mapping[str, Any]] | None) -> tuple[WebhookSpec, ...]:
    """Webhooks as to_dict wrote them. They cannot be asked: their secrets are hashes."""
    pairs = ("metadata", "headers")
    return tuple(WebhookSpec(**{**one, **{key: tuple((name, value) for name, value in one[key]) for key in pairs}}) for one in saved or ())


def webhooks(source: Reader, value: Any, *, strategy: str, ab: AbSpec | None) -> tuple[WebhookSpec, ...]:
    """The webhooks of release_webhooks in their order. What may be a secret is never put into a problem."""
    read = Reader()
    listed = read.sequence(FIELD, value) or []
    if len(listed) > MOST_WEBHOOKS:
        read.refuse(FIELD, f"{len(listed)} webhooks", f"at most {MOST_WEBHOOKS}")
    promotes = strategy != "shadow" and not (strategy == "ab_test" and not (ab and ab.promotes))
    made: list[WebhookSpec] = []
    for index, item in enumerate(listed):
        field = f"{FIELD}[{index}]"
        one = _webhook(read, field, item)
        if one is None:
            continue
        if one.title in [other.title for other in made]:
            read.refuse(f"{field}.name", one.name, f"a name that no other webhook of type {one.type} has")
        _fits(read, f"{field}.type", one.type, strategy=strategy, promotes=promotes)
        made.append(one)
    source.problems += [_masked(problem) for problem in read.problems]
    return tuple(made)


def approvals_webhook(source: Reader, field: str, item: Any) -> WebhookSpec | None:
    """The webhook of release_approval_sources. What may be a secret is never put into a problem."""
    read = Reader()
    given = read.mapping(field, item)
    for option in ("type", "name", "mute_alert", "muteAlert"):
        if given and option in given:
            read.refuse(f"{field}.{option}", HIDDEN, "nothing: it is asked for approvals, and called so")
    if item is None:
        read.refuse(field, None, "is required")
    made = None if given is None else _webhook(read, field, {**given, "type": ROLLBACK, "name": APPROVALS})
    source.problems += [problem if problem.value is None else replace(problem, value=HIDDEN) for problem in read.problems]
    return made and replace(made, type=APPROVALS)


def _fits(read: Reader, field: str, kind: str, *, strategy: str, promotes: bool) -> None:
    """Who gives a webhook expects it to be asked."""
    if kind == CONFIRM_PROMOTION and not promotes:
        read.refuse(field, kind, f"another type: this {strategy} promotes nothing")
    if kind == CONFIRM_INCREASE and strategy == "shadow":
        read.refuse(field, kind, "another type: a shadow gives the canary copies, no traffic that could rise")


def _webhook(read: Reader, field: str, item: Any) -> WebhookSpec | None:
    if item is None:
        read.refuse(field, None, "is required")
    found = read.mapping(field, item)
    if found is None:
        return None
    found = {AS_FLAGGER_WRITES.get(key, key): value for key, value in found.items()}
    read.known_keys(field, found, OPTIONS)
    kind = read.choice(f"{field}.type", found.get("type"), TYPES, ROLLOUT)
    for option, types in ONLY.items():
        if found.get(option) is not None and kind not in types:
            read.refuse(f"{field}.{option}", found[option], f"nothing: only webhooks of type {', '.join(types)} have it, this is {kind}")
    name, url = _name(read, f"{field}.name", found.get("name")), secrets.url(read, f"{field}.url", found.get("url"))
    secret, header = _hmac(read, f"{field}.hmac", found.get("hmac"))
    files = {option: read.text(f"{field}.{option}", found.get(option)) for option in ("ca_cert", "client_cert", "client_key")}
    if files["client_key"] and not files["client_cert"]:
        read.refuse(f"{field}.client_key", HIDDEN, "nothing without client_cert")
    validate = found.get("validate_certs")
    made = WebhookSpec(
        type=kind,
        name=name or "",
        url=url or "",
        timeout_seconds=_seconds(read, f"{field}.timeout", found.get("timeout"), least=0.1, default=10),
        retries=read.integer(f"{field}.retries", found.get("retries"), least=0, most=20, default=0),
        metadata=_metadata(read, f"{field}.metadata", found.get("metadata")),
        headers=secrets.headers(read, f"{field}.headers", found.get("headers")),
        hmac_secret=secret,
        hmac_header=header,
        validate_certs=(True if validate is None else read.truth(f"{field}.validate_certs", validate))
        and not read.truth(f"{field}.disable_tls", found.get("disable_tls")),
        mute_alert=read.truth(f"{field}.mute_alert", found.get("mute_alert")),
        interval_seconds=_seconds(read, f"{field}.interval", found.get("interval"), least=1, default=10),
        threshold=read.integer(f"{field}.threshold", found.get("threshold"), least=1, most=1000, default=5),
        deadline_seconds=_seconds(read, f"{field}.deadline", found.get("deadline"), least=1, default=3600, most=30 * 86400),
        on_deadline=read.choice(f"{field}.on_deadline", found.get("on_deadline"), (ROLL_BACK, PARK), ROLL_BACK),
        **files,
    )
    return made if name and url else None


def _name(read: Reader, field: str, value: Any) -> str | None:
    name = read.text(field, value)
    if value is None:
        read.refuse(field, None, "is required: lines and the record call the webhook so")
    elif name is not None and (len(name) > LONGEST_NAME or not name.isprintable()):
        read.refuse(field, name, f"one line of at most {LONGEST_NAME} characters")
        return None
    return name


def _hmac(read: Reader, field: str, value: Any) -> tuple[str | None, str]:
    found = read.mapping(field, value, ("secret", "header"))
    if found is None:
        return None, SIGNATURE_HEADER
    secret = found.get("secret")
    if not isinstance(secret, str) or not secret:
        read.refuse(f"{field}.secret", secret, "is required: a non-empty string that signs the body")
        secret = None
    header = read.text(f"{field}.header", found.get("header"), SIGNATURE_HEADER) or SIGNATURE_HEADER
    if not parts.HEADER_NAME.fullmatch(header):
        read.refuse(f"{field}.header", header, "a header's name: letters, digits and -")
    return secret, header


def _metadata(read: Reader, field: str, value: Any) -> secrets.Pairs:
    """What is sent along, in the order of its names."""
    made = []
    for name, text in (read.mapping(field, value) or {}).items():
        if not isinstance(text, str):
            read.refuse(f"{field}.{name}", text, "a string (quote numbers and true, false)")
        else:
            made.append((str(name), text))
    return tuple(sorted(made))


def _seconds(read: Reader, field: str, value: Any, *, least: float, default: float, most: float = 3600) -> float:
    """A duration; also one of several units, 1m30s, as Flagger takes it."""
    matched = GO_DURATION.fullmatch(value.strip()) if isinstance(value, str) and value.strip() else None
    if matched:
        hours, minutes, seconds = (float(part or 0) for part in matched.groups())
        value = 3600 * hours + 60 * minutes + seconds
    return read.seconds(field, value, least=least, most=most, default=default)


def _masked(problem: Problem) -> Problem:
    """The problem without what could be a secret: all but the values of options that hold none."""
    option = problem.field.partition("].")[2]
    is_open = option in OPEN_FIELDS and not isinstance(problem.value, (dict, list)) and "://" not in str(problem.value)
    if problem.value is None or is_open or (problem.field == FIELD and str(problem.value).endswith(" webhooks")):
        return problem
    return Problem(problem.field, HIDDEN, problem.allowed)
