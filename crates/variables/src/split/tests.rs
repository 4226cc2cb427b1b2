use super::*;
use crate::config::Share;

#[test]
fn the_hash_is_murmurs_second() {
    assert_eq!(murmur2(b""), 0);
    assert_eq!(murmur2(b"a"), 0x9268_5f5e);
    assert_eq!(murmur2(b"abcd"), 0x2687_3021);
    assert_eq!(murmur2(b"127.0.0.1AAA"), 0xb5fc_5e4b);
}

fn split(shares: &[Option<f64>]) -> Result<Vec<u32>, String> {
    let shares = shares.iter().map(|percent| Share { percent: *percent, ..Share::default() }).collect();
    let split = Split::build(&config::Split { shares, ..config::Split::default() })?;
    Ok(split.parts.iter().map(|(end, _)| *end).collect())
}

#[test]
fn the_buckets_are_nginxs() {
    assert_eq!(split(&[Some(0.5), Some(2.0), None]), Ok(vec![21_474_836, 107_374_181, u32::MAX]));
    assert_eq!(split(&[Some(50.0), Some(50.0)]), Ok(vec![2_147_483_647, 4_294_967_294]));
}

#[test]
fn shares_are_at_most_all() {
    assert!(split(&[Some(60.0), Some(41.0)]).unwrap_err().contains("greater than 100%"));
    assert!(split(&[Some(0.0)]).is_err());
    assert!(split(&[None, Some(1.0)]).is_err());
}
