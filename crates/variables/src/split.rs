//! Shares of requests by a hash: the same buckets as nginx's `split_clients`.

use crate::config;
use bifrons_config::Template;
use bifrons_http::vars::Scope;

/// A split, ready to be asked.
#[derive(Debug)]
pub struct Split {
    of: Template,
    /// Values and up to which hash each goes; `u32::MAX` takes what is left.
    parts: Box<[(u32, Template)]>,
}

impl Split {
    /// Compiles a split.
    ///
    /// # Errors
    /// A share that is none, or more than all of them.
    pub fn build(config: &config::Split) -> Result<Self, String> {
        let (mut sum, mut last) = (0, 0_u32);
        let mut parts = Vec::new();
        for share in &config.shares {
            let Some(percent) = share.percent else {
                sum = 10_000;
                last = u32::MAX;
                parts.push((last, share.value.clone()));
                continue;
            };
            let hundredths = (percent * 100.0).round();
            if !(1.0..=10_000.0).contains(&hundredths) {
                return Err(format!("a share of {percent} percent is not from 0.01 to 100"));
            }
            sum += hundredths as u32;
            if sum > 10_000 {
                return Err("percent total is greater than 100%".to_owned());
            }
            let width = u64::from(hundredths as u32) * u64::from(u32::MAX) / 10_000;
            last = last.wrapping_add(width as u32);
            parts.push((last, share.value.clone()));
        }
        Ok(Self { of: config.of.clone(), parts: parts.into() })
    }

    /// All templates, for those who look for loops.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.parts.iter().map(|(_, value)| value).chain([&self.of])
    }

    /// Appends the value.
    pub(crate) fn evaluate(&self, scope: &Scope<'_>, out: &mut Vec<u8>) {
        let mut subject = Vec::new();
        self.of.render(scope, &mut subject);
        let hash = murmur2(&subject);
        let part = self.parts.iter().find(|(end, _)| hash < *end || *end == u32::MAX);
        if let Some((_, value)) = part {
            value.render(scope, out);
        }
    }
}

/// MurmurHash2 with seed 0 (Austin Appleby's, `ngx_murmur_hash2`).
pub fn murmur2(bytes: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = bytes.len() as u32;
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests;
