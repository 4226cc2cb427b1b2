//! The Filter trait, the chain, one file per filter.
