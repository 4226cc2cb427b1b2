//! A WebSocket (RFC 6455) that echoes messages: enough of it to try tunnels through a proxy.

use super::message::{Reader, Request};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};

/// 1 MiB: what one frame of a test has at most.
const FRAME_BYTES_MAX: u64 = 1024 * 1024;
/// RFC 6455 1.3.
const MAGIC: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Switches protocols and echoes until either side closes.
pub async fn serve<S>(io: &mut Reader<S>, request: &Request) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let key = request.header("sec-websocket-key").unwrap_or_default();
    let accept = base64(&sha1(format!("{key}{MAGIC}").as_bytes()));
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    io.write(head.as_bytes()).await?;
    let mut buf = Vec::new();
    loop {
        while let Some((frame, used)) = Frame::parse(&buf)? {
            buf.drain(..used);
            match frame.opcode() {
                PONG => {}
                PING => io.write(&frame.answer(0x80 | PONG)).await?,
                CLOSE => return io.write(&frame.answer(0x80 | CLOSE)).await,
                _ => io.write(&frame.answer(frame.first)).await?,
            }
        }
        let more = io.some().await?;
        if more.is_empty() {
            return Ok(());
        }
        buf.extend_from_slice(&more);
    }
}

/// A frame, unmasked.
#[derive(Debug, PartialEq, Eq)]
struct Frame {
    /// FIN, reserved bits and opcode.
    first: u8,
    payload: Vec<u8>,
}

impl Frame {
    /// The first frame in `bytes` and its length there; `None` where it is not whole yet.
    fn parse(bytes: &[u8]) -> io::Result<Option<(Self, usize)>> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (length, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((length, rest)) => (u64::from_be_bytes(*length), rest),
                None => return Ok(None),
            },
            short => (u64::from(short), rest),
        };
        if length > FRAME_BYTES_MAX || second & 0x80 == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some((mask, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
        let length = length as usize;
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        Ok(Some((Self { first: *first, payload }, bytes.len() - rest.len() + length)))
    }

    fn opcode(&self) -> u8 {
        self.first & 0x0f
    }

    /// The same payload in a frame of ours, which has no mask.
    fn answer(&self, first: u8) -> Vec<u8> {
        let mut bytes = vec![first];
        match self.payload.len() {
            short @ 0..126 => bytes.push(short as u8),
            middle @ 126..0x1_0000 => {
                bytes.push(126);
                bytes.extend_from_slice(&(middle as u16).to_be_bytes());
            }
            long => {
                bytes.push(127);
                bytes.extend_from_slice(&(long as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// SHA-1 (RFC 3174), which the handshake asks for; it protects nothing here.
fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut message = bytes.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    for block in message.chunks_exact(64) {
        let mut words: Vec<u32> = block
            .chunks_exact(4)
            .map(|word| word.iter().fold(0, |sum, &byte| (sum << 8) | u32::from(byte)))
            .collect();
        for at in 16..80 {
            words.push((words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (at, word) in words.iter().enumerate() {
            let (mix, constant) = match at {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next =
                a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, value) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(value);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// Base64 (RFC 4648) with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests;
