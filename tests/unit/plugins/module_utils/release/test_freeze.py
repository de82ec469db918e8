# Copyright: (c) 2026, progressive.delivery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a freeze is: recurrences against dateutil's own, changes of the clocks, iCalendar files, business hours."""

import itertools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from ansible_collections.progressive.delivery.plugins.module_utils.release import business_hours, ical
from ansible_collections.progressive.delivery.plugins.module_utils.release.freeze import (
    Length,
    Rule,
    Window,
    joined,
    next_freeze,
    recurrence,
    unix,
    windows,
)
from dateutil import rrule as oracle
from dateutil import tz
from hypothesis import given, settings
from hypothesis import strategies as st

DUBLIN, NEW_YORK = "Europe/Dublin", "America/New_York"
HOUR = 3600.0


def at(text, zone="UTC"):
    return unix(datetime.fromisoformat(text), zone)


WEEKEND = Rule("weekend", datetime(2026, 1, 2, 17), Length(seconds=63 * HOUR), DUBLIN, "FREQ=WEEKLY;BYDAY=FR")


def test_every_friday_at_five_stays_at_five_when_the_clocks_change():
    found = windows([WEEKEND], at("2026-03-20T00:00"), at("2026-04-06T00:00"))
    assert [one.begin for one in found] == [
        at("2026-03-20T17:00"),
        at("2026-03-27T17:00"),
        at("2026-04-03T16:00"),
    ]  # summer time from 29 March
    assert [one.end - one.begin for one in found] == [63 * HOUR] * 3


def test_a_day_of_the_calendar_has_twenty_three_hours_once_a_year_and_twenty_four_by_the_clock_are_always_so():
    days = Rule("days", datetime(2026, 3, 1), Length(days=1), DUBLIN, "FREQ=DAILY")
    by_clock = Rule("clock", datetime(2026, 3, 1), Length(seconds=24 * HOUR), DUBLIN, "FREQ=DAILY")
    sunday = at("2026-03-29T00:00", DUBLIN), at("2026-03-29T12:00", DUBLIN)
    assert [one.end - one.begin for one in windows([days], *sunday) if one.begin == sunday[0]] == [23 * HOUR]
    assert [one.end - one.begin for one in windows([by_clock], *sunday) if one.begin == sunday[0]] == [24 * HOUR]


def test_a_local_time_that_is_left_out_is_read_by_the_clocks_before_and_one_that_comes_twice_is_the_first():
    nightly = Rule("nightly", datetime(2026, 3, 1, 2, 30), Length(seconds=600), NEW_YORK, "FREQ=DAILY")
    assert [one.begin for one in windows([nightly], at("2026-03-08T06:00"), at("2026-03-08T09:00"))] == [at("2026-03-08T07:30")]
    late = Rule("late", datetime(2026, 3, 1, 1, 30), Length(seconds=600), NEW_YORK, "FREQ=DAILY")
    assert [one.begin for one in windows([late], at("2026-11-01T04:00"), at("2026-11-01T09:00"))] == [at("2026-11-01T05:30")]


DAYS = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4, unique=True)
RULES = st.one_of(
    st.builds("FREQ=WEEKLY;INTERVAL={};BYDAY={}".format, st.integers(1, 4), DAYS.map(",".join)),
    st.builds("FREQ=DAILY;INTERVAL={}".format, st.integers(1, 9)),
    st.builds("FREQ=MONTHLY;BYDAY={}{}".format, st.sampled_from([1, 2, -1]), st.sampled_from(["MO", "FR", "SU"])),
    st.builds("FREQ=MONTHLY;BYMONTHDAY={};COUNT={}".format, st.integers(1, 31), st.integers(1, 60)),
    st.builds("FREQ=YEARLY;BYMONTH={};BYMONTHDAY={}".format, st.integers(1, 12), st.integers(1, 28)),
    st.builds("FREQ=WEEKLY;UNTIL=2027{:02d}15T120000Z".format, st.integers(1, 12)),
)


