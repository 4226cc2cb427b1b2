//! File name extensions to media types.

use crate::name;
use bifrons_http::name::is_field_value;
use std::collections::HashMap;
use std::sync::LazyLock;

/// 32: no extension in use is half as long; a longer one has the default type.
const EXTENSION_BYTES_MAX: usize = 32;

/// Media types: the configured ones before the well-known.
#[derive(Debug)]
pub struct Types {
    own: HashMap<Box<[u8]>, Box<str>>,
    only_own: bool,
    default: Box<str>,
}

impl Types {
    /// Pairs of extension and media type, whether there are no others, and the type of everything else.
    pub fn new(own: &[(String, String)], only_own: bool, default: Option<String>) -> Self {
        let own = own
            .iter()
            .filter(|(_, media_type)| is_field_value(media_type.as_bytes()))
            .map(|(extension, media_type)| {
                let extension = extension.trim_start_matches('.').to_ascii_lowercase();
                (extension.into_bytes().into(), media_type.as_str().into())
            })
            .collect();
        let default = default
            .filter(|media_type| is_field_value(media_type.as_bytes()))
            .unwrap_or_else(|| "application/octet-stream".to_owned());
        Self { own, only_own, default: default.into() }
    }

    /// The media type of a file, or a path, of that name.
    pub fn of(&self, filename: &[u8]) -> &str {
        let Some(extension) = name::extension(filename) else { return &self.default };
        let mut lower = [0; EXTENSION_BYTES_MAX];
        let Some(lower) = lower.get_mut(..extension.len()) else { return &self.default };
        lower.copy_from_slice(extension);
        lower.make_ascii_lowercase();
        let lower = &*lower;
        self.own
            .get(lower)
            .map(AsRef::as_ref)
            .or_else(|| WELL_KNOWN.get(lower).copied().filter(|_| !self.only_own))
            .unwrap_or(&self.default)
    }
}

/// The well-known media type of an extension, given in lower case without the dot.
pub fn well_known(extension: &str) -> Option<&'static str> {
    WELL_KNOWN.get(extension.as_bytes()).copied()
}

static WELL_KNOWN: LazyLock<HashMap<&[u8], &str>> = LazyLock::new(|| {
    TABLE
        .iter()
        .flat_map(|(media_type, extensions)| {
            extensions.split_ascii_whitespace().map(|extension| (extension.as_bytes(), *media_type))
        })
        .collect()
});

