//! Lines as nginx's error log has them: `2026/11/24 08:00:00 [error] 123#125: message, name: value`.

use bifrons_flow::complaint;
use bifrons_observe::errors::line;
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// nginx's word for a level. What we tell as information is of the kind that nginx calls a notice.
pub fn severity(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        // What clients do is no notice of ours.
        Level::INFO if metadata.target() == complaint::TARGET => "info",
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
        writer.write_str(&line(severity(event.metadata()), &text))
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
