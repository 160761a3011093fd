//! Schedules against tables of instants and against a minute-by-minute search.

use std::collections::BTreeSet;

use chrono::{Datelike as _, LocalResult, NaiveDateTime, TimeZone as _, Timelike as _};
use proptest::{prelude::*, sample::select};

use super::*;

fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn table(schedule: &str, zone: &str, gap: Gap, fold: Fold) -> Timetable {
    let schedule = Schedule::read(schedule).unwrap();
    let anchor = instant("2026-01-01T00:00:00Z");
    Timetable { schedule, zone: read_zone(zone).unwrap(), gap, fold, anchor }
}

fn instants(table: &Timetable, after: &str, count: usize) -> Vec<String> {
    let written = |at: DateTime<Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    table.after(instant(after)).take(count).map(written).collect()
}

fn utc(schedule: &str, after: &str, count: usize) -> Vec<String> {
    instants(&table(schedule, "UTC", Gap::Skip, Fold::First), after, count)
}

#[test]
fn crontab_means_what_crontab_means() {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("*/5 * * * *", "2026-03-01T10:02:30Z", &["2026-03-01T10:05:00Z", "2026-03-01T10:10:00Z"]),
        (
            "7/20 * * * *",
            "2026-03-01T10:00:00Z",
            &["2026-03-01T10:07:00Z", "2026-03-01T10:27:00Z", "2026-03-01T10:47:00Z"],
        ),
        ("0 0 * * 7", "2026-03-02T00:00:00Z", &["2026-03-08T00:00:00Z", "2026-03-15T00:00:00Z"]),
        ("0 0 * * 0", "2026-03-02T00:00:00Z", &["2026-03-08T00:00:00Z"]),
        (
            "0 0 * * FRI-SUN",
            "2026-03-02T00:00:00Z",
            &["2026-03-06T00:00:00Z", "2026-03-07T00:00:00Z", "2026-03-08T00:00:00Z"],
        ),
        ("0 0 1 jan,Jul *", "2026-03-02T00:00:00Z", &["2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"]),
        // Either day will do where both are restricted: the 13th, or a Friday.
        (
            "0 0 13 * FRI",
            "2026-02-27T00:00:00Z",
            &["2026-03-06T00:00:00Z", "2026-03-13T00:00:00Z", "2026-03-20T00:00:00Z"],
        ),
        ("0 0 13 * ?", "2026-02-27T00:00:00Z", &["2026-03-13T00:00:00Z", "2026-04-13T00:00:00Z"]),
        // A field that begins with a star only narrows: odd days that are Mondays.
        ("0 0 */2 * MON", "2026-03-01T00:00:00Z", &["2026-03-09T00:00:00Z", "2026-03-23T00:00:00Z"]),
        ("30 15 10 * * *", "2026-03-01T10:15:30Z", &["2026-03-02T10:15:30Z"]),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", &["2028-02-29T00:00:00Z"]),
        ("59 23 31 12 *", "2026-12-31T23:58:59.5Z", &["2026-12-31T23:59:00Z", "2027-12-31T23:59:00Z"]),
        ("0 0 30 2 *", "2026-03-01T00:00:00Z", &[]),
        (
            "0-10/5,30 8 * * 1-5",
            "2026-03-06T08:06:00Z",
            &["2026-03-06T08:10:00Z", "2026-03-06T08:30:00Z", "2026-03-09T08:00:00Z"],
        ),
    ];
    for (schedule, after, expected) in cases {
        assert_eq!(utc(schedule, after, expected.len().max(1)), expected, "{schedule}");
    }
}

