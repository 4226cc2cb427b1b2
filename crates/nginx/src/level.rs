//! The settings of one `http`, `server` or `location` block.

use crate::directives::access::{AccessSettings, LimitExcept};
use crate::directives::buffering::BodySettings;
use crate::directives::caching::CacheSettings;
use crate::directives::compression::CompressionSettings;
use crate::directives::connection::ConnectionSettings;
use crate::directives::expires::ExpiresSettings;
use crate::directives::files::FileSettings;
use crate::directives::grpc::GrpcSettings;
use crate::directives::headers::HeaderSettings;
use crate::directives::health::Check;
use crate::directives::http2::Http2Settings;
use crate::directives::in_flight::InFlightSettings;
use crate::directives::internal::InternalSettings;
use crate::directives::location::{Key, Location, Matcher};
use crate::directives::log::LogSettings;
use crate::directives::proxy::ProxySettings;
use crate::directives::proxy_answers::AnswerSettings;
use crate::directives::proxy_pass::ProxyPass;
use crate::directives::proxy_ssl::ProxySslSettings;
use crate::directives::realip::RealIpSettings;
use crate::directives::resolver::ResolverSettings;
use crate::directives::rewrite::Rule;
use crate::directives::ssl::SslSettings;
use crate::directives::static_files::StaticSettings;
use crate::directives::stream::StreamSettings;
use crate::directives::sub::SubSettings;
use bifrons_config::At;
use bifrons_model::{Builtin, ServerField, TryFiles};
use std::collections::HashSet;

/// The settings of one block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) access: AccessSettings,
    pub(crate) body: BodySettings,
    pub(crate) compression: CompressionSettings,
    pub(crate) cache: CacheSettings,
    pub(crate) connection: ConnectionSettings,
    pub(crate) expires: ExpiresSettings,
    pub(crate) files: FileSettings,
    pub(crate) grpc: GrpcSettings,
    pub(crate) headers: HeaderSettings,
    pub(crate) http2: Http2Settings,
    pub(crate) in_flight: InFlightSettings,
    pub(crate) internal: InternalSettings,
    pub(crate) log: LogSettings,
    pub(crate) proxy: ProxySettings,
    pub(crate) answers: AnswerSettings,
    pub(crate) realip: RealIpSettings,
    pub(crate) proxy_ssl: ProxySslSettings,
    pub(crate) ssl: SslSettings,
    pub(crate) resolver: ResolverSettings,
    pub(crate) statics: StaticSettings,
    pub(crate) stream: StreamSettings,
    pub(crate) sub: SubSettings,

    // What follows is the block's own and never inherited.
    /// What the location matches; none of a `server` or `http` block.
    pub(crate) matcher: Option<Matcher>,
    /// The locations of the blocks within, so that a second one of the same is found at once.
    pub(crate) taken: HashSet<Key>,
    /// The blocks within.
    pub(crate) locations: Vec<Location>,
    /// `set`, `if`, `rewrite`, `return`, `break`, in their order.
    pub(crate) rules: Vec<Rule>,
    /// `try_files`.
    pub(crate) try_files: Option<At<TryFiles>>,
    /// `internal`.
    pub(crate) is_internal: bool,
    /// `empty_gif` or `stub_status`.
    pub(crate) builtin: Option<Builtin>,
    /// `limit_except`.
    pub(crate) limit_except: Option<LimitExcept>,
    /// `proxy_pass` or `grpc_pass`.
    pub(crate) pass: Option<ProxyPass>,
    /// `health_check`.
    pub(crate) health_check: Option<Check>,
}

impl Level {
    /// The `Server` field of answers. As nginx, which sets its own name on every answer unless it is told to
    /// pass the server's.
    pub(crate) fn server_field(&self) -> ServerField {
        let is_grpc = self.pass.as_ref().is_some_and(|pass| pass.grpc);
        let answers = if is_grpc { &self.grpc.answers } else { &self.answers };
        match (answers.passes("Server"), self.headers.server.as_deref()) {
            (true, _) => ServerField::Pass,
            (false, Some("")) => ServerField::Off,
            (false, name) => ServerField::Set(name.unwrap_or("bifrons").to_owned()),
        }
    }

    /// Takes from the enclosing block what this one does not say.
    pub(crate) fn inherit(&mut self, outer: &Self) {
        self.access.inherit(&outer.access);
        self.body.inherit(&outer.body);
        self.compression.inherit(&outer.compression);
        self.cache.inherit(&outer.cache);
        self.connection.inherit(&outer.connection);
        self.expires.inherit(&outer.expires);
        self.files.inherit(&outer.files);
        self.grpc.inherit(&outer.grpc);
        self.headers.inherit(&outer.headers);
        self.http2.inherit(&outer.http2);
        self.in_flight.inherit(&outer.in_flight);
        self.internal.inherit(&outer.internal);
        self.log.inherit(&outer.log);
        self.proxy.inherit(&outer.proxy);
        self.answers.inherit(&outer.answers);
        self.realip.inherit(&outer.realip);
        self.proxy_ssl.inherit(&outer.proxy_ssl);
        self.ssl.inherit(&outer.ssl);
        self.resolver.inherit(&outer.resolver);
        self.statics.inherit(&outer.statics);
        self.stream.inherit(&outer.stream);
        self.sub.inherit(&outer.sub);
    }
}
