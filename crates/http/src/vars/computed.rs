//! Variables that the configuration declares: set on the way, captured, or computed when first asked for.

use super::Scope;
use std::sync::Arc;

/// Variables that the configuration computes. The set belongs to a snapshot; what it computed to a request.
pub trait Computed {
    /// The place of the variable of that name (lower case, without `$`).
    fn find(&self, name: &str) -> Option<usize>;

    /// Whether its value is kept for the request once it was computed.
    fn keeps(&self, at: usize) -> bool;

    /// Appends its value.
    fn evaluate(&self, at: usize, scope: &Scope<'_>, out: &mut Vec<u8>);
}

impl<C: Computed> Computed for Arc<C> {
    fn find(&self, name: &str) -> Option<usize> {
        (**self).find(name)
    }

    fn keeps(&self, at: usize) -> bool {
        (**self).keeps(at)
    }

    fn evaluate(&self, at: usize, scope: &Scope<'_>, out: &mut Vec<u8>) {
        (**self).evaluate(at, scope, out);
    }
}

impl Scope<'_> {
    /// What was set goes first, then what is computed, then what computing has captured.
    pub(super) fn declared(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let cx = self.cx;
        if let Some((_, value)) = cx.variables.iter().rev().find(|(declared, _)| **declared == *name) {
            out.extend_from_slice(value);
            return true;
        }
        let Some(computed) = &cx.computed else { return false };
        let Some(at) = computed.find(name) else { return self.captured(name, out) };
        if !computed.keeps(at) {
            computed.evaluate(at, self, out);
            return true;
        }
        if let Some((_, value)) = cx.kept.borrow().values.iter().find(|(known, _)| *known == at) {
            out.extend_from_slice(value);
            return true;
        }
        // Not borrowed meanwhile: it may ask for others.
        let mut value = Vec::new();
        computed.evaluate(at, self, &mut value);
        out.extend_from_slice(&value);
        cx.kept.borrow_mut().values.push((at, value));
        true
    }

    fn captured(&self, name: &str, out: &mut Vec<u8>) -> bool {
        let kept = self.cx.kept.borrow();
        match kept.named.iter().find(|(known, _)| **known == *name) {
            Some((_, value)) => {
                out.extend_from_slice(value);
                true
            }
            None => false,
        }
    }
}
