use super::*;
use crate::testing::{cx, get, response};

#[test]
fn named_fields_go_in_any_case_and_the_rest_stays() {
    let filter = Config { names: vec!["X-Powered-By".into(), "date".into()] }.build().unwrap();
    let mut res =
        response("HTTP/1.1 200 OK", "Date: x\r\nx-powered-by: a\r\nX-Powered-Byy: b\r\nEtag: c\r\n");
    filter.response(&mut cx(), &get(""), &mut res).unwrap();
    let left: Vec<_> = res.headers.iter().map(|(_, name, _)| name.to_vec()).collect();
    assert_eq!(left, [b"X-Powered-Byy".to_vec(), b"Etag".to_vec()]);
}

#[test]
fn what_frames_a_message_is_not_hidden() {
    for name in ["Content-Length", "transfer-encoding", "a b"] {
        assert!(Config { names: vec![name.into()] }.build().is_err(), "{name}");
    }
}
