//! One step of a session at a time, whichever side it is of.

use bytes::{Buf, BytesMut};
use rustls::client::UnbufferedClientConnection;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use std::io;

/// Either side of a session.
pub enum Session {
    /// We are the server.
    Server(Box<UnbufferedServerConnection>),
    /// We are the client.
    Client(Box<UnbufferedClientConnection>),
}

/// What a step of the session came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to do.
    Again,
    /// The same, and the client has sent data before the end of the handshake.
    Early,
    /// Nothing goes on before more has come.
    Blocked,
    /// Data may flow.
    Ready,
    /// The peer sends no more.
    PeerClosed,
}

/// Whatever a session is asked, it must be shown what it has seen of messages that are not whole yet.
impl Session {
    /// One step: what came is decrypted behind `plain`, what the session has to say goes behind `out`.
    /// Gives the bytes of `incoming` that are done with.
    pub(super) fn step(
        &mut self,
        incoming: &mut [u8],
        plain: &mut BytesMut,
        out: &mut Vec<u8>,
    ) -> (usize, Result<Step, rustls::Error>) {
        match self {
            Self::Server(conn) => step_server(conn.process_tls_records(incoming), plain, out),
            Self::Client(conn) => step(conn.process_tls_records(incoming), plain, out),
        }
    }

    /// Whether the handshake is still under way.
    pub(super) fn is_handshaking(&self) -> bool {
        match self {
            Self::Server(conn) => conn.is_handshaking(),
            Self::Client(conn) => conn.is_handshaking(),
        }
    }

    /// What the session has to say about its own failure.
    pub(super) fn take_alert(&mut self, mut incoming: &mut [u8], out: &mut Vec<u8>) {
        // Bounded: there is one alert, and what was queued before it.
        for _ in 0..8 {
            let (used, step) = self.step(incoming, &mut BytesMut::new(), out);
            if !matches!(step, Ok(Step::Again | Step::Early)) {
                return;
            }
            incoming = incoming.get_mut(used..).unwrap_or_default();
        }
    }

    pub(super) fn encrypt(
        &mut self,
        incoming: &mut BytesMut,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> io::Result<usize> {
        let (used, done) = match self {
            Self::Server(conn) => encrypt(conn.process_tls_records(incoming), data, out),
            Self::Client(conn) => encrypt(conn.process_tls_records(incoming), data, out),
        };
        advance(incoming, used);
        done
    }

    /// Encrypts the word that we send no more.
    pub(super) fn close_notify(&mut self, incoming: &mut BytesMut, out: &mut [u8]) -> usize {
        let (used, len) = match self {
            Self::Server(conn) => close(conn.process_tls_records(incoming), out),
            Self::Client(conn) => close(conn.process_tls_records(incoming), out),
        };
        advance(incoming, used);
        len
    }
}

/// Only a server is sent early data.
fn step_server(
    status: UnbufferedStatus<'_, '_, ServerConnectionData>,
    plain: &mut BytesMut,
    out: &mut Vec<u8>,
) -> (usize, Result<Step, rustls::Error>) {
    let UnbufferedStatus { mut discard, state } = status;
    let mut early = match state {
        Ok(ConnectionState::ReadEarlyData(early)) => early,
        state => return step(UnbufferedStatus { discard, state }, plain, out),
    };
    while let Some(record) = early.next_record() {
        match record {
            Ok(record) => {
                discard += record.discard;
                plain.extend_from_slice(record.payload);
            }
            Err(err) => return (discard, Err(err)),
        }
    }
    (discard, Ok(Step::Early))
}

fn step<D>(
    status: UnbufferedStatus<'_, '_, D>,
    plain: &mut BytesMut,
    out: &mut Vec<u8>,
) -> (usize, Result<Step, rustls::Error>) {
    let mut used = status.discard;
    let step = match status.state {
        Err(err) => return (used, Err(err)),
        Ok(ConnectionState::ReadTraffic(mut traffic)) => {
            while let Some(record) = traffic.next_record() {
                match record {
                    Ok(record) => {
                        used += record.discard;
                        plain.extend_from_slice(record.payload);
                    }
                    Err(err) => return (used, Err(err)),
                }
            }
            Step::Again
        }
        Ok(ConnectionState::EncodeTlsData(mut data)) => {
            let at = out.len();
            // Asked with no room, it says how much it takes.
            if let Err(EncodeError::InsufficientSize(size)) = data.encode(&mut []) {
                out.resize(at + size.required_size, 0);
                if data.encode(out.get_mut(at..).unwrap_or_default()).is_err() {
                    out.truncate(at);
                }
            }
            Step::Again
        }
        Ok(ConnectionState::TransmitTlsData(data)) => {
            data.done();
            Step::Again
        }
        Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Step::PeerClosed,
        Ok(ConnectionState::WriteTraffic(_)) => Step::Ready,
        // The handshake waits for more.
        Ok(_) => Step::Blocked,
    };
    (used, Ok(step))
}

fn encrypt<D>(
    status: UnbufferedStatus<'_, '_, D>,
    data: &[u8],
    out: &mut Vec<u8>,
) -> (usize, io::Result<usize>) {
    let done = match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => match traffic.encrypt(data, out) {
            Ok(used) => Ok(used),
            Err(EncryptError::InsufficientSize(size)) => {
                out.resize(size.required_size, 0);
                traffic.encrypt(data, out).map_err(io::Error::other)
            }
            Err(err) => Err(io::Error::other(err)),
        },
        Ok(_) => Err(io::Error::other("the session takes no data")),
        Err(err) => Err(io::Error::other(err)),
    };
    (status.discard, done)
}

fn close<D>(status: UnbufferedStatus<'_, '_, D>, out: &mut [u8]) -> (usize, usize) {
    let len = match status.state {
        Ok(ConnectionState::WriteTraffic(mut traffic)) => traffic.queue_close_notify(out).unwrap_or(0),
        _ => 0,
    };
    (status.discard, len)
}

/// Drops what is done with.
pub(super) fn advance(buf: &mut BytesMut, len: usize) {
    buf.advance(len.min(buf.len()));
}