@given(
    text=RULES,
    zone=st.sampled_from([DUBLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "Asia/Kolkata"]),
    begin=st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)).map(lambda one: one.replace(minute=0, second=0, microsecond=0)),
    after=st.integers(0, 700),
)
@settings(deadline=None, max_examples=120)
def test_recurrences_are_those_of_dateutil_with_a_zone_of_its_own(text, zone, begin, after):
    """dateutil, given a beginning with a zone, works in local time, too, with its own tables of zones."""
    begin = begin.replace(hour=12)  # no clock changes at noon: what is left to the reader there has tests of its own
    first = at("2026-01-01T00:00") + after * 86400.0
    theirs = oracle.rrulestr(text, dtstart=begin.replace(tzinfo=tz.gettz(zone)))
    last = datetime.fromtimestamp(first + 40 * 86400, tz.UTC)
    wanted = [one.timestamp() for one in theirs.between(datetime.fromtimestamp(first - 7200, tz.UTC), last)]
    rule = Rule("any", begin, Length(seconds=7200), zone, text)
    assert [one.begin for one in windows([rule], first, first + 40 * 86400)] == wanted


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=12), st.integers(0, 500))
@settings(deadline=None, max_examples=100)
def test_joined_windows_cover_the_same_moments_and_touch_no_more(parts, moment):
    given_windows = [Window(f"w{number}", begin, begin + length, "UTC") for number, (begin, length) in enumerate(parts)]
    found = joined(given_windows)
    assert any(one.begin <= moment < one.end for one in found) == any(one.begin <= moment < one.end for one in given_windows)
    assert all(before.end < after.begin for before, after in itertools.pairwise(found))


def test_freezes_that_follow_each_other_are_waited_for_together():
    days = Rule("weekend", datetime(2026, 1, 2), Length(days=1), DUBLIN, "FREQ=WEEKLY;BYDAY=FR,SA,SU")
    found = next_freeze([days], at("2026-03-06T12:00"))
    assert (found.until(), found.begin) == ("Mon 2026-03-09 00:00 Europe/Dublin (Mon 2026-03-09 00:00 UTC)", at("2026-03-06T00:00"))
    assert next_freeze([days], at("2026-03-09T00:00")).since().startswith("Fri 2026-03-13 00:00")
    assert next_freeze([Rule("past", datetime(2020, 1, 1), Length(days=3), "UTC")], at("2026-03-09T00:00")) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "weekly",
        "FREQ=MINUTELY",
        "FREQ=SECONDLY;COUNT=3",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=x",
        "FREQ=DAILY\nDTSTART:20200101",
        "FREQ=DAILY;UNTIL=soon",
    ],
)
def test_what_is_no_recurrence_is_refused(text):
    with pytest.raises(ValueError, match="no recurrence rule"):
        recurrence(text, datetime(2026, 1, 1), DUBLIN)


def test_until_as_a_day_includes_that_day_and_in_utc_is_turned_into_local_time():
    day = Rule("d", datetime(2026, 6, 1, 18), Length(seconds=60), NEW_YORK, "FREQ=DAILY;UNTIL=20260603")
    assert len(windows([day], at("2026-05-01T00:00"), at("2026-07-01T00:00"))) == 3
    utc = Rule("u", datetime(2026, 6, 1, 18), Length(seconds=60), NEW_YORK, "FREQ=DAILY;UNTIL=20260603T215900Z")  # a minute too early
    assert len(windows([utc], at("2026-05-01T00:00"), at("2026-07-01T00:00"))) == 2


def calendar(*events):
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//x//EN",
        "BEGIN:VTIMEZONE",
        "TZID:Europe/Dublin",
        "BEGIN:STANDARD",
        "DTSTART:19960101T000000",
    ]
    lines += ["END:STANDARD", "END:VTIMEZONE"]
    for event in events:
        lines += ["BEGIN:VEVENT", *event, "END:VEVENT"]
    return "\r\n".join([*lines, "END:VCALENDAR", ""])


def spans(text, after="2026-01-01T00:00", until="2027-01-01T00:00", zone="UTC"):
    found = windows(ical.freezes(text, zone), at(after), at(until))
    return [(one.name, datetime.fromtimestamp(one.begin, ZoneInfo("UTC")), (one.end - one.begin) / HOUR) for one in found]


def utc(*parts):
    return datetime(*parts, tzinfo=ZoneInfo("UTC"))


