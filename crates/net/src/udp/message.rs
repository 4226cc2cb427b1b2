//! What stands beside a datagram: addresses, and the kernel's notes in front of `recvmsg` and `sendmsg` (cmsg(3)).

use super::{AT_ONCE, Piece, To, UDP_GRO, Via, is_away};
use socket2::SockAddr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// The kernel's notes for bundles that go out (linux/udp.h).
const UDP_SEGMENT: libc::c_int = 103;

/// What went out.
#[derive(Debug, Default)]
pub struct Sent {
    /// Datagrams.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Why the last one that was refused was.
    pub failed: Option<io::Error>,
}

impl Sent {
    fn count(&mut self, piece: &Piece<'_>) {
        self.datagrams += piece.count();
        self.bytes += piece.bytes.len() as u64;
    }
}

/// Room for notes: an address of ours (28 bytes with its head at most, 40 in IPv6) and a length.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Notes([u8; 128]);

impl Notes {
    pub(super) const EMPTY: Self = Self([0; 128]);

    pub(super) fn as_mut_ptr(&mut self) -> *mut libc::c_void {
        (&raw mut self.0).cast()
    }

    pub(super) const fn room() -> usize {
        128
    }
}

/// What the kernel noted of a datagram that came.
pub(super) fn read_notes(header: &libc::msghdr) -> (Option<Via>, Option<u16>) {
    let (mut via, mut segment) = (None, None);
    // SAFETY: `header` was filled in by the kernel, and its notes are where `msg_control` points to, of
    // `msg_controllen` bytes; the macros stay within them.
    let mut note = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !note.is_null() {
        // SAFETY: as above; the kernel's notes of these kinds have these types, which may lie unaligned.
        unsafe {
            let data = libc::CMSG_DATA(note);
            match ((*note).cmsg_level, (*note).cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info = data.cast::<libc::in_pktinfo>().read_unaligned();
                    let ip = Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr));
                    let interface = u32::try_from(info.ipi_ifindex).unwrap_or(0);
                    via = Some(Via { ip: IpAddr::V4(ip), interface });
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    let ip = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    via = Some(Via { ip: IpAddr::V6(ip), interface: info.ipi6_ifindex });
                }
                (libc::SOL_UDP, UDP_GRO) => {
                    let len = data.cast::<libc::c_int>().read_unaligned();
                    segment = u16::try_from(len).ok().filter(|len| *len > 0);
                }
                _ => {}
            }
            note = libc::CMSG_NXTHDR(header, note);
        }
    }
    (via, segment)
}

/// Writes notes for a datagram that goes out.
struct Writer<'a> {
    header: &'a mut libc::msghdr,
    len: usize,
}

