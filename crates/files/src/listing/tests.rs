use super::*;
use crate::Options;
use crate::testing::{Site, content, field, request};
use std::os::unix::fs::symlink;

pub(crate) const PAGE: Listing = Listing {
    format: ListingFormat::Html,
    exact_size: true,
    local_time: false,
    utf8: true,
    page_type: "text/html",
};

/// A directory `d` with these files, all of 6 November 1994.
fn site(listing: Listing, files: &[(&str, usize)]) -> Site {
    let site = Site::with(Options { listing: Some(listing), ..Options::default() });
    site.write("d/.hidden", "");
    for (name, len) in files {
        site.write(&format!("d/{name}"), vec![b'x'; *len]);
        site.touch(&format!("d/{name}"), 784_111_777);
    }
    site
}

fn text(site: &Site, target: &str) -> String {
    String::from_utf8(content(&site.get(target))).unwrap()
}

#[test]
fn a_page_is_nginxs() {
    let site = site(PAGE, &[("b", 3), ("sub/x", 0), ("a<b>&\"' ü.txt", 12345)]);
    site.touch("d/sub", 784_111_777);
    let expected = "<html>\r\n<head><title>Index of /d/</title></head>\r\n<body>\r\n\
        <h1>Index of /d/</h1><hr><pre><a href=\"../\">../</a>\r\n\
        <a href=\"sub/\">sub/</a>                                               06-Nov-1994 08:49                   -\r\n\
        <a href=\"a%3Cb%3E%26%22%27%20%C3%BC.txt\">a&lt;b&gt;&amp;&quot;' ü.txt</a>                                      06-Nov-1994 08:49               12345\r\n\
        <a href=\"b\">b</a>                                                  06-Nov-1994 08:49                   3\r\n\
        </pre><hr></body>\r\n</html>\r\n";
    assert_eq!(text(&site, "/d/"), expected);
    assert_eq!(field(&site.get("/d/"), "content-type"), "text/html");
}

#[test]
fn long_names_are_cut_by_columns() {
    let (short, long) = ("ü".repeat(50), "ü".repeat(51));
    let files = [(short.as_str(), 1), (long.as_str(), 1)];
    let page = text(&site(PAGE, &files), "/d/");
    assert!(page.contains(&format!(">{short}</a> 06")), "{page}");
    assert!(page.contains(&format!(">{}..&gt;</a> 06", "ü".repeat(47))), "{page}");
    // Bytes where names are not taken for UTF-8.
    let bytes = content(&site(Listing { utf8: false, ..PAGE }, &files).get("/d/"));
    let cut = [&"ü".repeat(23).into_bytes(), &[0xc3][..], b"..&gt;</a> 06"].concat();
    assert!(bytes.windows(cut.len()).any(|window| window == cut));
}

#[test]
fn sizes_are_rounded_to_a_unit() {
    let listing = Listing { exact_size: false, ..PAGE };
    let site = site(listing, &[("a", 9999), ("b", 10_000), ("c", 1 << 20), ("d", (3 << 20) / 2)]);
    let page = text(&site, "/d/");
    for (name, size) in [("a", "   9999"), ("b", "    10K"), ("c", "     1M"), ("d", "     2M")] {
        let line = page.lines().find(|line| line.contains(&format!(">{name}<"))).unwrap();
        assert!(line.ends_with(&format!("08:49 {size}")), "{line}");
    }
}

#[test]
fn json_and_xml_are_nginxs() {
    let files = [("b\"\\\t\u{1}", 3), ("sub/x", 0)];
    let json = site(Listing { format: ListingFormat::Json, ..PAGE }, &files);
    json.touch("d/sub", 784_111_777);
    symlink("nowhere", json.root().join("d/z")).unwrap();
    let text_json = text(&json, "/d/");
    let (expected, rest) = text_json.split_at(text_json.find("\"z\"").unwrap());
    assert_eq!(
        expected,
        "[\r\n{ \"name\":\"sub\", \"type\":\"directory\", \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\" },\r\n\
         { \"name\":\"b\\\"\\\\\\t\\u0001\", \"type\":\"file\", \"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\", \"size\":3 },\r\n\
         { \"name\":"
    );
    assert!(
        rest.starts_with("\"z\", \"type\":\"other\", \"mtime\":") && rest.ends_with("GMT\" }\r\n]"),
        "{rest}"
    );
    let xml = site(Listing { format: ListingFormat::Xml, ..PAGE }, &[("b&", 3), ("sub/x", 0)]);
    xml.touch("d/sub", 784_111_777);
    assert_eq!(
        text(&xml, "/d/"),
        "<?xml version=\"1.0\"?>\r\n<list>\r\n<directory mtime=\"1994-11-06T08:49:37Z\">sub</directory>\r\n\
         <file mtime=\"1994-11-06T08:49:37Z\" size=\"3\">b&amp;</file>\r\n</list>\r\n"
    );
}

#[test]
fn a_callback_is_an_identifier() {
    let site = site(Listing { format: ListingFormat::Jsonp, ..PAGE }, &[]);
    assert_eq!(text(&site, "/d/?callback=a.b_9"), "/* callback */\r\na.b_9([\r\n]);");
    assert_eq!(text(&site, "/d/?callback="), "[\r\n]");
    assert_eq!(text(&site, "/d/"), "[\r\n]");
    for callback in ["a(", "a%28", "$", "alert(1)//"] {
        assert_eq!(site.fails(&format!("/d/?callback={callback}")), Kind::Malformed, "{callback}");
    }
}

#[test]
fn a_listing_tells_a_head_its_length() {
    let site = site(PAGE, &[]);
    let head = site.ask(&request("HEAD", "/d/", &[])).unwrap().response;
    assert_eq!(head.body.length(), Some(content(&site.get("/d/")).len() as u64));
}
