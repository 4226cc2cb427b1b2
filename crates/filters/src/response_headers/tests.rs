use super::*;
use crate::testing::{cx, get, response};

fn config(statuses: &[u16]) -> Config {
    let value = bifrons_config::Template::text("1");
    Config { add: [("X-A".to_owned(), value)].into(), statuses: statuses.to_vec(), ..Config::default() }
}

fn adds(config: &Config, status: u16) -> bool {
    let mut res = response(&format!("HTTP/1.1 {status} x"), "");
    config.build().unwrap().response(&mut cx(), &get(""), &mut res).unwrap();
    res.headers.has("x-a")
}

#[test]
fn all_answers_or_those_named() {
    assert!(adds(&config(&[]), 500));
    let nginx = config(&Config::NGINX_STATUSES);
    assert!(adds(&nginx, 200) && adds(&nginx, 308));
    assert!(!adds(&nginx, 404) && !adds(&nginx, 500));
}