def test_days_times_zones_and_durations_of_a_calendar():
    text = calendar(
        ["UID:1", "SUMMARY:Year\\, end", "DTSTART;VALUE=DATE:20261223", "DTEND;VALUE=DATE:20261227"],
        ["UID:2", "SUMMARY:Sale", 'DTSTART;TZID="Europe/Dublin":20260703T090000', "DURATION:P1DT2H"],
        ["UID:3", "SUMMARY:Audit of", "  the books", "DTSTART:20260301T120000Z", "DTEND:20260301T133000Z"],
        ["UID:4", "SUMMARY:A day", "DTSTART;VALUE=DATE:20260401"],
        ["UID:5", "SUMMARY:A moment", "DTSTART:20260401T120000Z"],
        [
            "UID:6",
            "SUMMARY:Floating",
            "DTSTART:20260801T120000",
            "DURATION:PT30M",
            "BEGIN:VALARM",
            "TRIGGER:-PT5M",
            "DURATION:PT1M",
            "END:VALARM",
        ],
    )
    assert spans(text, zone=NEW_YORK) == [
        ("Audit of the books", utc(2026, 3, 1, 12), 1.5),
        ("A day", utc(2026, 4, 1, 4), 24.0),
        ("Sale", utc(2026, 7, 3, 8), 26.0),
        ("Floating", utc(2026, 8, 1, 16), 0.5),
        ("Year end", utc(2026, 12, 23, 5), 96.0),
    ]


def test_a_series_with_days_left_out_moved_cancelled_and_added():
    text = calendar(
        [
            "UID:w", "SUMMARY:Weekend", "DTSTART;TZID=Europe/Dublin:20260306T170000", "DTEND;TZID=Europe/Dublin:20260309T060000",
            "RRULE:FREQ=WEEKLY;COUNT=5", "EXDATE;TZID=Europe/Dublin:20260313T170000", "RDATE;TZID=Europe/Dublin:20260317T000000",
        ],
        ["UID:w", "RECURRENCE-ID;TZID=Europe/Dublin:20260320T170000", "SUMMARY:Moved", "DTSTART:20260319T100000Z", "DTEND:20260319T110000Z"],
        ["UID:w", "RECURRENCE-ID:20260403T160000Z", "STATUS:CANCELLED", "DTSTART:20260403T160000Z"],
    )  # fmt: skip
    shown = [(name, begin) for name, begin, _hours in spans(text)]
    assert shown[:4] == [
        ("Weekend", utc(2026, 3, 6, 17)),
        ("Weekend", utc(2026, 3, 17)),
        ("Moved", utc(2026, 3, 19, 10)),
        ("Weekend", utc(2026, 3, 27, 17)),
    ]
    assert {hours for name, _begin, hours in spans(text) if name == "Weekend"} == {61.0}


