//! Files as a real nginx answers with them, from the same directory and by the same configuration.

use crate::support::{age, each};
use crate::vars::beside::Beside;
use bifrons_testkit::{Message, TempDir};
use std::os::unix::fs::symlink;

const TAG: &str = "\"5e0d5da5-a\"";
const DATE: &str = "Thu, 02 Jan 2020 03:04:05 GMT";

/// A directory whose files were all changed long ago.
fn site() -> TempDir {
    let dir = TempDir::new();
    let long = "ü".repeat(55);
    let files = [
        ("a.txt", "0123456789"),
        ("empty.txt", ""),
        ("index.html", "<h1>home</h1>"),
        ("style.css", "a{}"),
        ("pre/app.js", "plain"),
        ("pre/app.js.gz", "GZ"),
        ("pre/only.css.gz", "GZ"),
        ("list/sub/x", "x"),
        ("list/z/x", "x"),
        ("list/B.txt", "x"),
        ("list/.hidden", "x"),
        ("list/a<b>&\"q'.txt", "xyz"),
        ("list/with space;#?%:.txt", "x"),
        (&*format!("list/{long}.txt"), "x"),
        (&*format!("list/{}", "l".repeat(51)), "x"),
        ("list/tab\there", "x"),
        ("list/back\\slash", "x"),
        ("links/real/f.txt", "real"),
    ];
    for (name, content) in files {
        dir.write(name, content);
    }
    for (name, len) in [("ten", 10_000), ("nines", 9999), ("meg", 1 << 20), ("more", 3 << 19)] {
        dir.write(&format!("list/{name}"), vec![0; len]);
    }
    symlink("../a.txt", dir.path().join("list/tofile")).unwrap();
    symlink("sub", dir.path().join("list/todir")).unwrap();
    symlink("real", dir.path().join("links/dirlink")).unwrap();
    symlink("real/f.txt", dir.path().join("links/filelink")).unwrap();
    age(dir.path());
    dir
}

fn both(site: &TempDir, locations: &str) -> Beside {
    let root = site.path().display().to_string();
    let locations = locations.replace("@site@", &root);
    Beside::start(&format!(
        "types {{ text/html html; text/plain txt; text/css css; application/javascript js; }}\n\
         default_type application/octet-stream;\n\
         server {{ listen @web@; root {root};\n{locations}\n}}"
    ))
}

/// What must be the same: status, body and all fields, but for those that concern the connection and those
/// in which we differ. A page of an error is the server's own.
fn told(mut answer: Message) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let status = answer.status();
    let is_page = status >= 300;
    // A listing has a length here, where nginx sends chunks; a body with fields behind it has none in both.
    let is_listing = answer.body.starts_with(b"<html>\r\n<head><title>Index of");
    let left_out = ["date", "server", "connection", "keep-alive", "allow", "transfer-encoding"];
    answer.fields.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let is_of_page = is_page && ["content-length", "content-type"].contains(&&*name)
            || is_listing && name == "content-length";
        !left_out.contains(&&*name) && !is_of_page
    });
    for (name, value) in &mut answer.fields {
        if name == "Location"
            && let Some(rest) = value.strip_prefix("http://")
        {
            *value = rest[rest.find('/').unwrap()..].to_owned();
        }
    }
    answer.fields.sort();
    (status, answer.fields, if is_page { Vec::new() } else { answer.body })
}

/// Asks both the same; `request` is a method and a path, then fields in lines.
fn compare(both: &Beside, request: &str) -> Result<(), String> {
    let (line, fields) = request.split_once('\n').unwrap_or((request, ""));
    let fields: String = fields.lines().map(|field| format!("{}\r\n", field.trim())).collect();
    let (ours, nginx) = both.both(&format!("{line} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n"));
    let (ours, Some(nginx)) = (told(ours), nginx.map(told)) else { return Ok(()) };
    if ours == nginx { Ok(()) } else { Err(format!("{request}\n  ours  {ours:?}\n  nginx {nginx:?}")) }
}

#[track_caller]
fn all(both: &Beside, requests: &[String]) {
    each(requests.iter().map(|request| ("", request)), |request| compare(both, request));
}

