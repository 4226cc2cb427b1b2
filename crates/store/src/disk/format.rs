//! What is in the files: records, frames and their sums. Pure.
//!
//! A record is a header, what is known about an answer ([`Meta`]), and its body in frames: the sum of up to
//! 64 KiB, then these. So a range is read and proved without the rest. Sums are seeded by the answer's
//! number, so that a record read in place of another is not taken for it.

use crate::object::Meta;
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Bytes of a body under one sum: what one read of a disk brings along anyway.
pub(crate) const FRAME: u64 = 64 * 1024;

/// A frame's sum.
pub(crate) const SUM: u64 = 8;

pub(crate) const HEADER: usize = 56;

/// "BFR1"; another form gets another word.
const MAGIC: u32 = u32::from_le_bytes(*b"BFR1");

/// 1 MiB: heads are bounded at 64 KiB, keys and URLs at less; more is damage.
pub(crate) const META_MAX: u32 = 1024 * 1024;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An answer.
    Answer,
    /// What is newly known about an answer that is elsewhere.
    Update,
}

/// The fixed beginning of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) id: u64,
    pub(crate) hash: u128,
    pub(crate) meta_len: u32,
    pub(crate) meta_sum: u64,
}

/// What was read is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damaged;

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(&MAGIC.to_le_bytes());
        out[4] = match self.kind {
            Kind::Answer => 1,
            Kind::Update => 2,
        };
        out[8..16].copy_from_slice(&self.id.to_le_bytes());
        out[16..32].copy_from_slice(&self.hash.to_le_bytes());
        out[32..36].copy_from_slice(&self.meta_len.to_le_bytes());
        out[40..48].copy_from_slice(&self.meta_sum.to_le_bytes());
        let sum = xxh3_64_with_seed(&out[..48], self.id);
        out[48..].copy_from_slice(&sum.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        let mut input = Input(bytes.get(..HEADER).ok_or(Damaged)?);
        let magic = input.u32()?;
        let kind = match input.u32()? {
            1 => Kind::Answer,
            2 => Kind::Update,
            _ => return Err(Damaged),
        };
        let (id, hash) = (input.u64()?, input.u128()?);
        let (meta_len, zero, meta_sum, sum) = (input.u32()?, input.u32()?, input.u64()?, input.u64()?);
        let right = xxh3_64_with_seed(bytes.get(..48).ok_or(Damaged)?, id) == sum;
        if magic != MAGIC || zero != 0 || meta_len > META_MAX || !right {
            return Err(Damaged);
        }
        Ok(Self { kind, id, hash, meta_len, meta_sum })
    }
}

/// Header and meta of a record.
pub(crate) fn encode_record(kind: Kind, id: u64, hash: u128, meta: &Meta) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    encode_meta(meta, &mut out);
    let known = &out[HEADER..];
    let header = Header {
        kind,
        id,
        hash,
        meta_len: u32::try_from(known.len()).unwrap_or(u32::MAX),
        meta_sum: xxh3_64_with_seed(known, id),
    };
    out[..HEADER].copy_from_slice(&header.encode());
    out
}

/// Reads what [`encode_record`] wrote, if it is of that answer.
pub(crate) fn decode_record(bytes: &Bytes, kind: Kind, id: u64, hash: u128) -> Result<Meta, Damaged> {
    let header = Header::decode(bytes)?;
    if (header.kind, header.id, header.hash) != (kind, id, hash) {
        return Err(Damaged);
    }
    let end = HEADER + header.meta_len as usize;
    if bytes.len() < end || xxh3_64_with_seed(&bytes[HEADER..end], id) != header.meta_sum {
        return Err(Damaged);
    }
    decode_meta(&bytes.slice(HEADER..end))
}

fn encode_meta(meta: &Meta, out: &mut Vec<u8>) {
    out.extend_from_slice(&meta.keep_until_s.to_le_bytes());
    for part in [&meta.key, meta.host.as_bytes(), meta.path.as_bytes(), &meta.vary, &meta.head] {
        put(out, part);
    }
    put_u32(out, meta.tags.len());
    meta.tags.iter().for_each(|tag| out.extend_from_slice(&tag.to_le_bytes()));
}

fn decode_meta(bytes: &Bytes) -> Result<Meta, Damaged> {
    let mut input = Input(bytes);
    let keep_until_s = input.u64()?;
    let key = input.part()?.into();
    let host = input.text()?.into();
    let path = input.text()?.into();
    let vary = input.part()?.into();
    // A copy: a slice would keep all that was read with it, the body too.
    let head = Bytes::copy_from_slice(input.part()?);
    let tags = input.hashes()?;
    Ok(Meta { key, host, path, vary, tags, head, keep_until_s })
}

/// Sum of a frame.
pub(crate) fn frame_sum(id: u64, index: u64, data: &[u8]) -> u64 {
    xxh3_64_with_seed(data, id.rotate_left(20).wrapping_add(index))
}

/// Appends a body in frames.
pub(crate) fn encode_frames(id: u64, body: &[u8], out: &mut Vec<u8>) {
    for (index, data) in body.chunks(FRAME as usize).enumerate() {
        out.extend_from_slice(&frame_sum(id, index as u64, data).to_le_bytes());
        out.extend_from_slice(data);
    }
}

/// Bytes that a body of a length takes in frames.
pub(crate) fn framed_len(body_len: u64) -> u64 {
    body_len + body_len.div_ceil(FRAME) * SUM
}

/// The data of frames that begin with number `first`, each proved. `len` is the whole body's.
pub(crate) fn decode_frames(id: u64, first: u64, len: u64, bytes: &Bytes) -> Result<Vec<Bytes>, Damaged> {
    let (mut out, mut at, mut index) = (Vec::new(), 0, first);
    while at < bytes.len() {
        let left = len.checked_sub(index.checked_mul(FRAME).ok_or(Damaged)?).ok_or(Damaged)?;
        let size = left.min(FRAME) as usize;
        let sum = Input(bytes.get(at..).ok_or(Damaged)?).u64()?;
        let start = at + SUM as usize;
        if size == 0 || bytes.len() < start + size {
            return Err(Damaged);
        }
        let data = bytes.slice(start..start + size);
        if frame_sum(id, index, &data) != sum {
            return Err(Damaged);
        }
        out.push(data);
        at = start + size;
        index += 1;
    }
    Ok(out)
}

/// Appends a part with its length.
pub(crate) fn put(out: &mut Vec<u8>, part: &[u8]) {
    put_u32(out, part.len());
    out.extend_from_slice(part);
}

pub(crate) fn put_u32(out: &mut Vec<u8>, value: usize) {
    // What is longer than that is refused before: see META_MAX.
    out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}

/// Takes values off the front.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Damaged> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        self.take(N)?.try_into().map_err(|_| Damaged)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Damaged> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damaged> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damaged> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn u128(&mut self) -> Result<u128, Damaged> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    pub(crate) fn part(&mut self) -> Result<&'a [u8], Damaged> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damaged> {
        std::str::from_utf8(self.part()?).map_err(|_| Damaged)
    }

    pub(crate) fn hashes(&mut self) -> Result<Box<[u64]>, Damaged> {
        let count = self.u32()? as usize;
        let bytes = self.take(count.checked_mul(8).ok_or(Damaged)?)?;
        let hash = |part: &[u8]| part.try_into().map(u64::from_le_bytes).map_err(|_| Damaged);
        bytes.chunks(8).map(hash).collect()
    }
}

#[cfg(test)]
mod tests;
