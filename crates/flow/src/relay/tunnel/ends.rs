//! What a tunnel joins: connections, and streams of HTTP/2 on either side.

use super::{Course, Direction, gone};
use bifrons_core::Result;
use bifrons_http::h1::Conn;
use bifrons_http::h2::{Exchange, H2Body};
use bifrons_http::{Duplex, Tunnel};
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// One end.
pub(in crate::relay) enum End<'a> {
    /// A connection, all of it.
    Conn(&'a Conn),
    /// A stream of a client's connection.
    Client(&'a RefCell<H2Body>, &'a Exchange),
    /// A stream of a connection to an endpoint.
    Endpoint(&'a dyn Duplex),
}

/// How long a tunnel may rest.
pub(in crate::relay) struct Limits {
    /// Both directions together.
    pub idle: Duration,
    /// A write to the endpoint.
    pub up: Duration,
    /// A write to the client.
    pub down: Duration,
}

/// Relays until both directions have ended, or one fails, or nothing has moved for too long.
pub(in crate::relay) async fn join(down: &End<'_>, up: &End<'_>, limits: &Limits) -> Result<()> {
    let moved = Cell::new(false);
    let mut there = pin!(one_way((down, up), limits.up, &moved));
    let mut back = pin!(one_way((up, down), limits.down, &moved));
    let mut course = Course::new(limits.idle);
    poll_fn(|cx| {
        if !course.is_over(Direction::There)
            && let Poll::Ready(end) = there.as_mut().poll(cx)
        {
            course.end(Direction::There, end)?;
        }
        if !course.is_over(Direction::Back)
            && let Poll::Ready(end) = back.as_mut().poll(cx)
        {
            course.end(Direction::Back, end)?;
        }
        course.poll(cx, moved.take())
    })
    .await
}

async fn one_way((from, to): (&End<'_>, &End<'_>), limit: Duration, moved: &Cell<bool>) -> Result<()> {
    // Bounded: every turn passes bytes on.
    loop {
        let bytes = from.read().await?;
        moved.set(true);
        if bytes.is_empty() {
            return to.end();
        }
        to.write(bytes, limit).await.map_err(gone)?;
    }
}

impl<'a> End<'a> {
    /// The endpoint's.
    pub(in crate::relay) fn of(tunnel: &'a Tunnel) -> Self {
        match tunnel {
            Tunnel::Conn(conn) => Self::Conn(conn),
            Tunnel::Stream(stream) => Self::Endpoint(&**stream),
        }
    }

    /// The next bytes; none at the end.
    async fn read(&self) -> Result<Bytes> {
        match self {
            Self::Conn(conn) => poll_fn(|cx| conn.poll_raw(cx, Duration::MAX)).await,
            Self::Client(body, _) => {
                Ok(poll_fn(|cx| body.borrow_mut().poll_next(cx)).await?.unwrap_or_default())
            }
            Self::Endpoint(stream) => poll_fn(|cx| stream.poll_read(cx)).await,
        }
    }

    async fn write(&self, mut bytes: Bytes, limit: Duration) -> Result<()> {
        if let Self::Conn(conn) = self {
            return conn.write([&bytes, b"", b""], limit).await;
        }
        while !bytes.is_empty() {
            let room = poll_fn(|cx| match self {
                Self::Client(_, exchange) => exchange.poll_room(cx, bytes.len(), limit),
                Self::Endpoint(stream) => stream.poll_room(cx, bytes.len(), limit),
                Self::Conn(_) => std::task::Poll::Ready(Ok(bytes.len())),
            });
            let room = room.await?;
            let part = bytes.split_to(room.min(bytes.len()));
            self.send(part, false)?;
        }
        Ok(())
    }

    /// Says that nothing more comes.
    fn end(&self) -> Result<()> {
        if let Self::Conn(conn) = self {
            conn.end_write();
            return Ok(());
        }
        self.send(Bytes::new(), true)
    }

    fn send(&self, bytes: Bytes, is_last: bool) -> Result<()> {
        match self {
            Self::Client(_, exchange) => exchange.data(bytes, is_last),
            Self::Endpoint(stream) => stream.send(bytes, is_last),
            Self::Conn(_) => Ok(()),
        }
    }
}
