//! `ssl_…`: how connections of clients are encrypted.
//!
//! The default server's settings are those of its address, as far as a client names no other server.

use super::super::settings::settings;
use crate::ciphers;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::{Directive, Word};
use crate::values::{self, Invalid};
use bifrons_config::At;
use bifrons_config::units::{Dur, Size};
use bifrons_tls::config::{ClientMode, TlsVersion};
use bifrons_tls::suites;

mod emit;

const SERVERS: Contexts = Contexts::SERVERS.or(Contexts::STREAMS);

/// nginx's default of `ssl_ciphers`.
const CIPHERS: &str = "HIGH:!aNULL:!MD5";
/// As long as a session may last here, a day.
const TIMEOUT_MAX: Dur = Dur(bifrons_tls::tickets::TIMEOUT_MAX);
/// 256 bytes: nginx's manual says that a megabyte holds about 4000 sessions.
const SESSION_BYTES: u64 = 256;

settings! {
    /// How connections of clients are encrypted.
    SslSettings {
        /// `ssl on`, as it was written once.
        on: bool,
        certificates: Vec<At<String>>,
        keys: Vec<At<String>>,
        /// The oldest and the newest version.
        protocols: (TlsVersion, TlsVersion),
        ciphers: Vec<At<String>>,
        tls13: Vec<At<String>>,
        prefer_server: bool,
        curves: Vec<At<String>>,
        cache: u32,
        timeout: Dur,
        tickets: bool,
        ticket_keys: Vec<At<String>>,
        client_ca: At<String>,
        trusted: At<String>,
        crl: At<String>,
        verify: At<ClientMode>,
        depth: u32,
        reject: bool,
        record: Size,
        ocsp: At<String>,
        stapling: bool,
        responder: At<String>,
        early_data: bool,
    }
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("ssl", Contexts::SERVERS, Args::Flag, "Whether all addresses of the server speak TLS; `listen … ssl` says it for one.", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.ssl.on);
    })
    .default("off"),
    Spec::new(
        "ssl_certificate",
        SERVERS,
        Args::Exact(1),
        "A file with a certificate and those that lead to an authority, in PEM. Several may have different kinds \
         of keys. It is watched, and what stands in it holds within seconds.",
        |cx, d| files(cx, d, |cx| &mut cx.level.ssl.certificates),
    ),
    Spec::new(
        "ssl_certificate_key",
        SERVERS,
        Args::Exact(1),
        "The file with the key of the certificate that stands at the same place among its kind. Not encrypted.",
        |cx, d| files(cx, d, |cx| &mut cx.level.ssl.keys),
    ),
    Spec::new(
        "ssl_protocols",
        SERVERS,
        Args::AtLeast(1),
        "Versions that are spoken. Those before `TLSv1.2` are not there and are left out.",
        protocols,
    )
    .default("TLSv1.2 TLSv1.3"),
    Spec::new(
        "ssl_ciphers",
        SERVERS,
        Args::Exact(1),
        "Cipher suites of TLS 1.2 in OpenSSL's language. There are ECDHE suites with AES-GCM and ChaCha20 only; what \
         a list names besides is told by `check -v` and left out.",
        ssl_ciphers,
    )
    .default(CIPHERS),
    Spec::new(
        "ssl_prefer_server_ciphers",
        SERVERS,
        Args::Flag,
        "Whether the server's order of suites counts, and not the client's.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.ssl.prefer_server),
    )
    .default("off"),
    Spec::new(
        "ssl_ecdh_curve",
        SERVERS,
        Args::Exact(1),
        "Groups of the key exchange, separated by colons: `X25519MLKEM768`, `X25519`, `prime256v1`, `secp384r1`. \
         Others are left out; `auto` means all of these.",
        curves,
    )
    .default("auto"),
    Spec::new(
        "ssl_session_cache",
        SERVERS,
        Args::AtLeast(1),
        "Sessions kept in memory, which all workers share: `off`, `none`, `builtin:size`, `shared:name:size`. Each \
         server's sessions are its own, whatever the name.",
        session_cache,
    )
    .default("none"),
    Spec::new(
        "ssl_session_timeout",
        SERVERS,
        Args::Exact(1),
        "For how long a session may be taken up again, a day at most.",
        session_timeout,
    )
    .default("5m"),
    Spec::new(
        "ssl_session_tickets",
        SERVERS,
        Args::Flag,
        "Whether clients keep their sessions themselves, encrypted. All workers have the keys, and a reload leaves \
         them.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.ssl.tickets),
    )
    .default("on"),
    Spec::new(
        "ssl_session_ticket_key",
        SERVERS,
        Args::Exact(1),
        "A file of 48 or 80 random bytes, for several machines behind one name. The first one encrypts. Tickets of \
         nginx itself cannot be read.",
        |cx, d| files(cx, d, |cx| &mut cx.level.ssl.ticket_keys),
    ),
    Spec::new(
        "ssl_client_certificate",
        SERVERS,
        Args::Exact(1),
        "The authorities that may vouch for clients, and that clients are told of.",
        |cx, d| file(cx, d, |cx| &mut cx.level.ssl.client_ca),
    ),
    Spec::new(
        "ssl_trusted_certificate",
        SERVERS,
        Args::Exact(1),
        "Further authorities that may vouch for clients.",
        |cx, d| file(cx, d, |cx| &mut cx.level.ssl.trusted),
    ),
    Spec::new("ssl_crl", SERVERS, Args::Exact(1), "Certificates of clients that were taken back.", |cx, d| {
        file(cx, d, |cx| &mut cx.level.ssl.crl);
    }),
    Spec::new(
        "ssl_verify_client",
        SERVERS,
        Args::Exact(1),
        "Whether clients must have a certificate: `on`, `off`, `optional`, `optional_no_ca`. Without a good one a \
         request gets 400.",
        |cx, d| {
            let mode = |word: &Word| {
                let mode = match word.text.as_str() {
                    "on" => ClientMode::Required,
                    "off" => ClientMode::Off,
                    "optional" => ClientMode::Optional,
                    "optional_no_ca" => ClientMode::Unverified,
                    _ => return Err(Invalid::Choice("on, off, optional or optional_no_ca")),
                };
                Ok(At::new(mode, word.place.clone()))
            };
            cx.once(d, mode, |cx| &mut cx.level.ssl.verify);
        },
    )
    .default("off"),
    Spec::new(
        "ssl_verify_depth",
        SERVERS,
        Args::Exact(1),
        "Certificates from the client's to the authority's at most.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.ssl.depth),
    )
    .default("1"),
    Spec::new(
        "ssl_reject_handshake",
        SERVERS,
        Args::Flag,
        "Whether clients that come to this server get an alert (`unrecognized_name`) and nothing else.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.ssl.reject),
    )
    .default("off"),
    Spec::new(
        "ssl_buffer_size",
        SERVERS,
        Args::Exact(1),
        "Bytes of an answer in one record, 512 bytes to 16k.",
        |cx, d| {
            let size = |word: &Word| values::size(word).map(|size| Size(size.0.clamp(512, 16 * 1024)));
            cx.once(d, size, |cx| &mut cx.level.ssl.record);
        },
    )
    .default("16k"),
    Spec::new(
        "ssl_stapling_file",
        SERVERS,
        Args::Exact(1),
        "An OCSP answer in DER that is sent along with the certificate.",
        |cx, d| file(cx, d, |cx| &mut cx.level.ssl.ocsp),
    ),
    Spec::new(
        "ssl_stapling",
        SERVERS,
        Args::Flag,
        "Whether an OCSP answer is sent along: that of `ssl_stapling_file`, or one that is fetched over plain HTTP from \
         whom the certificate names, and again before it ends.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.ssl.stapling),
    )
    .default("off"),
    Spec::new(
        "ssl_stapling_responder",
        SERVERS,
        Args::Exact(1),
        "Who is asked for OCSP answers, `http://…`, in place of whom the certificate names.",
        responder,
    ),
    Spec::new(
        "ssl_early_data",
        SERVERS,
        Args::Flag,
        "Whether clients that come back may send requests before the handshake is over (0-RTT). Other than in \
         nginx, only such that ask for no change are taken then, with `Early-Data: 1`; others get 425. Sessions are \
         kept in memory then, and `ssl_session_tickets` and `ssl_session_ticket_key` have no effect.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.ssl.early_data),
    )
    .default("off"),
    Spec::new(
        "ssl_conf_command",
        SERVERS,
        Args::Exact(2),
        "`Ciphersuites` names suites of TLS 1.3; `Options` is accepted.",
        conf_command,
    ),
    Spec::accepted("ssl_dhparam", SERVERS, Args::Exact(1), "there are no DHE suites; ECDHE needs no parameters"),
    Spec::accepted("ssl_password_file", SERVERS, Args::Exact(1), "keys must not be encrypted; an encrypted one is an error"),
    Spec::accepted("ssl_stapling_verify", SERVERS, Args::Flag, "an OCSP answer that is fetched is verified always"),
];

