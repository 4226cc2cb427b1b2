use super::*;
use crate::testing::{fields, get, listed, value};
use proptest::collection::vec;
use proptest::prelude::*;

/// What can be done to a list of fields.
#[derive(Clone, Debug)]
enum Edit {
    Set(&'static str, Vec<u8>),
    Append(&'static str, Vec<u8>),
    Remove(&'static str),
    RemoveReceived(&'static str),
    /// Those whose length is even.
    ReplaceEach(&'static str, Vec<u8>),
}

/// Few names, so that edits meet; well-known and unknown ones, in two spellings.
const NAMES: [&str; 6] = ["Accept", "accept", "X-One", "x-one", "X-Two", "Via"];

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let name = || prop::sample::select(NAMES.to_vec());
    let edit = prop_oneof![
        (name(), value()).prop_map(|(name, value)| Edit::Set(name, value)),
        (name(), value()).prop_map(|(name, value)| Edit::Append(name, value)),
        name().prop_map(Edit::Remove),
        name().prop_map(Edit::RemoveReceived),
        (name(), value()).prop_map(|(name, value)| Edit::ReplaceEach(name, value)),
    ];
    vec(edit, 0..12)
}

/// The same list, the plain way.
#[derive(Clone, Debug, Default)]
struct Model(Vec<ModelField>);

#[derive(Clone, Debug)]
struct ModelField {
    name: String,
    value: Vec<u8>,
    received: bool,
    removed: bool,
}

impl Model {
    fn of(name: &str) -> impl Fn(&ModelField) -> bool {
        move |field| field.name.eq_ignore_ascii_case(name)
    }

    fn append(&mut self, name: &str, value: &[u8], received: bool) {
        self.0.push(ModelField { name: name.into(), value: value.into(), received, removed: false });
    }

    fn remove(&mut self, drop: impl Fn(&ModelField) -> bool) {
        self.0.iter_mut().filter(|field| drop(field)).for_each(|field| field.removed = true);
    }

    fn apply(&mut self, edit: &Edit) {
        match edit {
            Edit::Set(name, value) => {
                self.remove(Self::of(name));
                self.append(name, value, false);
            }
            Edit::Append(name, value) => self.append(name, value, false),
            Edit::Remove(name) => self.remove(Self::of(name)),
            Edit::RemoveReceived(name) => self.remove(|field| field.received && Self::of(name)(field)),
            Edit::ReplaceEach(name, value) => {
                for mut field in std::mem::take(&mut self.0) {
                    let is_even = field.value.len().is_multiple_of(2);
                    let is_meant = !field.removed && Self::of(name)(&field) && is_even;
                    let added = ModelField { value: value.clone(), received: false, ..field.clone() };
                    field.removed |= is_meant;
                    self.0.push(field);
                    self.0.extend(is_meant.then_some(added));
                }
            }
        }
    }

    fn live(&self) -> impl Iterator<Item = &ModelField> {
        self.0.iter().filter(|field| !field.removed)
    }
}

fn apply(headers: &mut Headers, edit: &Edit) {
    match edit {
        Edit::Set(name, value) => headers.set(*name, value),
        Edit::Append(name, value) => headers.append(*name, value),
        Edit::Remove(name) => {
            let had = headers.has(*name);
            assert_eq!(headers.remove(*name), had);
        }
        Edit::RemoveReceived(name) => {
            headers.remove_received_where(|_, found| found.eq_ignore_ascii_case(name.as_bytes()));
        }
        Edit::ReplaceEach(name, value) => {
            headers.replace_each(*name, |old| old.len().is_multiple_of(2).then(|| value.clone()));
        }
    }
}

proptest! {
    /// Edits do to the list over one buffer what they do to a plain list.
    #[test]
    fn edits_do_what_they_do_to_a_plain_list(
        received in vec((prop::sample::select(NAMES.to_vec()), value(), "[ \t]{0,2}", "[ \t]{0,2}"), 0..10),
        edits in edits(), dropped in prop::sample::select(NAMES.to_vec()),
    ) {
        let mut model = Model::default();
        model.append("Host", b"a.example", true);
        let mut text = Vec::new();
        for (name, value, before, behind) in &received {
            model.append(name, value, true);
            text.extend_from_slice(format!("{name}:{before}").as_bytes());
            text.extend_from_slice(value);
            text.extend_from_slice(format!("{behind}\r\n").as_bytes());
        }
        let mut headers = read(&text);
        for edit in &edits {
            model.apply(edit);
            apply(&mut headers, edit);
        }
        let live: Vec<_> = model.live().map(|field| (field.name.clone(), field.value.clone())).collect();
        prop_assert_eq!(&listed(&headers), &live);
        prop_assert_eq!(headers.len(), live.len());
        prop_assert_eq!(headers.is_empty(), live.is_empty());
        for name in NAMES {
            let of = Model::of(name);
            let values: Vec<_> = model.live().filter(|field| of(field)).map(|field| &field.value[..]).collect();
            prop_assert_eq!(headers.get(name), values.first().copied());
            prop_assert_eq!(headers.has(name), !values.is_empty());
            prop_assert_eq!(headers.get_all(name).collect::<Vec<_>>(), values);
            let originals: Vec<_> =
                model.0.iter().filter(|field| field.received && of(field)).map(|field| &field.value[..]).collect();
            prop_assert_eq!(headers.originals(name).collect::<Vec<_>>(), originals);
        }
        let keep = |name: &str| !name.eq_ignore_ascii_case(dropped);
        let mut expected = Vec::new();
        for field in model.live().filter(|field| keep(&field.name)) {
            expected.extend_from_slice(format!("{}: ", field.name).as_bytes());
            expected.extend_from_slice(&field.value);
            expected.extend_from_slice(b"\r\n");
        }
        let mut written = Vec::new();
        headers.write(&mut written, |_, name| keep(std::str::from_utf8(name).unwrap()));
        prop_assert_eq!(written, expected);
    }

    /// Heads that nobody changed are written as they came, where they came in the one form we write.
    #[test]
    fn what_is_unchanged_is_written_as_it_came(fields in fields()) {
        let mut text = Vec::new();
        for (name, value) in &fields {
            text.extend_from_slice(format!("{name}: ").as_bytes());
            text.extend_from_slice(value);
            text.extend_from_slice(b"\r\n");
        }
        let mut written = Vec::new();
        read(&text).write(&mut written, |name, _| name != Name::Host);
        prop_assert_eq!(written, text);
    }

    /// RFC 9110 5.6.1: lists of tokens are split at their commas, empty members left out.
    #[test]
    fn members_of_a_list(members in vec("[a-z]{0,4}", 0..8), spaces in vec("[ \t]{0,2}", 16)) {
        let mut text = String::new();
        for (at, member) in members.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            text += &format!("{}{member}{}", spaces[2 * at], spaces[2 * at + 1]);
        }
        let expected: Vec<_> = members.iter().filter(|member| !member.is_empty()).map(|member| member.as_bytes()).collect();
        prop_assert_eq!(list_members(text.as_bytes()).collect::<Vec<_>>(), expected);
    }

    /// A mark that a proxy appended is always a member of its own, whatever a client put before it.
    #[test]
    fn nothing_hides_an_appended_member(before in "[ -~]{0,20}") {
        let quotes_close = list_members(format!("{before}, x").as_bytes()).last() == Some(b"x");
        // Only a quote that closes behind the comma could swallow it, and we append none.
        prop_assert!(quotes_close, "{before}");
    }
}

fn read(fields: &[u8]) -> Headers {
    let mut bytes = b"GET / HTTP/1.1\r\nHost: a.example\r\n".to_vec();
    bytes.extend_from_slice(fields);
    bytes.extend_from_slice(b"\r\n");
    match crate::h1::parse::request(&bytes, &bifrons_core::Limits::default()).unwrap() {
        crate::h1::parse::Parsed::Head(head, _) => head.headers,
        crate::h1::parse::Parsed::Partial => panic!("partial"),
    }
}

#[test]
fn members_and_quotes() {
    let members = |text: &'static str| -> Vec<&str> {
        list_members(text.as_bytes()).map(|member| std::str::from_utf8(member).unwrap()).collect()
    };
    assert_eq!(members("a, \"b,c\" , d"), ["a", "\"b,c\"", "d"]);
    assert_eq!(members(r#""a\",b", c"#), [r#""a\",b""#, "c"]);
    assert_eq!(members("\"a, b"), ["\"a", "b"]);
    assert_eq!(members("\"a\", \"b, c"), ["\"a\"", "\"b", "c"]);
    assert_eq!(members(" ,, ,"), [] as [&str; 0]);
}

/// A long list with an open quote costs one look at its rest, not one a member.
#[test]
fn an_open_quote_is_looked_for_once() {
    let text = format!("\"{}", "a,".repeat(200_000));
    assert_eq!(list_members(text.as_bytes()).count(), 200_000);
}

#[test]
fn lists_look_at_all_fields() {
    let head = get("Via: 1.1 a, 1.0 b\r\nvia: 1.1 c\r\n");
    assert!(["1.1 A", "1.0 b", "1.1 c"].iter().all(|member| head.headers.lists(Name::Via, member)));
    assert!(!head.headers.lists(Name::Via, "a"));
}
