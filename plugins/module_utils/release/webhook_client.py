# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""POSTs JSON to somebody who may refuse. The only HTTP client of webhooks; what is secret in a request is in no text of an answer."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from ansible.module_utils.urls import ConnectionError as UrlsError
from ansible.module_utils.urls import open_url

from .checks_spec import HIDDEN

QUOTED = 200  # characters of an answer in a reason
LEAST_SECRET = 8  # characters of a part of a value that is hidden wherever it turns up
PAUSES_SECONDS = (0.5, 1.0, 2.0)  # before the next attempt; the last one again and again
BRIEF = (429, 500, 502, 503, 504)  # statuses of servers, and of what stands before them, that may be over the next moment


@dataclass(frozen=True)
class Post:
    """One POST. hmac_secret signs the body in hmac_header; files are paths on the machine that asks; secrets are never quoted."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    timeout_seconds: float = 10.0
    hmac_secret: str | None = None
    hmac_header: str = ""
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    secrets: tuple[str, ...] = ()  # beside url, headers and hmac_secret


@dataclass(frozen=True)
class Reply:
    """What came of a POST. status is None when no answer came; text is quotable: one line, no secret in it."""

    status: int | None
    text: str
    brief: bool = False  # it may be over the next moment

    @property
    def agrees(self) -> bool:
        """Whether it is what Flagger takes for a yes."""
        return self.status is not None and 200 <= self.status <= 202

    def __str__(self) -> str:
        return f"there was no answer: {self.text}" if self.status is None else f"it answered {self.status}: {self.text}"


def post(request: Post, message: Mapping[str, Any]) -> Reply:
    """One attempt. Raises nothing: whatever goes wrong is a reply."""
    return post_for_body(request, message, QUOTED * 4)[0]


def post_for_body(request: Post, message: Mapping[str, Any], most_bytes: int) -> tuple[Reply, str]:
    """One attempt, as post; and the answer as it came, at most so many bytes of it, empty when none came. It may quote secrets."""
    body = json.dumps(message, sort_keys=True)
    headers = {"Content-Type": "application/json", **dict(request.headers)}
    if request.hmac_secret:
        headers[request.hmac_header] = signature(request.hmac_secret, body)
    try:
        answer = open_url(
            request.url,
            data=body,
            headers=headers,
            method="POST",
            timeout=request.timeout_seconds,
            http_agent="progressive.delivery",
            follow_redirects="none",
            use_netrc=False,
            ca_path=request.ca_cert,
            client_cert=request.client_cert,
            client_key=request.client_key,
            validate_certs=request.validate_certs,
        )
        with answer:
            status, text = answer.code, answer.read(most_bytes)
    except HTTPError as error:
        status, text = error.code, _text_of(error)
    except (URLError, UrlsError, HTTPException, OSError, ValueError) as error:
        return Reply(None, quote(without_secrets(str(getattr(error, "reason", error)), request)), brief=True), ""
    plain = text.decode("utf-8", "replace")
    return Reply(status, quote(without_secrets(plain[: QUOTED * 4], request)), brief=status in BRIEF), plain


def _text_of(error: HTTPError) -> bytes:
    try:
        return error.read(QUOTED * 4)
    except (HTTPException, OSError):
        return b""


def post_patiently(request: Post, message: Mapping[str, Any], retries: int) -> Reply:
    """Attempts until one is answered by yes or no. No answer, and what may be over the next moment, is tried again after a pause."""
    reply = post(request, message)
    for number in range(retries):
        if not reply.brief:
            break
        time.sleep(PAUSES_SECONDS[min(number, len(PAUSES_SECONDS) - 1)])
        reply = post(request, message)
    return reply


def longest_seconds(timeout_seconds: float, retries: int) -> float:
    """How long post_patiently may take."""
    return timeout_seconds * (retries + 1) + retries * PAUSES_SECONDS[-1]


def signature(secret: str, body: str) -> str:
    """HMAC-SHA256 of a body, as GitHub writes it: sha256=<hexadecimal digits>."""
    return "sha256=" + hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()


def without_secrets(text: str, request: Post) -> str:
    """The text with everything hidden that is in the url behind its host, in headers, or a secret otherwise."""
    url = urlsplit(request.url)
    whole = [request.url, url.path, url.query, url.username, url.password, request.hmac_secret]
    secrets = [*whole, *(value for _name, value in request.headers)]
    secrets += [part for _name, value in request.headers for part in value.split() if len(part) >= LEAST_SECRET]
    secrets += [part for part in re.split(r"[/&=?]", f"{url.path}&{url.query}") if len(part) >= LEAST_SECRET]
    secrets += [one for one in request.secrets if len(one) >= LEAST_SECRET]
    known = {form for one in secrets if one for form in (one, unquote(one)) if len(form) > 3}
    for one in sorted(known, key=len, reverse=True):
        text = text.replace(one, HIDDEN)
    return text


def quote(text: str) -> str:
    """The first 200 characters of a text, in one line."""
    line = " ".join(text.split())
    return (line[:QUOTED].rstrip() + "…") if len(line) > QUOTED else line or "(empty)"
