use super::*;
use std::collections::HashSet;

const KINDS: [Kind; 26] = [
    Kind::Malformed,
    Kind::UriTooLong,
    Kind::HeadTooLarge,
    Kind::BodyTooLarge,
    Kind::Version,
    Kind::Method,
    Kind::TransferCoding,
    Kind::NoRoute,
    Kind::Loop,
    Kind::TooManyReroutes,
    Kind::NotFound,
    Kind::Forbidden,
    Kind::Timeout,
    Kind::Closed,
    Kind::Reset,
    Kind::Connect,
    Kind::NoEndpoint,
    Kind::Busy,
    Kind::Dropped,
    Kind::TunnelIdle,
    Kind::Deadline,
    Kind::PlainText,
    Kind::ClientCertificate,
    Kind::Misdirected,
    Kind::TooEarly,
    Kind::Internal,
];

/// The metrics have a series for every word, and none that never counts.
#[test]
fn the_list_has_every_word_once() {
    let sides = [Side::Downstream, Side::Upstream, Side::Local];
    let words: HashSet<&str> =
        KINDS.iter().flat_map(|kind| sides.map(|side| word(&Error::of(side, *kind, "")))).collect();
    assert_eq!(words, WORDS.iter().copied().collect());
    assert_eq!(words.len(), WORDS.len());
}

#[test]
fn the_side_is_told() {
    assert_eq!(word(&Error::downstream(Kind::Timeout, "")), "client_timeout");
    assert_eq!(word(&Error::upstream(Kind::Timeout, "")), "upstream_timeout");
}
