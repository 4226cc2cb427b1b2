//! variables.md: what a template may name.

use super::markdown::{NOTICE, code, table};
use bifrons_config::vars::{self, Make, Origin};

const INTRO: &str = "\
# Variables

What stands for a value in a template: `$name` or `${name}`, in any letter case. `$$` is a dollar in YAML. A \
variable without a value is nothing in a field or path, and `-` in a text log format. Besides these there are \
`$1` to `$9`, the groups of the regular expression that matched last, and its named groups. A name that is \
none is an error when the configuration is read.

*Ours* are names that nginx does not have; a name that the configuration itself declares goes before them.

";

/// The page.
pub(super) fn page() -> String {
    let rows = vars::table().iter().map(|entry| {
        let name = match entry.make {
            Make::One(_) => code(&format!("${}", entry.name)),
            Make::Family(_) => code(&format!("${}NAME", entry.name)),
        };
        let origin = match entry.origin {
            Origin::Nginx => "",
            Origin::Own => "ours",
        };
        vec![name, entry.doc.to_owned(), origin.to_owned()]
    });
    format!("{NOTICE}{INTRO}{}", table(&["variable", "value", ""], rows))
}
