//! Big plain bodies through the kernel: `splice(2)` from socket to pipe to socket.

use super::endpoint_done;
use super::hold::Keeper;
use crate::attempt::client_left;
use crate::conn::ConnCx;
use crate::request::Task;
use bifrons_core::{Error, Kind, Result, Side};
use bifrons_http::Body;
use bifrons_http::h1::Conn;
use bifrons_model::ClientAbort;
use bifrons_net::splice::Pipe;
use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

/// 32 KiB still to come: below it one read and one write cost less than two moves through a pipe. With a body of
/// 64 KiB the moves took a sixth less CPU (`h1-64k`, AMD EPYC, loopback).
const SPLICE_BYTES_MIN: u64 = 32 * 1024;
/// 1 MiB: the most one system call moves before other connections of the worker get their turn.
pub(super) const TURN_BYTES: usize = 1024 * 1024;

/// Moves the rest of a body that is big, plain on both sides and of known length, or as much of it as the
/// client keeps up with; does nothing for any other.
pub(super) async fn rest(
    task: &mut Task<'_>,
    body: &mut Body,
    is_plain: bool,
    keeper: &mut Keeper,
) -> Result<()> {
    let Body::H1(upstream) = &*body else { return Ok(()) };
    let left = upstream.left().unwrap_or(0);
    let is_tls = upstream.conn().is_tls() || task.conn.http.is_tls();
    if !is_plain
        || is_tls
        || left < SPLICE_BYTES_MIN
        || upstream.conn().has_buffered()
        || upstream.is_pumping()
    {
        return Ok(());
    }
    let Ok(mut pipe) = task.conn.worker.take_pipe() else { return Ok(()) };
    let from = upstream.conn().clone();
    let moved = Box::pin(run(task, body, (&from, &mut pipe), keeper)).await;
    task.conn.worker.put_pipe(pipe);
    moved?;
    if let Body::H1(upstream) = body
        && upstream.left() == Some(0)
        && !upstream.is_ended()
    {
        upstream.finish();
        endpoint_done(task);
    }
    Ok(())
}

async fn run(
    task: &mut Task<'_>,
    body: &mut Body,
    (from, pipe): (&Conn, &mut Pipe),
    keeper: &mut Keeper,
) -> Result<()> {
    let to = task.conn.http.clone();
    let abort = super::client_abort(task);
    let mut left = body.length().unwrap_or(0);
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(TURN_BYTES);
        let len = fill(from, pipe, want, (task.conn, abort)).await?;
        if len == 0 {
            return Err(Error::upstream(Kind::Closed, "closed in the middle of a body"));
        }
        left -= len as u64;
        from.pass_body(len as u64);
        while !pipe.is_empty() {
            let len = match keeper.holds() {
                false => drain(&to, pipe, left > 0, task.send_timeout()).await?,
                true => match keeper.drain(task, pipe, left > 0).await? {
                    Some(len) => len,
                    None => {
                        keeper.hold_behind(task, body, pipe).await?;
                        left = body.length().unwrap_or(0);
                        if from.has_buffered() {
                            return Ok(());
                        }
                        continue;
                    }
                },
            };
            to.count_sent(len as u64);
            super::count_moved(task, len as u64);
        }
    }
    Ok(())
}

async fn fill(
    from: &Conn,
    pipe: &mut Pipe,
    want: usize,
    (client, abort): (&ConnCx, ClientAbort),
) -> Result<usize> {
    let len = poll_fn(|cx| match pipe.poll_fill(cx, from.stream(), want) {
        Poll::Ready(Ok(len)) => Poll::Ready(Ok(len)),
        Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(Side::Upstream, &err))),
        Poll::Pending => match client_left(cx, abort, client) {
            Some(err) => Poll::Ready(Err(err)),
            None => from.poll_body_timer(cx).map(Err),
        },
    })
    .await?;
    from.clear_read_timer();
    Ok(len)
}

async fn drain(to: &Conn, pipe: &mut Pipe, more: bool, limit: Duration) -> Result<usize> {
    let len = poll_fn(|cx| match pipe.poll_drain(cx, to.stream(), more) {
        Poll::Ready(Ok(len)) => Poll::Ready(Ok(len)),
        Poll::Ready(Err(err)) => Poll::Ready(Err(Error::io(Side::Downstream, &err))),
        Poll::Pending => {
            let err = ready!(to.poll_write_timer(cx, limit));
            Poll::Ready(Err(err))
        }
    })
    .await?;
    to.clear_write_timer();
    Ok(len)
}
