use super::*;
use crate::place::Source;

#[test]
fn a_problem_shows_its_line_and_the_fix() {
    let source = Source::new("a.yaml", "hosts:\n  - proxxy: app\n");
    let problem =
        Problem::at(Place::new(&source, 11..17), "unknown key \"proxxy\"").help("did you mean \"proxy\"?");
    let shown = "\
error: unknown key \"proxxy\"
 --> a.yaml:2:5
  |
2 |   - proxxy: app
  |     ^^^^^^
  |
  = help: did you mean \"proxy\"?";
    assert_eq!(problem.to_string(), shown);
    assert_eq!(problem.one_line(), "a.yaml:2:5: unknown key \"proxxy\"");
    assert!(problem.to_ansi().contains("\u{1b}["));
}

#[test]
fn a_place_of_many_lines_shows_the_first() {
    let source = Source::new("a.yaml", "a:\n  b: 1\n  c: 2\n");
    let shown = Problem::at(Place::new(&source, 5..16), "wrong").to_string();
    assert!(shown.contains("2 |   b: 1\n  |   ^^^^") && !shown.contains("c: 2"), "{shown}");
}

#[test]
fn what_has_no_place_is_told_without() {
    let problem = Problem::nowhere("cannot read \"a.yaml\"").help("look");
    assert_eq!(problem.to_string(), "error: cannot read \"a.yaml\"\n |\n = help: look");
}

#[test]
fn a_long_line_is_cut_around_the_place() {
    let text = format!("{}ü{}X{}", "a".repeat(5000), "b".repeat(100), "c".repeat(5000));
    let at = text.find('X').expect("marker");
    let source = Source::new("one.json", text);
    let shown = Problem::at(Place::new(&source, at..at + 1), "m".repeat(5000)).to_string();
    assert!(shown.len() < 2000, "{shown}");
    assert!(shown.contains("one.json:1:5102") && shown.contains("bXc"), "{shown}");
}

#[test]
fn places_at_the_ends_do_no_harm() {
    for text in ["", "\n", "a", "a\n", "ü\tü\r\n"] {
        let source = Source::new("a.yaml", text);
        for start in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
            for end in start..=text.len() + 1 {
                let shown = Problem::at(Place::new(&source, start..end), "wrong").to_string();
                assert!(shown.starts_with("error: wrong\n --> a.yaml:"), "{shown}");
            }
        }
    }
}

#[test]
fn several_stand_apart() {
    let problems = Problems(vec![Problem::nowhere("one"), Problem::nowhere("two")]);
    assert_eq!(problems.to_string(), "error: one\n\nerror: two");
}
