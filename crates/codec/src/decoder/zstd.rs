//! zstd (RFC 8878), by its own library: frames one behind the other are one body.

use super::Stepped;
use crate::WINDOW_BITS;
use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

pub(super) struct Machine(Decoder<'static>);

impl Machine {
    pub(super) fn new() -> Option<Self> {
        let mut decoder = Decoder::new().ok()?;
        // RFC 9659: no larger window is to be used on the web.
        decoder.set_parameter(DParameter::WindowLogMax(u32::from(*WINDOW_BITS.end()))).ok()?;
        Some(Self(decoder))
    }

    pub(super) fn step(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<Stepped> {
        let mut from = InBuffer::around(input);
        let before = out.len();
        let hint = self.0.run(&mut from, &mut OutBuffer::around_pos(out, before)).ok()?;
        // 0: a frame was decoded and all of it is out.
        Some(Stepped { taken: from.pos(), is_whole: hint == 0 })
    }
}
