//! WebSockets as far as tests need them (RFC 6455): the handshake's answer, small frames, both ends of an echo.

use bifrons_testkit::{End, Wire};
use sha1::{Digest, Sha1};

/// Opcodes of RFC 6455 5.2.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
/// An end in order (RFC 6455 7.4.1).
const CLOSE_NORMAL: [u8; 2] = 1000u16.to_be_bytes();
/// Clients mask what they send; any four bytes do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// `Sec-WebSocket-Accept` for a client's key (RFC 6455 4.2.2).
pub(crate) fn accept(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut text = String::new();
    for group in hash.finalize().chunks(3) {
        let mut bits = 0u32;
        (0..3).for_each(|at| bits = bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for at in 0..4 {
            let digit = char::from(alphabet[(bits >> (18 - 6 * at) & 63) as usize]);
            text.push(if at <= group.len() { digit } else { '=' });
        }
    }
    text
}

/// A server that sends each message back, until the client closes.
pub(crate) fn echo(wire: &mut Wire) {
    while let Ok((opcode, payload)) = read(wire) {
        let sent = wire.try_send(frame(opcode, &payload, None));
        if sent.is_err() || opcode == CLOSE {
            break;
        }
    }
}

/// A client that says each of the messages, waits for what comes back, and closes. What came, a line each.
pub(crate) fn talk(wire: &mut Wire, messages: &[Vec<u8>]) -> String {
    let mut said = String::new();
    let messages = messages.iter().map(|message| (TEXT, message.as_slice()));
    for (opcode, payload) in messages.chain([(CLOSE, CLOSE_NORMAL.as_slice())]) {
        let _ = wire.try_send(frame(opcode, payload, Some(MASK)));
        match read(wire) {
            Ok((opcode, payload)) => said += &format!("frame {opcode}: {}\n", payload.escape_ascii()),
            Err(end) => {
                said += &format!("no frame: {end:?}\n");
                break;
            }
        }
    }
    said
}

/// A whole message in one frame.
fn frame(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(len @ 0..126) => bytes.push(masked | len as u8),
        Ok(len) => {
            bytes.push(masked | 126);
            bytes.extend(len.to_be_bytes());
        }
        Err(_) => {
            bytes.push(masked | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Opcode and unmasked payload of the next frame.
fn read(wire: &mut Wire) -> Result<(u8, Vec<u8>), End> {
    let head = wire.try_read_exact(2)?;
    let len = match head[1] & 0x7f {
        126 => wire.try_read_exact(2)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
        127 => wire.try_read_exact(8)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
        len => usize::from(len),
    };
    let mask = if head[1] & 0x80 != 0 { wire.try_read_exact(4)? } else { vec![0] };
    let payload = wire.try_read_exact(len)?;
    Ok((head[0] & 0x0f, payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect()))
}
