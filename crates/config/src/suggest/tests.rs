use super::nearest;

#[test]
fn a_typing_slip_finds_its_word() {
    let keys = ["listeners", "hosts", "clusters", "proxy"];
    for (typed, meant) in
        [("proxxy", "proxy"), ("porxy", "proxy"), ("listener", "listeners"), ("Clusters", "clusters")]
    {
        assert_eq!(nearest(typed, keys), Some(meant), "{typed}");
    }
}

#[test]
fn a_dash_for_an_underscore_is_no_difference() {
    assert_eq!(nearest("least-request", ["round_robin", "least_request"]), Some("least_request"));
}

#[test]
fn a_foreign_word_finds_nothing() {
    assert_eq!(nearest("banana", ["listeners", "hosts", "clusters"]), None);
    assert_eq!(nearest("xy", ["ab", "id"]), None);
    assert_eq!(nearest("", ["listeners"]), None);
}

#[test]
fn the_nearer_of_two_wins() {
    assert_eq!(nearest("hostt", ["hosts", "host"]), Some("hosts"));
    assert_eq!(nearest("remote_adr", ["remote_port", "remote_addr"]), Some("remote_addr"));
}
