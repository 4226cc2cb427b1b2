//! The one stream type: a non-blocking socket that is read into a buffer we own and written from slices.
//!
//! All methods take `&self`, so one task may read and write the same connection at once (early answers,
//! tunnels) without a lock. One reader and one writer may wait at a time.
//!
//! System calls are counted here: a read that did not fill its buffer has emptied the socket, so the
//! next read waits for readiness first instead of asking the kernel in vain (edge-triggered epoll
//! reports what comes later). A write is tried at once.

use crate::tcp_info::{self, TcpInfo};
use bytes::BytesMut;
use news::News;
use rustix::net::{RecvFlags, SendFlags, Shutdown};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A connected stream socket (TCP or Unix), registered with the worker's reactor: from the beginning, or from
/// the first time that somebody has to wait for it.
pub struct Stream {
    /// Its registration. Before the descriptor, since fields are dropped in order.
    reactor: OnceLock<AsyncFd<Registered>>,
    fd: OwnedFd,
    news: News,
}

/// The descriptor as the reactor knows it.
struct Registered(RawFd);

impl AsRawFd for Registered {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// Whether a stream knows whom to wake when there is something to read.
#[derive(Default)]
pub struct Waiting {
    waker: Option<Waker>,
    /// Whether it has done so since, and knows nobody any more.
    is_told: bool,
}

impl Waiting {
    /// Somebody else has asked the stream.
    pub fn forget(&mut self) {
        self.is_told = true;
    }

    fn holds(&self, cx: &Context<'_>) -> bool {
        !self.is_told && self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
    }

    /// The stream was asked in vain.
    fn begin(&mut self, cx: &Context<'_>) {
        // A task that has used up its turn is not noted, but woken at once.
        self.is_told = !tokio::task::coop::has_budget_remaining();
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            waker => *waker = Some(cx.waker().clone()),
        }
    }
}

