use super::*;
use std::io::ErrorKind as Io;

#[test]
fn an_error_says_kind_side_reason_and_retry() {
    for (err, side) in [
        (Error::downstream(Kind::Malformed, "why"), Side::Downstream),
        (Error::upstream(Kind::Malformed, "why"), Side::Upstream),
        (Error::local(Kind::Malformed, "why"), Side::Local),
        (Error::of(Side::Upstream, Kind::Malformed, "why"), Side::Upstream),
    ] {
        assert_eq!((err.kind(), err.side(), err.reason()), (Kind::Malformed, side, "why"));
        assert_eq!(err.retryable(), Retry::No, "nothing is sent again unless somebody says it may");
        assert_eq!(err.retry(Retry::Safe).retryable(), Retry::Safe);
    }
}

#[test]
fn errors_of_sockets() {
    let kind = |io: Io| Error::io(Side::Upstream, &io.into()).kind();
    assert_eq!(kind(Io::TimedOut), Kind::Timeout);
    assert_eq!(kind(Io::UnexpectedEof), Kind::Closed);
    for io in [Io::ConnectionReset, Io::BrokenPipe, Io::ConnectionAborted, Io::Other] {
        assert_eq!(kind(io), Kind::Reset, "{io:?}");
    }
}

#[test]
fn errors_in_logs() {
    let err = Error::upstream(Kind::Timeout, format!("after {}s", 5));
    assert_eq!(err.to_string(), "Timeout (Upstream): after 5s");
    assert_eq!(format!("{err:?}"), err.to_string());
}

/// Results with an error are moved around on the hot path.
#[test]
fn an_error_is_one_word() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<crate::Result<()>>(), size_of::<usize>());
}