#[test]
fn conditions_and_single_ranges() {
    let site = site();
    let both = both(
        &site,
        "location /noetag/ { alias @site@/; etag off; }
         location /before/ { alias @site@/; if_modified_since before; }
         location /off/ { alias @site@/; if_modified_since off; }
         location /none/ { alias @site@/; max_ranges 0; }
         location /one/ { alias @site@/; max_ranges 1; }",
    );
    let fields = [
        "",
        "Range: bytes=2-4",
        "Range: bytes=0-1,99-",
        "Range: bytes=0-8,1-9",
        "Range: bytes=10-",
        "Range: bytes=5-4",
        "Range: bytes=0-1,x",
        "Range: bytes=-0",
        "Range: bytes=-5",
        "Range: bytes=-50",
        "Range: bytes= 1 - 2",
        "Range: BYTES=1-2",
        "Range: bytes=",
        "Range: bytes=x",
        "Range: lines=1-2",
        &format!("Range: bytes=0-0\nIf-Range: {TAG}"),
        &format!("Range: bytes=0-0\nIf-Range: W/{TAG}"),
        &format!("Range: bytes=0-0\nIf-Range: {DATE}"),
        "Range: bytes=0-0\nIf-Range: \"x\"",
        &format!("If-None-Match: {TAG}"),
        &format!("If-None-Match: W/{TAG}"),
        &format!("If-None-Match: \"x\", {TAG}"),
        "If-None-Match: *",
        "If-None-Match: \"x\"",
        &format!("If-Modified-Since: {DATE}"),
        "If-Modified-Since: Thu, 02 Jan 2025 03:04:05 GMT",
        "If-Modified-Since: Sat, 02 Jan 2010 03:04:05 GMT",
        "If-Modified-Since: nonsense",
        &format!("If-None-Match: \"x\"\nIf-Modified-Since: {DATE}"),
        "If-Match: \"x\"",
        &format!("If-Match: {TAG}"),
        "If-Match: *",
        "If-Unmodified-Since: Sat, 02 Jan 2010 03:04:05 GMT",
        &format!("If-None-Match: {TAG}\nRange: bytes=0-1"),
    ];
    for prefix in ["", "/noetag", "/before", "/off", "/none", "/one"] {
        let requests: Vec<_> = fields.iter().map(|fields| format!("GET {prefix}/a.txt\n{fields}")).collect();
        all(&both, &requests);
    }
    let empty = ["bytes=0-", "bytes=0-0", "bytes=5-", "bytes=-1"];
    all(&both, &empty.map(|range| format!("GET /empty.txt\nRange: {range}")));
}

#[test]
fn several_ranges() {
    let site = site();
    let both = both(&site, "");
    for range in ["0-1,3-4", "3-4, 0-1", "0-1,-2", "0-1,99-,5-5", "0-4,5-9"] {
        let request = format!("GET /a.txt HTTP/1.1\r\nHost: a.example\r\nRange: bytes={range}\r\n\r\n");
        let parts = |answer: Message| {
            let kind = answer.field("Content-Type").unwrap().to_owned();
            let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap().to_owned();
            (
                boundary.len(),
                answer.field("Content-Length").map(str::to_owned),
                answer.text().replace(&boundary, "B"),
            )
        };
        let (ours, nginx) = both.both(&request);
        let Some(nginx) = nginx else { return };
        assert_eq!(parts(ours), parts(nginx), "{range}");
    }
}

#[test]
fn methods_and_names() {
    let site = site();
    let both = both(&site, "location /list/ { autoindex on; }");
    let mut requests = Vec::new();
    for path in ["/a.txt", "/absent", "/", "/list/", "/pre/", "/list/sub"] {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            requests.push(format!("{method} {path}\nContent-Length: 0"));
        }
    }
    let long = format!("/{}", "x".repeat(300));
    let deep = format!("/{}", "x/".repeat(3000));
    for path in [
        "/",
        "/pre",
        "/pre?x=1",
        "/pre/",
        "/absent",
        "/a.txt/",
        "/a.txt/x",
        "//a.txt",
        "/list//sub/",
        "/a%00b",
        &long,
        &deep,
        "/list/tofile",
        "/list/todir",
        "/list/todir/",
        "/links/",
        "/style.css",
        "/list/with%20space%3B%23%3F%25:.txt",
    ] {
        requests.push(format!("GET {path}"));
        requests.push(format!("HEAD {path}"));
    }
    // The length of a listing is told to a HEAD here.
    requests.retain(|request| !["HEAD /list//sub/", "HEAD /list/todir/"].contains(&&**request));
    all(&both, &requests);
}

