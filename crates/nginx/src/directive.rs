//! What a directive is declared with. Each has one [`Spec`] in a list of `directives/`; from these come the
//! checks, the messages, the reference page and what the directive does to the model.

use crate::context::Ctx;
use crate::tree::Directive;
use std::fmt;

/// The blocks a directive may stand in, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contexts(u16);

impl Contexts {
    /// Outside of all blocks.
    pub const MAIN: Self = Self(1);
    /// `events { }`
    pub const EVENTS: Self = Self(1 << 1);
    /// `http { }`
    pub const HTTP: Self = Self(1 << 2);
    /// `upstream name { }`
    pub const UPSTREAM: Self = Self(1 << 3);
    /// `server { }`
    pub const SERVER: Self = Self(1 << 4);
    /// `location … { }`
    pub const LOCATION: Self = Self(1 << 5);
    /// `if (…) { }` in a location.
    pub const IF: Self = Self(1 << 6);
    /// `limit_except … { }`
    pub const LIMIT_EXCEPT: Self = Self(1 << 7);
    /// `if (…) { }` in a server.
    pub const SERVER_IF: Self = Self(1 << 8);
    /// `stream { }`
    pub const STREAM: Self = Self(1 << 9);
    /// `server { }` in `stream`.
    pub const STREAM_SERVER: Self = Self(1 << 10);
    /// `upstream name { }` in `stream`.
    pub const STREAM_UPSTREAM: Self = Self(1 << 11);
    /// Settings of layer 4.
    pub const STREAMS: Self = Self::STREAM.or(Self::STREAM_SERVER);
    /// Settings that are inherited all the way down.
    pub const LEVELS: Self = Self::HTTP.or(Self::SERVER).or(Self::LOCATION);
    /// Settings of whole servers.
    pub const SERVERS: Self = Self::HTTP.or(Self::SERVER);
    /// Everywhere.
    pub const ANY: Self = Self(u16::MAX);

    const NAMES: [(Self, &str); 12] = [
        (Self::MAIN, "main"),
        (Self::EVENTS, "events"),
        (Self::HTTP, "http"),
        (Self::UPSTREAM, "upstream"),
        (Self::SERVER, "server"),
        (Self::LOCATION, "location"),
        (Self::IF, "if in a location"),
        (Self::SERVER_IF, "if in a server"),
        (Self::LIMIT_EXCEPT, "limit_except"),
        (Self::STREAM, "stream"),
        (Self::STREAM_SERVER, "server in stream"),
        (Self::STREAM_UPSTREAM, "upstream in stream"),
    ];

    /// Those of both sets.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the sets share a block.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl fmt::Display for Contexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any");
        }
        let names: Vec<_> =
            Self::NAMES.iter().filter(|(one, _)| self.meets(*one)).map(|(_, name)| *name).collect();
        f.write_str(&names.join(", "))
    }
}

/// How many arguments a directive takes, and whether a block follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Args {
    /// `on` or `off`.
    Flag,
    /// So many.
    Exact(usize),
    /// At least and at most so many.
    Range(usize, usize),
    /// At least so many.
    AtLeast(usize),
    /// At least and at most so many, and a block.
    Block(usize, usize),
    /// At least so many, and a block.
    BlockAtLeast(usize),
    /// Any number, with or without a block: what is known by name only.
    Any,
}

impl Args {
    /// Whether that many arguments are right.
    pub fn fit(self, count: usize) -> bool {
        match self {
            Self::Flag => count == 1,
            Self::Exact(number) => count == number,
            Self::Range(least, most) | Self::Block(least, most) => (least..=most).contains(&count),
            Self::AtLeast(least) | Self::BlockAtLeast(least) => count >= least,
            Self::Any => true,
        }
    }
}

impl fmt::Display for Args {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Flag => f.write_str("on \\| off"),
            Self::Exact(0) => f.write_str("none"),
            Self::Exact(number) => write!(f, "{number}"),
            Self::Range(least, most) => write!(f, "{least} to {most}"),
            Self::AtLeast(least) => write!(f, "{least} or more"),
            Self::Block(0, 0) => f.write_str("a block"),
            Self::Block(least, most) if least == most => write!(f, "{least} and a block"),
            Self::Block(least, most) => write!(f, "{least} to {most} and a block"),
            Self::BlockAtLeast(least) => write!(f, "{least} or more and a block"),
            Self::Any => f.write_str("any"),
        }
    }
}

/// How far a directive is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does here what it does in nginx.
    Supported,
    /// It needs no equivalent here; why not. `check -v` lists it.
    Accepted(&'static str),
    /// nginx knows it, we don't yet.
    Later {
        /// What to use instead; empty where there is nothing.
        instead: &'static str,
        /// Whether `off` is what happens here anyway, so that it may stand there.
        off: bool,
    },
}

/// What a directive does to the model. Its name, context, number of arguments and block have been checked.
pub(crate) type Apply = fn(&mut Ctx, &Directive);

/// A directive: everything about it in one place.
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Where it may stand. A name may have several rows for different blocks.
    pub contexts: Contexts,
    /// Its arguments.
    pub args: Args,
    /// The value that holds where it is not given, as it would be written; empty where there is none.
    pub default: &'static str,
    /// How far it is supported.
    pub status: Status,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
    pub(crate) apply: Apply,
}

impl Spec {
    /// A supported directive.
    pub(crate) const fn new(
        name: &'static str,
        contexts: Contexts,
        args: Args,
        doc: &'static str,
        apply: Apply,
    ) -> Self {
        Self { name, contexts, args, default: "", status: Status::Supported, doc, apply }
    }

    /// The value that holds where nothing is said.
    pub(crate) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// One that needs no equivalent, and why not.
    pub(crate) const fn accepted(
        name: &'static str,
        contexts: Contexts,
        args: Args,
        why: &'static str,
    ) -> Self {
        let status = Status::Accepted(why);
        Self { name, contexts, args, default: "", status, doc: "", apply: |_, _| {} }
    }

    /// As [`Spec::accepted`], but its arguments are judged: what nginx refuses is refused.
    pub(crate) const fn judged(
        name: &'static str,
        contexts: Contexts,
        args: Args,
        why: &'static str,
        apply: Apply,
    ) -> Self {
        let mut spec = Self::accepted(name, contexts, args, why);
        spec.apply = apply;
        spec
    }

    /// One that nginx knows and we don't yet, and what to use instead.
    pub(crate) const fn later(name: &'static str, instead: &'static str) -> Self {
        let status = Status::Later { instead, off: false };
        Self {
            name,
            contexts: Contexts::ANY,
            args: Args::Any,
            default: "",
            status,
            doc: "",
            apply: |_, _| {},
        }
    }

    /// A setting of a directive that nginx knows and we don't yet. It does nothing without that one, which is refused
    /// where it stands, so the setting may stand: one message for what is missing says more than one a setting.
    pub(crate) const fn setting_of_later(name: &'static str, why: &'static str) -> Self {
        Self::accepted(name, Contexts::LEVELS.or(Contexts::STREAMS), Args::Any, why)
    }

    /// As [`Spec::later`], but `off` is what happens here anyway.
    pub(crate) const fn later_unless_off(name: &'static str, instead: &'static str) -> Self {
        let mut spec = Self::later(name, instead);
        spec.status = Status::Later { instead, off: true };
        spec
    }
}
