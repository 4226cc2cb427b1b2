use crate::open::SMALL_BYTES_MAX;
use crate::testing::{Site, content, field, names};
use crate::{Coding, Offer, Options, Precompressed, Vary};
use bifrons_http::Body;

fn site() -> Site {
    let site = Site::new();
    site.write("a.txt", "0123456789");
    site.touch("a.txt", 784_111_777);
    site
}

const TAG: &str = "\"2ebc98a1-a\"";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

#[test]
fn a_get_has_type_validators_and_content() {
    let response = site().get("/a.txt");
    assert_eq!(response.head.status, 200);
    assert_eq!(names(&response), ["Content-Type", "Last-Modified", "ETag", "Accept-Ranges"]);
    assert_eq!(field(&response, "last-modified"), DATE);
    assert_eq!(field(&response, "accept-ranges"), "bytes");
    assert_eq!(content(&response), b"0123456789");
}

#[test]
fn a_head_has_the_length_and_no_body() {
    let response = site().head_with("/a.txt", &[("Range", "bytes=0-1")]);
    assert_eq!(response.head.status, 200);
    assert_eq!(field(&response, "content-length"), "10");
    assert!(matches!(response.body, Body::Empty));
}

#[test]
fn an_empty_file_has_an_empty_body() {
    let site = site();
    site.write("empty", "");
    let response = site.get_with("/empty", &[("Range", "bytes=0-")]);
    assert_eq!((response.head.status, response.body.length()), (200, Some(0)));
    assert_eq!(field(&site.head_with("/empty", &[]), "content-length"), "0");
}

#[test]
fn a_304_has_the_validators_only() {
    let site = site();
    for fields in [("If-None-Match", TAG), ("If-Modified-Since", DATE)] {
        for response in [site.get_with("/a.txt", &[fields]), site.head_with("/a.txt", &[fields])] {
            assert_eq!(response.head.status, 304);
            assert_eq!(names(&response), ["Last-Modified", "ETag"]);
            assert!(response.body.is_empty());
        }
    }
    assert_eq!(field(&site.get("/a.txt"), "etag"), TAG);
}

#[test]
fn a_412_has_nothing() {
    let response = site().get_with("/a.txt", &[("If-Match", "\"x\"")]);
    assert_eq!((response.head.status, response.head.headers.len()), (412, 0));
}

#[test]
fn a_range_is_answered_with_206() {
    let response = site().get_with("/a.txt", &[("Range", "bytes=2-4")]);
    assert_eq!(response.head.status, 206);
    assert_eq!(names(&response), ["Content-Type", "Last-Modified", "ETag", "Content-Range"]);
    assert_eq!(field(&response, "content-range"), "bytes 2-4/10");
    assert_eq!(content(&response), b"234");
}

#[test]
fn a_range_of_a_large_file_is_a_range_of_the_file() {
    let site = site();
    let bytes: Vec<u8> = (0..=SMALL_BYTES_MAX as u32).map(|n| n as u8).collect();
    site.write("large", &bytes);
    let response = site.get_with("/large", &[("Range", "bytes=-300")]);
    assert_eq!(field(&response, "content-range"), "bytes 16085-16384/16385");
    assert!(matches!(&response.body, Body::File(file) if file.offset == 16085 && file.len == 300));
    assert_eq!(content(&response), bytes[16085..]);
}

#[test]
fn an_unsatisfiable_range_is_answered_with_416() {
    let response = site().get_with("/a.txt", &[("Range", "bytes=10-")]);
    assert_eq!(response.head.status, 416);
    assert_eq!(names(&response), ["Content-Range"]);
    assert_eq!(field(&response, "content-range"), "bytes */10");
    assert!(response.body.is_empty());
}

#[test]
fn ranges_that_do_not_count_give_the_whole() {
    let site = site();
    let cases: [&[(&str, &str)]; 4] = [
        &[("Range", "bytes=0-9,3-4")],
        &[("Range", "bytes=0-1"), ("Range", "bytes=0-1")],
        &[("Range", "bytes=0-1"), ("If-Range", "\"x\"")],
        &[("If-Range", TAG)],
    ];
    for fields in cases {
        let response = site.get_with("/a.txt", fields);
        assert_eq!((response.head.status, content(&response).len()), (200, 10), "{fields:?}");
    }
}

#[test]
fn if_range_and_conditions_go_before_the_range() {
    let site = site();
    let range = ("Range", "bytes=0-1");
    for (fields, status) in [
        ([range, ("If-Range", TAG)], 206),
        ([range, ("If-Range", DATE)], 206),
        ([range, ("If-None-Match", TAG)], 304),
        ([range, ("If-Match", "\"x\"")], 412),
        ([("Range", "bytes=99-"), ("If-None-Match", TAG)], 304),
        ([("Range", "bytes=99-"), ("If-Range", "\"x\"")], 200),
    ] {
        assert_eq!(site.get_with("/a.txt", &fields).head.status, status, "{fields:?}");
    }
}

#[test]
fn an_empty_default_type_sends_none() {
    let site = Site::with(Options { default_type: Some(String::new()), ..Options::default() });
    site.write("a", "x");
    assert_eq!(names(&site.get("/a")), ["Last-Modified", "ETag", "Accept-Ranges"]);
}

