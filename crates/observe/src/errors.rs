//! Logs of what went wrong with requests: lines in the form of nginx's error log, for the tools that read those.
//!
//! Such lines are rare and are written by the thread that has one, at once.

use crate::config::{Destination, Syslog};
use crate::sinks::{self, OpenError, Records, Sink};
use crate::time::time_iso8601;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

/// 2 KiB, as nginx has it (`NGX_MAX_ERROR_STR`): a client's request line may be far longer.
const LINE_BYTES_MAX: usize = 2048;

/// What a line begins with, up to the message: `2026/11/24 08:00:00 [error] 123#125: `.
pub fn head(severity: &str) -> String {
    let mut iso = Vec::with_capacity(25);
    time_iso8601(SystemTime::now(), &mut iso);
    let iso = String::from_utf8_lossy(&iso);
    let (date, time) = (iso.get(..10).unwrap_or_default(), iso.get(11..19).unwrap_or_default());
    let (pid, thread) = (std::process::id(), rustix::thread::gettid());
    format!("{} {time} [{severity}] {pid}#{thread}: ", date.replace('-', "/"))
}

/// A line of that message, with its end.
pub fn line(severity: &str, message: &str) -> String {
    let mut line = format!("{}{}", head(severity), message.replace('\n', " "));
    line.truncate(line.floor_char_boundary(LINE_BYTES_MAX - 1));
    line.push('\n');
    line
}

/// All such logs of the process that are open, so that those of one file share it.
#[derive(Default)]
pub struct ErrorOutputs {
    open: Mutex<Vec<Weak<ErrorOutput>>>,
}

/// A log, open for as long as somebody needs it.
pub struct ErrorOutput {
    to: Destination,
    /// One for each severity of a syslog, which it says with each message; one for all of another's.
    sinks: Mutex<Vec<(&'static str, Box<dyn Sink>)>>,
}

impl ErrorOutputs {
    /// The log of that destination; one that is open already is not opened again.
    ///
    /// # Errors
    /// As [`sinks::open`].
    pub fn open(&self, to: &Destination) -> Result<Arc<ErrorOutput>, OpenError> {
        let mut open = lock(&self.open);
        open.retain(|output| output.strong_count() > 0);
        if let Some(output) = open.iter().filter_map(Weak::upgrade).find(|output| output.to == *to) {
            return Ok(output);
        }
        let output = Arc::new(ErrorOutput::open(to)?);
        open.push(Arc::downgrade(&output));
        Ok(output)
    }

    /// Opens all files again, so that renamed ones are let go.
    pub fn reopen(&self) {
        for output in lock(&self.open).iter().filter_map(Weak::upgrade) {
            output.reopen();
        }
    }
}

impl ErrorOutput {
    /// Opens a destination for itself.
    ///
    /// # Errors
    /// As [`sinks::open`].
    pub fn open(to: &Destination) -> Result<Self, OpenError> {
        let first = ("error", sinks::open(&of_severity(to, "error"))?);
        Ok(Self { to: to.clone(), sinks: Mutex::new(vec![first]) })
    }

    /// Opens the file again. One that cannot be opened is told, and the old one stays.
    pub fn reopen(&self) {
        for (_, sink) in lock(&self.sinks).iter_mut() {
            if let Err(error) = sink.reopen() {
                tracing::error!(to = ?self.to, %error, "cannot open the error log again");
            }
        }
    }

    /// Writes a message as a line of the log's form. What cannot be written is lost, as in nginx.
    pub fn message(&self, severity: &'static str, message: &str) {
        self.line(severity, line(severity, message).as_bytes());
    }

    /// Writes a line as it is, with its end.
    pub fn line(&self, severity: &'static str, line: &[u8]) {
        let mut records = Records::default();
        records.push_with(|out| out.extend_from_slice(line));
        let mut sinks = lock(&self.sinks);
        let is_syslog = matches!(self.to, Destination::Syslog(_));
        let at = sinks.iter().position(|(of, _)| !is_syslog || *of == severity);
        let at = at.or_else(|| {
            let sink = sinks::open(&of_severity(&self.to, severity)).ok()?;
            sinks.push((severity, sink));
            Some(sinks.len() - 1)
        });
        if let Some((_, sink)) = at.and_then(|at| sinks.get_mut(at)) {
            // There is nobody to tell: this is where errors are told.
            let _ = sink.write(&records);
        }
    }
}

/// The destination for messages of that severity.
fn of_severity(to: &Destination, severity: &str) -> Destination {
    match to {
        Destination::Syslog(syslog) => {
            Destination::Syslog(Syslog { severity: severity.to_owned(), ..syslog.clone() })
        }
        other => other.clone(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