def test_a_cancelled_meeting_of_a_series_given_in_utc_falls_out_of_one_in_a_zone():
    series = ["UID:w", "SUMMARY:S", "DTSTART;TZID=Europe/Dublin:20260701T170000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=3"]
    gone = ["UID:w", "RECURRENCE-ID:20260702T160000Z", "STATUS:CANCELLED", "DTSTART:20260702T160000Z"]
    assert [begin.day for _name, begin, _hours in spans(calendar(series, gone))] == [1, 3]


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (["SUMMARY:x"], "x: DTSTART is missing"),
        (["SUMMARY:x", "DTSTART;TZID=Eastern Standard Time:20260101T000000", "DURATION:PT1H"], "no IANA time zone"),
        (["SUMMARY:x", "DTSTART:2026-01-01"], "no day such as"),
        (["SUMMARY:x", "DTSTART:20260101T000000Z", "DURATION:1 hour"], "no DURATION"),
        (["SUMMARY:x", "DTSTART:20260102T000000Z", "DTEND:20260101T000000Z"], "DTEND is before DTSTART"),
        (["SUMMARY:x", "DTSTART;VALUE=DATE:20260102", "DTEND:20260103T000000Z"], "both days or both times"),
        (["SUMMARY:x", "DTSTART:20260102T000000Z", "RRULE:FREQ=NEVER"], "no recurrence rule"),
        (["SUMMARY:x", "DTSTART:20260102T000000Z", "EXRULE:FREQ=DAILY"], "EXRULE is not understood"),
        (["SUMMARY:x", "DTSTART:20260102T000000Z", "DTSTART:20260103T000000Z"], "more than one DTSTART"),
        (["SUMMARY:x", "DTSTART:20260102T000000Z", "RDATE;VALUE=PERIOD:20260102T000000Z/PT1H"], "periods"),
        (["no line"], "not a line of a calendar"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_an_event_that_is_not_understood_is_refused_by_name(event, why):
    with pytest.raises(ValueError, match=why):
        ical.freezes(calendar(event), "UTC")


@pytest.mark.parametrize(
    "text", ["", "no calendar", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101T000000Z", "BEGIN:VCALENDAR\nEND:VEVENT"]
)
def test_what_is_no_whole_calendar_is_refused(text):
    with pytest.raises(ValueError):
        ical.freezes(text, "UTC")


OFFICE = business_hours.parse("Mon-Fri 08:00-18:00 Europe/Dublin")


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-03-04T09:30", "2026-03-04T09:30"),
        ("2026-03-04T18:00", "2026-03-05T08:00"),
        ("2026-03-06T20:00", "2026-03-09T08:00"),
        ("2026-03-28T12:00", "2026-03-30T08:00"),  # over the change of the clocks
    ],
)
def test_when_business_opens_next(now, opens):
    assert business_hours.next_open(OFFICE, at(now, DUBLIN)) == at(opens, DUBLIN)


@pytest.mark.parametrize(
    ("since", "opens", "closes"),
    [
        ("2026-03-04T07:00", "2026-03-04T08:00", "2026-03-04T18:00"),
        ("2026-03-04T08:00", "2026-03-04T08:00", "2026-03-04T18:00"),
        ("2026-03-04T08:01", "2026-03-05T08:00", "2026-03-05T18:00"),
        ("2026-03-06T09:00", "2026-03-09T08:00", "2026-03-09T18:00"),
        ("2026-03-28T00:00", "2026-03-30T08:00", "2026-03-30T18:00"),  # over the change of the clocks
    ],
)
def test_the_first_whole_opening_after_a_moment(since, opens, closes):
    assert business_hours.whole(OFFICE, at(since, DUBLIN)) == (at(opens, DUBLIN), at(closes, DUBLIN))


def test_parts_that_touch_are_one_opening_and_those_that_do_not_are_two():
    shop = business_hours.parse("Mon-Thu 08:00-18:00, Fri/Sat 08:00-12:00, Fri 13:00-24:00 UTC")
    assert business_hours.whole(shop, at("2026-03-06T09:00")) == (at("2026-03-06T13:00"), at("2026-03-07T00:00"))
    night = business_hours.parse("Mon 22:00-24:00, Tue 00:00-06:00 UTC")
    assert business_hours.whole(night, at("2026-03-02T12:00")) == (at("2026-03-02T22:00"), at("2026-03-03T06:00"))
    always = business_hours.parse("Sat-Fri 00:00-24:00 Europe/Dublin")
    assert business_hours.never_closes(always) and not business_hours.never_closes(shop)


@given(st.integers(0, 400 * 24))
@settings(deadline=None, max_examples=60)
def test_a_whole_opening_is_ahead_as_long_as_a_day_and_open_from_its_beginning(start):
    since = at("2026-01-01T00:00") + start * HOUR
    opens, closes = business_hours.whole(OFFICE, since)
    assert since <= opens <= since + timedelta(days=4).total_seconds() and closes - opens == 10 * HOUR
    assert business_hours.next_open(OFFICE, opens) == opens
    assert business_hours.next_open(OFFICE, closes) > closes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon-Fri",
        "Mon-Fri 08:00-18:00",
        "Mon-Fri 8-18 UTC",
        "Mon-Fri 18:00-08:00 UTC",
        "Mun 08:00-18:00 UTC",
        "Mon 08:00-25:00 UTC",
        "Mon 08:00-10:00, Mon 09:00-11:00 UTC",
        "Mon 08:00-18:00 Dublin",
    ],
)
def test_what_are_no_business_hours_is_refused(text):
    with pytest.raises(ValueError):
        business_hours.parse(text)