/// Adds a file to a list.
fn files(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<Vec<At<String>>>) {
    if let Some(path) = path(cx, directive) {
        field(cx).get_or_insert_default().push(path);
    }
}

/// Sets a file.
fn file(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<At<String>>) {
    if let Some(path) = path(cx, directive) {
        cx.put(directive, path, field);
    }
}

/// The path that a directive names.
pub(crate) fn path(cx: &mut Ctx, directive: &Directive) -> Option<At<String>> {
    let word = &directive.args[0];
    let what = format!("\"{}\"", directive.name.text);
    if word.text.contains('$') {
        cx.later(
            word.place.clone(),
            &format!("{what} with variables"),
            "name each file; names choose among them",
        );
        return None;
    }
    if word.text.starts_with("engine:") || word.text.starts_with("data:") || word.text.starts_with("store:") {
        cx.later(word.place.clone(), &format!("{what} that is no file"), "write it to a file");
        return None;
    }
    Some(At::new(word.text.clone(), word.place.clone()))
}

fn responder(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    if let Err(why) = bifrons_tls::ocsp::Address::of(&word.text) {
        let message = format!("\"ssl_stapling_responder\": {why}");
        return cx.problem_help(word, message, "write it as http://ocsp.example/");
    }
    let url = At::new(word.text.clone(), word.place.clone());
    cx.put(directive, url, |cx| &mut cx.level.ssl.responder);
}

