use super::*;
use crate::testing::{request, response};

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: u64 = 784_111_777;

fn rules() -> Rules {
    Rules {
        heeds_requests: true,
        targets: ["CDN-Cache-Control", "Surrogate-Control"]
            .iter()
            .filter_map(|name| FieldName::new(name))
            .collect(),
        ..Rules::default()
    }
}

fn judge_by(rules: &Rules, req: &str, (status, res): (u16, &str)) -> Result<Storable, Why> {
    let (req, res) = (request("GET", req), response(status, res));
    let is_authorized = req.headers.has(Name::Authorization);
    judge(
        rules,
        &Exchange { req: &req, is_authorized, res: &res, slice: None, requested_s: NOW, received_s: NOW },
    )
}

fn why(req: &str, res: &str) -> Option<Why> {
    judge_by(&rules(), req, (200, res)).err()
}

#[test]
fn rfc9111_3_explicit_lifetimes_are_stored_whatever_the_status() {
    for status in [200, 201, 204, 302, 400, 403, 404, 410, 500, 503, 599] {
        let storable = judge_by(&rules(), "", (status, "Cache-Control: max-age=60")).expect("storable");
        assert_eq!(storable.stored.times.lifetime_s, 60, "{status}");
    }
    for status in [101, 206, 304] {
        let judged = judge_by(&rules(), "", (status, "Cache-Control: max-age=60"));
        assert_eq!(judged.err(), Some(Why::Status), "{status}");
    }
}

#[test]
fn rfc9111_5_2_2_5_no_store_and_5_2_2_7_private_are_not_stored() {
    assert_eq!(why("", "Cache-Control: max-age=60, no-store"), Some(Why::NoStore));
    assert_eq!(why("", "Cache-Control: private, max-age=60"), Some(Why::Private));
    assert_eq!(why("Cache-Control: no-store", "Cache-Control: max-age=60"), Some(Why::RequestNoStore));
}

#[test]
fn rfc9111_5_2_2_7_fields_that_are_private_are_left_out() {
    let fields =
        "Cache-Control: max-age=60, private=\"A\", no-cache=\"set-cookie\"\nA: 1\nB: 2\nSet-Cookie: c=d";
    let head = judge_by(&rules(), "", (200, fields)).expect("storable").stored.head;
    assert!(!head.headers.has("a") && !head.headers.has("set-cookie") && head.headers.has("b"));
}

#[test]
fn rfc9111_5_2_2_3_must_understand_goes_before_no_store() {
    let fields = "Cache-Control: max-age=60, no-store, must-understand";
    assert!(judge_by(&rules(), "", (200, fields)).is_ok());
    assert_eq!(judge_by(&rules(), "", (299, fields)).err(), Some(Why::Status));
}

#[test]
fn rfc9111_3_5_authorized_answers_are_stored_only_if_they_say_so() {
    let authorized = "Authorization: Basic x";
    assert_eq!(why(authorized, "Cache-Control: max-age=60"), Some(Why::Authorization));
    for directive in ["public", "must-revalidate", "s-maxage=60"] {
        assert_eq!(why(authorized, &format!("Cache-Control: max-age=60, {directive}")), None, "{directive}");
    }
}

#[test]
fn rfc9111_4_1_vary_star_is_not_stored() {
    assert_eq!(why("", "Cache-Control: max-age=60\nVary: *"), Some(Why::Vary));
    let varied =
        judge_by(&rules(), "Foo: 1", (200, "Cache-Control: max-age=60\nVary: foo")).expect("storable");
    assert!(vary::selects(&varied.variant, &request("GET", "Foo: 1").headers));
}

#[test]
fn rfc9111_7_3_cookies_are_not_stored_unless_told() {
    let fields = "Cache-Control: max-age=60\nSet-Cookie: a=b";
    assert_eq!(why("", fields), Some(Why::SetCookie));
    let told = Rules { ignored: Ignored { set_cookie: true, ..Ignored::default() }, ..rules() };
    assert!(judge_by(&told, "", (200, fields)).is_ok());
}

#[test]
fn rfc9111_3_what_is_stale_at_once_is_stored_only_with_a_validator() {
    assert_eq!(why("", "Cache-Control: max-age=0"), Some(Why::Expired));
    assert_eq!(why("", "Cache-Control: max-age=0\nETag: \"a\""), None);
    assert_eq!(why("", "Cache-Control: max-age=60\nAge: 60"), Some(Why::Expired));
    assert_eq!(why("", "Cache-Control: no-cache\nETag: \"a\""), None);
    assert_eq!(why("", ""), Some(Why::NoLifetime));
}

#[test]
fn rfc9111_5_2_2_terms_are_kept() {
    let terms = |control: &str| {
        let fields = format!("ETag: \"a\"\nCache-Control: max-age=60, {control}");
        judge_by(&rules(), "", (200, &fields)).expect("storable").stored.terms
    };
    assert!(terms("must-revalidate").must_revalidate && terms("proxy-revalidate").must_revalidate);
    assert!(
        terms("s-maxage=5").must_revalidate && terms("immutable").immutable && terms("no-cache").no_cache
    );
    assert_eq!(terms("public"), Terms::default());
}

