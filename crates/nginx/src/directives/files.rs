//! Files: `root`, `alias`, `index`, `types`, `default_type`.

use super::super::settings::settings;
use super::location::Matcher;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values;
use bifrons_config::{Problem, Template};
use bifrons_model::{MediaTypes, StaticFiles};
use indexmap::IndexMap;
use std::sync::LazyLock;

const LEVELS: Contexts = Contexts::LEVELS;

settings! {
    /// Where files are and what they are.
    FileSettings {
        root: Root,
        index: Vec<Template>,
        /// File name extension to media type.
        types: IndexMap<String, String>,
        default_type: String,
    }
}

/// `root` or `alias`.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    path: Template,
    /// The location of an `alias`, whose prefix the path takes the place of.
    alias_of: Option<Matcher>,
    word: Word,
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "root",
        LEVELS.or(Contexts::IF),
        Args::Exact(1),
        "Directory below which the whole path is looked up. A location without `proxy_pass` and `return` \
         answers with files.",
        |cx, d| root(cx, d, None),
    )
    .default("html"),
    Spec::new(
        "alias",
        Contexts::LOCATION,
        Args::Exact(1),
        "Directory (or file) that takes the place of what the location matches.",
        |cx, d| {
            let matcher = cx.level.matcher.clone();
            if matches!(matcher, Some(Matcher::Named(_))) {
                let message = "the \"alias\" directive cannot be used inside the named location";
                return cx.problem(&d.name, message);
            }
            root(cx, d, matcher);
        },
    ),
    Spec::new(
        "index",
        LEVELS,
        Args::AtLeast(1),
        "Files tried in a directory, in order; the first that is there is routed again by its own path. The last \
         may be a path that is taken without a look. Names may have variables.",
        |cx, d| {
            for word in &d.args {
                let Some(name) = cx.template(word) else { return };
                cx.level.files.index.get_or_insert_default().push(name);
            }
        },
    )
    .default("index.html"),
    Spec::new(
        "types",
        LEVELS,
        Args::Block(0, 0),
        "Media types and the file name extensions that have them. A block takes the place of the enclosing one's.",
        types,
    )
    .default("text/html html; image/gif gif; image/jpeg jpg"),
    Spec::new(
        "default_type",
        LEVELS,
        Args::Exact(1),
        "Media type of files whose extension has none, and of the text of `return`.",
        |cx, d| cx.once(d, values::text, |cx| &mut cx.level.files.default_type),
    )
    .default("text/plain"),
];

fn root(cx: &mut Ctx, directive: &Directive, alias_of: Option<Matcher>) {
    let word = &directive.args[0];
    let name = &directive.name.text;
    if let Some(other) = &cx.level.files.root {
        let earlier = if other.alias_of.is_some() { "alias" } else { "root" };
        let message = if earlier == name {
            format!("\"{name}\" directive is duplicate")
        } else {
            format!("\"{name}\" directive is duplicate, \"{earlier}\" directive was specified earlier")
        };
        return cx.problem(&directive.name, message);
    }
    let mut path =
        if word.text.starts_with('$') { word.text.clone() } else { cx.defaults.full_path(&word.text) };
    // As nginx: `root /srv/` is `/srv`; the path that follows begins with a slash.
    if alias_of.is_none() && path.ends_with('/') {
        path.pop();
    }
    if let Some(path) = cx.template_of(word, &path) {
        cx.level.files.root = Some(Root { path, alias_of, word: word.clone() });
    }
}

fn types(cx: &mut Ctx, directive: &Directive) {
    let types = cx.level.files.types.get_or_insert_default();
    for line in directive.block.iter().flatten() {
        if line.block.is_some() {
            let message = format!("directive \"{}\" is not terminated by \";\"", line.name.text);
            cx.notes.problem(Problem::at(line.place.clone(), message));
            continue;
        }
        for word in &line.args {
            let extension = word.text.to_ascii_lowercase();
            if let Some(other) = types.insert(extension, line.name.text.clone())
                && other != line.name.text
            {
                let (extension, new) = (&word.text, &line.name.text);
                let message = format!(
                    "duplicate extension \"{extension}\", content type: \"{new}\", previous content type: \"{other}\""
                );
                cx.notes.warn(Problem::at(word.place.clone(), message));
            }
        }
    }
}

impl FileSettings {
    /// The media type of a text under an exact path.
    pub(crate) fn media_type_of_exact(&self, matcher: Option<&Matcher>) -> Option<&str> {
        let Some(Matcher::Exact(path)) = matcher else { return None };
        let default_type = self.default_type.as_deref().unwrap_or("text/plain");
        let Some(extension) = extension(path) else { return Some(default_type) };
        Some(match &self.types {
            Some(types) => types.get(&extension).map_or(default_type, String::as_str),
            None => DEFAULT_TYPES
                .iter()
                .find(|(known, _)| *known == extension)
                .map_or(default_type, |(_, media_type)| media_type),
        })
    }

