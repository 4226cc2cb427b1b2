//! The standard health service (grpc/doc/health-checking.md): what is asked, and what the answer says.

/// The path of the method that is called.
pub const PATH: &str = "/grpc.health.v1.Health/Check";

/// `SERVING` of `HealthCheckResponse.ServingStatus`.
const SERVING: u64 = 1;

/// The body of the call that asks after a service; the empty name is the server as a whole.
pub fn question(service: &str) -> Vec<u8> {
    let mut message = Vec::new();
    if !service.is_empty() {
        // Field 1, a text.
        message.push(0x0a);
        push_varint(&mut message, service.len() as u64);
        message.extend_from_slice(service.as_bytes());
    }
    let mut body = vec![0];
    body.extend_from_slice(&u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
    body.extend_from_slice(&message);
    body
}

/// Whether the body of an answer says that the service is well.
///
/// # Errors
/// What it says instead.
pub fn verdict(body: &[u8]) -> Result<(), String> {
    let message = message(body).ok_or("the answer is no message of the health service")?;
    match status(message).ok_or("the answer's message makes no sense")? {
        SERVING => Ok(()),
        0 => Err("the service's state is UNKNOWN".to_owned()),
        2 => Err("the service is NOT_SERVING".to_owned()),
        3 => Err("the service is unknown".to_owned()),
        other => Err(format!("the service's state is {other}")),
    }
}

/// The only message of a body, which is not compressed.
fn message(body: &[u8]) -> Option<&[u8]> {
    let (head, message) = body.split_first_chunk::<5>()?;
    let [0, len @ ..] = head else { return None };
    (u32::from_be_bytes(*len) as usize == message.len()).then_some(message)
}

/// Field 1 of a message, 0 where it is not there. Other fields are passed over.
fn status(mut message: &[u8]) -> Option<u64> {
    let mut status = 0;
    // Bounded: every turn takes a byte at the least.
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let skip = match tag & 7 {
            0 => {
                let value = varint(&mut message)?;
                if tag >> 3 == 1 {
                    status = value;
                }
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return None,
        };
        message = message.get(skip..)?;
    }
    Some(status)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    // Ten bytes hold 64 bits.
    for at in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(7 * at).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests;
