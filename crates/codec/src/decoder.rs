//! From coded bytes to plain ones.

use crate::Failed;
use bifrons_http::Encoding;

#[cfg(feature = "brotli")]
mod brotli;
mod gzip;
#[cfg(feature = "zstd")]
mod zstd;

/// Decodes one body.
pub struct Decoder {
    encoding: Encoding,
    machine: Machine,
    /// Whether the body may end here.
    is_whole: bool,
}

enum Machine {
    Gzip(gzip::Machine),
    #[cfg(feature = "brotli")]
    Brotli(brotli::Machine),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Machine),
}

/// What came of a step.
struct Stepped {
    /// Bytes of the input that were taken.
    taken: usize,
    /// Whether the body may end here.
    is_whole: bool,
}

impl Decoder {
    /// For a body of that coding.
    ///
    /// # Errors
    /// `NotBuilt`, or `Malformed` where there is no memory.
    pub fn new(encoding: Encoding) -> Result<Self, Failed> {
        let machine = match encoding {
            Encoding::Gzip => Machine::Gzip(gzip::Machine::new()),
            #[cfg(feature = "brotli")]
            Encoding::Brotli => Machine::Brotli(brotli::Machine::new()),
            #[cfg(feature = "zstd")]
            Encoding::Zstd => Machine::Zstd(zstd::Machine::new().ok_or(Failed::Malformed(Encoding::Zstd))?),
            #[allow(unreachable_patterns, reason = "which there are depends on the features")]
            other => return Err(Failed::NotBuilt(other)),
        };
        // No bytes at all are no bytes decoded.
        Ok(Self { encoding, machine, is_whole: true })
    }

    /// Decodes into the spare capacity of `out`, and says how many bytes of the input it took. When room is
    /// left in `out`, it took all and holds nothing back.
    ///
    /// # Errors
    /// `Malformed`.
    pub fn read(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, Failed> {
        let mut taken = 0;
        loop {
            let (rest, before) = (input.get(taken..).unwrap_or_default(), out.len());
            if out.len() == out.capacity() || rest.is_empty() && self.is_whole {
                return Ok(taken);
            }
            let stepped = match &mut self.machine {
                Machine::Gzip(machine) => machine.step(rest, out),
                #[cfg(feature = "brotli")]
                Machine::Brotli(machine) => machine.step(rest, out),
                #[cfg(feature = "zstd")]
                Machine::Zstd(machine) => machine.step(rest, out),
            };
            let stepped = stepped.ok_or(Failed::Malformed(self.encoding))?;
            taken += stepped.taken;
            self.is_whole = stepped.is_whole;
            // Bounded: a turn takes input or brings something out, or it is the last.
            if stepped.taken == 0 && out.len() == before {
                return match rest {
                    [] => Ok(taken),
                    _ => Err(Failed::Malformed(self.encoding)),
                };
            }
        }
    }

    /// Whether the body may end here.
    ///
    /// # Errors
    /// `Truncated` where it may not.
    pub fn finish(&self) -> Result<(), Failed> {
        if self.is_whole { Ok(()) } else { Err(Failed::Truncated(self.encoding)) }
    }
}
