//! The smuggling corpus: what peers may send, and the one way it is read, however the bytes come.

#![allow(clippy::expect_used, clippy::panic, reason = "tests")]

mod corpus;
mod verdict;

use bifrons_core::Limits;
use corpus::Case;
use verdict::{Asked, Reader};

const LONE_LF: Limits = Limits {
    line_bytes: Limits::LINE_BYTES,
    field_bytes: usize::MAX,
    fields: Limits::FIELDS,
    head_bytes: Limits::HEAD_BYTES,
    lone_lf: true,
    names: None,
};

fn cases() -> Vec<(Case, Reader)> {
    let strict = Limits::default();
    let requests = corpus::read("requests.txt", include_str!("requests.txt"), 4);
    let responses = corpus::read("responses.txt", include_str!("responses.txt"), 5);
    let lone_lf = corpus::read("lone_lf.txt", include_str!("lone_lf.txt"), 4);
    let mut cases = Vec::new();
    cases.extend(requests.into_iter().map(|case| (case, Reader::request(strict))));
    cases.extend(lone_lf.into_iter().map(|case| (case, Reader::request(LONE_LF))));
    cases.extend(responses.into_iter().map(|case| {
        let asked = Asked::of(&case.columns[1]);
        (case, Reader::response(strict, asked))
    }));
    cases
}

/// Runs `read` on every case and tells all that went wrong.
fn check(mut read: impl FnMut(&Case, &Reader) -> String) {
    let mut wrong = Vec::new();
    for (case, reader) in cases() {
        let found = read(&case, &reader);
        if found != case.columns[0] {
            wrong.push(format!("{}: expected \"{}\", found \"{found}\"", case.place, case.columns[0]));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn there_are_enough_cases() {
    let all = cases();
    let responses = all.iter().filter(|(case, _)| case.place.starts_with("responses")).count();
    assert!(responses >= 40 && all.len() - responses >= 120);
}

#[test]
fn every_case_is_read_as_it_says() {
    check(|case, reader| reader.whole(&case.bytes));
}

/// Piece by piece, down to single bytes where the case is short enough for that.
#[test]
fn however_the_bytes_are_split() {
    for size in [1, 2, 7, 4096] {
        check(|case, reader| {
            let size = size.max(case.bytes.len() / 400);
            reader.in_pieces(&case.bytes, size)
        });
    }
}

#[test]
fn over_a_socket() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for size in [usize::MAX, 11] {
        check(|case, reader| {
            let size = size.max(case.bytes.len() / 100);
            runtime.block_on(reader.over_socket(&case.bytes, size))
        });
    }
}
