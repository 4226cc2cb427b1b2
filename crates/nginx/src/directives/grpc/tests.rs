use super::{DIRECTIVES, named};
use crate::directive::Status;

#[test]
fn each_row_has_its_like_among_those_of_proxy_pass() {
    let supported = DIRECTIVES.iter().filter(|spec| spec.status == Status::Supported);
    for spec in supported.filter(|spec| spec.name != "grpc_pass") {
        let like = spec.name.replacen("grpc_", "proxy_", 1);
        let row = named(&like).iter().find(|row| row.contexts.meets(spec.contexts));
        let row = row.unwrap_or_else(|| panic!("{}: no {like}", spec.name));
        assert_eq!(row.args, spec.args, "{}", spec.name);
    }
}
