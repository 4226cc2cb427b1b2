//! No text makes it panic, and every mistake has a place that can be shown.

use super::*;
use proptest::prelude::*;

/// Pieces that make up likely and unlikely files.
fn yaml() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "hosts",
        "clusters",
        "listeners",
        "routes",
        "names",
        "path",
        "filters",
        "cache",
        "gzip",
        "headers",
        "set",
        "workers",
        "pair",
        "statuses",
        "bind",
        "tls",
        ": ",
        ":\n",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "\"",
        "'",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "!x ",
        "|\n",
        ">-\n",
        "# x\n",
        "? ",
        "---\n",
        "...\n",
        "null",
        "~",
        "1",
        "-5",
        "1.5",
        "0x1F",
        "10m",
        "true",
        "${env:PORT}",
        "${env:",
        "$$",
        "$host",
        "ü",
        "\t",
        "\r\n",
        "\u{feff}",
        "%YAML 1.2\n",
        "include: ",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn pieces(text in yaml()) {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.to_string().starts_with("error: "));
            prop_assert!(problems.0.iter().all(|problem| problem.place.is_some()));
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,60}") {
        let _ = read(&text);
    }

    #[test]
    fn words_without_meaning_are_text(text in "[a-zA-Z0-9.+_-]{1,12}") {
        let json = serde_json::from_str::<serde_json::Value>(&text);
        let word = node::word(&text);
        if let (Ok(serde_json::Value::Number(number)), false) = (json, word == node::Word::Text) {
            let same = match word {
                node::Word::Unsigned(value) => number.as_u64() == Some(value),
                // `-0` is a whole number here, and a float there.
                node::Word::Negative(0) => number.as_f64() == Some(0.0),
                node::Word::Negative(value) => number.as_i64() == Some(value),
                node::Word::Float(value) => number.as_f64() == Some(value),
                _ => false,
            };
            prop_assert!(same, "{text} is {word:?} here and {number} in JSON");
        }
    }
}
