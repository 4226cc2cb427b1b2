//! Settings that blocks inherit from the blocks around them.

/// Declares a struct of settings, each an `Option`, with `inherit`: what a block does not say it takes from
/// the enclosing one. A setting that is a list is inherited as a whole or not at all, as nginx does it with
/// `proxy_set_header`, `add_header`, `access_log` and their like.
macro_rules! settings {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        pub(crate) struct $name {
            $($(#[$doc])* pub(crate) $field: Option<$type>,)*
        }

        impl $name {
            /// Takes from the enclosing block what this one does not say.
            pub(crate) fn inherit(&mut self, outer: &Self) {
                $(if self.$field.is_none() {
                    self.$field.clone_from(&outer.$field);
                })*
            }
        }
    };
}

pub(crate) use settings;
