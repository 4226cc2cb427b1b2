//! Serde's view of a tree. What was taken out by an earlier try is passed over.

use super::error::{Error, Role};
use super::node::{Entry, Node, Scalar, Value, Word, word};
use crate::{at, one_or_many};
use serde::Deserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error as _, Expected, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use std::slice;

/// A node to be read.
#[derive(Clone, Copy)]
pub(super) struct De<'t> {
    node: &'t Node,
    role: Role,
}

/// Whether children that were read without mistake before may be passed over.
///
/// Only where each child stands for itself, in lists and maps of any keys: it keeps many tries over a large
/// file as cheap as one, because each child is read well once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Skip,
    Read,
}

impl<'t> De<'t> {
    pub(super) fn value(node: &'t Node) -> Self {
        Self { node, role: Role::Value }
    }

    fn key(node: &'t Node) -> Self {
        Self { node, role: Role::Key }
    }

    /// A result of reading this node: a complaint that lies on nothing yet is laid on it.
    fn settle<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        result.map_err(|error| error.settle(self.node, self.role))
    }

    fn refuse<T>(self, expected: &dyn Expected) -> Result<T, Error> {
        self.settle(Err(Error::invalid_type(self.unexpected(), expected)))
    }

    fn unexpected(self) -> Unexpected<'t> {
        match &self.node.value {
            Value::Null { .. } => Unexpected::Unit,
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
            Value::Scalar(scalar) => match scalar.word() {
                Word::Bool(value) => Unexpected::Bool(value),
                Word::Unsigned(number) => Unexpected::Unsigned(number),
                Word::Negative(number) => Unexpected::Signed(number),
                Word::Float(number) => Unexpected::Float(number),
                Word::Text => Unexpected::Str(&scalar.text),
            },
        }
    }

    /// Nothing stands where `what` must; `empty` is how an empty one is written.
    fn nothing<T>(self, written: bool, what: &str, empty: &str) -> Result<T, Error> {
        let message = if written { "null is not" } else { "the value is missing: expected" };
        self.settle(Err(
            Error::told(format!("{message} {what}")).help(format!("write {empty} for an empty one"))
        ))
    }

    fn scalar<V: Visitor<'t>>(self, scalar: &'t Scalar, visitor: V) -> Result<V::Value, Error> {
        // Keys are text, as in JSON; what wants a number of them asks for one.
        let word = if self.role == Role::Key { Word::Text } else { scalar.word() };
        self.settle(match word {
            Word::Bool(value) => visitor.visit_bool(value),
            Word::Unsigned(number) => visitor.visit_u64(number),
            Word::Negative(number) => visitor.visit_i64(number),
            Word::Float(number) => visitor.visit_f64(number),
            Word::Text => visitor.visit_borrowed_str(&scalar.text),
        })
    }

    fn text<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Scalar(scalar) => self.settle(visitor.visit_borrowed_str(&scalar.text)),
            Value::Null { written } => self.nothing(*written, "a text", "\"\""),
            _ => self.refuse(&visitor),
        }
    }

    fn number<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        let Value::Scalar(scalar) = &self.node.value else { return self.refuse(&visitor) };
        let (word, quoted) = (word(&scalar.text), !scalar.plain && self.role == Role::Value);
        match word {
            Word::Unsigned(_) | Word::Negative(_) | Word::Float(_) if quoted => {
                let error = Error::invalid_type(Unexpected::Str(&scalar.text), &visitor);
                self.settle(Err(error.help("write it without quotes")))
            }
            Word::Unsigned(number) => self.settle(visitor.visit_u64(number)),
            Word::Negative(number) => self.settle(visitor.visit_i64(number)),
            Word::Float(number) => self.settle(visitor.visit_f64(number)),
            _ => self.refuse(&visitor),
        }
    }

    fn list<V: Visitor<'t>>(self, items: &'t [Node], again: Again, visitor: V) -> Result<V::Value, Error> {
        let mut access = Items { parent: self.node, rest: items.iter(), again };
        let result = visitor.visit_seq(&mut access);
        self.settle(result.and_then(|value| {
            let left = access.rest.filter(|item| !item.marks.removed.get()).count();
            if left > 0 {
                Err(Error::told(format!("{left} more than expected in this list")))
            } else {
                Ok(value)
            }
        }))
    }

    fn map<V: Visitor<'t>>(self, entries: &'t [Entry], again: Again, visitor: V) -> Result<V::Value, Error> {
        let mut access = Entries { parent: self.node, rest: entries.iter(), current: None, again };
        let result = visitor.visit_map(&mut access);
        let result = match (result, access.current) {
            (Err(error), Some(entry)) if error.is_duplicate_field() => {
                Self::key(&entry.key).settle(Err(error))
            }
            (result, _) => result,
        };
        self.settle(result.and_then(|value| match access.rest.find(|entry| !entry.removed()) {
            Some(entry) => {
                let error = Error::told(format!("unexpected key {:?}", entry.name()));
                Self::key(&entry.key).settle(Err(error))
            }
            None => Ok(value),
        }))
    }

    /// A list of exactly so many: none of them may be passed over.
    fn tuple<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) if items.iter().any(|item| item.marks.removed.get()) => {
                self.settle(Err(Error::follow_up()))
            }
            Value::List(items) => self.list(items, Again::Read, visitor),
            _ => self.refuse(&visitor),
        }
    }

    fn structure<V: Visitor<'t>>(self, again: Again, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Map(entries) => self.map(entries, again, visitor),
            Value::Null { written } => self.nothing(*written, "a map", "{}"),
            _ => self.refuse(&visitor),
        }
    }
}