#[test]
fn named_schedules_periods_and_single_instants_are_known() {
    let after = "2026-03-04T10:30:00Z";
    let cases = [
        ("@hourly", "2026-03-04T11:00:00Z"),
        ("@daily", "2026-03-05T00:00:00Z"),
        ("@midnight", "2026-03-05T00:00:00Z"),
        ("@weekly", "2026-03-08T00:00:00Z"),
        ("@monthly", "2026-04-01T00:00:00Z"),
        ("@annually", "2027-01-01T00:00:00Z"),
        ("@Yearly", "2027-01-01T00:00:00Z"),
        ("@every 90s", "2026-03-04T10:31:30Z"),
        ("@every 1h30m", "2026-03-04T12:00:00Z"),
        ("@every 1.5h", "2026-03-04T12:00:00Z"),
        ("at 2026-03-04T12:00:00+01:00", "2026-03-04T11:00:00Z"),
    ];
    for (schedule, expected) in cases {
        assert_eq!(utc(schedule, after, 1), [expected], "{schedule}");
    }
    assert!(utc("at 2026-03-04T10:30:00Z", after, 1).is_empty(), "an instant comes once");
    assert!(utc("at 2036-03-04T10:30:00Z", after, 1).is_empty(), "nothing is looked for beyond the horizon");
    let before_the_anchor = utc("@every 1h", "2025-12-01T00:00:00Z", 1);
    assert_eq!(before_the_anchor, ["2026-01-01T01:00:00Z"]);
}

#[test]
fn refusals_name_the_field_the_rule_and_the_bound() {
    let cases = [
        ("", "form", "must have 5 fields"),
        ("* * *", "form", "not 3"),
        ("60 * * * *", "bounds", "minute: must be a number from 0 to 59, not \"60\""),
        ("* 24 * * *", "bounds", "hour: must be a number from 0 to 23"),
        ("* * 0 * *", "bounds", "day of month: must be a number from 1 to 31"),
        ("* * * 13 *", "bounds", "month: must be a number from 1 to 12 or a name from JAN to DEC"),
        ("* * * * 8", "bounds", "day of week: must be a number from 0 to 7 or a name from SUN to SAT"),
        ("* * * FOO *", "form", "month: "),
        ("99 * * * * *", "bounds", "second: "),
        ("*/0 * * * *", "step", "minute: the step must be a number from 1 to 59"),
        ("*/x * * * *", "step", "minute: the step"),
        ("1, * * * *", "form", "minute: "),
        ("30-10 * * * *", "range", "minute: the range 30-10 begins after it ends"),
        ("+5 * * * *", "form", "minute: "),
        ("@every", "form", "a duration such as 90s"),
        ("@every 0s", "bounds", "from 1s to 366d"),
        ("@every 1500ms", "bounds", "whole seconds"),
        ("@every -5m", "form", "a duration"),
        ("@fortnightly", "form", "@fortnightly is not one of"),
        ("at noon", "form", "RFC 3339"),
    ];
    for (text, rule, part) in cases {
        let refused = Schedule::read(text).expect_err(text);
        assert_eq!(refused.rule, rule, "{text}: {}", refused.detail);
        assert!(refused.detail.contains(part), "{text}: {}", refused.detail);
    }
    assert_eq!(Schedule::read(&"1".repeat(600)).unwrap_err().rule, "length");
    assert_eq!(read_zone("Mars/Olympus").unwrap_err().rule, "zone");
}

