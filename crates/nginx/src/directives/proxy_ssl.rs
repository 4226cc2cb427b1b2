//! `proxy_ssl_…`: TLS to servers.

use super::super::settings::settings;
use super::proxy_pass::ProxyPass;
use super::ssl;
use crate::context::Ctx;
use crate::directive::{Args, Contexts, Spec};
use crate::tree::Directive;
use crate::values;
use bifrons_config::{At, OneOrMany, Problem, Template};
use bifrons_tls::UpstreamTls;
use bifrons_tls::config::{CertificateFiles, TlsVersion, Verify};
use bifrons_tls::suites;

const LEVELS: Contexts = Contexts::LEVELS.or(Contexts::STREAMS);

settings! {
    /// TLS to servers.
    ProxySslSettings {
        certificate: At<String>,
        key: At<String>,
        ciphers: Vec<At<String>>,
        name: Template,
        protocols: (TlsVersion, TlsVersion),
        sends_name: bool,
        reuse: bool,
        trusted: At<String>,
        verify: bool,
        depth: u32,
        crl: At<String>,
    }
}

pub(crate) const DIRECTIVES: &[Spec] = &[
    Spec::new("proxy_ssl_certificate", LEVELS, Args::Exact(1), "Our own certificate, for servers that ask for one.", |cx, d| {
        file(cx, d, |cx| &mut cx.level.proxy_ssl.certificate);
    }),
    Spec::new("proxy_ssl_certificate_key", LEVELS, Args::Exact(1), "Its key, not encrypted.", |cx, d| {
        file(cx, d, |cx| &mut cx.level.proxy_ssl.key);
    }),
    Spec::new(
        "proxy_ssl_trusted_certificate",
        LEVELS,
        Args::Exact(1),
        "The authorities that may vouch for servers.",
        |cx, d| file(cx, d, |cx| &mut cx.level.proxy_ssl.trusted),
    ),
    Spec::new("proxy_ssl_crl", LEVELS, Args::Exact(1), "Certificates of servers that were taken back.", |cx, d| {
        file(cx, d, |cx| &mut cx.level.proxy_ssl.crl);
    }),
    Spec::new(
        "proxy_ssl_verify",
        LEVELS,
        Args::Flag,
        "Whether servers must prove who they are. Without it anybody on the way can read and change everything, \
         which is said when the configuration is read.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.proxy_ssl.verify),
    )
    .default("off"),
    Spec::new(
        "proxy_ssl_verify_depth",
        LEVELS,
        Args::Exact(1),
        "Certificates from the server's to the authority's at most.",
        |cx, d| cx.once(d, values::number, |cx| &mut cx.level.proxy_ssl.depth),
    )
    .default("1"),
    Spec::new(
        "proxy_ssl_name",
        LEVELS,
        Args::Exact(1),
        "The name that the server's certificate must have, and that is sent with `proxy_ssl_server_name`.",
        |cx, d| {
            if let Some(name) = cx.template(&d.args[0]) {
                cx.put(d, name, |cx| &mut cx.level.proxy_ssl.name);
            }
        },
    )
    .default("$proxy_host"),
    Spec::new("proxy_ssl_server_name", LEVELS, Args::Flag, "Whether the name is sent (SNI).", |cx, d| {
        cx.once(d, values::flag, |cx| &mut cx.level.proxy_ssl.sends_name);
    })
    .default("off"),
    Spec::new(
        "proxy_ssl_session_reuse",
        LEVELS,
        Args::Flag,
        "Whether sessions are taken up again.",
        |cx, d| cx.once(d, values::flag, |cx| &mut cx.level.proxy_ssl.reuse),
    )
    .default("on"),
    Spec::new(
        "proxy_ssl_protocols",
        LEVELS,
        Args::AtLeast(1),
        "Versions that are spoken. Those before `TLSv1.2` are not there and are left out.",
        |cx, d| {
            if let Some(range) = ssl::versions(cx, d) {
                cx.put(d, range, |cx| &mut cx.level.proxy_ssl.protocols);
            }
        },
    )
    .default("TLSv1.2 TLSv1.3"),
    Spec::new(
        "proxy_ssl_ciphers",
        LEVELS,
        Args::Exact(1),
        "Cipher suites of TLS 1.2 in OpenSSL's language; see `ssl_ciphers`.",
        |cx, d| {
            if let Some(suites) = ssl::suites_of(cx, d) {
                cx.put(d, suites, |cx| &mut cx.level.proxy_ssl.ciphers);
            }
        },
    )
    .default("DEFAULT"),
    Spec::accepted("proxy_ssl_password_file", LEVELS, Args::Exact(1), "keys must not be encrypted; an encrypted one is an error"),
    Spec::accepted("proxy_ssl_conf_command", LEVELS, Args::Exact(2), "commands of OpenSSL mean nothing to the library that is used"),
];

fn file(cx: &mut Ctx, directive: &Directive, field: fn(&mut Ctx) -> &mut Option<At<String>>) {
    if let Some(path) = ssl::path(cx, directive) {
        cx.put(directive, path, field);
    }
}

impl ProxySslSettings {
    /// How connections to the server are encrypted.
    pub(crate) fn emit(&self, cx: &mut Ctx, pass: &ProxyPass) -> UpstreamTls {
        let verifies = self.verify == Some(true);
        if !verifies {
            let message =
                "the server need not prove who it is: anybody on the way can read and change everything";
            let family = pass.family();
            let help = format!(
                "add \"{family}_ssl_verify on; {family}_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\""
            );
            cx.notes.warn(Problem::at(pass.place().clone(), message).help(help));
        } else if self.trusted.is_none() {
            let family = pass.family();
            let message = format!("no {family}_ssl_trusted_certificate for {family}_ssl_verify");
            let help =
                format!("add \"{family}_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt;\"");
            cx.notes.problem(Problem::at(pass.place().clone(), message).help(help));
        }
        let (min_version, max_version) = self.protocols.unwrap_or((TlsVersion::V1_2, TlsVersion::V1_3));
        let host = || Template::parse(&pass.bare_host().trim_matches(['[', ']']).replace('$', "$$")).ok();
        let ciphers = self.ciphers.clone().map(|tls12| {
            let tls13 = suites::tls13_names().map(|name| At::from(name.to_owned()));
            tls13.chain(tls12).collect()
        });
        UpstreamTls {
            verify: if verifies { Verify::On } else { Verify::Off },
            ca: self.trusted.clone().filter(|_| verifies),
            crl: OneOrMany(self.crl.iter().filter(|_| verifies).cloned().collect()),
            depth: if verifies { self.depth.unwrap_or(1) } else { 0 },
            name: self.name.clone().or_else(host),
            sni: self.sends_name.unwrap_or(false),
            names: Vec::new(),
            certificate: self.own(cx, pass),
            min_version,
            max_version,
            ciphers,
            resume: self.reuse.unwrap_or(true),
        }
    }

    fn own(&self, cx: &mut Ctx, pass: &ProxyPass) -> Option<CertificateFiles> {
        let cert = self.certificate.clone()?;
        let Some(key) = self.key.clone() else {
            let family = pass.family();
            let message =
                format!("no \"{family}_ssl_certificate_key\" is defined for certificate \"{cert}\"");
            cx.notes.problem(Problem { place: cert.place, ..Problem::nowhere(message) });
            return None;
        };
        Some(CertificateFiles { cert, key, ocsp: None, fetch_ocsp: None })
    }
}
