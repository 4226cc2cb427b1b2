use super::*;

fn records(lines: &[(&str, &str)]) -> Records {
    let mut records = Records::default();
    for (path, line) in lines {
        records.push_with(|out| out.extend_from_slice(format!("{path}\0{line}\n").as_bytes()));
    }
    records
}

#[test]
fn each_record_goes_to_the_file_it_names() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let mut sink = FilesSink::new(std::sync::Arc::new(super::super::open_file));

    sink.write(&records(&[(&path("a"), "1"), (&path("b"), "2"), (&path("a"), "3\\x00")])).unwrap();
    std::fs::rename(path("a"), path("old")).unwrap();
    sink.reopen().unwrap();
    sink.write(&records(&[(&path("a"), "4")])).unwrap();

    let read = |name| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!((read("old"), read("b"), read("a")), ("1\n3\\x00\n".into(), "2\n".into(), "4\n".into()));
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let good = dir.path().join("good").to_str().unwrap().to_owned();
    let outside = format!("{}/../outside", dir.path().display());
    let mut sink = FilesSink::new(std::sync::Arc::new(super::super::open_file));

    let lost =
        sink.write(&records(&[(&outside, "1"), (&good, "2"), ("relative", "3"), ("/no/such/dir/x", "4")]));

    assert_eq!(lost.unwrap_err().records, 3);
    assert_eq!(std::fs::read_to_string(good).unwrap(), "2\n");
}

#[test]
fn no_more_than_some_files_are_open() {
    let dir = tempfile::tempdir().unwrap();
    let mut sink = FilesSink::new(std::sync::Arc::new(super::super::open_file));
    for number in 0..3 * OPEN_MAX {
        let path = dir.path().join(number.to_string()).to_str().unwrap().to_owned();
        sink.write(&records(&[(&path, "x")])).unwrap();
    }
    assert_eq!(sink.open.len(), OPEN_MAX);
}
