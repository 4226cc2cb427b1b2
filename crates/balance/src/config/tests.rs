use super::*;

fn parse(yaml: &str) -> Result<EndpointConfig, String> {
    serde_saphyr::from_str(yaml).map_err(|error| error.to_string())
}

fn good(yaml: &str) -> EndpointConfig {
    parse(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}"))
}

fn written(config: &EndpointConfig) -> String {
    serde_json::to_string(config).expect("JSON")
}

#[test]
fn an_address_alone_is_an_endpoint_with_nginx_defaults() {
    let config = good("\"10.0.1.10:3000\"");
    assert_eq!(config, good("{ address: \"10.0.1.10:3000\" }"));
    assert_eq!((config.weight, config.max_fails, config.fail_timeout), (1, 1, Dur::secs(10)));
    assert_eq!((config.max_conns, config.backup, config.down), (0, false, false));
    assert_eq!(written(&config), "\"10.0.1.10:3000\"");
}

#[test]
fn what_differs_from_the_defaults_is_written_back() {
    let config = good("{ address: 'app:80', weight: 2, backup: true, max_conns: 9, fail_timeout: 1m }");
    let text = written(&config);
    assert_eq!(text, r#"{"address":"app:80","weight":2,"backup":true,"max_conns":9,"fail_timeout":"1m"}"#);
    assert_eq!(good(&text), config);
}

#[test]
fn mistakes_say_how_to_mend_them() {
    for (yaml, parts) in [
        ("app.local", &["no port", "\"app.local:80\""][..]),
        ("{ address: app.local }", &["no port", "\"app.local:80\""]),
        ("{ address: 'a:1', weight: 0 }", &["weight 0", "down: true"]),
        ("{ address: 'a:1', wieght: 1 }", &["wieght"]),
        ("{ weight: 1 }", &["address"]),
        ("{ address: 'a:1', weight: -1 }", &["-1"]),
        ("3000", &["an address such as"]),
    ] {
        let message = parse(yaml).expect_err(yaml);
        for part in parts {
            assert!(message.contains(part), "{yaml}: {message}");
        }
    }
}

#[test]
fn a_name_makes_an_endpoint_of_each_address_in_a_stable_order() {
    let config = good("{ address: 'app.local:3000', weight: 2 }");
    let resolved = ["10.0.0.2:0", "10.0.0.1:0", "10.0.0.2:9"].map(|text| text.parse().expect("an address"));
    let specs = config.specs(&resolved);
    let addresses: Vec<_> = specs.iter().map(|spec| spec.address.to_string()).collect();
    assert_eq!(addresses, ["10.0.0.1:3000", "10.0.0.2:3000"]);
    assert!(specs.iter().all(|spec| &*spec.name == "app.local:3000" && spec.weight == 2));
    assert!(config.specs(&[]).is_empty());
    assert_eq!(good("unix:/run/a.sock").specs(&[]).len(), 1);
}

#[test]
fn the_schema_takes_both_forms() {
    let schema = schemars::schema_for!(EndpointConfig).to_value();
    assert_eq!(schema["title"], "Endpoint");
    assert_eq!(schema["oneOf"][0]["type"], "string");
    assert_eq!(schema["oneOf"][1]["required"], serde_json::json!(["address"]));
    assert_eq!(schema["oneOf"][1]["properties"]["weight"]["minimum"], 1);
}
