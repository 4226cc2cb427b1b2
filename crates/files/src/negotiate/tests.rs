use super::*;
use crate::testing::request;

fn ordered(accept: &str, codings: &[(Coding, bool)]) -> Vec<(&'static str, bool)> {
    let codings = codings.iter().map(|&(coding, always)| Offer { coding, always }).collect();
    let offered = Precompressed {
        codings,
        vary: Vary::Never,
        http10: false,
        via: false,
        except_user_agents: Vec::new(),
    };
    let req = request("GET", "/", &[("Accept-Encoding", accept)]);
    offered.order(&req).map(|(offer, is_accepted)| (offer.coding.name(), is_accepted)).collect()
}

#[test]
fn weights_are_read_as_thousandths() {
    for (accept, expected) in [
        ("gzip", 1000),
        ("GZIP", 1000),
        ("br, gzip;q=0.5", 500),
        ("gzip ; q=0.123", 123),
        ("gzip;Q=1.000", 1000),
        ("gzip;q=0", 0),
        ("gzip;q=0.000", 0),
        ("gzip;q=1.1", 0),
        ("gzip;q=2", 0),
        ("gzip;q=x", 0),
        ("gzip;q=0.0001", 0),
        ("gzip;level=9;q=0.2", 200),
        ("*", 1000),
        ("*;q=0.3, br", 300),
        ("*, gzip;q=0", 0),
        ("gzip;q=0, *", 0),
        ("identity", 0),
        ("x-gzip", 1000),
        ("agzip", 0),
        ("", 0),
    ] {
        let req = request("GET", "/", &[("Accept-Encoding", accept)]);
        assert_eq!(weight(&req, Coding::Gzip), expected, "{accept}");
    }
    assert_eq!(weight(&request("GET", "/", &[]), Coding::Gzip), 0);
}

#[test]
fn the_client_s_order_goes_before_ours() {
    let all = [(Coding::Brotli, false), (Coding::Zstd, false), (Coding::Gzip, false)];
    assert_eq!(ordered("gzip, zstd, br", &all), [("br", true), ("zstd", true), ("gzip", true)]);
    assert_eq!(ordered("gzip, br;q=0.5", &all), [("gzip", true), ("br", true), ("zstd", false)]);
    assert_eq!(ordered("identity", &all), [("br", false), ("zstd", false), ("gzip", false)]);
    let always = [(Coding::Brotli, false), (Coding::Gzip, true)];
    assert_eq!(ordered("identity", &always), [("gzip", true), ("br", false)]);
}

#[test]
fn proxies_in_between_and_old_clients_get_the_plain_file() {
    let offer = Offer { coding: Coding::Gzip, always: false };
    let accepts = |http10, via, fields: &[(&str, &str)], version| {
        let offered = Precompressed {
            codings: vec![offer],
            vary: Vary::Never,
            http10,
            via,
            except_user_agents: Vec::new(),
        };
        let mut req = request("GET", "/", fields);
        req.version = version;
        offered.order(&req).next().is_some_and(|(_, is_accepted)| is_accepted)
    };
    let (plain, proxied) = (("Accept-Encoding", "gzip"), ("Via", "1.1 x"));
    assert!(accepts(false, false, &[plain], Version::Http11));
    assert!(!accepts(false, false, &[plain, proxied], Version::Http11));
    assert!(accepts(false, true, &[plain, proxied], Version::Http11));
    assert!(!accepts(false, false, &[plain], Version::Http10));
    assert!(accepts(true, false, &[plain], Version::Http10));
}
