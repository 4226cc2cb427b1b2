//! Huffman's code of RFC 7541 B. It is canonical: symbols of one length stand in their order, and the lengths alone
//! tell every code.

/// Bits of each symbol; the last one is the end of the string.
const BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, //
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, //
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
    30,
];

const END: u16 = 256;
/// The longest code.
const BITS_MAX: usize = 30;
/// 9 bits are looked at first: nearly all that heads are made of, in a table of 1 KiB.
const FAST_BITS: u32 = 9;

/// Everything that follows from the lengths.
struct Code {
    codes: [u32; 257],
    /// Symbol and bits by the next nine bits; 0 where the code is longer.
    fast: [u16; 1 << FAST_BITS],
    /// Symbols in the order of their codes.
    sorted: [u16; 257],
    /// Per length: the first code that is longer, at the upper end of a word; its own first; that one's place.
    beyond: [u64; BITS_MAX + 1],
    first: [u32; BITS_MAX + 1],
    place: [u16; BITS_MAX + 1],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut all = Code {
        codes: [0; 257],
        fast: [0; 1 << FAST_BITS],
        sorted: [0; 257],
        beyond: [0; BITS_MAX + 1],
        first: [0; BITS_MAX + 1],
        place: [0; BITS_MAX + 1],
    };
    let (mut next, mut place, mut bits) = (0u32, 0, 1);
    while bits <= BITS_MAX {
        next <<= 1;
        all.first[bits] = next;
        all.place[bits] = place as u16;
        let mut symbol = 0;
        while symbol < 257 {
            if BITS[symbol] as usize == bits {
                all.codes[symbol] = next;
                all.sorted[place] = symbol as u16;
                place += 1;
                if bits <= FAST_BITS as usize {
                    let spare = FAST_BITS as usize - bits;
                    let mut at = (next as usize) << spare;
                    let end = at + (1 << spare);
                    while at < end {
                        all.fast[at] = (symbol as u16) << 4 | bits as u16;
                        at += 1;
                    }
                }
                next += 1;
            }
            symbol += 1;
        }
        all.beyond[bits] = (next as u64) << (32 - bits);
        bits += 1;
    }
    all
}

/// Symbol and bits of a code that is longer than nine bits, from the next 32 bits.
#[cold]
fn long(word: u32) -> Option<(u16, u32)> {
    for bits in FAST_BITS as usize + 1..=BITS_MAX {
        if u64::from(word) < *CODE.beyond.get(bits)? {
            let at = (word >> (32 - bits)).checked_sub(*CODE.first.get(bits)?)?;
            let place = usize::from(*CODE.place.get(bits)?) + at as usize;
            return Some((*CODE.sorted.get(place)?, bits as u32));
        }
    }
    None
}

/// Appends what `text` stands for; `None` where it is no text in this code (RFC 7541 5.2).
pub(super) fn decode(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    // The shortest code has five bits.
    out.reserve(text.len() * 8 / 5 + 1);
    // Bits not yet looked at, at the upper end of the word.
    let (mut word, mut have, mut at) = (0u64, 0u32, 0usize);
    // Bounded: every turn takes bits of `text`.
    loop {
        if have < 32 {
            (word, have, at) = refill(text, word, have, at);
            if have == 0 {
                return Some(());
            }
        }
        let entry = *CODE.fast.get((word >> (64 - FAST_BITS)) as usize)?;
        let (symbol, bits) = match entry {
            0 => long((word >> 32) as u32)?,
            entry => (entry >> 4, u32::from(entry & 15)),
        };
        if bits > have {
            // What is left is padding: fewer than eight bits, and all of them ones.
            return (have < 8 && word >> (64 - have) == (1 << have) - 1).then_some(());
        }
        if symbol == END {
            return None;
        }
        out.push(symbol as u8);
        word <<= bits;
        have -= bits;
    }
}

#[inline]
fn refill(text: &[u8], mut word: u64, mut have: u32, mut at: usize) -> (u64, u32, usize) {
    if let Some(next) = text.get(at..).and_then(|rest| rest.first_chunk()) {
        word |= u64::from_be_bytes(*next) >> have;
        let bytes = (63 - have) / 8;
        have += bytes * 8;
        at += bytes as usize;
        // Bits of a byte that was not counted must not stand there twice.
        word &= !(u64::MAX >> have);
    } else {
        while have <= 56
            && let Some(byte) = text.get(at)
        {
            word |= u64::from(*byte) << (56 - have);
            have += 8;
            at += 1;
        }
    }
    (word, have, at)
}

/// How many bytes `text` has in this code.
pub(super) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|byte| usize::from(BITS[usize::from(*byte)])).sum();
    bits.div_ceil(8)
}

/// Appends `text` in this code.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    // Bits not yet written, at the lower end.
    let (mut word, mut have) = (0u64, 0u32);
    for byte in text {
        let symbol = usize::from(*byte);
        let bits = u32::from(BITS[symbol]);
        word = word << bits | u64::from(CODE.codes[symbol]);
        have += bits;
        while have >= 8 {
            have -= 8;
            out.push((word >> have) as u8);
        }
    }
    if have > 0 {
        out.push((word << (8 - have)) as u8 | (0xff >> have));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_comes_back() {
        let text: Vec<u8> = (0..=255).collect();
        for cut in 0..=text.len() {
            let mut coded = Vec::new();
            encode(&text[cut..], &mut coded);
            assert_eq!(coded.len(), encoded_len(&text[cut..]));
            let mut back = Vec::new();
            assert_eq!(decode(&coded, &mut back), Some(()), "from {cut}");
            assert_eq!(back, &text[cut..]);
        }
    }

    /// RFC 7541 B: some of its rows.
    #[test]
    fn codes_are_the_rfcs() {
        for (symbol, code, bits) in [
            (b'0', 0x0, 5),
            (b't', 0x9, 5),
            (b' ', 0x14, 6),
            (b'&', 0xf8, 8),
            (b'!', 0x3f8, 10),
            (b'\\', 0x7fff0, 19),
            (0xff, 0x3ff_ffee, 26),
            (b'\n', 0x3fff_fffc, 30),
        ] {
            let at = usize::from(symbol);
            assert_eq!((CODE.codes[at], BITS[at]), (code, bits), "{symbol}");
        }
        assert_eq!(CODE.codes[256], 0x3fff_ffff);
    }

    /// RFC 7541 5.2.
    #[test]
    fn what_is_no_text_is_refused() {
        for (bytes, fits) in [
            (&[0x1f][..], true),                // 'a' and three ones.
            (&[0x18], false),                   // Padding with zeros.
            (&[0x1f, 0xff], false),             // Padding of eleven bits.
            (&[0xff], false),                   // Padding of eight bits.
            (&[0xff, 0xff, 0xff, 0xff], false), // The end of the string.
            (&[0xff, 0xff, 0xff, 0xfc, 0x7f], false),
        ] {
            assert_eq!(decode(bytes, &mut Vec::new()).is_some(), fits, "{bytes:x?}");
        }
    }
}
