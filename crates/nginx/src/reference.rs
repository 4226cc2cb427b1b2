//! The reference page of the dialect, made from the table of directives.

use crate::directive::{Spec, Status};
use crate::directives;
use std::fmt::Write;

/// The reference of all directives as Markdown: those that are supported in tables by family, those that are
/// accepted with the reason, those that are not supported yet by name.
pub fn reference() -> String {
    let mut page = String::from(
        "# Directives of nginx.conf\n\nGenerated from the table in `crates/nginx`. A directive that is in no \
         list here is a mistake, as is one of the last list.\n",
    );
    supported(&mut page);
    accepted(&mut page);
    later(&mut page);
    page
}

fn supported(page: &mut String) {
    let mut last = "";
    for (title, list) in directives::lists() {
        let rows: Vec<_> = list.iter().filter(|spec| spec.status == Status::Supported).collect();
        if rows.is_empty() {
            continue;
        }
        if title != last {
            last = title;
            let _ = write!(
                page,
                "\n## {title}\n\n| Directive | Where | Arguments | Default | What it does |\n|---|---|---|---|---|\n"
            );
        }
        for Spec { name, contexts, args, default, doc, .. } in rows {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            let _ = writeln!(page, "| `{name}` | {contexts} | {args} | {default} | {doc} |");
        }
    }
}

fn accepted(page: &mut String) {
    page.push_str(
        "\n## Accepted without effect\n\nThey need no equivalent here; `bifrons check -v` lists those of a file.\n\n\
         | Directive | Where | Why it needs none |\n|---|---|---|\n",
    );
    for spec in directives::all() {
        if let Status::Accepted(why) = spec.status {
            let _ = writeln!(page, "| `{}` | {} | {why} |", spec.name, spec.contexts);
        }
    }
}

fn later(page: &mut String) {
    page.push_str(
        "\n## Not supported yet\n\nnginx knows them. A file that has one is refused. Where *off* is noted, \
         `off` may stand, as that is what happens anyway.\n\n| Directive | Instead |\n|---|---|\n",
    );
    for spec in directives::all() {
        if let Status::Later { instead, off } = spec.status {
            let off = if off { " (*off*)" } else { "" };
            let _ = writeln!(page, "| `{}`{off} | {instead} |", spec.name);
        }
    }
}