/// Methods that all read alike.
macro_rules! alike {
    ($way:ident: $($method:ident)*) => {$(
        fn $method<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
            self.$way(visitor)
        }
    )*};
}

impl<'t> Deserializer<'t> for De<'t> {
    type Error = Error;

    alike!(number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64);
    alike!(text: deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf
        deserialize_identifier);

    fn deserialize_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Null { .. } => self.settle(visitor.visit_unit()),
            Value::Scalar(scalar) => self.scalar(scalar, visitor),
            Value::List(items) => self.list(items, Again::Read, visitor),
            Value::Map(entries) => self.map(entries, Again::Read, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::Scalar(scalar) => match scalar.word() {
                Word::Bool(value) => self.settle(visitor.visit_bool(value)),
                _ => self.refuse(&visitor),
            },
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_option<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null { written: true } => self.settle(visitor.visit_none()),
            // What stood under the key may just have been commented out; whether it shall be off must be said.
            Value::Null { written: false } => {
                let error = Error::told("the value is missing");
                self.settle(Err(error.help("give a value, or remove the key; null leaves it unset")))
            }
            _ => self.settle(visitor.visit_some(self)),
        }
    }

    fn deserialize_unit<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.node.value {
            Value::Null { .. } => self.settle(visitor.visit_unit()),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'t>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'t>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (name, &self.node.value) {
            (one_or_many::NAME, Value::List(items)) => self.list(items, Again::Skip, visitor),
            (one_or_many::NAME, Value::Null { written }) => self.nothing(*written, "a list", "[]"),
            (one_or_many::NAME, _) => self.list(slice::from_ref(self.node), Again::Read, visitor),
            (at::NAME, _) => {
                at::hand_over(self.node.place.clone());
                self.settle(visitor.visit_newtype_struct(self))
            }
            _ => self.settle(visitor.visit_newtype_struct(self)),
        }
    }

    fn deserialize_seq<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.node.value {
            Value::List(items) => self.list(items, Again::Skip, visitor),
            Value::Null { written } => self.nothing(*written, "a list", "[]"),
            _ => self.refuse(&visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.tuple(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.tuple(visitor)
    }

    fn deserialize_map<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        self.structure(Again::Skip, visitor)
    }

    fn deserialize_struct<V: Visitor<'t>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.structure(Again::Read, visitor)
    }

    fn deserialize_enum<V: Visitor<'t>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let names = || format!("one of {}", variants.join(", "));
        match &self.node.value {
            Value::Scalar(scalar) => self.settle(visitor.visit_enum(Name(&scalar.text))),
            Value::Map(entries) => {
                let mut live = entries.iter().filter(|entry| !entry.removed());
                match (live.next(), live.count()) {
                    (Some(entry), 0) => self.settle(visitor.visit_enum(Tagged(entry))),
                    (None, _) if !entries.is_empty() => self.settle(Err(Error::follow_up())),
                    (None, _) => self.settle(Err(Error::told(format!("expected {}", names())))),
                    (Some(_), more) => {
                        let error = Error::told(format!("expected one key, found {}", more + 1));
                        self.settle(Err(error.help(format!("this must be just {}", names()))))
                    }
                }
            }
            Value::Null { .. } => {
                self.settle(Err(Error::told("the value is missing").help(format!("write {}", names()))))
            }
            Value::List(_) => self.settle(Err(Error::told(format!("expected {}, found a list", names())))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'t>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// The items of a list.
struct Items<'t> {
    parent: &'t Node,
    rest: slice::Iter<'t, Node>,
    again: Again,
}

impl<'t> SeqAccess<'t> for Items<'t> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        for item in self.rest.by_ref() {
            if item.marks.removed.get() || (self.again == Again::Skip && item.marks.done.get()) {
                self.parent.marks.lacking.set(true);
                continue;
            }
            let value = seed.deserialize(De::value(item))?;
            item.marks.done.set(true);
            return Ok(Some(value));
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// The entries of a map.
struct Entries<'t> {
    parent: &'t Node,
    rest: slice::Iter<'t, Entry>,
    current: Option<&'t Entry>,
    again: Again,
}

