use super::*;
use std::time::Duration;

fn frame(kind: u8, flags: u8, len: usize) -> Vec<u8> {
    let len_bytes = u32::try_from(len).unwrap().to_be_bytes();
    let mut frame = len_bytes[1..].to_vec();
    frame.extend([kind, flags, 0, 0, 0, 1]);
    frame.resize(HEADER_BYTES + len, 0);
    frame
}

fn idle_of(bytes: &[u8], piece: usize) -> u32 {
    let mut frames = Frames::default();
    bytes.chunks(piece).map(|piece| frames.count_idle(piece)).sum()
}

#[test]
fn frames_are_found_however_they_come() {
    let frames = [frame(6, 0, 8), frame(0, 0, 100), frame(1, 4, 30), frame(0, 0, 0), frame(0, 1, 0)];
    let bytes = frames.concat();
    for piece in 1..bytes.len() {
        assert_eq!(idle_of(&bytes, piece), 2, "in pieces of {piece}");
    }
}

#[test]
fn what_is_used_up_is_used_up() {
    let meter = Meter::new();
    meter.feed(&frame(4, 0, 0));
    meter.earn_stream();
    let ping = frame(6, 0, 8);
    (0..BURST).for_each(|_| meter.feed(&ping));
    assert_eq!(meter.offence(), None);
    meter.feed(&ping);
    assert_eq!(meter.offence(), Some(Offence::Idling));
}

#[test]
fn work_earns() {
    let meter = Meter::new();
    meter.feed(&frame(4, 0, 0));
    meter.earn_stream();
    let ping = frame(6, 0, 8);
    for _ in 0..10 * BURST {
        meter.earn_data(1);
        meter.feed(&ping);
        meter.feed(&ping);
    }
    assert_eq!(meter.offence(), None);
}

#[test]
fn time_earns() {
    let now = clock::recent();
    let frames = Frames::default();
    let mut state = State { frames, left: 0, since: now, offence: None };
    state.refill(now + Duration::from_millis(5));
    assert_eq!(state.left, 0);
    state.refill(now + Duration::from_secs(2));
    assert_eq!(state.left, 2 * PER_SECOND);
    state.refill(now + Duration::from_secs(2000));
    assert_eq!(state.left, BURST);
}

#[test]
fn settings_come_first() {
    for (kind, flags, offence) in
        [(4, 0, None), (4, 1, Some(Offence::NoSettings)), (6, 0, Some(Offence::NoSettings))]
    {
        let meter = Meter::new();
        meter.feed(&frame(kind, flags, 0));
        assert_eq!(meter.offence(), offence);
    }
}

#[test]
fn heads_of_endpoints_count() {
    let meter = Meter::of_endpoint();
    assert!(!meter.has_settings());
    meter.feed(&frame(4, 0, 0));
    assert!(meter.has_settings());
    let interim = frame(1, 4, 20);
    (1..BURST).for_each(|_| meter.feed(&interim));
    assert_eq!(meter.offence(), None);
    meter.earn_request();
    (0..=PER_REQUEST).for_each(|_| meter.feed(&interim));
    assert_eq!(meter.offence(), Some(Offence::Idling));
}
