use super::*;

mod guide;

fn page_of(name: &str) -> String {
    let pages = pages().unwrap();
    pages.into_iter().find(|page| page.name == name).unwrap().text
}

/// The anchors of a page's headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| markdown::anchor(line.trim_start_matches(['#', ' ']))).collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let pages = pages().unwrap();
    for page in pages.iter().filter(|page| page.name.ends_with(".md")) {
        for target in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let (name, anchor) = target.split_once('#').unwrap_or((target, ""));
            if name.starts_with("../") || name.contains("://") {
                continue;
            }
            let other =
                pages.iter().find(|other| other.name == name || name.is_empty() && other.name == page.name);
            let other = other.unwrap_or_else(|| panic!("{}: no page {target}", page.name));
            let found = anchor.is_empty() || anchors(&other.text).iter().any(|one| one == anchor);
            assert!(found, "{}: no section {target}", page.name);
        }
    }
}

#[test]
fn keys_stand_with_type_default_and_meaning() {
    let config = page_of("config.md");
    assert!(config.contains("| `keep_alive` | [Duration](#duration) | `75s` |"), "{config}");
    assert!(config.contains("| `cluster` | string | required |"), "{config}");
    assert!(config.contains("| `weight` | number | `1` |"), "{config}");
}

#[test]
fn every_filter_and_policy_has_a_section() {
    let (filters, balance) = (page_of("filters.md"), page_of("balance.md"));
    assert!(bifrons_filters::KINDS.iter().all(|kind| filters.contains(&format!("## `{}`\n", kind.name))));
    assert!(bifrons_balance::POLICIES.iter().all(|kind| balance.contains(&format!("## `{}`\n", kind.name))));
}

#[test]
fn sections_are_told_apart() {
    let config = page_of("config.md");
    let mut all = anchors(&config);
    all.sort();
    let count = all.len();
    all.dedup();
    assert_eq!(all.len(), count, "two sections of one name");
}

#[test]
fn bars_in_cells_are_escaped_once() {
    let table = markdown::table(&["a"], [vec!["x | y \\| z\nw".to_owned()]]);
    assert_eq!(table, "| a |\n|---|\n| x \\| y \\| z w |\n");
}
