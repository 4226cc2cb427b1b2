//! Cache deception: `/account/nothing.css` is answered with somebody's account, and stored for all.

const FONTS: &[&str] = &["font/", "application/font", "application/x-font", "application/vnd.ms-fontobject"];

/// Extensions of files that sites store without thinking, and how their types begin.
const TYPES: &[(&str, &[&str])] = &[
    ("css", &["text/css"]),
    (
        "js",
        &["text/javascript", "application/javascript", "application/x-javascript", "application/ecmascript"],
    ),
    ("mjs", &["text/javascript", "application/javascript"]),
    ("jpg", &["image/"]),
    ("jpeg", &["image/"]),
    ("png", &["image/"]),
    ("gif", &["image/"]),
    ("webp", &["image/"]),
    ("avif", &["image/"]),
    ("ico", &["image/"]),
    ("svg", &["image/svg"]),
    ("bmp", &["image/"]),
    ("woff", FONTS),
    ("woff2", FONTS),
    ("ttf", FONTS),
    ("otf", FONTS),
    ("eot", FONTS),
    ("mp4", &["video/", "audio/", "application/mp4"]),
    ("webm", &["video/", "audio/"]),
    ("mp3", &["audio/"]),
    ("ogg", &["audio/", "video/", "application/ogg"]),
    ("pdf", &["application/pdf"]),
    ("zip", &["application/zip", "application/x-zip"]),
    ("gz", &["application/gzip", "application/x-gzip"]),
];

/// Whether an answer of that type may be what the path's extension says. Without either it may.
pub(super) fn is_plausible(path: &[u8], content_type: Option<&[u8]>) -> bool {
    let name = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
    let Some(at) = name.iter().rposition(|b| *b == b'.') else { return true };
    let Some(content_type) = content_type else { return true };
    let extension = name.get(at + 1..).unwrap_or_default().to_ascii_lowercase();
    let Some((_, types)) = TYPES.iter().find(|(known, _)| known.as_bytes() == extension) else { return true };
    let content_type = content_type.to_ascii_lowercase();
    content_type.starts_with(b"application/octet-stream")
        || types.iter().any(|begin| content_type.starts_with(begin.as_bytes()))
}
