use super::*;
use crate::testing::field;

fn location(uri: &[u8], query: Option<&[u8]>) -> String {
    let response = to_directory(uri, query);
    assert_eq!(response.head.status, 301);
    field(&response, "location").to_owned()
}

#[test]
fn path_and_query_are_kept_and_a_slash_added() {
    assert_eq!(location(b"/dir", None), "/dir/");
    assert_eq!(location(b"/a%20b/c", Some(b"x=%41&y=/?")), "/a%20b/c/?x=%41&y=/?");
    assert_eq!(location(b"/dir", Some(b"")), "/dir/");
    assert_eq!(location(b"", None), "/");
}

#[test]
fn it_never_leads_to_another_host() {
    assert_eq!(location(b"//evil.example/%2e%2e/dir", None), "/evil.example/%2e%2e/dir/");
    assert_eq!(location(b"///evil.example", None), "/evil.example/");
    assert_eq!(location(b"/\\evil.example", None), "/%5Cevil.example/");
    assert_eq!(location(b"/\t/evil.example", None), "/%09/evil.example/");
    assert_eq!(location(b"http://evil.example", None), "/http://evil.example/");
}

#[test]
fn no_byte_breaks_out_of_the_field() {
    assert_eq!(location(b"/a\r\nb: c", Some(b"\r\n\0")), "/a%0D%0Ab:%20c/?%0D%0A%00");
    assert_eq!(location("/é?#".as_bytes(), Some("é#".as_bytes())), "/%C3%A9%3F%23/?%C3%A9%23");
}
