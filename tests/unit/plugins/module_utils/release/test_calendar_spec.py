# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Freezes, denied digests and places of approvals as they are written."""

from datetime import date, datetime

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release import approval_sources_spec, calendar_spec
from ansible_collections.progressive.delivery.plugins.module_utils.release.calendar_spec import CalendarSpec
from ansible_collections.progressive.delivery.plugins.module_utils.release.values import Reader

DIGEST = "sha256:" + "a" * 64
GIVEN = {
    "release_freezes": "[{name: sale, from: 2026-12-23, to: 2026-12-26, timezone: Europe/Dublin}, {ical: /etc/freezes.ics}]",
    "release_on_freeze": "park",
    "release_freeze_override": "it burns",
    "release_denied_digests": [{"digest": DIGEST, "reason": "CVE"}],
}
READ = CalendarSpec(
    (
        {"name": "sale", "timezone": "Europe/Dublin", "begin": "2026-12-23T00:00:00", "days": 0, "seconds": 4 * 86400.0},
        {"ical": "/etc/freezes.ics", "timezone": "UTC"},
    ),
    "it burns",
    "park",
    ({"digest": DIGEST, "reason": "CVE"},),
)
WINDOW = {"name": "sale", "from": "2026-12-23 18:00", "to": "2026-12-26", "timezone": "UTC"}
AGAIN = {"name": "weekend", "rrule": "FREQ=WEEKLY;BYDAY=FR", "start": "2026-01-02 17:00", "duration": "63h", "timezone": "UTC"}
HOUR = 3600.0


def without(given, name):
    return {key: value for key, value in given.items() if key != name}


@pytest.mark.parametrize(
    ("item", "begin", "length"),
    [
        (WINDOW, "2026-12-23T18:00:00", (0, 78 * HOUR)),
        ({**WINDOW, "from": date(2026, 12, 23), "to": datetime(2026, 12, 24, 6)}, "2026-12-23T00:00:00", (0, 30 * HOUR)),
        ({**WINDOW, "from": "2026-12-23T18:00Z", "timezone": "Asia/Tokyo"}, "2026-12-24T03:00:00", (0, 69 * HOUR)),
        (AGAIN, "2026-01-02T17:00:00", (0, 63 * HOUR)),
        ({**AGAIN, "duration": "2d"}, "2026-01-02T17:00:00", (2, 0.0)),
    ],
    ids=str,
)
def test_windows_and_recurrences_become_rules(item, begin, length):
    read = Reader()
    (found,) = calendar_spec.freezes(read, "freezes", [item])
    rule = calendar_spec.rule_of(found)
    assert read.problems == []
    assert (rule.begin.isoformat(), (rule.length.days, rule.length.seconds)) == (begin, length)


WRONG_FREEZES = [
    ("weekend", "", "a dictionary"),
    ({"name": "x"}, "", "one of {name, from, to, timezone}"),
    ({**WINDOW, "name": "a, b"}, ".name", "without a comma"),
    (without(WINDOW, "name"), ".name", "a name of at most"),
    (without(WINDOW, "timezone"), ".timezone", "is required: an IANA time zone"),
    ({**WINDOW, "timezone": "Dublin"}, ".timezone", "no IANA time zone"),
    ({**WINDOW, "timezone": "../../etc/passwd"}, ".timezone", "no IANA time zone"),
    ({**WINDOW, "from": "tomorrow"}, ".from", "a time such as"),
    (without(WINDOW, "to"), ".to", "is required"),
    ({**WINDOW, "to": "2026-12-20"}, ".to", "a time after from"),
    ({**WINDOW, "until": "2026-12-20"}, ".until", "unknown"),
    ({**AGAIN, "rrule": "weekly"}, ".rrule", "no recurrence rule"),
    (without(AGAIN, "start"), ".start", "is required"),
    (without(AGAIN, "duration"), ".duration", "is required: how long"),
    ({**AGAIN, "duration": "1s"}, ".duration", "from 60 s"),
    ({"file": "freezes.yml"}, ".file", "an absolute path"),
    ({"file": None}, ".file", "is required"),
    ({"ical": "freezes.ics"}, ".ical", "an absolute path"),
    ({"ical": "BEGIN:VCALENDAR\nBEGIN:VEVENT"}, ".ical", "cannot be read: it ends within VEVENT"),
    ({"ical": "BEGIN:VCALENDAR" + 40_000 * "\n"}, ".ical", "as text; name the path"),
    ({"ical": "/x.ics", "name": "x"}, ".name", "unknown"),
]


@pytest.mark.parametrize(("item", "field", "allowed"), WRONG_FREEZES, ids=lambda one: str(one)[:40])
def test_what_is_no_freeze_is_named(item, field, allowed):
    read = Reader()
    assert calendar_spec.freezes(read, "freezes", [item]) == ()
    assert [one.field for one in read.problems][:1] == [f"freezes[0]{field}"]
    assert allowed in read.problems[0].allowed


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ("x", ""),
        ({"digest": "1.2.3"}, ".digest"),
        ({"digest": DIGEST.upper()}, ".digest"),
        ({"digest": DIGEST, "why": "x"}, ".why"),
        ({"file": "denied.yml"}, ".file"),
    ],
    ids=str,
)
def test_what_is_no_denied_digest_is_named(item, field):
    read = Reader()
    calendar_spec.denied(read, "denied", [item])
    assert read.problems[0].field == f"denied[0]{field}"


@pytest.mark.parametrize(
    ("item", "field", "allowed"),
    [
        ("approvals-shop", "", "one of {configmap: name}"),
        ({"configmap": "approvals-a", "file": "/x"}, "", "one of {configmap: name}"),
        ({"configmap": "shop"}, ".configmap", "begins with approvals-"),
        ({"configmap": "approvals_shop"}, ".configmap", "lower-case letters"),
        ({"file": "approvals.yml"}, ".file", "an absolute path"),
        ({"webhook": {"timeout": "1s"}}, ".webhook.url", "is required"),
        ({"webhook": {"url": "tickets.example/secret"}}, ".webhook.url", "a URL"),
        ({"webhook": {"url": "http://t.example", "type": "rollout"}}, ".webhook.type", "asked for approvals"),
        ({"webhook": {"url": "http://t.example", "threshold": 3}}, ".webhook.threshold", "only webhooks of type rollout"),
    ],
    ids=str,
)
def test_what_is_no_place_of_approvals_is_named_without_its_secrets(item, field, allowed):
    read = Reader()
    approval_sources_spec.sources(read, [item])
    assert [one.field for one in read.problems] == [f"release_approval_sources[0]{field}"]
    assert allowed in read.problems[0].allowed
    assert "secret" not in str(read.problems[0])


def test_each_place_once():
    read = Reader()
    approval_sources_spec.sources(read, [{"configmap": "approvals-a"}, {"configmap": "approvals-a"}])
    assert [str(one) for one in read.problems] == ["release_approval_sources[1].configmap: 'approvals-a' is not allowed; each place once"]