/// nginx's mime.types with what has come since (IANA's registry). JavaScript is `text/javascript`
/// (RFC 9239), where nginx still has `application/javascript`.
const TABLE: &[(&str, &str)] = &[
    ("text/html", "html htm shtml"),
    ("text/css", "css"),
    ("text/xml", "xml"),
    ("text/javascript", "js mjs cjs"),
    ("text/plain", "txt text log conf"),
    ("text/markdown", "md markdown"),
    ("text/csv", "csv"),
    ("text/calendar", "ics"),
    ("text/vtt", "vtt"),
    ("text/vcard", "vcf"),
    ("text/mathml", "mml"),
    ("text/vnd.sun.j2me.app-descriptor", "jad"),
    ("text/vnd.wap.wml", "wml"),
    ("text/x-component", "htc"),
    ("image/gif", "gif"),
    ("image/jpeg", "jpeg jpg jfif"),
    ("image/png", "png"),
    ("image/apng", "apng"),
    ("image/avif", "avif"),
    ("image/webp", "webp"),
    ("image/jxl", "jxl"),
    ("image/heic", "heic"),
    ("image/heif", "heif"),
    ("image/svg+xml", "svg svgz"),
    ("image/tiff", "tif tiff"),
    ("image/vnd.wap.wbmp", "wbmp"),
    ("image/x-icon", "ico"),
    ("image/x-jng", "jng"),
    ("image/x-ms-bmp", "bmp"),
    ("font/woff", "woff"),
    ("font/woff2", "woff2"),
    ("font/ttf", "ttf"),
    ("font/otf", "otf"),
    ("font/collection", "ttc"),
    ("application/json", "json map"),
    ("application/ld+json", "jsonld"),
    ("application/geo+json", "geojson"),
    ("application/manifest+json", "webmanifest"),
    ("application/wasm", "wasm"),
    ("application/yaml", "yaml yml"),
    ("application/toml", "toml"),
    ("application/atom+xml", "atom"),
    ("application/rss+xml", "rss"),
    ("application/xhtml+xml", "xhtml"),
    ("application/xslt+xml", "xsl xslt"),
    ("application/xspf+xml", "xspf"),
    ("application/dash+xml", "mpd"),
    ("application/epub+zip", "epub"),
    ("application/gzip", "gz tgz"),
    ("application/zstd", "zst"),
    ("application/x-bzip2", "bz2"),
    ("application/x-xz", "xz"),
    ("application/x-tar", "tar"),
    ("application/zip", "zip"),
    ("application/java-archive", "jar war ear"),
    ("application/mac-binhex40", "hqx"),
    ("application/msword", "doc"),
    ("application/pdf", "pdf"),
    ("application/postscript", "ps eps ai"),
    ("application/rtf", "rtf"),
    ("application/vnd.android.package-archive", "apk"),
    ("application/vnd.apple.mpegurl", "m3u8"),
    ("application/vnd.google-earth.kml+xml", "kml"),
    ("application/vnd.google-earth.kmz", "kmz"),
    ("application/vnd.ms-excel", "xls"),
    ("application/vnd.ms-fontobject", "eot"),
    ("application/vnd.ms-powerpoint", "ppt"),
    ("application/vnd.oasis.opendocument.graphics", "odg"),
    ("application/vnd.oasis.opendocument.presentation", "odp"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.sqlite3", "sqlite sqlite3"),
    ("application/vnd.wap.wmlc", "wmlc"),
    ("application/x-7z-compressed", "7z"),
    ("application/x-cocoa", "cco"),
    ("application/x-java-archive-diff", "jardiff"),
    ("application/x-java-jnlp-file", "jnlp"),
    ("application/x-makeself", "run"),
    ("application/x-perl", "pl pm"),
    ("application/x-pilot", "prc pdb"),
    ("application/x-rar-compressed", "rar"),
    ("application/x-redhat-package-manager", "rpm"),
    ("application/x-sea", "sea"),
    ("application/x-sh", "sh"),
    ("application/x-shockwave-flash", "swf"),
    ("application/x-stuffit", "sit"),
    ("application/x-tcl", "tcl tk"),
    ("application/x-x509-ca-cert", "der pem crt"),
    ("application/x-xpinstall", "xpi"),
    ("application/octet-stream", "bin exe dll deb dmg iso img msi msp msm"),
    ("audio/midi", "mid midi kar"),
    ("audio/mpeg", "mp3"),
    ("audio/ogg", "ogg oga opus"),
    ("audio/aac", "aac"),
    ("audio/flac", "flac"),
    ("audio/wav", "wav"),
    ("audio/webm", "weba"),
    ("audio/x-m4a", "m4a"),
    ("audio/x-realaudio", "ra"),
    ("video/3gpp", "3gpp 3gp"),
    ("video/iso.segment", "m4s"),
    ("video/mp2t", "ts"),
    ("video/mp4", "mp4"),
    ("video/mpeg", "mpeg mpg"),
    ("video/ogg", "ogv"),
    ("video/quicktime", "mov"),
    ("video/webm", "webm"),
    ("video/x-flv", "flv"),
    ("video/x-m4v", "m4v"),
    ("video/x-matroska", "mkv"),
    ("video/x-mng", "mng"),
    ("video/x-ms-asf", "asx asf"),
    ("video/x-ms-wmv", "wmv"),
    ("video/x-msvideo", "avi"),
    ("model/gltf+json", "gltf"),
    ("model/gltf-binary", "glb"),
];

#[cfg(test)]
mod tests;
