//! A body that is compressed while it passes.

use bifrons_codec::{Encoder, Failed};
use bifrons_core::{Error, Kind, Result};
use bifrons_http::Transform;
use bifrons_http::coded::CodedSink;
use bifrons_http::cx::CodedBytes;
use bytes::Bytes;
use std::rc::Rc;

/// 4 KiB: what comes out is passed on from there on, so that a gzip header or some bytes are no piece of their
/// own; a pause or the end pass on what there is.
const PIECE_BYTES: usize = 4 * 1024;

/// Compresses one body.
pub(super) struct Encode {
    /// `None` behind the end.
    encoder: Option<Encoder>,
    out: Vec<u8>,
    counts: Rc<CodedBytes>,
    /// Keeps it for the next client.
    sink: Option<Box<dyn CodedSink>>,
}

impl Encode {
    pub(super) fn new(encoder: Encoder, counts: Rc<CodedBytes>, sink: Option<Box<dyn CodedSink>>) -> Self {
        Self { encoder: Some(encoder), out: Vec::new(), counts, sink }
    }

    fn take(&mut self) -> Bytes {
        self.counts.coded.set(self.counts.coded.get() + self.out.len() as u64);
        let piece: Bytes = std::mem::take(&mut self.out).into();
        if let Some(sink) = &mut self.sink {
            sink.push(&piece);
        }
        piece
    }
}

impl Transform for Encode {
    fn piece(&mut self, piece: Bytes) -> Result<Bytes> {
        let Some(encoder) = &mut self.encoder else { return Ok(Bytes::new()) };
        self.counts.plain.set(self.counts.plain.get() + piece.len() as u64);
        encoder.write(&piece, &mut self.out).map_err(failed)?;
        bifrons_http::buffers::give_bytes(piece);
        Ok(if self.out.len() >= PIECE_BYTES { self.take() } else { Bytes::new() })
    }

    fn end(&mut self) -> Result<Bytes> {
        if let Some(encoder) = self.encoder.take() {
            encoder.finish(&mut self.out).map_err(failed)?;
        }
        let last = self.take();
        if let Some(sink) = self.sink.take() {
            sink.finish();
        }
        Ok(last)
    }

    fn flush(&mut self) -> Result<Bytes> {
        if let Some(encoder) = &mut self.encoder {
            encoder.flush(&mut self.out).map_err(failed)?;
        }
        Ok(self.take())
    }
}

#[cold]
fn failed(failed: Failed) -> Error {
    Error::local(Kind::Internal, format!("compressing: {failed}"))
}
