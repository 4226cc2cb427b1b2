//! HTTP/1 messages as tests look at them: strict enough to notice what a lenient client would not.

/// A request or a response, its body decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The first line, without its end.
    pub start: String,
    /// Fields in order, spelled as they came.
    pub fields: Vec<(String, String)>,
    /// The body, without chunk framing.
    pub body: Vec<u8>,
    /// Fields behind a chunked body.
    pub trailers: Vec<(String, String)>,
    /// Sizes of the chunks, if it was chunked.
    pub chunks: Vec<usize>,
}

/// How the body behind a head is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilEnd,
}

impl Message {
    /// Reads a head that ends in an empty line.
    #[track_caller]
    pub fn parse_head(head: &[u8]) -> Self {
        let text = std::str::from_utf8(head).unwrap_or_else(|_| panic!("head: {}", head.escape_ascii()));
        let text = text.strip_suffix("\r\n\r\n").unwrap_or_else(|| panic!("head without end: {text:?}"));
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "lone CR or LF in a head: {text:?}");
        let mut lines = text.split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        Self { start, fields: lines.map(parse_field).collect(), ..Self::default() }
    }

    /// The status of a response.
    #[track_caller]
    pub fn status(&self) -> u16 {
        let status = self.start.split(' ').nth(1).and_then(|text| text.parse().ok());
        status.unwrap_or_else(|| panic!("no status: {:?}", self.start))
    }

    /// The target of a request.
    #[track_caller]
    pub fn target(&self) -> &str {
        self.start.split(' ').nth(1).unwrap_or_else(|| panic!("no target: {:?}", self.start))
    }

    /// The method of a request.
    pub fn method(&self) -> &str {
        self.start.split(' ').next().unwrap_or_default()
    }

    /// The one value of a field; panics if there are several.
    #[track_caller]
    pub fn field(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "several {name}: {all:?}");
        all.first().copied()
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// Whether there is such a field.
    pub fn has(&self, name: &str) -> bool {
        !self.all(name).is_empty()
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|_| panic!("body: {}", self.body.escape_ascii()))
    }

    /// The value of a trailer field.
    pub fn trailer(&self, name: &str) -> Option<&str> {
        let found = self.trailers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The request that an echoing origin put into the body of this response.
    #[track_caller]
    pub fn echoed(&self) -> Self {
        let end = find(&self.body, b"\r\n\r\n").unwrap_or_else(|| panic!("no echo in {self:?}"));
        let mut request = Self::parse_head(&self.body[..end + 4]);
        request.body = self.body[end + 4..].to_vec();
        request
    }

    /// How the body is delimited. `method` is that of the request a response answers, `None` for requests.
    #[track_caller]
    pub(crate) fn framing(&self, method: Option<&str>) -> Framing {
        let length = self.field("Content-Length").map(|text| text.parse().expect("Content-Length"));
        let coded = self.field("Transfer-Encoding");
        assert!(coded.is_none_or(|coding| coding == "chunked"), "coding {coded:?}");
        assert!(length.is_none() || coded.is_none(), "both length and coding: {:?}", self.fields);
        if let Some(method) = method {
            let status = self.status();
            if method == "HEAD" || status < 200 || status == 204 || status == 304 {
                return Framing::None;
            }
        }
        match (coded, length, method) {
            (Some(_), ..) => Framing::Chunked,
            (_, Some(length), _) => Framing::Length(length),
            (_, _, None) => Framing::None,
            (_, _, Some(_)) => Framing::UntilEnd,
        }
    }
}

/// Where `needle` begins in `bytes`.
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

/// `Name: value`.
#[track_caller]
pub(crate) fn parse_field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("field {line:?}"));
    assert!(!name.is_empty() && !name.contains([' ', '\t']), "field {line:?}");
    (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
}