impl<'t> MapAccess<'t> for Entries<'t> {
    type Error = Error;

    fn next_key_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        for entry in self.rest.by_ref() {
            if entry.removed() || (self.again == Again::Skip && entry.value.marks.done.get()) {
                self.parent.marks.lacking.set(true);
                continue;
            }
            self.current = Some(entry);
            return seed.deserialize(De::key(&entry.key)).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'t>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let Some(entry) = self.current else {
            return Err(Error::told("a value was asked for before its key"));
        };
        let value = seed.deserialize(De::value(&entry.value))?;
        entry.value.marks.done.set(true);
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// A variant that is only named.
struct Name<'t>(&'t str);

impl<'t> EnumAccess<'t> for Name<'t> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        let name: serde::de::value::BorrowedStrDeserializer<'t, Error> =
            serde::de::value::BorrowedStrDeserializer::new(self.0);
        Ok((seed.deserialize(name)?, self))
    }
}

impl Name<'_> {
    fn wants_value<T>(&self, example: &str) -> Result<T, Error> {
        Err(Error::told(format!("\"{}\" needs a value", self.0))
            .help(format!("write \"{}: {example}\"", self.0)))
    }
}

impl<'t> VariantAccess<'t> for Name<'t> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, _: S) -> Result<S::Value, Error> {
        self.wants_value("…")
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        self.wants_value("[ … ]")
    }

    fn struct_variant<V: Visitor<'t>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Error> {
        self.wants_value("{ … }")
    }
}

/// A variant with its value: a map with one key.
struct Tagged<'t>(&'t Entry);

impl<'t> EnumAccess<'t> for Tagged<'t> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<(S::Value, Self), Error> {
        Ok((seed.deserialize(De::key(&self.0.key))?, self))
    }
}

impl<'t> VariantAccess<'t> for Tagged<'t> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        match &self.0.value.value {
            Value::Null { .. } => Ok(()),
            Value::Map(entries) if entries.is_empty() => Ok(()),
            _ => {
                let error = Error::told(format!("{:?} takes no value", self.0.name()));
                De::value(&self.0.value)
                    .settle(Err(error.help(format!("write the name alone: {}", self.0.name()))))
            }
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'t>>(self, seed: S) -> Result<S::Value, Error> {
        seed.deserialize(De::value(&self.0.value))
    }

    fn tuple_variant<V: Visitor<'t>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        De::value(&self.0.value).tuple(visitor)
    }

    fn struct_variant<V: Visitor<'t>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        De::value(&self.0.value).structure(Again::Read, visitor)
    }
}
