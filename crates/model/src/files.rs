//! Answers with files.

use crate::shorthand::{same_fields, string_or_map};
use bifrons_config::units::Dur;
use bifrons_config::{OneOrMany, Template};
use bifrons_route::Regex;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Answers with files of a directory. The short form is `root`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticFiles {
    /// Directory below which the whole path is looked up.
    pub root: Option<Template>,
    /// Directory that takes the place of the matched prefix.
    pub alias: Option<Template>,
    /// Names tried in a directory, in order; with variables where `reroute_index` is on.
    pub index: OneOrMany<Template>,
    /// How a directory without index is listed.
    pub browse: Option<Browse>,
    /// File name extension to media type, besides the well-known ones.
    pub types: IndexMap<String, String>,
    /// Whether `types` are all there are, without the well-known ones.
    pub only_types: bool,
    /// Media type of other files.
    pub default_type: Option<String>,
    /// Compressed files that are looked for beside the plain ones.
    pub precompressed: Vec<PrecompressedCoding>,
    /// Who gets compressed files.
    pub negotiation: Negotiation,
    /// Whether answers have an `ETag`.
    pub etag: bool,
    /// How `If-Modified-Since` is compared.
    pub if_modified_since: IfModifiedSince,
    /// Ranges that one request may ask for.
    pub ranges_max: u32,
    /// Whether symbolic links are followed.
    pub links: FileLinks,
    /// What of file names may be reached over links all the same.
    pub links_trusted: Option<Template>,
    /// Open files, directories and errors that each worker keeps.
    pub cache: Option<FileCache>,
    /// Whether a directory's index file is routed again under its own path.
    pub reroute_index: bool,
}

/// 200, as Apache's `MaxRanges`.
const RANGES_MAX: u32 = 200;

impl Default for StaticFiles {
    fn default() -> Self {
        Self {
            root: None,
            alias: None,
            index: index_html(),
            browse: None,
            types: IndexMap::new(),
            only_types: false,
            default_type: None,
            precompressed: Vec::new(),
            negotiation: Negotiation::default(),
            etag: true,
            if_modified_since: IfModifiedSince::default(),
            ranges_max: RANGES_MAX,
            links: FileLinks::default(),
            links_trusted: None,
            cache: None,
            reroute_index: false,
        }
    }
}

/// Answers with files of a directory. The short form is `root`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "StaticFiles")]
struct StaticFilesMap {
    /// Directory below which the whole path is looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<Template>,
    /// Directory that takes the place of the matched prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alias: Option<Template>,
    /// Names tried in a directory, in order.
    #[serde(default = "index_html")]
    index: OneOrMany<Template>,
    /// How a directory without index is listed: `html`, `json`, `jsonp` or `xml`, or a map. Without, such a
    /// directory is forbidden (403).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    browse: Option<Browse>,
    /// File name extension to media type, besides the well-known ones.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    types: IndexMap<String, String>,
    /// Whether `types` are all there are, without the well-known ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    only_types: bool,
    /// Media type of other files; `application/octet-stream` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default_type: Option<String>,
    /// Compressed files that are looked for beside the plain ones, the preferred coding first: `br`
    /// (`NAME.br`), `zstd` (`NAME.zst`), `gzip` (`NAME.gz`). A client gets the one it gives the highest weight
    /// in `Accept-Encoding`. Compressed files have no ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    precompressed: Vec<PrecompressedCoding>,
    /// Who gets compressed files.
    #[serde(default, skip_serializing_if = "Negotiation::is_default")]
    negotiation: Negotiation,
    /// Whether answers have an `ETag`, made of the time and the length of the file.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    etag: bool,
    /// How `If-Modified-Since` is compared: `before` (304 where the file is as old as the date or older),
    /// `exact` (only where it has that very date), `off` (never).
    #[serde(default, skip_serializing_if = "IfModifiedSince::is_default")]
    if_modified_since: IfModifiedSince,
    /// Ranges that one request may ask for; the whole file is sent where it asks for more, or where they are
    /// together longer than the file. 0 serves no ranges at all.
    #[serde(default = "ranges_max", skip_serializing_if = "is_ranges_max")]
    ranges_max: u32,
    /// Whether symbolic links are followed: `follow`, `same_owner` (where link and target belong to the same
    /// user), `refuse`. Where they are not, each file is opened step by step and nothing is kept of it.
    #[serde(default, skip_serializing_if = "FileLinks::is_default")]
    links: FileLinks,
    /// The beginning of file names, up to a `/`, that may have links in it whatever `links` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    links_trusted: Option<Template>,
    /// Open files, directories and errors that each worker keeps (nginx's `open_file_cache`). Without, it
    /// keeps the contents of small files and asks the system with each request whether they are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cache: Option<FileCache>,
    /// Whether a directory's index file is routed again under its own path, so that the route of that path
    /// answers. An index that begins with `/` is a path that is routed without a look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    reroute_index: bool,
}

fn index_html() -> OneOrMany<Template> {
    OneOrMany(vec![Template::text("index.html")])
}

fn yes() -> bool {
    true
}

fn ranges_max() -> u32 {
    RANGES_MAX
}

fn is_ranges_max(max: &u32) -> bool {
    *max == RANGES_MAX
}

same_fields!(StaticFiles, StaticFilesMap, {
    root, alias, index, browse, types, only_types, default_type, precompressed, negotiation, etag,
    if_modified_since, ranges_max, links, links_trusted, cache, reroute_index,
});

