use super::*;
use crate::testing::response;

#[test]
fn rfc9211_2_says_what_was_done() {
    let base = Told {
        status: Status::Hit,
        left_s: None,
        forwarded: None,
        is_stored: false,
        is_collapsed: false,
        why: None,
        cause: Cause::Store,
    };
    for (told, expected) in [
        (Told { left_s: Some(30), ..base }, "bifrons; hit; ttl=30"),
        (Told { status: Status::Stale, left_s: Some(-5), ..base }, "bifrons; hit; ttl=-5"),
        (
            Told { status: Status::Miss, forwarded: Some(200), is_stored: true, ..base },
            "bifrons; fwd=uri-miss; fwd-status=200; stored",
        ),
        (
            Told { status: Status::Miss, why: Some(Why::Private), ..base },
            "bifrons; fwd=uri-miss; detail=private",
        ),
        (
            Told { status: Status::Revalidated, forwarded: Some(304), ..base },
            "bifrons; fwd=stale; fwd-status=304",
        ),
        (Told { status: Status::Expired, cause: Cause::Request, ..base }, "bifrons; fwd=request"),
        (Told { status: Status::Miss, cause: Cause::Variant, ..base }, "bifrons; fwd=vary-miss"),
        (Told { is_collapsed: true, ..base }, "bifrons; fwd=uri-miss; collapsed"),
        (Told { is_collapsed: true, cause: Cause::Variant, ..base }, "bifrons; fwd=vary-miss; collapsed"),
        (Told { is_collapsed: true, cause: Cause::Outdated, ..base }, "bifrons; fwd=stale; collapsed"),
        (Told { status: Status::Miss, why: Some(Why::Method), ..base }, "bifrons; fwd=method; detail=method"),
    ] {
        let mut head = response(200, "Cache-Status: origin; hit");
        tell(&mut head, &told);
        let values: Vec<_> = head.headers.get_all("cache-status").collect();
        assert_eq!(values, [b"origin; hit".as_slice(), expected.as_bytes()]);
    }
}
