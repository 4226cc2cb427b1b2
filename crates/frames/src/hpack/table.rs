//! The static and the dynamic table (RFC 7541 2.3).

use std::collections::VecDeque;

/// What an entry counts besides its bytes (RFC 7541 4.1).
pub(super) const ENTRY_BYTES: usize = 32;

/// RFC 7541 A.
pub(super) static STATIC: [(&[u8], &[u8]); 61] = [
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

/// The first place of the dynamic table.
pub(super) const DYNAMIC: usize = STATIC.len() + 1;

/// The place of a name of answers in the static table; 0 where it has none.
pub(super) fn static_name(name: &[u8]) -> usize {
    match name {
        b":status" => 8,
        b"accept-ranges" => 18,
        b"access-control-allow-origin" => 20,
        b"age" => 21,
        b"allow" => 22,
        b"cache-control" => 24,
        b"content-disposition" => 25,
        b"content-encoding" => 26,
        b"content-language" => 27,
        b"content-length" => 28,
        b"content-location" => 29,
        b"content-range" => 30,
        b"content-type" => 31,
        b"date" => 33,
        b"etag" => 34,
        b"expires" => 36,
        b"last-modified" => 44,
        b"link" => 45,
        b"location" => 46,
        b"proxy-authenticate" => 48,
        b"refresh" => 52,
        b"retry-after" => 53,
        b"server" => 54,
        b"set-cookie" => 55,
        b"strict-transport-security" => 56,
        b"vary" => 59,
        b"via" => 60,
        b"www-authenticate" => 61,
        _ => 0,
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    at: u32,
    name_len: u32,
    value_len: u32,
}

/// A dynamic table: entries over one stretch of bytes, which is moved together now and then.
#[derive(Debug)]
pub(super) struct Table {
    bytes: Vec<u8>,
    entries: VecDeque<Entry>,
    /// Of the entries, as RFC 7541 4.1 counts them.
    size: usize,
    max: usize,
    /// How many entries there ever were.
    inserted: u32,
}

impl Table {
    pub(super) fn new(max: usize) -> Self {
        Self { bytes: Vec::new(), entries: VecDeque::new(), size: 0, max, inserted: 0 }
    }

    /// How many entries there ever were: the number of the next one.
    pub(super) fn inserted(&self) -> u32 {
        self.inserted
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Entries that no longer fit go (RFC 7541 4.3).
    pub(super) fn set_max(&mut self, max: usize) {
        self.max = max;
        self.evict(0);
    }

    /// The entry so many before the newest.
    pub(super) fn newest(&self, back: usize) -> Option<(&[u8], &[u8])> {
        let entry = self.entries.get(self.entries.len().checked_sub(back + 1)?)?;
        let (at, name_len, value_len) =
            (entry.at as usize, entry.name_len as usize, entry.value_len as usize);
        self.bytes.get(at..at + name_len + value_len)?.split_at_checked(name_len)
    }

    /// How many before the newest the entry of that number is; `None` where it is gone.
    pub(super) fn back_of(&self, number: u32) -> Option<usize> {
        let back = self.inserted.wrapping_sub(number).wrapping_sub(1) as usize;
        (back < self.entries.len()).then_some(back)
    }

    /// Adds an entry, for which others go; one that is larger than the table empties it (RFC 7541 4.4).
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8]) {
        let size = name.len() + value.len() + ENTRY_BYTES;
        self.evict(size);
        if size > self.max {
            return;
        }
        self.compact();
        self.entries.push_back(Entry {
            at: self.bytes.len() as u32,
            name_len: name.len() as u32,
            value_len: value.len() as u32,
        });
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.size += size;
        self.inserted = self.inserted.wrapping_add(1);
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, more: usize) {
        while self.size + more > self.max
            && let Some(entry) = self.entries.pop_front()
        {
            self.size -= entry.name_len as usize + entry.value_len as usize + ENTRY_BYTES;
        }
        if self.entries.is_empty() {
            self.bytes.clear();
        }
    }

    /// Bytes of entries that are gone are dropped when they are as many as the table may have.
    fn compact(&mut self) {
        let Some(first) = self.entries.front() else { return };
        let gone = first.at;
        if (gone as usize) < super::TABLE_BYTES {
            return;
        }
        self.bytes.drain(..gone as usize);
        for entry in &mut self.entries {
            entry.at -= gone;
        }
    }
}
