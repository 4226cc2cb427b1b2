//! From plain bytes to coded ones.

use crate::{Failed, Quality};
use bifrons_http::Encoding;
use std::cell::RefCell;

#[cfg(feature = "brotli")]
mod brotli;
mod gzip;
#[cfg(feature = "zstd")]
mod zstd;

/// 8 encoders that a thread keeps for the next body, 2.5 MiB of gzip's: as many as are at work at the same time
/// where bodies are small, and then a body costs no trip to the allocator for tables.
const SPARE_MAX: usize = 8;

/// Encoders with a larger window than 1 MiB are not kept.
const SPARE_WINDOW_BITS_MAX: u8 = 20;

thread_local! {
    static SPARE: RefCell<Vec<(Quality, Machine)>> = const { RefCell::new(Vec::new()) };
}

/// Codes one body.
pub struct Encoder {
    quality: Quality,
    /// `None` only while it is dropped.
    machine: Option<Machine>,
    /// Whether bytes may be in the machine that a flush would bring out.
    is_holding: bool,
}

enum Machine {
    Gzip(gzip::Machine),
    #[cfg(feature = "brotli")]
    Brotli(brotli::Machine),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Machine),
}

impl Encoder {
    /// For a body of so many bytes, where that is known.
    ///
    /// # Errors
    /// `NotBuilt`, or `Encode` where there is no memory.
    pub fn new(quality: Quality, len: Option<u64>) -> Result<Self, Failed> {
        let quality = fitted(quality, len);
        let spare = SPARE.with_borrow_mut(|spare| {
            let at = spare.iter().rposition(|(of, _)| *of == quality)?;
            Some(spare.swap_remove(at).1)
        });
        let mut machine = match spare {
            Some(machine) => machine,
            None => Machine::new(quality)?,
        };
        machine.begin(len).ok_or(Failed::Encode(quality.encoding))?;
        Ok(Self { quality, machine: Some(machine), is_holding: false })
    }

    /// Takes a piece; what comes of it so far goes behind `out`.
    ///
    /// # Errors
    /// `Encode`.
    pub fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), Failed> {
        self.is_holding |= !piece.is_empty();
        self.with(|machine| machine.write(piece, out))
    }

    /// Brings out what was taken, so that the other end can decode all of it.
    ///
    /// # Errors
    /// `Encode`.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), Failed> {
        match std::mem::take(&mut self.is_holding) {
            true => self.with(|machine| machine.flush(out)),
            false => Ok(()),
        }
    }

    /// Brings the body to its end.
    ///
    /// # Errors
    /// `Encode`.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), Failed> {
        self.with(|machine| machine.finish(out))
    }

    fn with(&mut self, step: impl FnOnce(&mut Machine) -> Option<()>) -> Result<(), Failed> {
        self.machine.as_mut().and_then(step).ok_or(Failed::Encode(self.quality.encoding))
    }
}

/// A window no larger than the body.
fn fitted(mut quality: Quality, len: Option<u64>) -> Quality {
    if quality.encoding == Encoding::Gzip {
        quality.window_bits = quality.window_bits.min(15);
    }
    if let Some(len) = len {
        // Steps of two, so that what is kept for the next body fits more bodies; from 16 KiB on.
        let needed = (64 - len.leading_zeros()).clamp(14, 30).next_multiple_of(2) as u8;
        quality.window_bits = quality.window_bits.min(needed);
    }
    quality
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let Some(mut machine) = self.machine.take() else { return };
        if self.quality.window_bits > SPARE_WINDOW_BITS_MAX || machine.reset().is_none() {
            return;
        }
        // None is kept while the thread itself is going.
        let _ = SPARE.try_with(|spare| {
            let Ok(mut spare) = spare.try_borrow_mut() else { return };
            if spare.len() >= SPARE_MAX {
                spare.remove(0);
            }
            spare.push((self.quality, machine));
        });
    }
}

/// Each step is `None` where the machine has failed.
impl Machine {
    fn new(quality: Quality) -> Result<Self, Failed> {
        match quality.encoding {
            Encoding::Gzip => Ok(Self::Gzip(gzip::Machine::new(quality))),
            #[cfg(feature = "brotli")]
            Encoding::Brotli => Ok(Self::Brotli(brotli::Machine::new(quality))),
            #[cfg(feature = "zstd")]
            Encoding::Zstd => {
                zstd::Machine::new(quality).map(Self::Zstd).ok_or(Failed::Encode(quality.encoding))
            }
            #[allow(unreachable_patterns, reason = "which there are depends on the features")]
            other => Err(Failed::NotBuilt(other)),
        }
    }

    fn begin(&mut self, len: Option<u64>) -> Option<()> {
        match self {
            Self::Gzip(_) => Some(()),
            #[cfg(feature = "brotli")]
            Self::Brotli(machine) => machine.begin(len),
            #[cfg(feature = "zstd")]
            Self::Zstd(machine) => machine.begin(len),
        }
    }

    fn write(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Gzip(machine) => machine.write(piece, out),
            #[cfg(feature = "brotli")]
            Self::Brotli(machine) => machine.write(piece, out),
            #[cfg(feature = "zstd")]
            Self::Zstd(machine) => machine.write(piece, out),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Gzip(machine) => machine.flush(out),
            #[cfg(feature = "brotli")]
            Self::Brotli(machine) => machine.flush(out),
            #[cfg(feature = "zstd")]
            Self::Zstd(machine) => machine.flush(out),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Self::Gzip(machine) => machine.finish(out),
            #[cfg(feature = "brotli")]
            Self::Brotli(machine) => machine.finish(out),
            #[cfg(feature = "zstd")]
            Self::Zstd(machine) => machine.finish(out),
        }
    }

    /// Makes it ready for another body; `None` where it can't be.
    fn reset(&mut self) -> Option<()> {
        match self {
            Self::Gzip(machine) => {
                machine.reset();
                Some(())
            }
            // Its tables come and go with each body.
            #[cfg(feature = "brotli")]
            Self::Brotli(_) => None,
            #[cfg(feature = "zstd")]
            Self::Zstd(machine) => machine.reset(),
        }
    }
}
