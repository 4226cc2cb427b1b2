use super::*;

fn text(write: fn(SystemTime, &mut Vec<u8>), now: SystemTime) -> String {
    let mut out = Vec::new();
    write(now, &mut out);
    String::from_utf8(out).unwrap()
}

fn filled(second: i64, offset: i32) -> Stamp {
    let mut stamp = Stamp::default();
    stamp.fill(second, offset);
    stamp
}

fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(second)
}

#[test]
fn a_second_in_every_form() {
    let stamp = filled(1_795_490_410, 0);
    assert_eq!(stamp.local, "24/Nov/2026:03:20:10 +0000");
    assert_eq!(stamp.iso, "2026-11-24T03:20:10+00:00");
    assert_eq!(stamp.http, "Tue, 24 Nov 2026 03:20:10 GMT");
    assert_eq!(stamp.syslog, "Nov 24 03:20:10");
}

#[test]
fn zones_move_local_time_but_not_the_http_date() {
    let west = filled(1_795_490_410, -(3 * 3600 + 30 * 60));
    assert_eq!(west.local, "23/Nov/2026:23:50:10 -0330");
    assert_eq!(west.iso, "2026-11-23T23:50:10-03:30");
    assert_eq!(west.http, "Tue, 24 Nov 2026 03:20:10 GMT");
    let east = filled(1_795_490_410, 5 * 3600 + 45 * 60);
    assert_eq!(east.local, "24/Nov/2026:09:05:10 +0545");
}

#[test]
fn edges_of_the_calendar() {
    assert_eq!(filled(0, 0).http, "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_eq!(filled(0, -3600).iso, "1969-12-31T23:00:00-01:00");
    assert_eq!(filled(951_782_399, 0).iso, "2000-02-28T23:59:59+00:00");
    assert_eq!(filled(951_782_400, 0).iso, "2000-02-29T00:00:00+00:00");
    assert_eq!(filled(951_868_800, 0).syslog, "Mar  1 00:00:00");
    assert_eq!(filled(4_107_542_400, 0).iso, "2100-03-01T00:00:00+00:00");
    assert_eq!(filled(784_111_777, 0).http, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(text(http_date, at(u64::MAX >> 2)), "Thu, 30 Dec 9999 00:00:00 GMT");
    assert_eq!(text(http_date, at(0) - Duration::from_secs(9)), "Thu, 01 Jan 1970 00:00:00 GMT");
}

#[test]
fn the_stamp_follows_the_clock_both_ways() {
    assert_eq!(text(http_date, at(1)), "Thu, 01 Jan 1970 00:00:01 GMT");
    assert_eq!(text(http_date, at(2)), "Thu, 01 Jan 1970 00:00:02 GMT");
    assert_eq!(text(http_date, at(1)), "Thu, 01 Jan 1970 00:00:01 GMT");
    assert_eq!(text(time_local, at(1)).len(), 26);
}

#[test]
fn zones_come_from_names_rules_and_files() {
    let summer = 1_784_000_000;
    let offset = |zone: &str| local_zone(Some(zone)).find_local_time_type(summer).unwrap().ut_offset();
    assert_eq!(offset(""), 0);
    assert_eq!(offset("CET-1CEST,M3.5.0,M10.5.0/3"), 7200);
    assert_eq!(offset("No/Such_Zone"), 0);
}

#[test]
fn seconds_have_three_decimals() {
    let text = |span| {
        let mut out = Vec::new();
        seconds(span, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(text(Duration::ZERO), "0.000");
    assert_eq!(text(Duration::from_micros(5_999)), "0.005");
    assert_eq!(text(Duration::from_millis(61_234)), "61.234");
    assert_eq!(text(Duration::MAX), "18446744073709551615.999");
    assert_eq!(super::tests::text(msec, at(1_795_490_410) + Duration::from_millis(7)), "1795490410.007");
}