#[test]
fn rfc9111_3_1_fields_of_one_connection_are_left_out() {
    let fields =
        "Cache-Control: max-age=60\nConnection: a\nA: 1\nKeep-Alive: x\nProxy-Authenticate: Basic\nB: 2";
    let head = judge_by(&rules(), "", (200, fields)).expect("storable").stored.head;
    let names: Vec<_> =
        head.headers.iter().map(|(_, name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(names, ["Cache-Control", "B", "Date"]);
}

#[test]
fn rfc9213_2_2_a_targeted_field_goes_before_cache_control_and_expires() {
    let lifetime = |fields: &str| judge_by(&rules(), "", (200, fields)).map(|s| s.stored.times.lifetime_s);
    assert_eq!(lifetime("CDN-Cache-Control: max-age=60\nCache-Control: no-store").ok(), Some(60));
    assert_eq!(lifetime("CDN-Cache-Control: max-age=60\nExpires: 0").ok(), Some(60));
    assert_eq!(lifetime("CDN-Cache-Control: no-store\nCache-Control: max-age=60").err(), Some(Why::NoStore));
    assert_eq!(lifetime("CDN-Cache-Control: private\nCache-Control: max-age=60").err(), Some(Why::Private));
    assert_eq!(lifetime("CDN-Cache-Control: &&&\nCache-Control: max-age=9").ok(), Some(9));
    assert_eq!(lifetime("Surrogate-Control: max-age=5\nCache-Control: max-age=9").ok(), Some(5));
    let both = "CDN-Cache-Control: max-age=60\nSurrogate-Control: max-age=5";
    assert_eq!(lifetime(both).ok(), Some(60));
}

#[test]
fn rfc5861_windows_are_kept() {
    let fields = "Cache-Control: max-age=1, stale-while-revalidate=2, stale-if-error=3";
    let times = judge_by(&rules(), "", (200, fields)).expect("storable").stored.times;
    assert_eq!((times.while_revalidate_s, times.if_error_s), (2, 3));
    assert_eq!(times.useless_s(0), NOW + 4);
}

#[test]
fn lifetimes_by_status_count_where_the_origin_says_nothing() {
    let rules = Rules { ttl: vec![(404, 5), (0, 7)], ..rules() };
    let lifetime =
        |status, fields| judge_by(&rules, "", (status, fields)).map(|s| s.stored.times.lifetime_s).ok();
    assert_eq!(lifetime(404, ""), Some(5));
    assert_eq!(lifetime(200, ""), Some(7));
    assert_eq!(lifetime(200, "Cache-Control: max-age=60"), Some(60));
}

#[test]
fn a_path_that_looks_like_a_file_of_another_type_is_not_stored() {
    for (path, content_type, is_plausible) in [
        ("/a/b.css", "text/html", false),
        ("/a/b.CSS", "text/css; charset=utf-8", true),
        ("/a/b.jpg", "application/json", false),
        ("/a/b.js", "application/javascript", true),
        ("/a.css/b", "text/html", true),
        ("/a/b.html", "application/json", true),
        ("/a/b.pdf", "application/octet-stream", true),
        ("/a/b.pdf", "application/json", false),
        ("/a/b.zip", "application/json", false),
        ("/a/b.woff2", "application/font-woff2", true),
    ] {
        assert_eq!(
            guard::is_plausible(path.as_bytes(), Some(content_type.as_bytes())),
            is_plausible,
            "{path}"
        );
    }
    assert!(guard::is_plausible(b"/a.css", None));
}

#[test]
fn as_nginx_reads_it() {
    let nginx = Rules { standard: Standard::Nginx, ttl: vec![(200, 60)], ..Rules::default() };
    let lifetime = |fields: &str| judge_by(&nginx, "", (200, fields)).map(|s| s.stored.times.lifetime_s);
    assert_eq!(lifetime(""), Ok(60));
    assert_eq!(lifetime("Cache-Control: max-age=5\nX-Accel-Expires: 7"), Ok(7));
    assert_eq!(lifetime("Cache-Control: no-store\nX-Accel-Expires: 7"), Ok(7));
    assert_eq!(lifetime("X-Accel-Expires: 0"), Err(Why::Expired));
    assert_eq!(lifetime("X-Accel-Expires: @784111787"), Ok(10));
    assert_eq!(lifetime("Cache-Control: no-cache"), Err(Why::NoCache));
    assert_eq!(lifetime("Cache-Control: private"), Err(Why::Private));
    assert_eq!(lifetime("Cache-Control: max-age=0"), Err(Why::Expired));
    assert_eq!(lifetime("Expires: Sun, 06 Nov 1994 08:49:57 GMT"), Ok(20));
    assert_eq!(lifetime("Expires: 0"), Err(Why::Expired));
    assert_eq!(lifetime("Cache-Control: max-age=60\nAge: 3600"), Ok(60));
    assert_eq!(lifetime("Set-Cookie: a=b"), Err(Why::SetCookie));
    assert!(judge_by(&nginx, "", (200, "")).unwrap().stored.terms.to_the_end);
}

#[test]
fn rfc9111_3_3_partial_content_is_stored_as_the_slice_that_was_asked_for() {
    let rules = Rules { ttl: vec![(200, 60)], ..rules() };
    let judged = |slice: Option<Range<u64>>, status: u16, fields: &str| {
        let (req, res) = (request("GET", ""), response(status, fields));
        let exchange = Exchange {
            req: &req,
            is_authorized: false,
            res: &res,
            slice: slice.as_ref(),
            requested_s: NOW,
            received_s: NOW,
        };
        judge(&rules, &exchange).map(|storable| storable.stored.times.lifetime_s).ok()
    };
    let range = "Content-Range: bytes 10-19/25";
    assert_eq!(judged(Some(10..20), 206, range), Some(60));
    assert_eq!(judged(Some(0..10), 206, range), None);
    assert_eq!(judged(Some(0..0), 206, range), None);
    assert_eq!(judged(None, 206, range), None);
    assert_eq!(judged(Some(0..10), 200, ""), Some(60), "the origin has no ranges");
    assert_eq!(judged(Some(10..20), 200, ""), None);
    assert_eq!(judged(Some(0..0), 200, ""), Some(60));
}