#[test]
fn listings() {
    let site = site();
    let both = both(
        &site,
        "location /list/ { autoindex on; }
         location /human/ { alias @site@/list/; autoindex on; autoindex_exact_size off; charset utf-8; }
         location /local/ { alias @site@/list/; autoindex on; autoindex_localtime on; }
         location /json/ { alias @site@/list/; autoindex on; autoindex_format json; }
         location /jsonp/ { alias @site@/list/; autoindex on; autoindex_format jsonp; }
         location /xml/ { alias @site@/list/; autoindex on; autoindex_format xml; }",
    );
    let paths = [
        "/list/",
        "/human/",
        "/local/",
        "/json/",
        "/jsonp/",
        "/jsonp/?callback=a.b_9",
        "/jsonp/?callback=a(",
        "/jsonp/?callback=",
        "/xml/",
        "/list/sub/",
        "/json/sub/",
        "/xml/sub/",
        "/list/absent/",
        "/list/?x=1",
    ];
    let without_length = |answer: Message| {
        let (status, mut fields, body) = told(answer);
        fields.retain(|(name, _)| name != "Content-Length");
        (status, fields, String::from_utf8_lossy(&body).into_owned())
    };
    for path in paths {
        let (ours, nginx) = both.both(&format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n"));
        let Some(nginx) = nginx else { return };
        assert_eq!(without_length(ours), without_length(nginx), "{path}");
    }
}

#[test]
fn compressed_files() {
    let site = site();
    let both = both(
        &site,
        "location /pre/ { gzip_static on; }
         location /vary/ { alias @site@/pre/; gzip_static on; gzip_vary on; }
         location /always/ { alias @site@/pre/; gzip_static always; gzip_vary on; }
         location /proxied/ { alias @site@/pre/; gzip_static on; gzip_proxied any; gzip_http_version 1.0; }",
    );
    let accepts = [
        "",
        "gzip",
        "gzip;q=0",
        "br, gzip;q=0.5",
        "identity",
        "gzip;q=1.000",
        "GZIP",
        "gzip;q=0.0",
        "deflate,gzip",
        "gzip ; q=0.1",
        "agzip",
    ];
    let mut requests = Vec::new();
    for prefix in ["/pre", "/vary", "/always", "/proxied"] {
        for accept in accepts {
            requests.push(format!("GET {prefix}/app.js\nAccept-Encoding: {accept}"));
            // nginx says `Vary` of a 404 too.
            if prefix != "/vary" {
                requests.push(format!("GET {prefix}/only.css\nAccept-Encoding: {accept}"));
            }
        }
        requests.push(format!("GET {prefix}/absent\nAccept-Encoding: gzip"));
        requests.push(format!("HEAD {prefix}/app.js\nAccept-Encoding: gzip"));
        requests.push(format!("POST {prefix}/app.js\nAccept-Encoding: gzip\nContent-Length: 0"));
        requests.push(format!("GET {prefix}/app.js\nAccept-Encoding: gzip\nVia: 1.1 x"));
        requests.push(format!("GET {prefix}/app.js\nAccept-Encoding: gzip\nRange: bytes=0-0"));
        requests.push(format!("GET {prefix}/app.js\nAccept-Encoding: gzip\nIf-None-Match: \"5e0d5da5-2\""));
        requests.push(format!("GET {prefix}/app.js\nAccept-Encoding: gzip\nIf-None-Match: \"5e0d5da5-5\""));
    }
    all(&both, &requests);
}

#[test]
fn expiry_and_charset() {
    let site = site();
    let both = both(
        &site,
        "location /epoch/ { alias @site@/; expires epoch; }
         location /max/ { alias @site@/; expires max; }
         location /off/ { alias @site@/; expires off; }
         location /modified/ { alias @site@/; expires modified +24h; }
         location /past/ { alias @site@/; expires modified -1h; }
         location /var/ { alias @site@/; expires $arg_e; add_header Cache-Control public; }
         location /utf/ { alias @site@/; charset utf-8; }
         location /koi/ { alias @site@/; charset koi8-r; charset_types text/css; }
         location /same/ { alias @site@/; charset utf-8; source_charset utf-8; }",
    );
    let mut requests = Vec::new();
    for prefix in ["/epoch", "/max", "/off", "/modified", "/past", "/utf", "/koi", "/same"] {
        for path in ["a.txt", "index.html", "style.css", "absent", "pre/app.js"] {
            requests.push(format!("GET {prefix}/{path}"));
        }
        requests.push(format!("GET {prefix}/a.txt\nIf-None-Match: {TAG}"));
        requests.push(format!("GET {prefix}/a.txt\nRange: bytes=0-1"));
    }
    for value in ["", "off", "epoch", "max", "bogus", "modified", "1h1h"] {
        requests.push(format!("GET /var/a.txt?e={value}"));
    }
    all(&both, &requests);
}

#[test]
fn restricted_links() {
    let site = site();
    let both = both(
        &site,
        "location /on/ { alias @site@/links/; disable_symlinks on from=@site@; }
         location /owner/ { alias @site@/links/; disable_symlinks if_not_owner; }
         location /from/ { alias @site@/links/; disable_symlinks on from=@site@/links/dirlink; }
         location /links/ { disable_symlinks on from=$document_root; }",
    );
    let mut requests = Vec::new();
    for prefix in ["/on", "/owner", "/from", "/links"] {
        for path in ["real/f.txt", "dirlink/f.txt", "filelink", "dirlink/", "dirlink", "absent"] {
            requests.push(format!("GET {prefix}/{path}"));
        }
    }
    all(&both, &requests);
}

#[test]
fn a_cache_of_open_files() {
    let site = site();
    let both = both(
        &site,
        "open_file_cache max=100 inactive=20s; open_file_cache_valid 30s; open_file_cache_errors on;
         location /twice/ { alias @site@/; open_file_cache_min_uses 2; }",
    );
    for _ in 0..3 {
        for prefix in ["", "/twice"] {
            let paths = ["a.txt", "absent", "pre", "pre/", "", "list/meg", "a.txt/"];
            all(&both, &paths.map(|path| format!("GET {prefix}/{path}")));
            all(&both, &paths.map(|path| format!("HEAD {prefix}/{path}")));
        }
    }
}

#[test]
fn builtin_answers() {
    let site = site();
    let both = both(&site, "location = /gif { empty_gif; } location = /status { stub_status; }");
    all(
        &both,
        &[
            "GET /gif".to_owned(),
            "HEAD /gif".to_owned(),
            "POST /gif\nContent-Length: 0".to_owned(),
            "POST /status\nContent-Length: 0".to_owned(),
            "GET /gif\nIf-Modified-Since: Mon, 28 Sep 1970 06:00:00 GMT".to_owned(),
        ],
    );
    let (ours, nginx) = both.both("GET /status HTTP/1.1\r\nHost: a.example\r\n\r\n");
    let form =
        |text: &str| text.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect::<String>();
    assert_eq!(form(ours.text()).lines().count(), 4);
    if let Some(nginx) = nginx {
        assert_eq!(form(ours.text()).replace("99", "9"), form(nginx.text()).replace("99", "9"));
    }
}

#[test]
fn fields_behind_bodies() {
    let site = site();
    let both = both(&site, "add_trailer X-T $request_method; add_trailer X-U v always; location /list/ { }");
    for path in ["/a.txt", "/style.css"] {
        for version in ["1.1", "1.0"] {
            let request = format!("GET {path} HTTP/{version}\r\nHost: a.example\r\n\r\n");
            let (ours, nginx) = both.both(&request);
            let Some(nginx) = nginx else { return };
            let sorted = |mut fields: Vec<_>| {
                fields.sort();
                fields
            };
            assert_eq!(sorted(ours.trailers.clone()), sorted(nginx.trailers), "{path} {version}");
            assert_eq!(ours.trailers.is_empty(), version == "1.0");
            assert_eq!(ours.body, nginx.body);
        }
    }
}