impl Stream {
    /// Takes a connected socket, which must be non-blocking, into the current reactor.
    ///
    /// # Errors
    /// When the reactor refuses the descriptor.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        let stream = Self::just_accepted(fd);
        stream.reactor()?;
        Ok(stream)
    }

    /// Takes a connected, non-blocking socket that the reactor learns of when somebody has to wait for it. A
    /// connection that carries one request and closes hardly ever has to: that saves it two system calls and
    /// the reactor's bookkeeping.
    pub fn just_accepted(fd: OwnedFd) -> Self {
        let news = News::of(fd.as_raw_fd());
        Self { reactor: OnceLock::new(), fd, news }
    }

    /// The registration; made now if there is none yet.
    fn reactor(&self) -> io::Result<&AsyncFd<Registered>> {
        if let Some(reactor) = self.reactor.get() {
            return Ok(reactor);
        }
        self.register()
    }

    #[cold]
    fn register(&self) -> io::Result<&AsyncFd<Registered>> {
        self.news.leave();
        let fd = Registered(self.fd.as_raw_fd());
        // SAFETY: `self.fd` stays open and the same until after the `AsyncFd` is dropped, here or in `into_fd`.
        let reactor =
            unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE | Interest::WRITABLE) }?;
        Ok(self.reactor.get_or_init(|| reactor))
    }

    /// One at whose other end nobody is.
    ///
    /// # Errors
    /// When the process has no descriptors left.
    pub fn to_nobody() -> io::Result<Self> {
        let (here, _) = std::os::unix::net::UnixStream::pair()?;
        here.set_nonblocking(true)?;
        Self::new(here.into())
    }

    /// Gives the socket back, no longer registered: to hand it to another worker or process.
    pub fn into_fd(self) -> OwnedFd {
        let Self { reactor, fd, .. } = self;
        drop(reactor);
        fd
    }

    /// Reads into the spare capacity of `buf`, which `provide` makes once there is something to read, so
    /// that whoever waits holds no memory. 0 is the end of the stream.
    pub fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut BytesMut,
        provide: impl Fn(&mut BytesMut),
    ) -> Poll<io::Result<usize>> {
        let reactor = self.reactor()?;
        loop {
            let mut guard = ready!(reactor.poll_read_ready(cx))?;
            provide(buf);
            let room = buf.capacity() - buf.len();
            match recv(self.fd.as_fd(), buf) {
                Ok(len) => {
                    if len < room {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(len));
                }
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                Err(err) => return Poll::Ready(Err(err)),
            }
        }
    }

    /// The same into room that is lent: for bytes that go on at once, so that nobody has to keep them. Whoever asks
    /// the same stream again, woken by another, pays next to nothing: `waiting` remembers that it is waited for.
    pub fn poll_copy(
        &self,
        cx: &mut Context<'_>,
        room: &mut [u8],
        waiting: &mut Waiting,
    ) -> Poll<io::Result<usize>> {
        let reactor = self.reactor()?;
        // Bounded: a turn reads, or forgets what was noted and waits.
        loop {
            let (mut is_noted, mut short) = (false, None);
            let read = reactor.try_io(Interest::READABLE, |_| {
                is_noted = true;
                let (len, _) = rustix::net::recv(&self.fd, &mut *room, RecvFlags::empty())?;
                if len < room.len() {
                    // All there was: the next one waits for news.
                    short = Some(len);
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                Ok(len)
            });
            if is_noted {
                // News wakes whoever waits, once.
                waiting.is_told = true;
            }
            match (read, short) {
                (Ok(len), _) | (Err(_), Some(len)) => return Poll::Ready(Ok(len)),
                (Err(err), None) if err.kind() == io::ErrorKind::WouldBlock => {}
                (Err(err), None) if err.kind() == io::ErrorKind::Interrupted => continue,
                (Err(err), None) => return Poll::Ready(Err(err)),
            }
            if waiting.holds(cx) {
                return Poll::Pending;
            }
            match reactor.poll_read_ready(cx) {
                Poll::Ready(noted) => drop(noted?),
                Poll::Pending => {
                    waiting.begin(cx);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Reads what is there without waiting for the reactor: for a connection that was just accepted,
    /// whose first bytes have mostly come already. `WouldBlock` when there is nothing.
    pub fn try_read(&self, buf: &mut BytesMut) -> io::Result<usize> {
        recv(self.fd.as_fd(), buf)
    }

    /// Ready when there is something to read, the end included. Costs no system call.
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.reactor()?.poll_read_ready(cx).map_ok(drop)
    }

    /// As [`Stream::poll_readable`], for whoever waits for something else and only wants to hear, soon, that the
    /// peer has left: a stream that is not registered yet is so after the next [`look_after`], and until then
    /// there are no news of it.
    pub fn poll_news(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reactor.get().is_none() && !self.news.is_due(cx) {
            return Poll::Pending;
        }
        self.poll_readable(cx)
    }

    /// Forgets that the stream was readable: for a caller that found nothing there (`WouldBlock`).
    pub fn clear_readable(&self) {
        let Some(reactor) = self.reactor.get() else { return };
        if let Poll::Ready(Ok(mut guard)) = noted(|cx| reactor.poll_read_ready(cx)) {
            guard.clear_ready();
        }
    }

    /// Whether a connection that should be silent has spoken, closed or failed, as far as the reactor
    /// has seen; where the reactor doesn't know it, it may have. Costs no system call.
    pub fn has_stirred(&self) -> bool {
        self.reactor.get().is_none_or(|reactor| noted(|cx| reactor.poll_read_ready(cx)).is_ready())
    }

    /// Whether the peer has gone entirely (reset, or both directions closed), seen without reading.
    /// A peer that has only finished sending (half-close) counts as there.
    pub fn is_hung_up(&self) -> bool {
        // Only the writing side's readiness holds the hang-up: tokio shows each side its own bits.
        let Some(reactor) = self.reactor.get() else { return false };
        match noted(|cx| reactor.poll_write_ready(cx)) {
            Poll::Ready(Ok(guard)) => guard.ready().is_write_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    /// Ready when the peer has gone entirely (reset, or both directions closed), and else to be woken by any
    /// news of it: for a stream that stays readable because nobody reads it, or since its peer has finished
    /// sending. Costs no system call. A write is tried at once, whatever is noted here, and one that has to
    /// wait is reported anew; so what is forgotten here is missed by nobody.
    pub fn poll_hung_up(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Ok(reactor) = self.reactor() else { return Poll::Ready(()) };
        // Bounded: the second turn finds nothing noted, or something new.
        loop {
            match reactor.poll_write_ready(cx) {
                Poll::Ready(Ok(guard)) if guard.ready().is_write_closed() => return Poll::Ready(()),
                Poll::Ready(Ok(mut guard)) => guard.clear_ready(),
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether bytes lie in the kernel that nobody has read: one `recv(2)` that takes nothing, and only where
    /// the reactor has seen something.
    pub fn has_unread(&self) -> bool {
        let mut byte = [0u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        self.has_stirred()
            && matches!(rustix::net::recv(self.fd.as_fd(), &mut byte, flags), Ok((_, len)) if len > 0)
    }

    /// Whether the peer has finished sending or gone entirely, seen without reading.
    pub fn is_read_closed(&self) -> bool {
        let Some(reactor) = self.reactor.get() else { return false };
        match noted(|cx| reactor.poll_read_ready(cx)) {
            Poll::Ready(Ok(guard)) => guard.ready().is_read_closed(),
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        }
    }

    /// Whether the peer is there and silent, asked of the kernel: one `recv(2)` that takes nothing.
    pub fn is_alive(&self) -> bool {
        let mut byte = [0u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        matches!(rustix::net::recv(self.fd.as_fd(), &mut byte, flags), Err(rustix::io::Errno::WOULDBLOCK))
    }

    /// Writes as much of `data` as the socket takes now; `WouldBlock` when that is nothing.
    pub fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(self.fd.as_fd(), data, SendFlags::NOSIGNAL) {
                Err(rustix::io::Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    /// Writes as much of `data` as the socket takes.
    pub fn poll_write(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_with(cx, |fd| Ok(rustix::net::send(fd, data, SendFlags::NOSIGNAL)?))
    }

    /// As [`Stream::poll_write`], with more to follow at once.
    pub fn poll_write_more(&self, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
        self.poll_write_with(cx, |fd| Ok(rustix::net::send(fd, data, flags)?))
    }

    /// Writes as much of `slices` as the socket takes, in one call.
    pub fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [one] => self.poll_write(cx, one),
            _ => self.poll_write_with(cx, |fd| Ok(rustix::io::writev(fd, slices)?)),
        }
    }

    /// Runs a writing call until it takes something: tried at once, then whenever writable.
    pub fn poll_write_with(
        &self,
        cx: &mut Context<'_>,
        mut call: impl FnMut(BorrowedFd<'_>) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        match call(self.fd.as_fd()) {
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
            Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
        let reactor = self.reactor()?;
        loop {
            let mut guard = ready!(reactor.poll_write_ready(cx))?;
            match call(self.fd.as_fd()) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(err) if err.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Ends our sending direction; what was written still arrives.
    pub fn shutdown_write(&self) {
        // The peer may be gone already, and then there is nothing left to end.
        let _ = rustix::net::shutdown(self.fd.as_fd(), Shutdown::Write);
    }

    /// Ends both directions: whoever waits for the peer sees the end.
    pub fn shutdown_both(&self) {
        let _ = rustix::net::shutdown(self.fd.as_fd(), Shutdown::Both);
    }

    /// Makes the coming close a reset (RST): the peer sees an abort, never a clean end.
    pub fn reset_on_close(&self) {
        let _ = rustix::net::sockopt::set_socket_linger(self.fd.as_fd(), Some(std::time::Duration::ZERO));
    }

    /// The address of our end.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        SocketAddr::try_from(rustix::net::getsockname(self.fd.as_fd()).ok()?).ok()
    }

    /// What the kernel knows of the connection; `None` where it is no TCP.
    pub fn tcp_info(&self) -> Option<TcpInfo> {
        tcp_info::of(&self.fd)
    }

    /// The address of the peer's end.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        SocketAddr::try_from(rustix::net::getpeername(self.fd.as_fd()).ok()??).ok()
    }

    /// Waits for the end of a connect that was begun.
    pub(crate) async fn connected(&self) -> io::Result<()> {
        let reactor = self.reactor()?;
        poll_fn(|cx| reactor.poll_write_ready(cx).map_ok(drop)).await?;
        rustix::net::sockopt::socket_error(self.fd.as_fd())?.map_err(Into::into)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What the reactor has noted, asked in passing. Whoever only asks must not be told that nothing is there
/// because the task has used up tokio's budget for this turn.
fn noted<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    pin!(tokio::task::unconstrained(poll_fn(poll))).poll(&mut Context::from_waker(Waker::noop()))
}

/// One `recv(2)` into the spare capacity of `buf`.
fn recv(fd: BorrowedFd<'_>, buf: &mut BytesMut) -> io::Result<usize> {
    let (filled, _) = rustix::net::recv(fd, buf.spare_capacity_mut(), RecvFlags::empty())?;
    let len = filled.0.len();
    // SAFETY: the kernel has initialised `len` bytes of the spare capacity, which begins at `buf.len()`.
    unsafe { buf.set_len(buf.len() + len) };
    Ok(len)
}

mod news;

pub use news::look_after;

#[cfg(test)]
mod tests;
