use super::*;

fn none(_: &str) -> bool {
    false
}

#[test]
fn every_name_of_the_table_finds_a_variable_that_says_a_name_of_its_own() {
    for entry in table() {
        let name = match entry.make {
            Make::One(_) => entry.name.to_owned(),
            Make::Family(_) => format!("{}x_y", entry.name),
        };
        let var = find(&name, &none).expect(&name);
        assert_eq!(find(&var.to_string(), &none), Some(var), "{name}");
        assert!(entry.doc.ends_with('.'), "{name}");
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = table().iter().map(|entry| entry.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn a_field_is_stored_as_on_the_wire() {
    assert_eq!(find("http_X_Request_ID", &none), Some(Var::Http("x-request-id".into())));
    assert_eq!(find("upstream_http_etag", &none), Some(Var::UpstreamHttp("etag".into())));
    assert_eq!(find("arg_Page_No", &none), Some(Var::Arg("Page_No".into())));
    assert_eq!(find("http_", &none), None);
}

#[test]
fn case_does_not_matter() {
    assert_eq!(find("Remote_Addr", &none), Some(Var::RemoteAddr));
}

#[test]
fn a_declared_name_goes_before_ours_but_not_before_nginx_s() {
    let all = |_: &str| true;
    assert_eq!(find("host", &all), Some(Var::Host));
    assert_eq!(find("route", &all), Some(Var::User("route".into())));
    assert_eq!(find("http_mine", &all), Some(Var::User("http_mine".into())));
    assert_eq!(find("route", &none), Some(Var::Route));
}
