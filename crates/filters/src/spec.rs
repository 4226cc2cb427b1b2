//! What a filter declares about itself, and the list of all filters.

use crate::filter::Filter;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The configuration of a filter and how it becomes a running one.
pub trait Spec: Serialize + DeserializeOwned + JsonSchema {
    /// Its key in `filters:`.
    const NAME: &str;
    /// An example of its value, which parses and builds; shown in the reference.
    const EXAMPLE: &str;

    /// The running filter.
    ///
    /// # Errors
    /// What is wrong with the values, naming them.
    fn build(&self) -> Result<Arc<dyn Filter>, String>;
}

/// What the reference and the contract tests know of a filter.
pub struct Kind {
    /// Its key in `filters:`.
    pub name: &'static str,
    /// An example of its value.
    pub example: &'static str,
}

/// Declares the plug list: the enum `FilterConfig` with one variant a filter, and `KINDS`.
/// A new filter is its file and one line here.
macro_rules! filters {
    ($($(#[$doc:meta])* $variant:ident($config:ty)),* $(,)?) => {
        /// A filter of a host or route: one key, the filter's name, and its value.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case", deny_unknown_fields)]
        pub enum FilterConfig {
            $($(#[$doc])* $variant($config)),*
        }

        impl FilterConfig {
            /// The running filter.
            ///
            /// # Errors
            /// What is wrong with the values, naming them.
            pub fn build(&self) -> Result<std::sync::Arc<dyn $crate::Filter>, String> {
                match self {
                    $(Self::$variant(config) => $crate::spec::Spec::build(config)),*
                }
            }

            /// Its name.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$config as $crate::spec::Spec>::NAME),*
                }
            }
        }

        /// All filters.
        pub const KINDS: &[$crate::spec::Kind] = &[
            $($crate::spec::Kind {
                name: <$config as $crate::spec::Spec>::NAME,
                example: <$config as $crate::spec::Spec>::EXAMPLE,
            }),*
        ];
    };
}

pub(crate) use filters;
