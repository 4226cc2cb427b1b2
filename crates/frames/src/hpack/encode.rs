//! From fields of answers to a block (RFC 7541 6).
//!
//! An answer's fields are mostly those of the answer before. Where a field was put into the table last is found by a
//! hash of a few bytes, in one look: what such a look misses is sent once more and nothing else.

use super::table::{DYNAMIC, ENTRY_BYTES, Table, static_name};
use super::{TABLE_BYTES, huffman, number};

/// 64 places: answers have ten to twenty fields.
const SLOTS: usize = 64;
/// 16 bytes: below, Huffman's code saves less than it costs where a text is sent once.
const CODED_MIN: usize = 16;

/// One connection's encoder.
#[derive(Debug)]
pub struct Encoder {
    table: Table,
    /// By hash, one more than the number of the entry that was put in last; 0: none.
    slots: [u32; SLOTS],
    /// The smallest and the last size that the peer has allowed since the last block.
    resized: Option<(usize, usize)>,
}

/// What becomes of a field in the table.
enum Keep {
    /// It is put in.
    Table,
    /// It changes with each answer.
    Never,
    /// It is a secret: nobody on the way may put it in either (RFC 7541 7.1.3).
    Secret,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// With an empty table.
    pub fn new() -> Self {
        Self { table: Table::new(TABLE_BYTES), slots: [0; SLOTS], resized: None }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE, of which we use what we begin with at the most.
    pub fn set_max(&mut self, max: usize) {
        let max = max.min(TABLE_BYTES);
        let least = self.resized.map_or(max, |(least, _)| least.min(max));
        if self.resized.is_none() && max == self.table.max() {
            return;
        }
        self.resized = Some((least, max));
    }

    /// Begins a block: new sizes of the table come first (RFC 7541 4.2).
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        let Some((least, last)) = self.resized.take() else { return };
        self.table.set_max(least);
        if least < last {
            number::write(out, 0x20, 5, least);
        }
        self.table.set_max(last);
        number::write(out, 0x20, 5, last);
    }

    /// Adds the status.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        match status {
            200 => out.push(0x88),
            204 => out.push(0x89),
            206 => out.push(0x8a),
            304 => out.push(0x8b),
            400 => out.push(0x8c),
            404 => out.push(0x8d),
            500 => out.push(0x8e),
            _ => {
                let digit = |by: u16| b'0' + (status / by % 10) as u8;
                self.field(b":status", &[digit(100), digit(10), digit(1)], out);
            }
        }
    }

    /// Adds a field; its name is in lower case (RFC 9113 8.2.1).
    pub fn field(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let first = match keep(name) {
            Keep::Table => return self.kept(name, value, out),
            Keep::Never => 0x00,
            Keep::Secret => 0x10,
        };
        literal(out, (first, 4), name, value);
    }

    fn kept(&mut self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let slot = slot(name, value);
        let number = self.slots.get(slot).copied().unwrap_or(0);
        if number != 0
            && let Some(back) = self.table.back_of(number - 1)
            && self.table.newest(back) == Some((name, value))
        {
            number::write(out, 0x80, 7, DYNAMIC + back);
            return;
        }
        if name.len() + value.len() + ENTRY_BYTES > self.table.max() / 2 {
            // It would drive out most of what is worth its place.
            literal(out, (0x00, 4), name, value);
            return;
        }
        literal(out, (0x40, 6), name, value);
        self.table.insert(name, value);
        if let Some(place) = self.slots.get_mut(slot) {
            *place = self.table.inserted();
        }
    }
}

/// A hash of a field: of lengths and ends.
fn slot(name: &[u8], value: &[u8]) -> usize {
    let byte = |text: &[u8], back: usize| {
        usize::from(text.len().checked_sub(back).and_then(|at| text.get(at)).copied().unwrap_or(0))
    };
    let word = name.len() + byte(name, 1) * 5 + byte(name, name.len()) * 3;
    (word + value.len() * 7 + byte(value, 1) + byte(value, value.len() / 2) * 11) % SLOTS
}

fn keep(name: &[u8]) -> Keep {
    match name {
        b"set-cookie" => Keep::Secret,
        b"content-length" | b"etag" | b"location" | b"content-range" | b"last-modified" | b"age" => {
            Keep::Never
        }
        _ => Keep::Table,
    }
}

/// A field whose value stands in the block (RFC 7541 6.2).
fn literal(out: &mut Vec<u8>, (first, bits): (u8, u32), name: &[u8], value: &[u8]) {
    let place = static_name(name);
    number::write(out, first, bits, place);
    if place == 0 {
        text(out, name);
    }
    text(out, value);
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    if text.len() >= CODED_MIN {
        let len = huffman::encoded_len(text);
        if len < text.len() {
            number::write(out, 0x80, 7, len);
            huffman::encode(text, out);
            return;
        }
    }
    number::write(out, 0, 7, text.len());
    out.extend_from_slice(text);
}
