#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

use super::*;

const CONTEXT: Context = [1; 32];
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_ticket_opens_what_it_was_made_of() {
    let (keys, now) = (TicketKeys::made(), SystemTime::now());
    let ticket = keys.seal(&CONTEXT, b"session", now).unwrap();
    assert_eq!(keys.open(&CONTEXT, &ticket, (now, HOUR)).as_deref(), Some(&b"session"[..]));
    assert_eq!(keys.open(&[2; 32], &ticket, (now, HOUR)), None, "other demands on clients");
    assert_eq!(keys.open(&CONTEXT, &ticket, (now + HOUR, HOUR)).as_deref(), Some(&b"session"[..]));
    assert_eq!(keys.open(&CONTEXT, &ticket, (now + HOUR + Duration::from_secs(1), HOUR)), None, "too old");
    assert_eq!(TicketKeys::made().open(&CONTEXT, &ticket, (now, HOUR)), None, "other keys");
    for at in 0..ticket.len() {
        let mut broken = ticket.clone();
        broken[at] ^= 1;
        assert_eq!(keys.open(&CONTEXT, &broken, (now, HOUR)), None, "byte {at}");
        assert_eq!(keys.open(&CONTEXT, &ticket[..at], (now, HOUR)), None, "{at} bytes");
    }
}

#[test]
fn keys_change_and_old_ones_open_for_a_day() {
    let (keys, now) = (TicketKeys::made(), SystemTime::now());
    let ticket = keys.seal(&CONTEXT, b"session", now).unwrap();
    let names: Vec<_> = (0..5u32)
        .map(|turn| keys.seal(&CONTEXT, b"", now + (CHANGE + HOUR) * turn).unwrap()[..NAME_LEN].to_vec())
        .collect();
    assert_eq!(names[0], ticket[..NAME_LEN]);
    assert_ne!(names[0], names[1]);
    assert!(keys.keys.load().len() <= KEYS_MAX);
}

#[test]
fn keys_come_from_files_of_nginx() {
    let (one, two) = ([7; 80], [9; 48]);
    let old = TicketKeys::from_files([&two[..]].into_iter()).unwrap();
    let ticket = old.seal(&CONTEXT, b"session", SystemTime::now()).unwrap();
    let both = TicketKeys::from_files([&one[..], &two].into_iter()).unwrap();
    assert!(both.open(&CONTEXT, &ticket, (SystemTime::now(), HOUR)).is_some());
    assert_eq!(TicketKeys::from_files([&one[..], &[0; 47]].into_iter()).unwrap_err(), 1);
}
