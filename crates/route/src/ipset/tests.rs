use super::*;
use proptest::prelude::*;

fn set(cidrs: &[&str]) -> IpSet {
    IpSet::parse(cidrs).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn blocks_hold_their_first_and_last_address_and_no_neighbour() {
    let set = set(&["10.1.0.0/16", "192.168.1.7", "2001:db8::/32", "::1"]);

    for inside in ["10.1.0.0", "10.1.255.255", "192.168.1.7", "2001:db8::", "2001:db8:ffff::1", "::1"] {
        assert!(set.contains(ip(inside)), "{inside}");
    }
    for outside in ["10.0.255.255", "10.2.0.0", "192.168.1.6", "192.168.1.8", "2001:db9::", "::2", "::"] {
        assert!(!set.contains(ip(outside)), "{outside}");
    }
}

#[test]
fn mapped_addresses_are_ipv4() {
    assert!(set(&["10.0.0.0/8"]).contains(ip("::ffff:10.1.2.3")));
    assert!(set(&["::ffff:10.0.0.0/104"]).contains(ip("10.1.2.3")));
    assert!(!set(&["::/0"]).contains(ip("10.1.2.3")));
    assert!(!set(&["0.0.0.0/0"]).contains(ip("::1")));
}

#[test]
fn host_bits_are_masked() {
    assert!(set(&["10.1.2.3/8"]).contains(ip("10.200.0.0")));
    assert_eq!(set(&["10.1.2.3/8"]), set(&["10.0.0.0/8"]));
}

#[test]
fn all_and_nothing() {
    let all = set(&["0.0.0.0/0", "::/0"]);
    for address in ["0.0.0.0", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] {
        assert!(all.contains(ip(address)), "{address}");
        assert!(!IpSet::default().contains(ip(address)), "{address}");
    }
}

#[test]
fn errors_name_the_block() {
    for bad in
        ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10.0.0/8", "010.0.0.1", "x", "", "fe80::1%1"]
    {
        let message = IpSet::parse(["10.0.0.0/8", bad]).unwrap_err().to_string();
        assert!(message.starts_with(&format!("`{bad}`")), "{message}");
    }
}

#[test]
fn serde_takes_and_gives_a_list() {
    let set: IpSet = serde_json::from_str(r#"["10.0.0.1", "fd00::1/8"]"#).unwrap();
    assert_eq!(serde_json::to_string(&set).unwrap(), r#"["10.0.0.1","fd00::/8"]"#);
    assert!(
        serde_json::from_str::<IpSet>(r#"["10.0.0.1/99"]"#).unwrap_err().to_string().contains("10.0.0.1/99")
    );
}

proptest! {
    #[test]
    fn agrees_with_asking_every_block(
        nets in proptest::collection::vec((0u32..64, 24u8..=32), 0..20),
        address in 0u32..64,
    ) {
        let nets: Vec<IpNet> = nets
            .into_iter()
            .map(|(bits, length)| IpNet::V4(Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 | bits), length).unwrap()))
            .collect();
        let address = IpAddr::V4(Ipv4Addr::from(0x0a00_0000 | address));
        let expected = nets.iter().any(|net| net.contains(&address));
        prop_assert_eq!(IpSet::from_nets(nets).contains(address), expected);
    }
}
