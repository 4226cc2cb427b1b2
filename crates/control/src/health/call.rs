//! Checks over HTTP/2: of a path, and by the standard health service of gRPC (grpc/doc/health-checking.md).

use bifrons_grpc::health;
use bifrons_model::GrpcCheck;
use bytes::Bytes;
use h2::client::SendRequest;
use http::HeaderMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use tokio::io::{AsyncRead, AsyncWrite};

/// 4 KiB of an answer: its message has two bytes.
const BODY_BYTES_MAX: usize = 4 * 1024;

/// Asks the health service over a connection that is used for nothing else. `origin`: scheme and host.
///
/// # Errors
/// Why the service is not well, or that nothing is known of it.
pub(super) async fn check(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    origin: (&str, &str),
    check: &GrpcCheck,
) -> Result<(), String> {
    over(stream, |send| call(send, origin, check)).await
}

/// Asks for a path over such a connection: the answer as HTTP/1 would have it, and so much of its body.
///
/// # Errors
/// Why there is none.
pub(super) async fn get(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    origin: (&str, &str),
    (path, body_max): (&str, usize),
) -> Result<Vec<u8>, String> {
    over(stream, |send| answer(send, origin, (path, body_max))).await
}

/// Makes a call, which moves as the connection does; what had come before that ended counts.
async fn over<T, F: Future<Output = Result<T, String>>>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    call: impl FnOnce(SendRequest<Bytes>) -> F,
) -> Result<T, String> {
    let handshake = h2::client::handshake(stream).await;
    let (send, conn) = handshake.map_err(|err| format!("HTTP/2: {err}"))?;
    let mut conn = pin!(conn);
    let mut call = pin!(call(send));
    let mut is_open = true;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(outcome) = call.as_mut().poll(cx) {
                return Poll::Ready(outcome);
            }
            if !is_open || conn.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            is_open = false;
        }
    })
    .await
}

async fn answer(
    mut send: SendRequest<Bytes>,
    (scheme, host): (&str, &str),
    (path, body_max): (&str, usize),
) -> Result<Vec<u8>, String> {
    let request = http::Request::get(format!("{scheme}://{host}{path}"))
        .version(http::Version::HTTP_2)
        .header("user-agent", "bifrons-health-check")
        .body(())
        .map_err(|err| err.to_string())?;
    let text = |err: h2::Error| err.to_string();
    let (answer, _) = send.send_request(request, true).map_err(text)?;
    let (head, mut stream) = answer.await.map_err(text)?.into_parts();
    let mut bytes = format!("HTTP/1.1 {} \r\n", head.status.as_u16()).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(b"\r\n");
    let most = bytes.len() + body_max;
    while bytes.len() < most
        && let Some(piece) = stream.data().await
    {
        let piece = piece.map_err(text)?;
        stream.flow_control().release_capacity(piece.len()).map_err(text)?;
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

async fn call(
    mut send: SendRequest<Bytes>,
    (scheme, host): (&str, &str),
    check: &GrpcCheck,
) -> Result<(), String> {
    let request = http::Request::post(format!("{scheme}://{host}{}", health::PATH))
        .version(http::Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "bifrons-health-check")
        .body(())
        .map_err(|err| err.to_string())?;
    let text = |err: h2::Error| err.to_string();
    let (answer, mut body) = send.send_request(request, false).map_err(text)?;
    body.send_data(health::question(&check.service).into(), true).map_err(text)?;
    let (head, mut stream) = answer.await.map_err(text)?.into_parts();
    if head.status != 200 {
        return Err(format!("status {} of HTTP", head.status.as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(piece) = stream.data().await {
        bytes.extend_from_slice(&piece.map_err(text)?);
        if bytes.len() > BODY_BYTES_MAX {
            return Err("an answer that is no health service's".to_owned());
        }
    }
    let trailers = stream.trailers().await.map_err(text)?;
    // An answer that ends with its head says there how.
    match code(trailers.as_ref().unwrap_or(&head.headers)) {
        None => Err("an answer without grpc-status".to_owned()),
        Some(0) => health::verdict(&bytes),
        Some(code) if check.status == Some(code) => Ok(()),
        Some(code) => Err(format!("grpc-status {code}")),
    }
}

fn code(fields: &HeaderMap) -> Option<u16> {
    fields.get("grpc-status")?.to_str().ok()?.parse().ok()
}
