use super::*;
use crate::directive::{Contexts, Status};

#[test]
fn no_directive_has_two_rows_for_one_block() {
    for spec in all() {
        let others = named(spec.name).iter().filter(|other| !std::ptr::eq(**other, spec));
        for other in others {
            assert!(!spec.contexts.meets(other.contexts), "{} in {}", spec.name, spec.contexts);
        }
    }
}

#[test]
fn every_row_says_what_it_does() {
    for spec in all() {
        match spec.status {
            Status::Supported => assert!(spec.doc.ends_with(['.', '"']), "{}", spec.name),
            Status::Accepted(why) => assert!(!why.is_empty() && spec.doc.is_empty(), "{}", spec.name),
            Status::Later { .. } => assert!(spec.contexts == Contexts::ANY, "{}", spec.name),
        }
    }
}

#[test]
fn the_reference_names_all() {
    let page = crate::reference();
    for spec in all() {
        assert!(page.contains(&format!("| `{}`", spec.name)), "{}", spec.name);
    }
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with('|')).collect();
    assert!(rows.iter().all(|row| [3, 4, 6].contains(&columns(row))), "a cell has a bare |");
}
