//! A check by the standard health service of gRPC (grpc/doc/health-checking.md).

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

/// Asks over a connection that is used for nothing else. `origin`: scheme and host.
///
/// # Errors
/// Why the service is not well, or that nothing is known of it.
pub(super) async fn check(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    (scheme, host): (&str, &str),
    check: &GrpcCheck,
) -> Result<(), String> {
    let handshake = h2::client::handshake(stream).await;
    let (send, conn) = handshake.map_err(|err| format!("HTTP/2: {err}"))?;
    let mut conn = pin!(conn);
    let mut call = pin!(call(send, (scheme, host), check));
    let mut is_open = true;
    // The call moves as the connection does; what had come before that ended counts.
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(verdict) = call.as_mut().poll(cx) {
                return Poll::Ready(verdict);
            }
            if !is_open || conn.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            is_open = false;
        }
    })
    .await
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
