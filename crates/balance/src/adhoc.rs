use crate::*;
use serde::Deserialize;
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct C { balance: Balance, endpoints: Vec<EndpointConfig> }

#[test]
fn yaml() {
    for text in [
        "balance: least_request\nendpoints: ['10.0.0.1:80', app.local:3000, {address: 'a:1', weight: 2}]\n",
        "balance: hash\nendpoints: []\n",
        "balance:\n  hash:\n    key: $host\n    load_factor: 0.3\nendpoints:\n  - app.local\n  - { address: 10.0.0.1, weight: 0 }\n  - { adress: 'a:1' }\n  - 3000\n  - { address: 'a:1', fail_timeout: x }\n",
        "balance: rond_robin\nendpoints: [unix:x]\n",
        "balance: { hash: { key: $hots } }\nendpoints: [unix:/x]\n",
        "balance: { hash: { } }\nendpoints: [unix:/x]\n",
        "balance: [random]\nendpoints: [unix:/x]\n",
    ] {
        let source = bifrons_config::Source::new("t.yaml", text);
        match bifrons_config::yaml::load::<C>(&source, &Default::default()) {
            Ok(c) => println!("OK {c:?}"),
            Err(p) => { println!("--- {text}"); for p in p.0 { println!("{:?} {} | {:?}", p.place.as_ref().map(|p| (p.line_column(), &p.source.text[p.range.clone()])), p.message, p.help) } }
        }
    }
}

#[test]
fn cost() {
    use crate::testing::*;
    for kind in POLICIES {
        let balance: Balance = serde_saphyr::from_str(kind.example).unwrap();
        for n in [4u32, 100, 10_000] {
          for heavy in [1, 3] {
            let mut t = Table::new(&balance, EndpointSet::new((0..n).map(|at| EndpointSpec { weight: at % heavy + 1, ..spec(at) }).collect()));
            t.key = Some(5); t.pick();
            let start = std::time::Instant::now();
            for k in 0..100_000u64 { t.key = Some(k.wrapping_mul(0x9E3779B97F4A7C15)); std::hint::black_box(t.pick()); }
            println!("{} n={n} w={heavy}: {:?} ns", kind.name, start.elapsed().as_nanos() / 100_000);
          }
        }
    }
}
