//! nginx-directives.md: what of nginx.conf runs, from the dialect's own table.

use super::markdown::NOTICE;

/// The page.
pub(super) fn page() -> String {
    format!("{NOTICE}{}", bifrons_nginx::reference())
}