string_or_map!(
    StaticFiles,
    StaticFilesMap,
    "a directory, or a map with `root` or `alias`",
    |text| Template::parse(text)
        .map(|root| StaticFiles { root: Some(root), ..StaticFiles::default() })
        .map_err(|err| err.told()),
    |files| {
        let root = files.root.as_ref()?;
        let short = StaticFiles { root: files.root.clone(), ..StaticFiles::default() };
        (*files == short).then(|| root.source().to_owned())
    }
);

/// How a directory without index is listed. The short form is the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browse {
    /// The form.
    pub format: BrowseFormat,
    /// Whether a page shows sizes to the byte.
    pub exact_size: bool,
    /// Whether a page shows times in the zone of the machine.
    pub local_time: bool,
    /// Whether names are UTF-8.
    pub utf8: bool,
}

impl Browse {
    /// In that form, the rest by default.
    pub fn of(format: BrowseFormat) -> Self {
        Self { format, exact_size: true, local_time: false, utf8: true }
    }
}

/// How a directory without index is listed. The short form is the format.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "Browse")]
struct BrowseMap {
    /// `html`, a page for people; `json`; `jsonp` (JSON as the argument of the function that the query names
    /// by `callback`); `xml`.
    #[serde(default)]
    format: BrowseFormat,
    /// Whether a page shows sizes to the byte, or rounded (`12K`).
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    exact_size: bool,
    /// Whether a page shows times in the zone of the machine, or in UTC.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    local_time: bool,
    /// Whether names are UTF-8; the page says so, and columns are counted in characters.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    utf8: bool,
}

same_fields!(Browse, BrowseMap, { format, exact_size, local_time, utf8 });

string_or_map!(
    Browse,
    BrowseMap,
    "`html`, `json`, `jsonp` or `xml`, or a map with `format`",
    |text| BrowseFormat::ALL
        .into_iter()
        .find(|format| format.word() == text)
        .map(Browse::of)
        .ok_or_else(|| format!("\"{text}\" is no form of a listing: write html, json, jsonp or xml")),
    |browse| (*browse == Browse::of(browse.format)).then(|| browse.format.word().to_owned())
);

/// The form of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BrowseFormat {
    /// A page for people.
    #[default]
    Html,
    /// An array of objects with `name`, `type`, `mtime` and `size`.
    Json,
    /// The same as the argument of the function that the query names by `callback`.
    Jsonp,
    /// The same as XML.
    Xml,
}

impl BrowseFormat {
    const ALL: [Self; 4] = [Self::Html, Self::Json, Self::Jsonp, Self::Xml];

    fn word(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Jsonp => "jsonp",
            Self::Xml => "xml",
        }
    }
}

/// The coding of compressed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrecompressedCoding {
    /// Brotli, `NAME.br`.
    Br,
    /// Zstandard, `NAME.zst`.
    Zstd,
    /// gzip, `NAME.gz`.
    Gzip,
}

/// Who gets compressed files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Negotiation {
    /// Codings that are sent also to clients that do not accept them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub always: Vec<PrecompressedCoding>,
    /// When answers say `Vary: Accept-Encoding`: `always`, `if_there` (where there is a compressed file, which
    /// is looked for each time), `never`.
    pub vary: VaryField,
    /// Whether clients of HTTP/1.0 get compressed files.
    pub http_1_0: bool,
    /// Whether requests that came over a proxy (`Via`) get compressed files.
    pub via: bool,
    /// Clients whose `User-Agent` matches one of these get none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub except_user_agents: Vec<Regex>,
}

impl Default for Negotiation {
    fn default() -> Self {
        Self {
            always: Vec::new(),
            vary: VaryField::Always,
            http_1_0: true,
            via: true,
            except_user_agents: Vec::new(),
        }
    }
}

impl Negotiation {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// When answers say `Vary: Accept-Encoding`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VaryField {
    /// All answers with files do.
    #[default]
    Always,
    /// Where there is a compressed file.
    IfThere,
    /// None does.
    Never,
}

/// How `If-Modified-Since` is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IfModifiedSince {
    /// 304 where the file is as old as the date or older (RFC 9110 13.1.3).
    #[default]
    Before,
    /// 304 only where the file has that very date.
    Exact,
    /// It is passed over.
    Off,
}

impl IfModifiedSince {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether symbolic links are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileLinks {
    /// Always.
    #[default]
    Follow,
    /// Where link and target belong to the same user.
    SameOwner,
    /// Never.
    Refuse,
}

impl FileLinks {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// An answer that the proxy makes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// A transparent GIF of one pixel.
    EmptyGif,
    /// Counts of connections and requests, in the form of nginx's `stub_status`.
    Status,
}

/// Open files, directories and errors that each worker keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FileCache {
    /// Names that each worker keeps at most. 0 keeps none, not even the contents of small files.
    pub max: u32,
    /// How long what nobody asks for is kept.
    pub inactive: Dur,
    /// How long a file is taken to be unchanged without asking the system.
    pub valid: Dur,
    /// How often a file must have been asked for within `inactive` before it is kept.
    pub uses_min: u32,
    /// Whether what is not there, or may not be read, is kept too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub errors: bool,
}

impl Default for FileCache {
    /// 1000 names; nginx's times.
    fn default() -> Self {
        Self {
            max: 1000,
            inactive: Dur(Duration::from_secs(60)),
            valid: Dur(Duration::from_secs(60)),
            uses_min: 1,
            errors: false,
        }
    }
}
