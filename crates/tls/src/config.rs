//! What a configuration says about TLS.

use bifrons_config::units::{Dur, Size};
use bifrons_config::{At, OneOrMany, Template};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How TLS is terminated, at a listener or for the names of a host. What a host does not say holds as its
/// listener says it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerTls {
    /// Certificates with their keys. Several may be for the same names with different kinds of keys (RSA and
    /// ECDSA): the client's abilities decide. A listener shows the one whose names fit best, its first one
    /// where none fits; a host shows its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateFiles>,
    /// What becomes of a client that names nobody we have a certificate for, or names nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_names: Option<UnknownNames>,
    /// The oldest version that is spoken; `1.2` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_version: Option<TlsVersion>,
    /// The newest version that is spoken; `1.3` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_version: Option<TlsVersion>,
    /// Cipher suites in the order they are preferred, by their names of IANA or OpenSSL; all that are there
    /// where nothing is said, and all are good ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<At<String>>>,
    /// Whose order of cipher suites counts; the server's where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher_order: Option<CipherOrder>,
    /// Groups of the key exchange in the order they are preferred: `X25519MLKEM768`, `X25519`, `P-256`,
    /// `P-384` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<At<String>>>,
    /// Certificates of clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificates>,
    /// How clients come back without a full handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Sessions>,
    /// Whether clients that come back may send requests before the handshake is over (0-RTT, RFC 8470). Only such
    /// that ask for no change are taken then (GET, HEAD, OPTIONS, TRACE), with `Early-Data: 1` for endpoints; others
    /// get 425 and come again. Sessions are kept here then and each is good for once, instead of tickets, so that
    /// nobody's early data is taken twice. Off where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_data: Option<bool>,
    /// What becomes of a request for a host that the handshake was not for; refused where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_hosts: Option<OtherHosts>,
    /// Bytes of plain text in a record at most: 512 bytes to 16 KiB, which is also what holds where nothing is
    /// said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<Size>,
}

/// A certificate and its key, in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that lead to a known authority. The file is watched: what stands in
    /// it holds within seconds.
    pub cert: At<String>,
    /// The private key, not encrypted.
    pub key: At<String>,
    /// An OCSP answer in DER that is sent along with the certificate; not together with `fetch_ocsp`, and not
    /// towards endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<At<String>>,
    /// The OCSP answer is fetched from who answers for the certificate, and again before it ends; `{}` is enough.
    /// None is sent along while there is none that says the certificate is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_ocsp: Option<FetchOcsp>,
}

/// Where an OCSP answer comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FetchOcsp {
    /// Who is asked, `http://ocsp.example/`; whom the certificate names where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder: Option<At<String>>,
    /// A file that has the certificate of who vouched for it, where the certificate's own file has not. It is
    /// watched like that one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<At<String>>,
}

/// What becomes of a client that names nobody we know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownNames {
    /// It gets the first certificate.
    #[default]
    Default,
    /// The handshake is refused (`unrecognized_name`).
    Reject,
}

/// What becomes of a request for another host than the handshake was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OtherHosts {
    /// 421 where none of the certificates is for that host, or clients must show it other certificates.
    #[default]
    Refuse,
    /// 421 only where clients must show it other certificates.
    Allow,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

/// Whose order of cipher suites counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CipherOrder {
    /// Ours.
    #[default]
    Server,
    /// The client's.
    Client,
}

/// What is asked of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientCertificates {
    /// Whether clients must have one.
    pub mode: ClientMode,
    /// A file with the certificates of authorities that may vouch for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<At<String>>,
    /// Further authorities, which clients are not told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted: Option<At<String>>,
    /// Files with lists of certificates that were taken back (CRL), in PEM.
    pub crl: OneOrMany<At<String>>,
    /// Certificates between the client's and the authority's at most; 0: any number, as far as 6.
    pub depth: u32,
    /// Names of which the certificate must have one: `dns:app.example`, `uri:spiffe://cluster/ns/app`,
    /// `email:a@example.com`, with a `*` at the end for whatever follows, or at the beginning of a DNS name for
    /// one label. None: any name.
    pub names: Vec<At<String>>,
    /// What becomes of a client whose certificate is missing or not good.
    pub refusal: Refusal,
}

/// Whether clients must have a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientMode {
    /// None is asked for.
    Off,
    /// One is asked for; what is sent must be good.
    Optional,
    /// There must be a good one.
    #[default]
    Required,
    /// One is asked for, and whoever gave it; who uses it (an endpoint, a condition on `$ssl_client_verify`)
    /// judges.
    Unverified,
}

/// How a client is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The handshake fails.
    #[default]
    Handshake,
    /// Its requests get 400, as in nginx.
    Answer,
}

/// How clients come back without a full handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Whether clients keep their sessions themselves, encrypted with a key that all workers have.
    pub tickets: bool,
    /// Files with keys of tickets, 48 or 80 random bytes each: the first one encrypts, the others still
    /// decrypt. For several machines behind one name. Without any, the process makes its own and changes them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ticket_keys: Vec<At<String>>,
    /// Sessions kept in memory, for clients that keep none themselves; 0 keeps none.
    pub cache: u32,
    /// For how long a session may be taken up again.
    pub timeout: Dur,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            tickets: true,
            ticket_keys: Vec::new(),
            // 1 MiB, roughly: what nginx's manual says of its shared cache. TLS 1.2 clients without tickets are rare.
            cache: 4096,
            // As long as the library's own tickets live.
            timeout: Dur(Duration::from_secs(12 * 3600)),
        }
    }
}

/// TLS towards the endpoints of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTls {
    /// Whether the endpoint must prove who it is. `off` is said loudly in the log.
    pub verify: Verify,
    /// A file with the certificates of authorities that may vouch for endpoints; the system's where nothing
    /// is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<At<String>>,
    /// Files with lists of certificates that were taken back (CRL), in PEM.
    #[serde(skip_serializing_if = "is_empty")]
    pub crl: OneOrMany<At<String>>,
    /// Certificates between the endpoint's and the authority's at most; 0: any number, as far as 6.
    #[serde(skip_serializing_if = "is_zero")]
    pub depth: u32,
    /// The name that the certificate must have, and that is sent (SNI); the endpoint's own where nothing is
    /// said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Template>,
    /// Whether the name is sent.
    pub sni: bool,
    /// Names of which the certificate must have one besides: `dns:app.example`, `uri:spiffe://cluster/ns/app`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<At<String>>,
    /// Our own certificate, for endpoints that ask for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateFiles>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// The newest version that is spoken.
    pub max_version: TlsVersion,
    /// Cipher suites in the order they are preferred; all that are there where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ciphers: Option<Vec<At<String>>>,
    /// Whether sessions are taken up again.
    pub resume: bool,
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self {
            verify: Verify::On,
            ca: None,
            crl: OneOrMany(Vec::new()),
            depth: 0,
            name: None,
            sni: true,
            names: Vec::new(),
            certificate: None,
            min_version: TlsVersion::V1_2,
            max_version: TlsVersion::V1_3,
            ciphers: None,
            resume: true,
        }
    }
}

/// Whether the endpoint must prove who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// It must.
    #[default]
    On,
    /// Anybody on the way can read and change everything.
    Off,
}

fn is_empty<T>(list: &OneOrMany<T>) -> bool {
    list.0.is_empty()
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
