use super::*;

#[test]
fn a_head_keeps_order_case_and_bytes() {
    let head = b"GET /a?b HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:  \xff \r\n\r\n";
    let request = Request::parse(head).unwrap();
    assert_eq!(request.path(), ("/a", "b"));
    let names: Vec<_> = request.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(names, [("Host", "x"), ("X-A", "1"), ("x-a", "\u{ff}")]);
}

#[tokio::test]
async fn bodies_of_both_framings_and_the_request_behind_them() {
    let (mut client, server) = tokio::io::duplex(4096);
    let text = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
        POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;x\r\nde\r\n1\r\nf\r\n0\r\nT: 1\r\n\r\n\
        GET /end HTTP/1.1\r\n\r\n";
    client.write_all(text).await.unwrap();
    let mut io = Reader::new(server);
    for expected in [&b"abc"[..], b"def", b""] {
        let request = io.request().await.unwrap().unwrap();
        let mut body = Vec::new();
        io.body(&request, |piece| body.extend_from_slice(piece)).await.unwrap();
        assert_eq!(body, expected);
    }
}
