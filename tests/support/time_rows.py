#!/usr/bin/env python3
# time_rows: an independent referee of schedules and windows. SPDX-License-Identifier: Apache-2.0
#
#     time_rows.py cron | windows       prints the rows that test_base_cron.c and test_core_windows.c include
#
# It knows nothing of calendars or offsets but what python's zoneinfo says: it walks a span of time minute by minute,
# looks at the clock on the wall, and notes what it shows for the first time, what it skips, and whether it is inside.
import sys
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
NAMES = {"month": "jan feb mar apr may jun jul aug sep oct nov dec".split(),
         "weekday": "sun mon tue wed thu fri sat".split()}


def wall(zone, at):
    return at.astimezone(zone).replace(tzinfo=None)


# --- schedules ------------------------------------------------------------------------------------

def number(text, kind, low):
    return NAMES[kind].index(text) + low if kind in NAMES and text in NAMES[kind] else int(text)


def field(text, low, high, kind=None):
    found = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span == "*":
            a, b = low, high
        elif "-" in span:
            a, b = (number(x, kind, low) for x in span.split("-"))
            b = 7 if kind == "weekday" and b == 0 and a else b
        else:
            a = number(span, kind, low)
            b = high if step else a
        found |= set(range(a, b + 1, int(step or 1)))
    return {x % 7 for x in found} if kind == "weekday" else found


def matcher(expression):
    m, h, d, mo, w = expression.split()
    minutes, hours, days = field(m, 0, 59), field(h, 0, 23), field(d, 1, 31)
    months, weekdays = field(mo, 1, 12, "month"), field(w, 0, 6, "weekday")

    def is_day(t):
        of_month, of_week = t.day in days, (t.weekday() + 1) % 7 in weekdays
        both = d[0] == "*" or w[0] == "*"
        return t.month in months and (of_month and of_week if both else of_month or of_week)

    return lambda t: t.minute in minutes and t.hour in hours and is_day(t)


def occurrences(zone, expression, begin, end):
    """Times at which the wall shows a match for the first time, or has just skipped one."""
    matches, seen, last, found = matcher(expression), set(), None, []
    at = begin - timedelta(days=1)
    while at < end:
        now = wall(zone, at)
        shown = [now]
        if last is not None and now - last > MINUTE:
            shown += [last + MINUTE * n for n in range(1, int((now - last) / MINUTE))]
        if at >= begin and any(matches(t) and t not in seen for t in shown):
            found.append(at)
        seen.update(shown)
        last = now
        at += MINUTE
    return found


# --- windows --------------------------------------------------------------------------------------

def minutes(text):
    return int(text[:2]) * 60 + int(text[3:])


def inside(zone, days, begins, ends, at):
    t = wall(zone, at)
    minute, of_day = t.hour * 60 + t.minute, lambda d: NAMES["weekday"][(d.weekday() + 1) % 7] in days.split()
    a, b = minutes(begins), minutes(ends)
    if a < b:
        return of_day(t) and a <= minute < b
    return (of_day(t) and minute >= a) or (of_day(t - timedelta(days=1)) and minute < b)


# --- rows -----------------------------------------------------------------------------------------

def utc(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=timezone.utc)


def show(at):
    return at.strftime("%Y-%m-%d %H:%M") if at else ""


