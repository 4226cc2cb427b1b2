//! Programs that others wrote: curl, nghttp, h2load.

use crate::clients::run;
use crate::support::{front, front_with, pattern, routes_to};
use bifrons_testkit::{Origin, TempDir};

#[test]
fn the_server_field_of_interim_answers_is_the_listeners_affair() {
    let origin = Origin::answering(
        "HTTP/1.1 103 Early Hints\r\nServer: leaky\r\nLink: </a.css>\r\n\r\n\
         HTTP/1.1 200 OK\r\nServer: leaky\r\nContent-Length: 0\r\n\r\n",
    );
    let proxy = front_with(&origin, ", server: off", "");
    let url = format!("http://{}/", proxy.addr("web"));
    let Some(said) = run("curl", &["-sS", "-i", "--max-time", "20", "--http2-prior-knowledge", &url]) else {
        return;
    };
    assert!(said.contains("103") && said.contains("a.css") && !said.contains("leaky"), "{said}");
}

#[test]
fn curl() {
    let origin = Origin::mirror();
    let proxy = front(&origin);
    let (dir, body) = (TempDir::new(), pattern(2_000_000));
    let upload = dir.write("body", &body);
    let echo = dir.path().join("echo");
    let url = format!("http://{}/", proxy.addr("web"));
    let data = format!("@{}", upload.display());
    let args = ["-sS", "--http2-prior-knowledge", "-w", "%{http_version} %{response_code}", "--data-binary"];
    let echo_text = echo.display().to_string();
    let Some(told) = run("curl", &[&args[..], &[&data, "-o", &echo_text, &url]].concat()) else { return };
    assert_eq!(told, "2 200");
    assert!(std::fs::read(echo).unwrap() == body);
}

#[test]
fn nghttp() {
    let origin = Origin::saying("hello");
    let proxy = front(&origin);
    let url = format!("http://{}/", proxy.addr("web"));
    // With PRIORITY frames, padding, and trailers of its own.
    let Some(told) = run(
        "nghttp",
        &["-v", "-p", "20", "-H", "x-a: b", "--trailer", "x-t: u", "-d", "/etc/hostname", &url],
    ) else {
        return;
    };
    assert!(told.contains(":status: 200") && told.contains("hello"), "{told}");
}

#[test]
fn h2load() {
    let origin = Origin::saying("hello");
    let proxy = routes_to(&origin, "- path: /file\n  respond: { body: file }\n- path: /*\n  proxy: app\n");
    let base = format!("http://{}", proxy.addr("web"));
    for path in ["/", "/file"] {
        let url = format!("{base}{path}");
        let Some(told) = run("h2load", &["-n", "20000", "-c", "8", "-m", "16", &url]) else { return };
        assert!(told.contains("20000 succeeded, 0 failed, 0 errored"), "{told}");
    }
}
