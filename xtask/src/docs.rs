//! `xtask docs`: the pages of docs/reference, generated from the code so that they cannot lie.

mod balance;
mod config;
mod filters;
mod markdown;
mod metrics;
mod nginx;
mod schema;
mod variables;

use crate::Outcome;
use std::path::Path;

/// A page and its text.
struct Page {
    /// Below docs/reference.
    name: &'static str,
    text: String,
}

/// All pages. A new one is a file here and a line in this list.
fn pages() -> Result<Vec<Page>, String> {
    let schema = schema::Schema::load();
    Ok(vec![
        Page { name: "schema.json", text: schema.json() },
        Page { name: "config.md", text: config::page(&schema)? },
        Page { name: "filters.md", text: filters::page(&schema)? },
        Page { name: "balance.md", text: balance::page(&schema)? },
        Page { name: "variables.md", text: variables::page() },
        Page { name: "metrics.md", text: metrics::page()? },
        Page { name: "nginx-directives.md", text: nginx::page() },
    ])
}

/// Writes the pages.
pub(crate) fn write(root: &Path) -> Outcome {
    for page in pages()? {
        let path = root.join("docs/reference").join(page.name);
        if crate::read(&path).ok().as_deref() == Some(page.text.as_str()) {
            continue;
        }
        crate::write(&path, &page.text)?;
        println!("written: docs/reference/{}", page.name);
    }
    Ok(())
}

/// Fails where a page is not what the code says.
pub(crate) fn check(root: &Path) -> Outcome {
    let mut stale = Vec::new();
    for page in pages()? {
        let path = root.join("docs/reference").join(page.name);
        if crate::read(&path).ok().as_deref() != Some(page.text.as_str()) {
            stale.push(format!("docs/reference/{}", page.name));
        }
    }
    match stale.as_slice() {
        [] => Ok(()),
        _ => Err(format!("not up to date: {}\nhelp: run `make docs`", stale.join(", "))),
    }
}

#[cfg(test)]
mod tests;
