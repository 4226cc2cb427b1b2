//! The checksum of a header of version 2 (2.2.4).

/// The type of the fact that has it.
pub(super) const CRC32C: u8 = 0x03;

/// Whether the checksum, if there is one among the facts that begin at `from`, is right.
pub(super) fn is_right(header: &[u8], from: usize) -> bool {
    let Some((at, len)) = place(header, from) else { return true };
    let told = header.get(at..at + 4).and_then(|sum| sum.try_into().ok()).map(u32::from_be_bytes);
    len == 4 && told == Some(sum(header, at))
}

/// Writes the checksum into its place among the facts that begin at `from`.
pub(super) fn fill_in(header: &mut [u8], from: usize) {
    let Some((at, _)) = place(header, from) else { return };
    let sum = sum(header, at).to_be_bytes();
    if let Some(field) = header.get_mut(at..at + 4) {
        field.copy_from_slice(&sum);
    }
}

/// Where its value lies, and how long that is.
fn place(header: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    // Bounded: every turn goes on by three bytes at least.
    while let Some(&[kind, high, low]) = header.get(at..at + 3) {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if kind == CRC32C {
            return Some((at + 3, len));
        }
        at += 3 + len;
    }
    None
}

/// That of the header with zeros in place of the checksum, which lies there.
fn sum(header: &[u8], at: usize) -> u32 {
    let (before, rest) = header.split_at_checked(at).unwrap_or((header, &[]));
    let behind = rest.get(4..).unwrap_or_default();
    crc32c(before.iter().chain(&[0; 4]).chain(behind))
}

/// CRC-32C (Castagnoli), bit by bit: headers are short, and one comes a connection.
fn crc32c<'a>(bytes: impl Iterator<Item = &'a u8>) -> u32 {
    let sum = bytes.fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            let carry = sum & 1;
            (sum >> 1) ^ (0x82f6_3b78 * carry)
        })
    });
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_of_the_specification() {
        // RFC 3720 B.4: 32 bytes of zeros, and of ones.
        assert_eq!(crc32c([0; 32].iter()), 0x8a91_36aa);
        assert_eq!(crc32c([0xff; 32].iter()), 0x62a8_ab43);
    }
}