fn protocols(cx: &mut Ctx, directive: &Directive) {
    if let Some(range) = versions(cx, directive) {
        cx.put(directive, range, |cx| &mut cx.level.ssl.protocols);
    }
}

/// The oldest and the newest version of a list.
pub(crate) fn versions(cx: &mut Ctx, directive: &Directive) -> Option<(TlsVersion, TlsVersion)> {
    let mut found = Vec::new();
    let mut old = Vec::new();
    for word in &directive.args {
        match word.text.as_str() {
            "TLSv1.3" => found.push(TlsVersion::V1_3),
            "TLSv1.2" => found.push(TlsVersion::V1_2),
            "SSLv2" | "SSLv3" | "TLSv1" | "TLSv1.1" => old.push(word.text.clone()),
            _ => {
                cx.problem_help(word, format!("invalid value \"{}\"", word.text), "write TLSv1.2 TLSv1.3");
                return None;
            }
        }
    }
    let name = &directive.name.text;
    let (Some(min), Some(max)) = (found.iter().min(), found.iter().max()) else {
        let message = format!("\"{name}\" names no version that is spoken");
        cx.problem_help(&directive.args[0], message, "write TLSv1.2 TLSv1.3; older ones are broken");
        return None;
    };
    if !old.is_empty() {
        let text = format!("\"{name}\": {} are not spoken (RFC 8996)", old.join(", "));
        cx.notes.accepted.push((directive.place.clone(), text));
    }
    Some((*min, *max))
}

fn ssl_ciphers(cx: &mut Ctx, directive: &Directive) {
    if let Some(suites) = suites_of(cx, directive) {
        cx.put(directive, suites, |cx| &mut cx.level.ssl.ciphers);
    }
}

/// The suites of TLS 1.2 that a list chooses.
pub(crate) fn suites_of(cx: &mut Ctx, directive: &Directive) -> Option<Vec<At<String>>> {
    let word = &directive.args[0];
    let chosen = ciphers::read(&word.text);
    if chosen.suites.is_empty() {
        let there: Vec<_> = suites::tls12_names().collect();
        let missing = [chosen.missing, chosen.unknown].concat().join(", ");
        let message = format!(
            "\"{}\" chooses no suite that is there (no cipher match): {missing}",
            directive.name.text
        );
        cx.problem_help(word, message, format!("there are {}", there.join(", ")));
        return None;
    }
    let left_out = [chosen.missing, chosen.unknown].concat();
    if !left_out.is_empty() {
        let text = format!("\"{}\": not there and left out: {}", directive.name.text, left_out.join(", "));
        cx.notes.accepted.push((word.place.clone(), text));
    }
    Some(chosen.suites.into_iter().map(|suite| At::new(suite.to_owned(), word.place.clone())).collect())
}

