//! Texts that are replaced in answers: `sub_filter` and its family.

use super::super::settings::settings;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;
use bifrons_config::Template;
use bifrons_filters::FilterConfig;
use bifrons_filters::replace_body::{Config, Text, Validators};

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// What is replaced in answers.
    SubSettings {
        texts: Vec<(Template, Template)>,
        once: bool,
        types: Vec<String>,
        last_modified: bool,
    }
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "sub_filter",
        LEVELS,
        Args::Exact(2),
        "Replaces the first text, whatever its case, by the second in bodies of answers; both with variables. A block \
         that has any takes none from the enclosing one. Compressed bodies are left as they are: \
         `proxy_set_header Accept-Encoding \"\"` or `gunzip on` keeps them plain.",
        sub_filter,
    ),
    Spec::new(
        "sub_filter_once",
        LEVELS,
        Args::Flag,
        "Whether each text is replaced only where it occurs first.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.sub.once),
    )
    .default("on"),
    Spec::new(
        "sub_filter_types",
        LEVELS,
        Args::AtLeast(1),
        "Media types of the bodies that are changed, besides `text/html`; `*` is all.",
        |cx, d| {
            let types = d.args.iter().map(|word| word.text.clone()).collect();
            cx.put(d, types, |cx| &mut cx.level.sub.types);
        },
    )
    .default("text/html"),
    Spec::new(
        "sub_filter_last_modified",
        LEVELS,
        Args::Flag,
        "Whether changed answers keep `Last-Modified`, and `ETag` as a weak one.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.sub.last_modified),
    )
    .default("off"),
];

fn sub_filter(cx: &mut Ctx, directive: &Directive) {
    let [from, to] = &*directive.args else { return };
    if from.text.is_empty() {
        return cx.problem(from, "empty search pattern");
    }
    let (from, to) = (cx.template(from), cx.template(to));
    if let (Some(from), Some(to)) = (from, to) {
        cx.level.sub.texts.get_or_insert_default().push((from, to));
    }
}

impl SubSettings {
    /// The filter that does it.
    pub(crate) fn emit(&self) -> Option<FilterConfig> {
        let mut texts = self.texts.iter().flatten().cloned().map(|(from, to)| Text { from, to });
        let Text { from, to } = texts.next()?;
        let html = "text/html".to_owned();
        let named = self.types.iter().flatten().filter(|kind| !kind.eq_ignore_ascii_case(&html));
        let types = std::iter::once(html.clone()).chain(named.cloned()).collect();
        Some(FilterConfig::ReplaceBody(Config {
            from,
            to,
            also: texts.collect(),
            types,
            ignore_case: true,
            first_only: self.once.unwrap_or(true),
            validators: match self.last_modified {
                Some(true) => Validators::Weaken,
                _ => Validators::Remove,
            },
        }))
    }
}
