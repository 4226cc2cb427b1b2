//! The words every crate shares: errors with a side and a retry rule, limits, ids. No IO.
