//! Variables that are computed: `map`, `geo`, `split_clients`.

use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use bifrons_config::{At, Problem, Template, Var, vars};
use bifrons_route::ipset::parse_cidr;
use bifrons_variables::map::Text;
use bifrons_variables::{Geo, Map, Share, Split, Variable};
use std::collections::HashMap;

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new(
        "map",
        Contexts::HTTP.or(Contexts::STREAM),
        Args::Block(2, 2),
        "Defines a variable by another value: texts without regard to case, `~` and `~*` regexes, `default`, \
         `hostnames`, `volatile`; values may have variables, and the groups of the regex that matched.",
        map,
    ),
    Spec::new(
        "geo",
        Contexts::HTTP.or(Contexts::STREAM),
        Args::Block(1, 2),
        "Defines a variable by the network that an address lies in: CIDR blocks, or ranges behind `ranges`; \
         `default`, `delete`, `proxy`, `proxy_recursive`.",
        geo,
    ),
    Spec::new(
        "split_clients",
        Contexts::HTTP.or(Contexts::STREAM),
        Args::Block(2, 2),
        "Defines a variable by a hash of a value: each value for a share of the requests, in nginx's own buckets.",
        split_clients,
    ),
];

/// The directives of [`DIRECTIVES`], whose last argument is the variable they define.
pub(crate) fn defines(directive: &Directive) -> Option<&str> {
    let is_one =
        matches!(&*directive.name.text, "map" | "geo" | "split_clients") && directive.block.is_some();
    directive.args.last().filter(|_| is_one)?.text.strip_prefix('$')
}

/// Puts the variable into the model, unless its name is none or one of nginx's own.
fn define(cx: &mut Ctx, directive: &Directive, variable: Variable) {
    let Some(word) = directive.args.last() else { return };
    let Some(name) = word.text.strip_prefix('$').filter(|name| !name.is_empty()) else {
        return cx.problem(word, format!("invalid variable name \"{}\"", word.text));
    };
    let name = name.to_ascii_lowercase();
    if let Some(var) = vars::find(&name, &|_| false)
        && vars::table().iter().any(|entry| entry.name == name && entry.origin == vars::Origin::Nginx)
    {
        return cx.problem(word, format!("the duplicate \"{var}\" variable"));
    }
    // nginx lets the last one count.
    cx.http.variables.insert(name, At::new(variable, directive.place.clone()));
}

fn map(cx: &mut Ctx, directive: &Directive) {
    let Some(of) = cx.template(&directive.args[0]) else { return };
    let mut map = Map { of, ..Map::default() };
    let mut default = None;
    // `hostnames` means the names behind it, as in nginx.
    let mut texts = HashMap::new();
    for entry in directive.block.as_deref().unwrap_or_default() {
        match (&*entry.name.text, entry.args.len()) {
            ("hostnames", 0) => map.hostnames = true,
            ("volatile", 0) => map.volatile = true,
            (_, 1) if entry.block.is_none() => {
                let Some(value) = cx.template(&entry.args[0]) else { continue };
                if entry.name.text == "default" {
                    if default.replace(value).is_some() {
                        cx.problem(&entry.name, "duplicate default map parameter");
                    }
                    continue;
                }
                map_entry(cx, &entry.name, value, &mut map, &mut texts);
            }
            _ => cx.problem(&entry.name, "invalid number of the map parameters"),
        }
    }
    map.default = default.unwrap_or_default();
    define(cx, directive, Variable::Map(map));
}

fn map_entry(cx: &mut Ctx, word: &Word, value: Template, map: &mut Map, texts: &mut HashMap<Vec<u8>, ()>) {
    let text = match Text::parse(&word.text, map.hostnames) {
        Ok(text) => text,
        Err(message) => return cx.problem(word, message),
    };
    let keys: Vec<Vec<u8>> = match &text {
        // The first of the same regex counts.
        Text::Regex(_) => {
            map.values.entry(word.text.clone()).or_insert(value);
            return;
        }
        Text::Exact(text) => vec![text.to_vec()],
        Text::Leading(text) => vec![[b"*.", &**text].concat()],
        Text::Domain(text) => vec![text.to_vec(), [b"*.", &**text].concat()],
        Text::Trailing(text) => vec![[&**text, b".*"].concat()],
    };
    let taken = keys.into_iter().filter(|key| texts.insert(key.clone(), ()).is_some()).count();
    if taken > 0 {
        return cx.problem(word, format!("conflicting parameter \"{}\"", word.text));
    }
    map.values.insert(word.text.clone(), value);
}

