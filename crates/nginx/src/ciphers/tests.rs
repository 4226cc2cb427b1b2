use super::*;

/// Mozilla's intermediate list, with what people put behind it.
const INTERMEDIATE: &str = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:\
    ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256:\
    DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

#[test]
fn usual_lists_load() {
    for list in [
        "HIGH:!aNULL:!MD5",
        "HIGH:!aNULL:!MD5:!RC4:!3DES",
        "DEFAULT",
        "ALL:!EXPORT:!LOW:@STRENGTH",
        "EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH",
        "EECDH+ECDSA+AESGCM EECDH+aRSA+AESGCM EECDH+ECDSA+SHA384 !aNULL !eNULL !LOW !3DES !MD5 !EXP !PSK !SRP !DSS",
        "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256",
        INTERMEDIATE,
    ] {
        let chosen = read(list);
        assert!(!chosen.suites.is_empty() && chosen.unknown.is_empty(), "{list}: {chosen:?}");
    }
}

#[test]
fn the_order_is_the_list_s() {
    let chosen = read(INTERMEDIATE);
    assert_eq!(chosen.suites[..2], ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"]);
    assert_eq!(
        chosen.missing,
        ["DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305"]
    );
    let moved = read("HIGH:+AES256");
    assert!(moved.suites.iter().rev().take(2).all(|suite| suite.contains("AES256")), "{moved:?}");
}

#[test]
fn operators_take_away() {
    assert!(read("ALL:!aRSA").suites.iter().all(|suite| suite.contains("ECDSA")));
    assert_eq!(read("ALL:!CHACHA20:CHACHA20").suites, read("ALL:-CHACHA20").suites);
    assert_eq!(read("ALL:-CHACHA20:CHACHA20").suites.len(), 6);
    assert!(read("ECDHE+AESGCM+ECDSA").suites.iter().all(|suite| suite.starts_with("ECDHE-ECDSA-AES")));
}

#[test]
fn what_chooses_nothing_is_named() {
    let chosen = read("RC4:NOSUCHTHING:AES128-SHA");
    assert!(chosen.suites.is_empty());
    assert_eq!(chosen.missing, ["RC4", "AES128-SHA"]);
    assert_eq!(chosen.unknown, ["NOSUCHTHING"]);
}
