//! Room for the datagrams of one call.

use super::message::{Notes, read_notes};
use super::{AT_ONCE, Piece, Via};
use socket2::SockAddr;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// 64 KiB: no datagram is longer, nor is a bundle.
const BYTES: usize = 64 * 1024;

/// Datagrams that came with one call. One a worker: 2 MiB, of which the kernel gives only what was touched.
pub struct Batch {
    buffer: Box<[u8]>,
    notes: Box<[Notes; AT_ONCE]>,
    names: Box<[libc::sockaddr_storage; AT_ONCE]>,
    got: Vec<Got>,
}

/// What is known of one of them.
struct Got {
    len: usize,
    peer: Option<SocketAddr>,
    via: Option<Via>,
    segment: Option<u16>,
}

/// A datagram that came, or a bundle of such.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Who sent it; `None` where the kernel did not say.
    pub peer: Option<SocketAddr>,
    /// Which address it came to; only of sockets that are bound to all of them.
    pub via: Option<Via>,
    /// What is in it.
    pub piece: Piece<'a>,
}

impl Default for Batch {
    fn default() -> Self {
        // SAFETY: all zeros is an address of no family.
        let name: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
        Self {
            buffer: vec![0; AT_ONCE * BYTES].into_boxed_slice(),
            notes: Box::new([Notes::EMPTY; AT_ONCE]),
            names: Box::new([name; AT_ONCE]),
            got: Vec::with_capacity(AT_ONCE),
        }
    }
}

impl Batch {
    /// What came with the last call.
    pub fn iter(&self) -> impl Iterator<Item = Received<'_>> {
        self.got.iter().zip(self.buffer.chunks(BYTES)).map(|(got, room)| Received {
            peer: got.peer,
            via: got.via,
            piece: Piece { bytes: room.get(..got.len).unwrap_or(room), segment: got.segment },
        })
    }

    /// One call.
    pub(super) fn fill(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        self.got.clear();
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; AT_ONCE];
        // SAFETY: all zeros is an empty header.
        let mut headers: [libc::mmsghdr; AT_ONCE] = unsafe { std::mem::zeroed() };
        let rooms = self.buffer.chunks_mut(BYTES).zip(&mut *self.notes).zip(&mut *self.names);
        for (((room, notes), name), (part, header)) in rooms.zip(parts.iter_mut().zip(&mut headers)) {
            part.iov_base = room.as_mut_ptr().cast();
            part.iov_len = room.len();
            let header = &mut header.msg_hdr;
            header.msg_iov = part;
            header.msg_iovlen = 1;
            header.msg_name = (&raw mut *name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_control = notes.as_mut_ptr();
            header.msg_controllen = Notes::room() as _;
        }
        let count = loop {
            // SAFETY: all headers are filled in; the rooms, notes and names that they point to are ours, apart
            // from each other, and live until the call is over.
            let count = unsafe {
                libc::recvmmsg(
                    fd.as_raw_fd(),
                    headers.as_mut_ptr(),
                    AT_ONCE as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                    std::ptr::null_mut(),
                )
            };
            match usize::try_from(count) {
                Ok(count) => break count,
                Err(_) => match io::Error::last_os_error() {
                    err if err.kind() == io::ErrorKind::Interrupted => {}
                    err => return Err(err),
                },
            }
        };
        for (header, name) in headers.iter().zip(&*self.names).take(count) {
            let (via, segment) = read_notes(&header.msg_hdr);
            let len = (header.msg_len as usize).min(BYTES);
            let segment = segment.filter(|segment| usize::from(*segment) < len);
            self.got.push(Got { len, peer: peer_of(name, header.msg_hdr.msg_namelen), via, segment });
        }
        Ok(())
    }
}

fn peer_of(name: &libc::sockaddr_storage, len: libc::socklen_t) -> Option<SocketAddr> {
    if len == 0 {
        return None;
    }
    // SAFETY: the kernel has written an address of this length there; both types are the same structure of C.
    let name = unsafe { SockAddr::new((&raw const *name).cast::<socket2::SockAddrStorage>().read(), len) };
    name.as_socket()
}