fn curves(cx: &mut Ctx, directive: &Directive) {
    let word = &directive.args[0];
    if word.text == "auto" {
        return;
    }
    let (known, unknown): (Vec<&str>, Vec<&str>) =
        word.text.split(':').partition(|name| suites::group(name).is_some());
    if known.is_empty() {
        let message = format!("\"ssl_ecdh_curve\" names no group that is there: {}", word.text);
        return cx.problem_help(word, message, format!("there are {}", suites::GROUPS.join(", ")));
    }
    if !unknown.is_empty() {
        let text = format!("\"ssl_ecdh_curve\": not there and left out: {}", unknown.join(", "));
        cx.notes.accepted.push((word.place.clone(), text));
    }
    let groups = known.into_iter().map(|name| At::new(name.to_owned(), word.place.clone())).collect();
    cx.put(directive, groups, |cx| &mut cx.level.ssl.curves);
}

fn session_cache(cx: &mut Ctx, directive: &Directive) {
    let mut sessions: u64 = 0;
    for word in &directive.args {
        let parts: Vec<&str> = word.text.split(':').collect();
        let shared = |size: &str| values::parse_size(size).filter(|size| size.0 > 0);
        match parts[..] {
            ["off" | "none"] => {}
            ["builtin"] => sessions += 20_480,
            ["builtin", count] => match values::digits(count) {
                Some(count) => sessions += count,
                None => {
                    return cx.invalid(
                        directive,
                        word,
                        Invalid::Other(format!("invalid session cache \"{}\"", word.text), None),
                    );
                }
            },
            ["shared", name, size] if !name.is_empty() && shared(size).is_some() => {
                sessions += shared(size).map_or(0, |size| size.0 / SESSION_BYTES);
            }
            _ => {
                let message = format!("invalid session cache \"{}\"", word.text);
                return cx.invalid(
                    directive,
                    word,
                    Invalid::Other(message, Some("write shared:SSL:10m".to_owned())),
                );
            }
        }
    }
    // A million: 256 MB.
    let sessions = u32::try_from(sessions.min(1_000_000)).unwrap_or(u32::MAX);
    cx.put(directive, sessions, |cx| &mut cx.level.ssl.cache);
}

fn session_timeout(cx: &mut Ctx, directive: &Directive) {
    let Ok(timeout) = values::time(&directive.args[0]) else {
        return cx.invalid(directive, &directive.args[0], Invalid::Value);
    };
    if timeout > TIMEOUT_MAX {
        let message = format!("\"ssl_session_timeout\" of {timeout} is cut to a day");
        cx.notes.accepted.push((directive.place.clone(), message));
    }
    cx.put(directive, timeout.min(TIMEOUT_MAX), |cx| &mut cx.level.ssl.timeout);
}

fn conf_command(cx: &mut Ctx, directive: &Directive) {
    let (name, value) = (&directive.args[0], &directive.args[1]);
    match name.text.to_ascii_lowercase().as_str() {
        "ciphersuites" => {
            let (known, unknown): (Vec<&str>, Vec<&str>) =
                value.text.split(':').partition(|name| suites::tls13_names().any(|known| known == *name));
            if known.is_empty() {
                let there: Vec<_> = suites::tls13_names().collect();
                let message = format!("there is no suite of TLS 1.3 in \"{}\"", value.text);
                return cx.problem_help(value, message, format!("there are {}", there.join(", ")));
            }
            if !unknown.is_empty() {
                let text = format!("\"ssl_conf_command\": not there and left out: {}", unknown.join(", "));
                cx.notes.accepted.push((value.place.clone(), text));
            }
            let named = known.into_iter().map(|name| At::new(name.to_owned(), value.place.clone())).collect();
            cx.put(directive, named, |cx| &mut cx.level.ssl.tls13);
        }
        "options" => cx.accept(directive, "options of OpenSSL mean nothing to the library that is used"),
        _ => cx.later(name.place.clone(), &format!("\"ssl_conf_command {}\"", name.text), ""),
    }
}