# zone, the hours (UTC) around a change of the clock
CHANGES = [
    ("Europe/Berlin", "2026-03-29 01:00"), ("Europe/Berlin", "2026-10-25 01:00"),
    ("America/New_York", "2026-03-08 07:00"), ("America/New_York", "2026-11-01 06:00"),
    ("Australia/Lord_Howe", "2026-04-04 15:00"), ("Australia/Lord_Howe", "2026-10-03 15:30"),
    ("Europe/Berlin", "2044-03-27 01:00"), ("Australia/Lord_Howe", "2051-09-30 15:30"),
    ("America/St_Johns", "2026-03-08 05:30"), ("Africa/Casablanca", "2026-02-15 02:00"),
    ("Pacific/Apia", "2011-12-30 10:00"), ("Asia/Kolkata", "2026-03-29 01:00"), ("UTC", "2026-03-29 01:00"),
    ("Africa/Cairo", "2026-04-23 22:00"), ("Africa/Cairo", "2026-10-29 21:00"),
]
SCHEDULES = ["30 2 * * *", "0 2 * * *", "*/20 * * * *", "15 1,2,3 * * *", "45 1 * * *", "0 0 * * sun", "59 23 * * *"]
LONG = [  # zone, schedule, when, days on either side
    ("Europe/Berlin", "0 6 * * mon-fri", "2026-05-01 12:00", 5), ("Europe/Berlin", "0 0 29 feb *", "2027-06-01 00:00", 1200),
    ("America/New_York", "0 12 13 * fri", "2026-02-01 00:00", 14), ("UTC", "0 0 */10 * *", "2026-02-25 00:00", 12),
    ("UTC", "30 4 1,15 * 5", "2026-06-03 00:00", 10), ("UTC", "5 4 * * 7", "2026-06-03 00:00", 10),
    ("UTC", "0 22 * * fri-sun", "2026-06-03 00:00", 10), ("UTC", "0 0 31 * *", "2026-04-01 00:00", 65),
    ("UTC", "10-20/5 8 * JAN-MAR *".lower(), "2026-04-01 00:00", 300), ("UTC", "7/20 * * * *", "2026-04-01 00:30", 2),
    ("Australia/Lord_Howe", "0 0 1 */6 *", "2026-04-05 00:00", 200), ("UTC", "0 9 1-7 * */1", "2026-06-03 00:00", 40),
]


def cron_rows():
    cases = []
    for zone, change in CHANGES:
        for schedule in SCHEDULES:
            for offset in (-1, 0, 45) if schedule[:2] in ("30", "*/") else (1,):
                cases.append((zone, schedule, utc(change) + MINUTE * offset, 9))
    cases += [(zone, schedule, utc(at), days) for zone, schedule, at, days in LONG]
    for zone, schedule, at, days in cases:
        z = ZoneInfo(zone)
        found = occurrences(z, schedule, at - timedelta(days=days), at + timedelta(days=days))
        before, after = [t for t in found if t <= at], [t for t in found if t > at]
        assert before and after, (zone, schedule, at)
        yield f'    {{ "{zone}", "{schedule}", "{show(at)}", "{show(after[0])}", "{show(before[-1])}" }},'


WINDOWS = [("sun", "02:00", "05:00"), ("sat sun", "01:45", "02:15"), ("sat", "23:30", "02:30"),
           ("mon tue wed thu fri sat sun", "02:10", "02:20"), ("sun", "00:00", "00:00"), ("fri", "16:00", "23:59")]


def window_rows():
    for zone, change in CHANGES:
        z = ZoneInfo(zone)
        for days, begins, ends in WINDOWS:
            for offset in (-50, 0, 59):
                at = utc(change) + MINUTE * offset
                if (offset == 0) != (days in ("sat", "sun")) and offset != 59 and zone != "Europe/Berlin":
                    continue
                now, t = inside(z, days, begins, ends, at), at
                while inside(z, days, begins, ends, t) == now:
                    t += MINUTE
                yield (f'    {{ "{zone}", "{days}", {minutes(begins)}, {minutes(ends)}, '
                       f'"{show(at)}", {int(now)}, "{show(t)}" }},')


if __name__ == "__main__":
    name, rows = {"cron": ("test_base_cron.c", cron_rows), "windows": ("test_core_windows.c", window_rows)}[sys.argv[1]]
    print(f"/* Rows of {name}, printed by tests/support/time_rows.py {sys.argv[1]}. SPDX-License-Identifier: Apache-2.0 */")
    print("\n".join(rows()))
