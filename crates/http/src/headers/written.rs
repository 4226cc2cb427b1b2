//! Fields of a head that does not come as text (HPACK): written here as HTTP/1 has them, so that all else is the same.

use super::{Fields, Headers};
use crate::name::Name;

impl Fields {
    /// Bytes of the head so far, where it is not received as text but written here.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.0.bytes
    }

    /// Writes a field behind the others, as it stands in a received head.
    pub(crate) fn write(&mut self, id: Name, name: &[u8], value: &[u8]) {
        let bytes = &mut self.0.bytes;
        bytes.reserve(name.len() + value.len() + 4);
        let at = bytes.len();
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
        let value_at = at + name.len() + 2;
        self.push(id, at..at + name.len(), value_at..value_at + value.len());
    }

    /// The fields that were written here.
    pub(crate) fn finish(self) -> Headers {
        Headers(Some(self.0))
    }
}
