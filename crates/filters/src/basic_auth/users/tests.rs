use super::*;
use std::io::Write;

#[test]
fn a_file_has_names_hashes_and_comments() {
    let table = table(
        b"# a comment\nanna:h1\r\n\nbert:h2:something else\nanna:later\n:nobody\nno colon\n#x:h\nc#d:h3",
    );
    let mut all: Vec<_> =
        table.iter().map(|(name, hash)| (std::str::from_utf8(name).unwrap(), &**hash)).collect();
    all.sort_unstable();
    assert_eq!(all, [("anna", "h1"), ("bert", "h2"), ("c#d", "h3")]);
}

#[test]
fn a_file_is_read_again_when_it_has_changed() {
    let path = std::env::temp_dir().join(format!("bifrons-users-{}", std::process::id()));
    std::fs::write(&path, "anna:h1\n").unwrap();

    let first = read(&path, None);
    let second = read(&path, Some(first.clone()));
    assert!(Arc::ptr_eq(&first, &second));

    std::fs::File::options().append(true).open(&path).unwrap().write_all(b"bert:h2\n").unwrap();
    let third = read(&path, Some(second));
    assert!(matches!(&third.state, State::Table(table) if table.len() == 2));

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(read(&path, Some(third)).state, State::Missing));
    assert!(matches!(read(&std::env::temp_dir(), None).state, State::Unreadable));
}
