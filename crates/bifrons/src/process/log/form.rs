//! Lines as nginx's error log has them: `2026/11/24 08:00:00 [error] 123#125: message, name: value`.

use bifrons_flow::complaint;
use bifrons_observe::time::time_iso8601;
use std::fmt;
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What a line begins with, up to the message.
pub fn head(severity: &str) -> String {
    let mut iso = Vec::with_capacity(25);
    time_iso8601(SystemTime::now(), &mut iso);
    let iso = String::from_utf8_lossy(&iso);
    let (date, time) = (iso.get(..10).unwrap_or_default(), iso.get(11..19).unwrap_or_default());
    let (pid, thread) = (std::process::id(), rustix::thread::gettid());
    format!("{} {time} [{severity}] {pid}#{thread}: ", date.replace('-', "/"))
}

/// A line of that message.
pub fn line(severity: &str, message: &str) -> String {
    let mut line = format!("{}{}", head(severity), message.replace('\n', " "));
    line.truncate(line.floor_char_boundary(LINE_BYTES_MAX - 1));
    line.push('\n');
    line
}

/// 2 KiB, as nginx has it (`NGX_MAX_ERROR_STR`): a client's request line may be far longer.
const LINE_BYTES_MAX: usize = 2048;

/// nginx's word for a level. What we tell as information is of the kind that nginx calls a notice.
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "notice",
        Level::DEBUG | Level::TRACE => "debug",
    }
}

/// The formatter.
pub struct NginxForm;

impl<S, N> FormatEvent<S, N> for NginxForm
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let text = format!("{}{}", fields.message, fields.rest);
        let severity = match *event.metadata().level() {
            // What clients do is no notice of ours.
            Level::INFO if event.metadata().target() == complaint::TARGET => "info",
            level => severity(level),
        };
        writer.write_str(&line(severity, &text))
    }
}

/// The message and behind it the other fields.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            name => self.rest.push_str(&format!(", {name}: {value:?}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message = value.to_owned(),
            // A message without help has an empty one.
            "help" if value.is_empty() => {}
            name => self.rest.push_str(&format!(", {name}: {value}")),
        }
    }
}