#[test]
fn several_ranges_come_as_multipart() {
    let site = site();
    let response = site.get_with("/a.txt", &[("Range", "bytes=0-1,-2")]);
    assert_eq!(response.head.status, 206);
    assert_eq!(names(&response), ["Content-Type", "Last-Modified", "ETag"]);
    let boundary = field(&response, "content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert_eq!(boundary.len(), 20);
    let expected = format!(
        "\r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\
         \r\n--{boundary}\r\nContent-Type: text/plain\r\nContent-Range: bytes 8-9/10\r\n\r\n89\
         \r\n--{boundary}--\r\n"
    );
    assert_eq!(String::from_utf8(content(&response)).unwrap(), expected);
    assert_eq!(response.body.length(), Some(expected.len() as u64));
}

#[test]
fn ranges_and_tags_can_be_turned_off() {
    let site = Site::with(Options { ranges_max: 0, etag: false, ..Options::default() });
    site.write("a.txt", "0123456789");
    let response = site.get_with("/a.txt", &[("Range", "bytes=0-1")]);
    assert_eq!((response.head.status, content(&response).len()), (200, 10));
    assert_eq!(names(&response), ["Content-Type", "Last-Modified"]);
}

fn compressed(vary: Vary, gzip_always: bool) -> Site {
    let offers = [(Coding::Brotli, false), (Coding::Gzip, gzip_always)];
    let codings = offers.map(|(coding, always)| Offer { coding, always }).to_vec();
    let precompressed =
        Some(Precompressed { codings, vary, http10: false, via: false, except_user_agents: Vec::new() });
    let site = Site::with(Options { precompressed, ..Options::default() });
    site.write("a.js", "plain");
    site.write("a.js.gz", "GZ");
    site.write("a.js.br", "BR!");
    site.write("only.css.gz", "GZ");
    site.write("plain.txt", "plain");
    site.write("index.html", "plain");
    site.write("index.html.gz", "GZ");
    site
}

#[test]
fn a_compressed_file_is_sent_to_who_accepts_it() {
    let site = compressed(Vary::Always, false);
    for (accept, expected, coding) in [
        ("gzip, br", "BR!", "br"),
        ("gzip, br;q=0.9", "GZ", "gzip"),
        ("gzip", "GZ", "gzip"),
        ("gzip;q=0", "plain", ""),
        ("", "plain", ""),
    ] {
        let response = site.get_with("/a.js", &[("Accept-Encoding", accept)]);
        assert_eq!(content(&response), expected.as_bytes(), "{accept}");
        assert_eq!(field(&response, "content-encoding"), coding, "{accept}");
        assert_eq!(field(&response, "content-type"), "text/javascript");
        assert_eq!(field(&response, "vary"), "Accept-Encoding");
        assert!(field(&response, "etag").ends_with(&format!("-{:x}\"", expected.len())));
        assert_eq!(field(&response, "accept-ranges").is_empty(), !coding.is_empty(), "{accept}");
    }
    let index = site.get_with("/", &[("Accept-Encoding", "gzip")]);
    assert_eq!((content(&index), field(&index, "content-type")), (b"GZ".to_vec(), "text/html"));
    assert_eq!(content(&site.get_with("/only.css", &[("Accept-Encoding", "gzip")])), b"GZ");
    assert_eq!(site.fails("/only.css"), bifrons_core::Kind::NotFound);
}

#[test]
fn a_compressed_file_has_conditions_but_no_ranges() {
    let site = compressed(Vary::Always, false);
    let accept = ("Accept-Encoding", "gzip");
    let whole = site.get_with("/a.js", &[accept, ("Range", "bytes=0-0")]);
    assert_eq!((whole.head.status, content(&whole)), (200, b"GZ".to_vec()));
    let etag = field(&whole, "etag").to_owned();
    let same = site.get_with("/a.js", &[accept, ("If-None-Match", &etag)]);
    assert_eq!(same.head.status, 304);
    assert_eq!(names(&same), ["Last-Modified", "ETag", "Vary"]);
    assert_eq!(site.get_with("/a.js", &[("If-None-Match", &etag)]).head.status, 200);
    assert_eq!(field(&site.head_with("/a.js", &[accept]), "content-length"), "2");
}

#[test]
fn vary_is_said_where_there_is_another_or_never() {
    for (vary, of_js, of_txt) in [(Vary::Always, 1, 1), (Vary::IfThere, 1, 0), (Vary::Never, 0, 0)] {
        let site = compressed(vary, false);
        for accept in ["gzip", "identity"] {
            let varies = |path| site.get_with(path, &[("Accept-Encoding", accept)]).head.headers.has("vary");
            assert_eq!(
                (varies("/a.js"), varies("/plain.txt")),
                (of_js == 1, of_txt == 1),
                "{vary:?} {accept}"
            );
        }
    }
}

#[test]
fn what_is_always_sent_is_sent_to_everybody() {
    let site = compressed(Vary::Never, true);
    assert_eq!(content(&site.get("/a.js")), b"GZ");
    assert_eq!(content(&site.get("/only.css")), b"GZ");
    assert_eq!(content(&site.get("/plain.txt")), b"plain");
}