/// New York jumps from 02:00 to 03:00 on 8 March 2026 (07:00 UTC) and shows 01:00 to 02:00 twice on 1 November.
#[test]
fn new_yorks_edges_are_a_table() {
    let zone = "America/New_York";
    let spring = "2026-03-07T12:00:00Z";
    let cases = [
        ("30 2 * * *", Gap::Skip, vec!["2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"]),
        ("30 2 * * *", Gap::Shift, vec!["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"]),
        ("0 2 * * *", Gap::Shift, vec!["2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"]),
        ("0 3 * * *", Gap::Skip, vec!["2026-03-08T07:00:00Z", "2026-03-09T07:00:00Z"]),
        (
            "30 2,3 * * *",
            Gap::Shift,
            vec!["2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z", "2026-03-09T07:30:00Z"],
        ),
        (
            "0 1-3 * * *",
            Gap::Skip,
            vec!["2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z", "2026-03-09T05:00:00Z"],
        ),
    ];
    for (schedule, gap, expected) in cases {
        let table = table(schedule, zone, gap, Fold::First);
        assert_eq!(instants(&table, spring, expected.len()), expected, "{schedule} {gap:?}");
    }
    let autumn = "2026-10-31T12:00:00Z";
    let cases = [
        ("30 1 * * *", Fold::First, vec!["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]),
        (
            "30 1 * * *",
            Fold::Both,
            vec!["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"],
        ),
        ("0 1,2 * * *", Fold::First, vec!["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z"]),
        (
            "0 1,2 * * *",
            Fold::Both,
            vec!["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
        ),
    ];
    for (schedule, fold, expected) in cases {
        let table = table(schedule, zone, Gap::Skip, fold);
        assert_eq!(instants(&table, autumn, expected.len()), expected, "{schedule} {fold:?}");
    }
}

/// Lord Howe jumps by half an hour: from 02:00 to 02:30 on 4 October 2026 (15:30 UTC the day before), and shows 01:30 to
/// 02:00 twice on 5 April 2026.
#[test]
fn lord_howes_edges_are_a_table() {
    let zone = "Australia/Lord_Howe";
    let spring = "2026-10-03T12:00:00Z";
    let cases = [
        ("15 2 * * *", Gap::Skip, vec!["2026-10-04T15:15:00Z"]),
        ("15 2 * * *", Gap::Shift, vec!["2026-10-03T15:45:00Z", "2026-10-04T15:15:00Z"]),
        (
            "20,35 2 * * *",
            Gap::Shift,
            vec!["2026-10-03T15:35:00Z", "2026-10-03T15:50:00Z", "2026-10-04T15:20:00Z"],
        ),
        (
            "*/15 2 * * *",
            Gap::Shift,
            vec!["2026-10-03T15:30:00Z", "2026-10-03T15:45:00Z", "2026-10-04T15:00:00Z"],
        ),
    ];
    for (schedule, gap, expected) in cases {
        let table = table(schedule, zone, gap, Fold::First);
        assert_eq!(instants(&table, spring, expected.len()), expected, "{schedule} {gap:?}");
    }
    let autumn = "2026-04-04T12:00:00Z";
    let cases = [
        ("45 1 * * *", Fold::First, vec!["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]),
        (
            "45 1 * * *",
            Fold::Both,
            vec!["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-05T15:15:00Z"],
        ),
        ("15 1 * * *", Fold::Both, vec!["2026-04-04T14:15:00Z", "2026-04-05T14:45:00Z"]),
    ];
    for (schedule, fold, expected) in cases {
        let table = table(schedule, zone, Gap::Skip, fold);
        assert_eq!(instants(&table, autumn, expected.len()), expected, "{schedule} {fold:?}");
    }
}

/// A field's values by the book, read in another way than the code under test does.
fn allows(field: &str, least: u32, most: u32, value: u32) -> bool {
    field.split(',').any(|item| {
        let (range, step) =
            item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().unwrap()));
        let stepped = item.contains('/');
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
            None if range == "*" => (least, most),
            None => (range.parse().unwrap(), if stepped { most } else { range.parse().unwrap() }),
        };
        value >= from && value <= to && (value - from).is_multiple_of(step)
    })
}

fn matches(fields: &[String; 5], wall: NaiveDateTime) -> bool {
    let day = allows(&fields[2], 1, 31, wall.day());
    let weekday = wall.weekday().num_days_from_sunday();
    let weekday = allows(&fields[4], 0, 7, weekday) || (weekday == 0 && allows(&fields[4], 0, 7, 7));
    let free = fields[2].starts_with('*') || fields[4].starts_with('*');
    allows(&fields[0], 0, 59, wall.minute())
        && allows(&fields[1], 0, 23, wall.hour())
        && allows(&fields[3], 1, 12, wall.month())
        && if free { day && weekday } else { day || weekday }
}

/// Every minute of the walls is tried, in the zone's own words.
fn searched(
    fields: &[String; 5],
    table: &Timetable,
    from: DateTime<Utc>,
    hours: i64,
) -> BTreeSet<DateTime<Utc>> {
    let start = from.naive_utc() - TimeDelta::hours(30);
    let mut found = BTreeSet::new();
    for minute in 0..(hours + 60) * 60 {
        let wall = start + TimeDelta::minutes(minute);
        if !matches(fields, wall) {
            continue;
        }
        match table.zone.from_local_datetime(&wall) {
            LocalResult::Single(at) => {
                found.insert(at.to_utc());
            }
            LocalResult::Ambiguous(first, second) => {
                found.insert(first.to_utc());
                found.extend((table.fold == Fold::Both).then(|| second.to_utc()));
            }
            LocalResult::None if table.gap == Gap::Shift => {
                let earlier = table.zone.from_local_datetime(&(wall - TimeDelta::hours(3))).unwrap();
                found.insert(earlier.to_utc() + TimeDelta::hours(3));
            }
            LocalResult::None => {}
        }
    }
    found.retain(|at| *at > from && *at <= from + TimeDelta::hours(hours));
    found
}

fn field(values: &'static [&'static str]) -> impl Strategy<Value = String> {
    select(values).prop_map(str::to_owned)
}

fn any_fields() -> impl Strategy<Value = [String; 5]> {
    (
        field(&["*", "0", "30", "*/15", "7/20", "1-50/7", "59", "0,15,45"]),
        field(&["*", "0", "1", "2", "*/2", "1-3", "3", "23", "1/2"]),
        field(&["*", "*", "1", "4-8", "*/2", "31", "8,29"]),
        field(&["*", "*", "3", "10-11", "4"]),
        field(&["*", "*", "0", "7", "1-5", "6,7", "*/3"]),
    )
        .prop_map(|(minute, hour, day, month, weekday)| [minute, hour, day, month, weekday])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_same_instants_are_found_as_by_trying_every_minute(
        fields in any_fields(),
        (zone, edge) in select(vec![
            ("America/New_York", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-11-01T06:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
            ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
            ("Europe/London", "2026-03-29T01:00:00Z"),
            ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
            ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
            ("UTC", "2028-02-29T00:00:00Z"),
        ]),
        gap in select(vec![Gap::Skip, Gap::Shift]),
        fold in select(vec![Fold::First, Fold::Both]),
        start in -200_000_i64..100_000,
    ) {
        let table = table(&fields.join(" "), zone, gap, fold);
        let from = instant(edge) + TimeDelta::seconds(start);
        let found: BTreeSet<_> = table.after(from).take_while(|at| *at <= from + TimeDelta::hours(72)).collect();
        // The wall times tried are whole minutes counted from `from`'s own.
        let from_minute = DateTime::from_timestamp(from.timestamp().div_euclid(60) * 60, 0).unwrap();
        let mut expected = searched(&fields, &table, from_minute, 73);
        expected.retain(|at| *at > from && *at <= from + TimeDelta::hours(72));
        prop_assert_eq!(found, expected, "{:?} in {}", fields, zone);
    }

    #[test]
    fn the_next_instant_does_not_depend_on_how_the_clock_got_there(steps in prop::collection::vec(-90_000_i64..90_000, 1..20)) {
        let table = table("*/5 1-3 * * *", "America/New_York", Gap::Shift, Fold::Both);
        let mut clock = instant("2026-11-01T05:00:00Z");
        for step in steps {
            clock += TimeDelta::seconds(step);
            let next = table.next(clock).unwrap();
            prop_assert!(next > clock);
            // Whoever asks from anywhere before it, with nothing between, is told the same.
            let earlier = table.after(clock - TimeDelta::hours(3)).find(|at| *at > clock);
            prop_assert_eq!(earlier, Some(next));
        }
    }

    #[test]
    fn the_latest_instant_is_found_as_by_walking(
        fields in any_fields(),
        zone in select(vec!["UTC", "America/New_York", "Australia/Lord_Howe"]),
        from in 0_i64..400 * 86_400,
        seconds in 0_i64..40 * 86_400,
    ) {
        let table = table(&fields.join(" "), zone, Gap::Shift, Fold::Both);
        let after = instant("2026-01-01T00:00:00Z") + TimeDelta::seconds(from);
        let until = after + TimeDelta::seconds(seconds);
        let walked = table.after(after).take_while(|slot| *slot <= until).last();
        prop_assert_eq!(table.latest(after, until), walked, "{:?} in {}", fields, zone);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}", fields in "[0-9*/,a-zA-Z@ ?-]{0,40}") {
        for text in [text, fields] {
            if let Ok(schedule) = Schedule::read(&text) {
                let zone = Tz::America__New_York;
                let anchor = DateTime::UNIX_EPOCH;
                let _next = Timetable { schedule, zone, gap: Gap::Shift, fold: Fold::Both, anchor }.next(anchor);
            }
        }
    }
}
