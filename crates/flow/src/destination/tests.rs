use super::*;

#[test]
fn urls_fall_into_host_and_path() {
    for (url, want) in [
        ("http://app", Ok(("app", ""))),
        ("http://app:8080/x?y", Ok(("app:8080", "/x?y"))),
        ("HTTP://app?y", Ok(("app", "?y"))),
        ("http://[::1]:80/", Ok(("[::1]:80", "/"))),
        ("http://unix:/run/a.sock", Ok(("unix:/run/a.sock", ""))),
        ("http://unix:/run/a.sock:/x", Ok(("unix:/run/a.sock", "/x"))),
        ("grpc://app:50051", Ok(("app:50051", ""))),
        ("grpc://grpc://app:50051", Ok(("app:50051", ""))),
        ("grpc://grpcs://app:50051", Ok(("grpcs:", "//app:50051"))),
        ("http:///x", Err(())),
        ("http://", Err(())),
        ("https://app", Err(())),
        ("app", Err(())),
        ("", Err(())),
    ] {
        let got = parse(url.as_bytes()).map(|(host, path)| (host, std::str::from_utf8(path).unwrap()));
        assert_eq!(got.map_err(drop), want, "{url}");
    }
    assert!(parse(b"http://\xff/").is_err());
}

#[test]
fn ports_are_told_from_addresses() {
    for (host, want) in
        [("app", false), ("app:1", true), ("[::1]", false), ("[::1]:1", true), ("unix:/a", true)]
    {
        assert_eq!(has_port(host), want, "{host}");
    }
}