impl Writer<'_> {
    /// `T` is the type that the kernel wants for notes of this kind.
    fn note<T>(&mut self, level: libc::c_int, kind: libc::c_int, value: T) {
        let size = size_of::<T>() as libc::c_uint;
        // SAFETY: `msg_control` points to `Notes`, which is aligned for a head and has room for the two notes
        // that are ever written; `CMSG_SPACE` and `CMSG_LEN` only compute.
        unsafe {
            let note = self.header.msg_control.cast::<u8>().add(self.len).cast::<libc::cmsghdr>();
            (*note).cmsg_level = level;
            (*note).cmsg_type = kind;
            (*note).cmsg_len = libc::CMSG_LEN(size) as _;
            libc::CMSG_DATA(note).cast::<T>().write_unaligned(value);
            self.len += libc::CMSG_SPACE(size) as usize;
        }
        self.header.msg_controllen = self.len as _;
    }

    fn via(&mut self, via: Via) {
        match via.ip {
            IpAddr::V4(ip) => {
                let spec = libc::in_addr { s_addr: u32::from(ip).to_be() };
                let addr = libc::in_addr { s_addr: 0 };
                let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: spec, ipi_addr: addr };
                self.note(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(ip) => {
                // The way back is the kernel's choice, but a link-local address means nothing without.
                let interface = if ip.is_unicast_link_local() { via.interface } else { 0 };
                let addr = libc::in6_addr { s6_addr: ip.octets() };
                let info = libc::in6_pktinfo { ipi6_addr: addr, ipi6_ifindex: interface };
                self.note(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
    }
}

/// Sends datagrams by one socket to one place.
pub(super) struct Outgoing<'a> {
    fd: BorrowedFd<'a>,
    name: Option<SockAddr>,
    via: Option<Via>,
}

impl<'a> Outgoing<'a> {
    pub(super) fn new(fd: BorrowedFd<'a>, to: Option<To>) -> Self {
        Self { fd, name: to.map(|to| to.peer.into()), via: to.and_then(|to| to.via) }
    }

    /// As [`super::Udp::send`].
    pub(super) fn send(&self, pieces: &[Piece<'_>]) -> Sent {
        let mut sent = Sent::default();
        let mut rest = pieces;
        // Bounded: every turn sends a piece or leaves one out, or ends.
        while let Some((first, others)) = rest.split_first() {
            match self.send_some(rest) {
                Ok(count) => {
                    rest.iter().take(count).for_each(|piece| sent.count(piece));
                    rest = rest.get(count..).unwrap_or_default();
                }
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
                Err(err) if is_away(&err) => {
                    sent.failed = Some(err);
                    break;
                }
                Err(err) => {
                    match first.segment {
                        // A bundle that the way out cannot cut (EIO, EINVAL, EMSGSIZE) goes one by one.
                        Some(len) if len > 0 => self.send_one_by_one(first.bytes, len.into(), &mut sent),
                        _ => sent.failed = Some(err),
                    }
                    rest = others;
                }
            }
        }
        sent
    }

    fn send_one_by_one(&self, bytes: &[u8], len: usize, sent: &mut Sent) {
        for bytes in bytes.chunks(len) {
            let piece = Piece { bytes, segment: None };
            match self.send_some(&[piece]) {
                Ok(_) => sent.count(&piece),
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                Err(err) => sent.failed = Some(err),
            }
        }
    }

    /// One call: as many pieces as it takes, at least one.
    fn send_some(&self, pieces: &[Piece<'_>]) -> io::Result<usize> {
        let mut notes = [Notes::EMPTY; AT_ONCE];
        let mut parts = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; AT_ONCE];
        // SAFETY: all zeros is an empty header.
        let mut headers: [libc::mmsghdr; AT_ONCE] = unsafe { std::mem::zeroed() };
        let count = pieces.len().min(AT_ONCE);
        for (((piece, notes), part), header) in
            pieces.iter().zip(&mut notes).zip(&mut parts).zip(&mut headers)
        {
            part.iov_base = piece.bytes.as_ptr().cast_mut().cast();
            part.iov_len = piece.bytes.len();
            let header = &mut header.msg_hdr;
            header.msg_iov = part;
            header.msg_iovlen = 1;
            if let Some(name) = &self.name {
                header.msg_name = name.as_ptr().cast_mut().cast();
                header.msg_namelen = name.len();
            }
            let segment = piece.segment.filter(|len| usize::from(*len) < piece.bytes.len());
            if self.via.is_none() && segment.is_none() {
                continue;
            }
            header.msg_control = notes.as_mut_ptr();
            let mut writer = Writer { header, len: 0 };
            if let Some(via) = self.via {
                writer.via(via);
            }
            if let Some(len) = segment {
                writer.note::<u16>(libc::SOL_UDP, UDP_SEGMENT, len);
            }
        }
        loop {
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            // SAFETY: `count` headers are filled in, and what they point to lives until the call is over; the
            // kernel only reads from it, but for the headers' lengths.
            let sent = unsafe {
                libc::sendmmsg(self.fd.as_raw_fd(), headers.as_mut_ptr(), count as libc::c_uint, flags as _)
            };
            match usize::try_from(sent) {
                Ok(sent) => return Ok(sent.max(1)),
                Err(_) => match io::Error::last_os_error() {
                    err if err.kind() == io::ErrorKind::Interrupted => {}
                    err => return Err(err),
                },
            }
        }
    }
}
