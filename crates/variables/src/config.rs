//! How computed variables are configured. Field comments are the manual.

use bifrons_config::{Template, Var};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A variable of one's own: its name is the key, without `$`, and every template may use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Variable {
    /// The value that another value leads to (nginx's `map`).
    Map(Map),
    /// The value of the network that an address lies in (nginx's `geo`).
    Geo(Geo),
    /// One of several values, each for a share of the requests (nginx's `split_clients`).
    Split(Split),
}

/// The value that another value leads to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Map {
    /// What is looked up, such as `$host` or `$arg_a:$arg_b`.
    pub of: Template,
    /// Texts and what they lead to. A text is compared without regard to case; `~regex` and `~*regex` (any
    /// case) are tried after all texts, in their order, but not on an empty value. `$1` and named groups of
    /// the regex that matched may stand in the value. A backslash in front takes any sign its meaning.
    pub values: IndexMap<String, Template>,
    /// What everything else leads to; nothing where it is not given.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    pub default: Template,
    /// Whether texts may be names of hosts with a `*`: `*.example.com`, `.example.com` (both), `www.example.*`;
    /// exact names go first, then the longest with the star in front, then the longest with it at the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hostnames: bool,
    /// Whether it is computed anew each time something asks, instead of once a request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
}

/// The value of the network that an address lies in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Geo {
    /// The address; the client's where nothing is said.
    #[serde(default = "client", skip_serializing_if = "is_client")]
    pub of: Template,
    /// Networks and their values: CIDR blocks and addresses, of which the smallest counts, or ranges of IPv4
    /// addresses (`10.0.0.1-10.0.0.9`), of which the last counts; not both.
    pub networks: IndexMap<String, Template>,
    /// The value of all other addresses, and of what is none; nothing where it is not given.
    #[serde(default, skip_serializing_if = "Template::is_empty")]
    pub default: Template,
    /// Proxies whose `X-Forwarded-For` is believed: an address that is one of theirs is replaced by the last
    /// one in the field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
    /// Whether that goes on as long as the address found is a trusted proxy's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recursive: bool,
}

impl Default for Geo {
    fn default() -> Self {
        Self {
            of: client(),
            networks: IndexMap::new(),
            default: Template::default(),
            trusted: Vec::new(),
            recursive: false,
        }
    }
}

fn client() -> Template {
    Template::var(Var::RemoteAddr)
}

fn is_client(of: &Template) -> bool {
    *of == client()
}

/// One of several values, each for a share of the requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// What is hashed (MurmurHash2, as nginx does it): the same text always gets the same value.
    pub of: Template,
    /// The values and their shares, in order.
    pub shares: Vec<Share>,
}

/// A value and its share.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Hundredths of what there is, to two decimals, such as `0.5`; the rest where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The value.
    #[serde(default)]
    pub value: Template,
}
