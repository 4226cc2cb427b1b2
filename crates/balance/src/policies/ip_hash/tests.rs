use crate::policies::Balance;
use crate::policies::ip_hash::Config;
use crate::testing::{Table, counts, group_of, weighted};
use std::net::{IpAddr, Ipv4Addr};

fn pick(table: &mut Table, client: &str) -> usize {
    table.client = client.parse().expect("an address");
    table.picks(1)[0]
}

/// nginx's loop, written as it is there.
fn nginx(octets: &[u8], weights: &[u32]) -> usize {
    let hash = octets.iter().fold(89_u32, |hash, &octet| (hash * 113 + u32::from(octet)) % 6271);
    let mut left = (hash % weights.iter().sum::<u32>()) as i64;
    for (index, &weight) in weights.iter().enumerate() {
        left -= i64::from(weight);
        if left < 0 {
            return index;
        }
    }
    unreachable!("the weights cover the hash")
}

#[test]
fn clients_go_where_nginx_sent_them() {
    for weights in [vec![1; 5], vec![1, 5, 2], vec![3; 40]] {
        let mut table = Table::new(&Balance::IpHash(Config {}), weighted(&weights));
        for number in (0..2_000_000_000_u32).step_by(9_999_991) {
            let ip = Ipv4Addr::from(number);
            table.client = ip.into();
            // Equal weights cover one hash each here, as many as they weigh there; both are 1 to n.
            let weights =
                if weights.iter().all(|&weight| weight == 3) { vec![1; 40] } else { weights.clone() };
            assert_eq!(table.picks(1), [nginx(&ip.octets()[..3], &weights)], "{ip}");
        }
        let v6: std::net::Ipv6Addr = "2001:db8::17".parse().expect("an address");
        table.client = IpAddr::V6(v6);
        let weights = if weights[0] == 3 { vec![1; 40] } else { weights };
        assert_eq!(table.picks(1), [nginx(&v6.octets(), &weights)]);
    }
}

#[test]
fn the_last_octet_and_mapping_do_not_matter() {
    let mut table = Table::new(&Balance::IpHash(Config {}), group_of(100));
    let at = pick(&mut table, "203.0.113.1");
    assert_eq!(pick(&mut table, "203.0.113.254"), at);
    assert_eq!(pick(&mut table, "::ffff:203.0.113.9"), at);
}

#[test]
fn clients_spread() {
    let mut table = Table::new(&Balance::IpHash(Config {}), group_of(5));
    let picks: Vec<_> =
        (0..10_000).map(|net| pick(&mut table, &Ipv4Addr::from(net << 8).to_string())).collect();
    let counts = counts(&picks);
    assert!((0..5).all(|at| (1_500..2_500).contains(&counts[&at])), "{counts:?}");
}
