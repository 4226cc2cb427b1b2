//! Changes inputs at random, for the runner that has no libFuzzer.

use fastrand::Rng;

/// 16 KiB: no target has a limit worth reaching by mutation beyond it.
const LEN_MAX: usize = 16 * 1024;

/// A changed copy of `input`; `others` lend parts.
pub fn mutate(rng: &mut Rng, input: &[u8], others: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + rng.usize(..4) {
        change(rng, &mut bytes, others, words);
    }
    bytes.truncate(LEN_MAX);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str]) {
    let at = rng.usize(..=bytes.len());
    let range = at..(at + rng.usize(..16)).min(bytes.len());
    match rng.u8(..8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(..8),
        1 if at < bytes.len() => bytes[at] = rng.u8(..),
        2 => drop(bytes.drain(range)),
        3 => {
            let part = bytes[range].to_vec();
            let to = rng.usize(..=bytes.len());
            drop(bytes.splice(to..to, part));
        }
        4 => {
            let Some(other) = rng.choice(others) else { return };
            let from = rng.usize(..=other.len());
            let part = other[from..(from + rng.usize(..64)).min(other.len())].to_vec();
            drop(bytes.splice(range, part));
        }
        5 => drop(bytes.splice(at..at, [rng.u8(..)])),
        _ => {
            let Some(word) = rng.choice(words) else { return };
            let replaced = if rng.bool() { range } else { at..at };
            drop(bytes.splice(replaced, word.bytes()));
        }
    }
}
