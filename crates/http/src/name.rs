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
        const TEXTS: &[&str] = &["", $($text),*];
        // A set of names is one word.
        const _: () = assert!(IDS.len() <= 64);
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

/// 256 places for some sixty names: few enough bits to stay in the cache, room enough for a hash without
/// collisions to be found.
const HASH_BITS: u32 = 8;
/// Found by trying; the constant is right as long as `by_hash` compiles, which checks every name.
const HASH_FACTOR: u32 = 0xf338_cd8b;

/// Ids by hash; 0 where there is none.
static BY_HASH: [u8; 1 << HASH_BITS] = by_hash();

const fn by_hash() -> [u8; 1 << HASH_BITS] {
    let mut table = [0u8; 1 << HASH_BITS];
    let mut at = 0;
    while at < ALL.len() {
        let place = hash(ALL[at].1.as_bytes());
        assert!(table[place] == 0, "two names share a hash: find another HASH_FACTOR");
        table[place] = ALL[at].0 as u8;
        at += 1;
    }
    table
}

/// A hash of length, first, middle and last bytes; case doesn't count. `name` has two bytes at least.
const fn hash(name: &[u8]) -> usize {
    let len = name.len();
    let first = (name[0] | 0x20) as u32;
    let last = (name[len - 1] | 0x20) as u32;
    let inner = (name[len - 2] | 0x20).wrapping_add(name[len / 2] | 0x20) as u32;
    let word = (len as u32 & 0xff) | first << 8 | last << 16 | inner << 24;
    (word.wrapping_mul(HASH_FACTOR) >> (32 - HASH_BITS)) as usize
}

/// Whether `name` is `text`, which is lower case. Setting bit 5 makes letters lower case and leaves `-`
/// as it is; what else it might make equal is no token and never gets here.
fn is_same(name: &[u8], text: &[u8]) -> bool {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let same_words = |a: &[u8; 8], b: &[u8; 8]| u64::from_ne_bytes(*a) | LOWER == u64::from_ne_bytes(*b);
    let same_halves =
        |a: &[u8; 4], b: &[u8; 4]| u32::from_ne_bytes(*a) | LOWER as u32 == u32::from_ne_bytes(*b);
    if name.len() != text.len() {
        return false;
    }
    // The last word may overlap the one before it.
    if let (Some(name_end), Some(text_end)) = (name.last_chunk(), text.last_chunk()) {
        let (names, texts) = (name.as_chunks().0, text.as_chunks().0);
        return same_words(name_end, text_end) && names.iter().zip(texts).all(|(a, b)| same_words(a, b));
    }
    match (name.first_chunk(), name.last_chunk(), text.first_chunk(), text.last_chunk()) {
        (Some(a), Some(a_end), Some(b), Some(b_end)) => same_halves(a, b) && same_halves(a_end, b_end),
        _ => name.iter().zip(text).all(|(a, b)| a | 0x20 == *b),
    }
}

impl Name {
    /// The id of `name`, a token, whatever its case.
    pub fn of(name: &[u8]) -> Self {
        if name.len() < 2 {
            return Self::Other;
        }
        let id = Self::from_id(BY_HASH[hash(name)]);
        if is_same(name, id.text().as_bytes()) { id } else { Self::Other }
    }

    /// The name in that spelling, to write it; `spelling` must be this name.
    pub fn spelt(self, spelling: &str) -> Key<'_> {
        Key { id: self, text: spelling.as_bytes() }
    }

    /// A bit of its own, for sets of names.
    pub const fn bit(self) -> u64 {
        1 << (self as u8 & 63)
    }

    /// The name in lower case; empty for `Other`.
    pub fn text(self) -> &'static str {
        TEXTS.get(self as usize).copied().unwrap_or_default()
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

/// Fields by which a client could claim to be another, as CGI and its kin read them: with `_` for `-` they can't
/// tell the two apart.
const CLAIM_NAMES: [&[u8]; 5] =
    [b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip"];

/// Whether an unknown name is such a claim's but for its underscores.
pub fn is_disguised_claim(name: &[u8]) -> bool {
    CLAIM_NAMES.iter().any(|claim| reads_as(claim, name))
}

/// Whether an unknown name would be one that frames a message but for its underscores: who can't tell the two
/// apart reads another body than we do.
pub fn is_disguised_framing(name: &[u8]) -> bool {
    reads_as(b"transfer-encoding", name) || reads_as(b"content-length", name)
}

/// Whether it is `X-Forwarded-Client-Cert`, or passes for it with `_` for `-`.
pub fn is_client_cert(name: &[u8]) -> bool {
    reads_as(b"x-forwarded-client-cert", name)
}

fn reads_as(claim: &[u8], name: &[u8]) -> bool {
    // Most names differ in length already.
    claim.len() == name.len()
        && claim.iter().zip(name).all(|(a, b)| *a == b.to_ascii_lowercase() || (*a == b'-' && *b == b'_'))
}

#[cfg(test)]
mod tests;
