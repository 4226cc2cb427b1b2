//! From a block to fields (RFC 7541 3, 6).

use super::table::{DYNAMIC, ENTRY_BYTES, STATIC, Table};
use super::{Error, TABLE_BYTES, huffman, number};
use std::cell::RefCell;
use std::ops::Range;

thread_local! {
    /// Texts of one field, decoded; used within one call only.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
/// 16 KiB of it stay for the next block.
const SCRATCH_BYTES_MAX: usize = 16 * 1024;

/// One connection's decoder.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// Bytes of a block's fields, as RFC 9113 6.5.2 counts them, beyond which it is a bomb.
    bytes_max: usize,
}

/// A text of a field, and where it lies.
#[derive(Clone)]
enum Text {
    Block(Range<usize>),
    Scratch(Range<usize>),
    Static(&'static [u8]),
}

impl Text {
    fn of<'a>(&'a self, block: &'a [u8], scratch: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Block(range) => block.get(range.clone()).unwrap_or_default(),
            Self::Scratch(range) => scratch.get(range.clone()).unwrap_or_default(),
            Self::Static(text) => text,
        }
    }
}

impl Decoder {
    /// With an empty table, for blocks whose fields have so many bytes at the most.
    pub fn new(bytes_max: usize) -> Self {
        Self { table: Table::new(TABLE_BYTES), bytes_max }
    }

    /// Gives each field of `block` to `field`, in order.
    ///
    /// # Errors
    /// `Broken` where it is no block, `Bomb` where its fields are beyond all bounds. The connection is of no use then.
    pub fn decode(&mut self, block: &[u8], mut field: impl FnMut(&[u8], &[u8])) -> Result<(), Error> {
        SCRATCH.with_borrow_mut(|scratch| {
            let decoded = self.fields(block, scratch, &mut field);
            if scratch.capacity() > SCRATCH_BYTES_MAX {
                *scratch = Vec::new();
            }
            decoded
        })
    }

    fn fields(
        &mut self,
        block: &[u8],
        scratch: &mut Vec<u8>,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Error> {
        let mut at = 0;
        let mut left = self.bytes_max;
        let mut is_first = true;
        // Bounded: every turn takes a byte of the block at least, and a bomb is noticed.
        while let Some(&first) = block.get(at) {
            let (name, value, inserts) = match first {
                0x80.. => {
                    let (name, value) = self.at(number::read(block, &mut at, 7)?)?;
                    spend(&mut left, name, value)?;
                    field(name, value);
                    is_first = false;
                    continue;
                }
                0x40.. => {
                    let (name, value) = self.literal(block, &mut at, 6, scratch)?;
                    (name, value, true)
                }
                0x20.. => {
                    // RFC 7541 4.2: at the beginning of a block, and no larger than we allow.
                    let max = number::read(block, &mut at, 5)?;
                    if !is_first || max > TABLE_BYTES {
                        return Err(Error::Broken("a size of the table that is not allowed"));
                    }
                    self.table.set_max(max);
                    continue;
                }
                _ => {
                    let (name, value) = self.literal(block, &mut at, 4, scratch)?;
                    (name, value, false)
                }
            };
            is_first = false;
            let (name, value) = (name.of(block, scratch), value.of(block, scratch));
            spend(&mut left, name, value)?;
            field(name, value);
            if inserts {
                self.table.insert(name, value);
            }
        }
        Ok(())
    }

    /// The field at that place of both tables.
    fn at(&self, place: usize) -> Result<(&[u8], &[u8]), Error> {
        let found = match place.checked_sub(DYNAMIC) {
            Some(back) => self.table.newest(back),
            None => place.checked_sub(1).and_then(|place| STATIC.get(place).copied()),
        };
        found.ok_or(Error::Broken("a place that neither table has"))
    }

    fn literal(
        &self,
        block: &[u8],
        at: &mut usize,
        bits: u32,
        scratch: &mut Vec<u8>,
    ) -> Result<(Text, Text), Error> {
        scratch.clear();
        let name = match number::read(block, at, bits)? {
            0 => text(block, at, scratch)?,
            place @ 1..DYNAMIC => match STATIC.get(place - 1) {
                Some((name, _)) => Text::Static(name),
                None => return Err(Error::Broken("a place that the table has not")),
            },
            place => {
                // A copy: the entry may have to go for the one that is made of it (RFC 7541 4.4).
                scratch.extend_from_slice(self.at(place)?.0);
                Text::Scratch(0..scratch.len())
            }
        };
        let value = text(block, at, scratch)?;
        Ok((name, value))
    }
}

/// A text (RFC 7541 5.2).
fn text(block: &[u8], at: &mut usize, scratch: &mut Vec<u8>) -> Result<Text, Error> {
    let is_coded = block.get(*at).is_some_and(|byte| byte & 0x80 != 0);
    let len = number::read(block, at, 7)?;
    let range = *at..*at + len;
    let bytes = block.get(range.clone()).ok_or(Error::Broken("a text longer than its block"))?;
    *at = range.end;
    if !is_coded {
        return Ok(Text::Block(range));
    }
    let from = scratch.len();
    huffman::decode(bytes, scratch).ok_or(Error::Broken("a text that is none in Huffman's code"))?;
    Ok(Text::Scratch(from..scratch.len()))
}

fn spend(left: &mut usize, name: &[u8], value: &[u8]) -> Result<(), Error> {
    *left = left.checked_sub(name.len() + value.len() + ENTRY_BYTES).ok_or(Error::Bomb)?;
    Ok(())
}
