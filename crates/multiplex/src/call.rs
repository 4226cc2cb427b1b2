//! A request on its stream: its body goes out while the answer's head is waited for.

use crate::answer::{Answer, Rest};
use crate::link::Lease;
use crate::tunnel::Tunnel;
use crate::upload::Upload;
use bifrons_core::{Error, Limits, Result, Side};
use bifrons_http::h2::upstream;
use bifrons_http::{Body, ResponseHead};
use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// A request that was sent.
pub struct Call {
    response: ResponseFuture,
    upload: Option<Box<Upload>>,
    lease: Lease,
    /// Of one that opens a tunnel: what goes up.
    send: Option<SendStream<Bytes>>,
    /// Bytes of the body sent by an upload that is over.
    sent: u64,
    /// Bytes of heads that have come, as they would be over HTTP/1.
    received: u64,
    is_heard: bool,
}

/// What comes of an answer.
pub enum Head {
    /// An interim answer (1xx); more comes.
    Interim(ResponseHead),
    /// The answer itself, and what its body is read from.
    Final(ResponseHead, RecvStream),
}

impl Call {
    pub(crate) fn new(
        lease: Lease,
        response: ResponseFuture,
        (stream, body, is_last): (SendStream<Bytes>, Body, bool),
        send_timeout: Duration,
    ) -> Self {
        let meter = lease.link.meter.clone();
        let upload = (!is_last).then(|| Box::new(Upload::new(stream, body, send_timeout, meter)));
        Self { response, upload, lease, send: None, sent: 0, received: 0, is_heard: false }
    }

    /// One that opens a tunnel: what goes up follows once the answer's head has come.
    pub(crate) fn opening(lease: Lease, response: ResponseFuture, send: SendStream<Bytes>) -> Self {
        Self { response, upload: None, lease, send: Some(send), sent: 0, received: 0, is_heard: false }
    }

    /// Whether the request is still being sent.
    pub fn is_sending(&self) -> bool {
        self.upload.is_some()
    }

    /// Bytes of the body that were sent so far.
    pub fn sent(&self) -> u64 {
        self.upload.as_ref().map_or(self.sent, |upload| upload.sent())
    }

    /// Bytes of the answer's heads so far, before HPACK.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The body, as long as nothing was taken from it.
    pub fn untouched(&mut self) -> Option<Body> {
        self.upload.take()?.untouched()
    }

    /// Sends on of the body what can be sent now.
    ///
    /// # Errors
    /// The body's own.
    pub fn poll_upload(&mut self, cx: &mut Context<'_>) -> Result<()> {
        let sent = &mut self.sent;
        poll_upload(&mut self.upload, cx, |upload| *sent = upload.sent())
    }

    /// The next head of the answer.
    ///
    /// # Errors
    /// Of the endpoint's side, with what may be tried again.
    pub fn poll_head(&mut self, cx: &mut Context<'_>, limits: &Limits) -> Poll<Result<Head>> {
        let interim = match self.response.poll_informational(cx) {
            Poll::Ready(Some(Ok(interim))) => Some(interim),
            Poll::Ready(Some(Err(err))) => return Poll::Ready(Err(self.failed(&err))),
            // The final one is there, or the stream has ended; or nothing has come, and then we are woken.
            Poll::Ready(None) | Poll::Pending => None,
        };
        if let Some(interim) = interim {
            self.is_heard = true;
            let head = upstream::response(interim.status().as_u16(), interim.headers(), limits)?;
            self.received += head.text_len();
            return Poll::Ready(Ok(Head::Interim(head)));
        }
        let response = match ready!(Pin::new(&mut self.response).poll(cx)) {
            Ok(response) => response,
            Err(err) => return Poll::Ready(Err(self.failed(&err))),
        };
        let (parts, stream) = response.into_parts();
        let head = upstream::response(parts.status.as_u16(), &parts.headers, limits)?;
        self.received += head.text_len();
        Poll::Ready(Ok(Head::Final(head, stream)))
    }

    /// An upload that is untouched may go elsewhere, so what says that nothing was processed stands.
    fn failed(&self, err: &h2::Error) -> Error {
        crate::failure(err, self.lease.is_reused && !self.is_heard)
    }

    /// The tunnel that the endpoint has agreed to; `None` where none was asked for.
    pub fn tunnel(self, recv: RecvStream) -> Option<Tunnel> {
        Some(Tunnel::new(self.send?, recv, self.lease))
    }

    /// The body of the answer.
    pub fn answer(self, stream: RecvStream, rest: Rest) -> Answer {
        Answer::new((stream, self.upload, self.lease), rest)
    }
}

/// Polls an upload, which is gone once it has sent everything or the endpoint takes no more.
///
/// # Errors
/// The body's own.
pub(crate) fn poll_upload(
    upload: &mut Option<Box<Upload>>,
    cx: &mut Context<'_>,
    done: impl FnOnce(&Upload),
) -> Result<()> {
    let Some(running) = upload else { return Ok(()) };
    let Poll::Ready(outcome) = running.poll(cx) else { return Ok(()) };
    done(running);
    match outcome {
        Err(err) if err.side() != Side::Upstream => {
            *upload = None;
            Err(err)
        }
        // An endpoint that takes no more may have answered early: look for that. One that took nothing at all
        // leaves the body whole.
        Err(_) if running.is_untouched() => Ok(()),
        _ => {
            *upload = None;
            Ok(())
        }
    }
}