fn geo(cx: &mut Ctx, directive: &Directive) {
    let mut geo = Geo::default();
    if directive.args.len() == 2 {
        let word = &directive.args[0];
        if !word.text.starts_with('$') {
            return cx.problem(word, format!("invalid variable name \"{}\"", word.text));
        }
        let Some(of) = cx.template(word) else { return };
        geo.of = of;
    } else {
        geo.of = Template::var(Var::RemoteAddr);
    }
    let mut ranges = false;
    let mut holes = Vec::new();
    for entry in directive.block.as_deref().unwrap_or_default() {
        match (&*entry.name.text, entry.args.len()) {
            ("ranges", 0) if geo.networks.is_empty() => ranges = true,
            ("ranges", 0) => {
                let message = "the \"ranges\" directive must be the first directive inside \"geo\" block";
                cx.problem(&entry.name, message);
            }
            ("proxy_recursive", 0) => geo.recursive = true,
            ("volatile", 0) => cx.problem(&entry.name, "invalid number of the geo parameters"),
            (_, 1) if entry.block.is_none() => geo_entry(cx, entry, ranges, &mut geo, &mut holes),
            _ => cx.problem(&entry.name, "invalid number of the geo parameters"),
        }
    }
    for hole in holes {
        if let Some(value) = geo.networks.get_mut(&hole).filter(|value| value.is_empty()) {
            value.clone_from(&geo.default);
        }
    }
    define(cx, directive, Variable::Geo(geo));
}

/// One line of a `geo`; `holes` are ranges that were deleted.
fn geo_entry(cx: &mut Ctx, entry: &Directive, ranges: bool, geo: &mut Geo, holes: &mut Vec<String>) {
    let (word, value) = (&entry.name, &entry.args[0]);
    // A value has no variables here.
    let text = Template::text(&value.text);
    match &*word.text {
        "default" => geo.default = text,
        "delete" => {
            let Some(network) = network(cx, value, ranges) else { return };
            let was_there = geo.networks.shift_remove(&network).is_some();
            if was_there && ranges {
                // It lay over others, and leaves a hole there: what is in it has the default.
                holes.push(network.clone());
                geo.networks.insert(network, Template::default());
            } else if !was_there {
                let message = format!("no network \"{}\" to delete", value.text);
                cx.notes.warn(Problem::at(value.place.clone(), message));
            }
        }
        "proxy" => match parse_cidr(&value.text) {
            Ok(_) => geo.trusted.push(value.text.clone()),
            Err(_) => cx.problem(value, format!("invalid network \"{}\"", value.text)),
        },
        _ => {
            let Some(network) = network(cx, word, ranges) else { return };
            // The last of the same counts, for ranges also by its place.
            if let Some(old) = geo.networks.shift_remove(&network) {
                let (network, new) = (&word.text, &value.text);
                let message =
                    format!("duplicate network \"{network}\", value: \"{new}\", old value: \"{old}\"");
                cx.notes.warn(Problem::at(word.place.clone(), message));
            }
            geo.networks.insert(network, text);
        }
    }
}

/// The network in the one spelling of it.
fn network(cx: &mut Ctx, word: &Word, ranges: bool) -> Option<String> {
    if ranges {
        let ends = word
            .text
            .split_once('-')
            .map(|(first, last)| (first.parse::<std::net::Ipv4Addr>(), last.parse::<std::net::Ipv4Addr>()));
        if let Some((Ok(first), Ok(last))) = ends
            && first <= last
        {
            return Some(format!("{first}-{last}"));
        }
        cx.problem(word, format!("invalid range \"{}\"", word.text));
        return None;
    }
    let Ok(net) = parse_cidr(&word.text) else {
        cx.problem(word, format!("invalid network \"{}\"", word.text));
        return None;
    };
    if net.trunc() != net {
        let message = format!("low address bits of \"{}\" are meaningless", word.text);
        cx.notes.warn(Problem::at(word.place.clone(), message));
    }
    Some(net.trunc().to_string())
}

fn split_clients(cx: &mut Ctx, directive: &Directive) {
    let Some(of) = cx.template(&directive.args[0]) else { return };
    let mut split = Split { of, shares: Vec::new() };
    let mut sum = 0;
    for entry in directive.block.as_deref().unwrap_or_default() {
        let word = &entry.name;
        let [value] = &*entry.args else {
            cx.problem(word, "invalid number of the split_clients parameters");
            continue;
        };
        // A value has no variables here.
        let value = Template::text(&value.text);
        if word.text == "*" {
            sum = 10_000;
            split.shares.push(Share { percent: None, value });
            continue;
        }
        let Some(hundredths) = percent(&word.text).filter(|hundredths| *hundredths > 0) else {
            cx.problem(word, format!("invalid percent value \"{}\"", word.text));
            continue;
        };
        sum += hundredths;
        split.shares.push(Share { percent: Some(f64::from(hundredths) / 100.0), value });
        if sum > 10_000 {
            return cx.problem(word, "percent total is greater than 100%");
        }
    }
    define(cx, directive, Variable::Split(split));
}

/// `0.5%` in hundredths, as `ngx_atofp` with two decimals.
fn percent(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + decimals.len() == 0 || decimals.len() > 2 || !digits(whole) || !digits(decimals) {
        return None;
    }
    let hundredths: u32 = format!("0{whole}{decimals:0<2}").parse().ok()?;
    Some(hundredths).filter(|hundredths| *hundredths <= 10_000)
}
