use super::*;

#[test]
fn attempts_fail_in_nginxs_words() {
    let rows = [
        (
            Kind::Connect,
            "connecting to 127.0.0.1:1: Connection refused (os error 111)",
            "connect() failed (111: Connection refused) while connecting to upstream",
        ),
        (
            Kind::Timeout,
            "connecting to [::1]:1: timed out",
            "upstream timed out (110: Connection timed out) while connecting to upstream",
        ),
        (
            Kind::Timeout,
            "no head",
            "upstream timed out (110: Connection timed out) while reading response header from upstream",
        ),
        (
            Kind::Closed,
            "closed before the head of an answer",
            "upstream prematurely closed connection while reading response header from upstream",
        ),
        (
            Kind::Reset,
            "Connection reset by peer (os error 104)",
            "recv() failed (104: Connection reset by peer) while reading response header from upstream",
        ),
        (Kind::HeadTooLarge, "x", "upstream sent too big header while reading response header from upstream"),
        (
            Kind::Malformed,
            "no colon",
            "upstream sent invalid header: no colon while reading response header from upstream",
        ),
    ];
    for (kind, reason, expected) in rows {
        assert_eq!(of_upstream(&Error::upstream(kind, reason)), expected);
    }
}

#[test]
fn files_are_told_in_nginxs_words() {
    let rows = [
        (
            "/a: b/c: No such file or directory (os error 2)",
            "open() \"/a: b/c\" failed (2: No such file or directory)",
        ),
        ("/srv/www/ has no index file", "directory index of \"/srv/www/\" is forbidden"),
        ("/dev/null is no regular file", "/dev/null is no regular file"),
        ("access forbidden by rule", "access forbidden by rule"),
    ];
    for (reason, expected) in rows {
        assert_eq!(of_file(reason), expected);
    }
}

#[test]
fn no_client_forges_a_line() {
    let mut line = String::new();
    push(&mut line, "a\u{1b}[2J\nb\u{85}\u{fc}".as_bytes());
    assert_eq!(line, "a\\x1B[2J\\x0Ab\\x85\u{fc}");
}
