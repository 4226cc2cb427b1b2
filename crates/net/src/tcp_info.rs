//! What the kernel knows of a TCP connection (`TCP_INFO`, tcp(7)).

use std::os::fd::{AsFd, AsRawFd};

/// Some of what the kernel keeps about a TCP connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// The smoothed round-trip time in µs.
    pub rtt_us: u32,
    /// How much it varies, in µs.
    pub rtt_var_us: u32,
    /// The congestion window in segments.
    pub send_window: u32,
    /// Room for what is received, in bytes.
    pub receive_space: u32,
}

/// Asks the kernel; `None` for what is no TCP socket.
pub(crate) fn of(socket: &impl AsFd) -> Option<TcpInfo> {
    let fd = socket.as_fd().as_raw_fd();
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the descriptor is open while it is borrowed; the kernel writes at most `length` bytes, which is
    // the size of what `info` has room for.
    let result = unsafe {
        libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &raw mut length)
    };
    if result != 0 {
        return None;
    }
    // SAFETY: zeroed before, and a `tcp_info` is nothing but numbers, for which any bits will do.
    let info = unsafe { info.assume_init() };
    Some(TcpInfo {
        rtt_us: info.tcpi_rtt,
        rtt_var_us: info.tcpi_rttvar,
        send_window: info.tcpi_snd_cwnd,
        receive_space: info.tcpi_rcv_space,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_tcp_connection_has_a_window_and_another_socket_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = of(&client).unwrap();
        assert!(info.send_window > 0 && info.receive_space > 0, "{info:?}");
        assert_eq!(of(&UnixStream::pair().unwrap().0), None);
    }
}
