//! `files`: records are appended to files whose names each record says.

use super::append::Appender;
use super::{Lost, Opener, Records, Sink};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// 64 files open at once; the one not used for longest is closed for another. A file a host, say.
const OPEN_MAX: usize = 64;

/// What stands between the name of the file and the record: in neither of the two.
pub(crate) const BETWEEN: u8 = 0;

/// Files, opened when a record names them.
pub(super) struct FilesSink {
    opener: Opener,
    open: HashMap<Vec<u8>, (u64, Appender)>,
    turns: u64,
}

impl FilesSink {
    pub(super) fn new(opener: Opener) -> Self {
        Self { opener, open: HashMap::new(), turns: 0 }
    }

    fn append(&mut self, path: &[u8], records: &Records) -> Result<(), Lost> {
        let lost = |error| Lost { records: records.count(), error };
        if !is_harmless(path) {
            let message = "the name of the file is not absolute, or has \"..\" in it";
            return Err(lost(io::Error::new(io::ErrorKind::InvalidInput, message)));
        }
        self.turns += 1;
        if !self.open.contains_key(path) {
            self.make_room();
            let file = (self.opener)(Path::new(OsStr::from_bytes(path))).map_err(lost)?;
            self.open.insert(path.to_vec(), (0, Appender::new(file)));
        }
        match self.open.get_mut(path) {
            Some((used, file)) => {
                *used = self.turns;
                file.append(records)
            }
            None => Ok(()),
        }
    }

    fn make_room(&mut self) {
        if self.open.len() < OPEN_MAX {
            return;
        }
        let oldest = self.open.iter().min_by_key(|(_, (used, _))| *used).map(|(path, _)| path.clone());
        if let Some(oldest) = oldest {
            self.open.remove(&oldest);
        }
    }
}

/// A name may come from a client: it must not lead out of where it begins.
fn is_harmless(path: &[u8]) -> bool {
    path.starts_with(b"/")
        && !path.split(|byte| *byte == b'/').any(|part| part == b"..")
        && !path.iter().any(u8::is_ascii_control)
}

impl Sink for FilesSink {
    fn write(&mut self, records: &Records) -> Result<(), Lost> {
        let mut by_path: Vec<(&[u8], Records)> = Vec::new();
        for record in records.iter() {
            let mut parts = record.splitn(2, |byte| *byte == BETWEEN);
            let (path, line) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let at = by_path.iter().position(|(known, _)| *known == path).unwrap_or_else(|| {
                by_path.push((path, Records::default()));
                by_path.len() - 1
            });
            if let Some((_, records)) = by_path.get_mut(at) {
                records.push_with(|out| {
                    out.extend_from_slice(line);
                    out.push(b'\n');
                });
            }
        }
        let mut all: Result<(), Lost> = Ok(());
        for (path, records) in &by_path {
            if let Err(lost) = self.append(path, records) {
                let before = all.as_ref().err().map_or(0, |before| before.records);
                all = Err(Lost { records: before + lost.records, error: lost.error });
            }
        }
        all
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.open.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
