//! Names of fields: the well-known ones as a small number, found without hashing or allocation.

macro_rules! names {
    ($($id:ident = $text:literal),* $(,)?) => {
        /// A field name that the proxy has a reason to know; everything else is `Other`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "each variant is the field of that name")]
        pub enum Name { Other, $($id),* }

        const ALL: &[(Name, &str)] = &[$((Name::$id, $text)),*];
        const IDS: &[Name] = &[Name::Other, $(Name::$id),*];
    };
}

names! {
    Accept = "accept",
    AcceptEncoding = "accept-encoding",
    AcceptLanguage = "accept-language",
    AcceptRanges = "accept-ranges",
    Age = "age",
    Allow = "allow",
    AltSvc = "alt-svc",
    Authorization = "authorization",
    CacheControl = "cache-control",
    Connection = "connection",
    ContentDisposition = "content-disposition",
    ContentEncoding = "content-encoding",
    ContentLanguage = "content-language",
    ContentLength = "content-length",
    ContentLocation = "content-location",
    ContentRange = "content-range",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    Etag = "etag",
    Expect = "expect",
    Expires = "expires",
    Forwarded = "forwarded",
    Host = "host",
    IfMatch = "if-match",
    IfModifiedSince = "if-modified-since",
    IfNoneMatch = "if-none-match",
    IfRange = "if-range",
    IfUnmodifiedSince = "if-unmodified-since",
    KeepAlive = "keep-alive",
    LastModified = "last-modified",
    Location = "location",
    MaxForwards = "max-forwards",
    Origin = "origin",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    Range = "range",
    Referer = "referer",
    RetryAfter = "retry-after",
    Server = "server",
    SetCookie = "set-cookie",
    StrictTransportSecurity = "strict-transport-security",
    Te = "te",
    Traceparent = "traceparent",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Vary = "vary",
    Via = "via",
    Warning = "warning",
    WwwAuthenticate = "www-authenticate",
    XAccelRedirect = "x-accel-redirect",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedPort = "x-forwarded-port",
    XForwardedProto = "x-forwarded-proto",
    XRealIp = "x-real-ip",
    XRequestId = "x-request-id",
}

/// The longest well-known name is `strict-transport-security`.
const LEN_MAX: usize = 25;
/// The most well-known names of one length.
const SAME_LEN_MAX: usize = 12;

/// Ids of the names of each length; 0 ends a row.
static BY_LEN: [[u8; SAME_LEN_MAX]; LEN_MAX + 1] = by_len();

const fn by_len() -> [[u8; SAME_LEN_MAX]; LEN_MAX + 1] {
    let mut table = [[0u8; SAME_LEN_MAX]; LEN_MAX + 1];
    let mut at = 0;
    while at < ALL.len() {
        let row = &mut table[ALL[at].1.len()];
        let mut free = 0;
        while row[free] != 0 {
            free += 1;
        }
        row[free] = ALL[at].0 as u8;
        at += 1;
    }
    table
}

impl Name {
    /// The id of `name`, whatever its case.
    pub fn of(name: &[u8]) -> Self {
        let Some(row) = BY_LEN.get(name.len()) else { return Self::Other };
        let first = name.first().map_or(0, u8::to_ascii_lowercase);
        for &id in row {
            let Some((known, text)) = (id as usize).checked_sub(1).and_then(|at| ALL.get(at)) else { break };
            if text.as_bytes().first() == Some(&first) && text.as_bytes().eq_ignore_ascii_case(name) {
                return *known;
            }
        }
        Self::Other
    }

    /// The name in lower case; empty for `Other`.
    pub fn text(self) -> &'static str {
        (self as usize).checked_sub(1).and_then(|at| ALL.get(at)).map_or("", |(_, text)| text)
    }

    pub(crate) fn from_id(id: u8) -> Self {
        IDS.get(id as usize).copied().unwrap_or(Self::Other)
    }

    /// Whether the field concerns one connection only and never crosses us (RFC 9110 7.6.1, and the
    /// obsolete ones of RFC 2616 13.5.1 that peers still send).
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }
}

/// A name to look for: its id, and its text where the id is `Other`.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    pub(crate) id: Name,
    pub(crate) text: &'a [u8],
}

impl From<Name> for Key<'_> {
    fn from(id: Name) -> Self {
        Self { id, text: id.text().as_bytes() }
    }
}

impl<'a> From<&'a [u8]> for Key<'a> {
    fn from(text: &'a [u8]) -> Self {
        Self { id: Name::of(text), text }
    }
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        text.as_bytes().into()
    }
}

impl<'a> From<&'a FieldName> for Key<'a> {
    fn from(name: &'a FieldName) -> Self {
        Self { id: name.id, text: name.text.as_bytes() }
    }
}

/// A field name from the configuration: checked, its spelling kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldName {
    id: Name,
    text: Box<str>,
}

impl FieldName {
    /// `None` when `text` is no token (RFC 9110 5.1).
    pub fn new(text: &str) -> Option<Self> {
        is_token(text.as_bytes()).then(|| Self { id: Name::of(text.as_bytes()), text: text.into() })
    }

    /// The id, `Other` where it is not well-known.
    pub fn id(&self) -> Name {
        self.id
    }

    /// The name as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Whether `text` is a token (RFC 9110 5.6.2): at least one `tchar` and nothing else.
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether `value` may stand in a field (RFC 9110 5.5): no control characters but HTAB.
pub fn is_field_value(value: &[u8]) -> bool {
    value.iter().all(|&b| b == b'\t' || (b >= 0x20 && b != 0x7f))
}

#[cfg(test)]
mod tests;