    /// The media types of texts.
    pub(crate) fn media_types(&self) -> MediaTypes {
        let (types, only_types) = self.types();
        let default_type = Some(self.default_type.clone().unwrap_or_else(|| "text/plain".to_owned()));
        MediaTypes { types, only_types, default_type }
    }

    /// The directory of a location: as `root`, or as `alias`.
    pub(crate) fn directory(
        &self,
        cx: &mut Ctx,
        matcher: Option<&Matcher>,
    ) -> (Option<Template>, Option<Template>) {
        match &self.root {
            None => (Some(Template::text(&cx.defaults.full_path("html"))), None),
            Some(Root { path, alias_of: None, .. }) => (Some(path.clone()), None),
            Some(root) => (None, root.alias(cx, matcher)),
        }
    }

    /// Names of index files.
    pub(crate) fn index(&self) -> &[Template] {
        static DEFAULT: LazyLock<[Template; 1]> = LazyLock::new(|| [Template::text("index.html")]);
        self.index.as_deref().unwrap_or(&*DEFAULT)
    }

    /// The action of a location that answers with files.
    pub(crate) fn emit(&self, cx: &mut Ctx, matcher: Option<&Matcher>) -> StaticFiles {
        let (root, alias) = self.directory(cx, matcher);
        let mut files = StaticFiles { root, alias, ..StaticFiles::default() };
        files.index = self.index().to_vec().into();
        (files.types, files.only_types) = self.types();
        files.default_type = Some(self.default_type.clone().unwrap_or_else(|| "text/plain".to_owned()));
        files
    }

    /// The types besides the well-known ones, and whether those do not hold.
    ///
    /// nginx has but three types until a file such as its `mime.types` is included. A configuration that has
    /// all of that file's gets the well-known ones, and in the list only what differs: a list for each
    /// location would be long.
    fn types(&self) -> (IndexMap<String, String>, bool) {
        let owned = |(extension, media): (&str, &str)| (extension.to_owned(), media.to_owned());
        let Some(types) = &self.types else {
            return (DEFAULT_TYPES.iter().copied().map(owned).collect(), true);
        };
        if !MIME_TYPES.split_ascii_whitespace().all(|extension| types.contains_key(extension)) {
            return (types.clone(), true);
        }
        let pairs = types.iter().map(|(extension, media)| (extension.as_str(), media.as_str()));
        let differs = |(extension, media): &(&str, &str)| bifrons_files::well_known(extension) != Some(media);
        (pairs.filter(differs).map(owned).collect(), false)
    }
}

/// nginx's `ngx_http_core_default_types`.
const DEFAULT_TYPES: [(&str, &str); 3] = [("html", "text/html"), ("gif", "image/gif"), ("jpg", "image/jpeg")];

/// The extensions of nginx's own `mime.types`.
const MIME_TYPES: &str = "\
    3gp 3gpp 7z ai asf asx atom avi avif bin bmp cco crt css deb der dll dmg doc docx ear eot eps exe \
    flv gif hqx htc htm html ico img iso jad jar jardiff jng jnlp jpeg jpg js json kar kml kmz m3u8 m4a \
    m4v mid midi mml mng mov mp3 mp4 mpeg mpg msi msm msp odg odp ods odt ogg pdb pdf pem pl pm png ppt \
    pptx prc ps ra rar rpm rss rtf run sea shtml sit svg svgz swf tcl tif tiff tk ts txt war wasm wbmp \
    webm webp wml wmlc wmv woff woff2 xhtml xls xlsx xml xpi xspf zip";

/// What stands behind the last dot of a path's last segment, in lower case.
fn extension(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let (_, extension) = name.rsplit_once('.')?;
    Some(extension.to_ascii_lowercase())
}

impl Root {
    /// Whether it is an `alias`.
    pub(crate) fn is_alias(&self) -> bool {
        self.alias_of.is_some()
    }

    /// The `alias` of a location, which may be within the one that has it.
    fn alias(&self, cx: &mut Ctx, matcher: Option<&Matcher>) -> Option<Template> {
        let owner = self.alias_of.as_ref()?;
        let matcher = matcher.unwrap_or(owner);
        if matcher == owner {
            return Some(self.path.clone());
        }
        // The path's end that the inner location has more than the outer one.
        let rest = match (owner, matcher) {
            (Matcher::Regex(_), Matcher::Regex(_)) => None,
            (_, Matcher::Regex(_)) => None,
            (outer, inner) => inner.name().strip_prefix(&outer.name()).map(str::to_owned),
        };
        let Some(rest) = rest else {
            let what = format!("\"alias\" for the location \"{}\" within", matcher.name());
            cx.later(self.word.place.clone(), &what, "write an \"alias\" or \"root\" in that location");
            return None;
        };
        Template::parse(&format!("{}{}", self.path.source(), rest.replace('$', "$$"))).ok()
    }
}
