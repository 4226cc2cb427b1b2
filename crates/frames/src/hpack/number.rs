//! Numbers with a prefix (RFC 7541 5.1).

use super::Error;

/// 2^28: far beyond any length or place here; what needs more than four bytes beyond its prefix is refused.
const VALUE_MAX: usize = 1 << 28;

/// Reads a number whose first byte has a prefix of `bits`, and moves `at` behind it.
pub(super) fn read(block: &[u8], at: &mut usize, bits: u32) -> Result<usize, Error> {
    let most = (1usize << bits) - 1;
    let first = usize::from(next(block, at)?) & most;
    if first < most {
        return Ok(first);
    }
    let mut value = first;
    for shift in [0, 7, 14, 21, 28] {
        let byte = usize::from(next(block, at)?);
        value += (byte & 0x7f) << shift;
        if value > VALUE_MAX {
            break;
        }
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::Broken("a number too large"))
}

fn next(block: &[u8], at: &mut usize) -> Result<u8, Error> {
    let byte = block.get(*at).copied().ok_or(Error::Broken("a block that ends in a number"))?;
    *at += 1;
    Ok(byte)
}

/// Writes a number with a prefix of `bits` below `first`.
pub(super) fn write(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        out.push(first | value as u8);
        return;
    }
    out.push(first | most as u8);
    let mut rest = value - most;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}
