//! Directives that nginx knows and we don't yet. One that becomes supported moves to its family's file.
//!
//! The names are those of nginx's documentation and of the modules that Debian packages.

use crate::directive::Spec;

const NO_TLS: &str = "";
const LIMIT_REQ: &str = "only \"limit_req\" asks for it";

/// What to do without modules that neither nginx nor Debian's packages of it have built in, by how the names of
/// their directives begin or end.
const MODULES: &[(&str, &str)] = &[
    ("lua_", NO_LUA),
    ("_by_lua", NO_LUA),
    ("_by_lua_block", NO_LUA),
    ("_by_lua_file", NO_LUA),
    ("modsecurity", "there is no ModSecurity here: let a firewall for applications stand before or behind"),
    ("pagespeed", "pages are not rewritten here; \"gzip\", \"brotli\" and \"expires\" are there"),
    ("passenger_", NO_APPS),
    ("rails_", NO_APPS),
    ("vhost_traffic_status", "metrics are what the admin listener answers at /metrics"),
    ("echo", "write \"return 200 text\""),
];

const NO_LUA: &str = "Lua is not run here: let an application behind \"proxy_pass\" do it";
const NO_APPS: &str = "applications are not started here: start it as a service, and \"proxy_pass\" to it";

/// What to do instead of a module's directive.
pub(crate) fn instead_of_module(name: &str) -> Option<&'static str> {
    let fits = |part: &str| name.starts_with(part) || part.starts_with('_') && name.ends_with(part);
    MODULES.iter().find(|(part, _)| fits(part)).map(|(_, instead)| *instead)
}

#[rustfmt::skip]
pub(crate) const DIRECTIVES: &[Spec] = &[
    // TLS and newer versions of HTTP
    Spec::later("ssl_alpn", NO_TLS),
    Spec::later("ssl_certificate_cache", NO_TLS),
    Spec::later("ssl_certificate_compression", NO_TLS),
    Spec::later("ssl_ech_file", NO_TLS),
    Spec::later("ssl_engine", NO_TLS),
    Spec::later("ssl_key_log", NO_TLS),
    Spec::later("ssl_object_cache_inheritable", NO_TLS),
    Spec::later_unless_off("ssl_ocsp", NO_TLS),
    Spec::later_unless_off("ssl_ocsp_cache", NO_TLS),
    Spec::later("ssl_ocsp_responder", NO_TLS),
    Spec::later_unless_off("http3", ""),
    Spec::later_unless_off("http3_hq", ""),
    Spec::later("http3_max_concurrent_streams", ""),
    Spec::later("http3_stream_buffer_size", ""),
    Spec::later("quic_active_connection_id_limit", ""),
    Spec::later("quic_bpf", ""),
    Spec::later("quic_gso", ""),
    Spec::later("quic_host_key", ""),
    Spec::later_unless_off("quic_retry", ""),
    // Compression
    Spec::later("gunzip_static", "write \"gzip_static always\" and \"gunzip on\""),
    Spec::later("zstd_dict_file", ""),
    // Rewriting and variables
    Spec::later("geoip_country", "write a \"geo\" with the networks, or a \"map\" of the field in which a CDN tells the country"),
    Spec::later("geoip_city", ""),
    Spec::later("geoip_org", ""),
    Spec::later("geoip_proxy", ""),
    Spec::later("geoip_proxy_recursive", ""),
    Spec::later("geoip2", "write a \"geo\" with the networks, or a \"map\" of the field in which a CDN tells the country"),
    Spec::later("geoip2_proxy", ""),
    Spec::later("geoip2_proxy_recursive", ""),
    Spec::later("perl", ""),
    Spec::later("perl_modules", ""),
    Spec::later("perl_require", ""),
    Spec::later("perl_set", ""),
    Spec::later("js_content", ""),
    Spec::later("js_header_filter", ""),
    Spec::later("js_import", ""),
    Spec::later("js_path", ""),
    Spec::later("js_set", ""),
    Spec::later("js_var", ""),
    Spec::later("js_body_filter", ""),
    Spec::later("js_preload_object", ""),
    Spec::later("js_fetch_buffer_size", ""),
    Spec::later_unless_off("userid", ""),
    Spec::later("userid_domain", ""),
    Spec::later("userid_expires", ""),
    Spec::later("userid_flags", ""),
    Spec::later("userid_mark", ""),
    Spec::later("userid_name", ""),
    Spec::later("userid_p3p", ""),
    Spec::later("userid_path", ""),
    Spec::later("userid_service", ""),
    Spec::later("browser", ""),
    Spec::later("ancient_browser", ""),
    Spec::later("ancient_browser_value", ""),
    Spec::later("modern_browser", ""),
    Spec::later("modern_browser_value", ""),
    // Internal redirects and errors
    Spec::later_unless_off("post_action", ""),
    Spec::later_unless_off("random_index", "name the file with index"),
    // Access
    Spec::later_unless_off("auth_jwt", ""),
    Spec::later("auth_jwt_key_file", ""),
    Spec::later("auth_jwt_key_request", ""),
    Spec::later_unless_off("auth_request", "let the server behind ask who it is; \"auth_basic\" and \"ssl_verify_client\" are there"),
    Spec::later("auth_request_set", "there is no \"auth_request\" yet that would set it"),
    Spec::later("auth_pam", ""),
    Spec::later("auth_pam_service_name", ""),
    Spec::later("secure_link", "let the server behind judge the link, and send files by X-Accel-Redirect"),
    Spec::later("secure_link_md5", "let the server behind judge the link, and send files by X-Accel-Redirect"),
    Spec::later("secure_link_secret", ""),
    Spec::later("limit_req", "rates are not limited yet: let the server behind do it, and leave it out here"),
    Spec::setting_of_later("limit_req_dry_run", LIMIT_REQ),
    Spec::setting_of_later("limit_req_log_level", LIMIT_REQ),
    Spec::setting_of_later("limit_req_status", LIMIT_REQ),
    Spec::setting_of_later("limit_req_zone", LIMIT_REQ),
    Spec::later("limit_zone", ""),
    Spec::later_unless_off("mirror", ""),
    Spec::later("mirror_request_body", ""),
    // Files
    Spec::later("charset_map", "bodies are not recoded; name their own charset"),
    Spec::later("create_full_put_path", ""),
    Spec::later("dav_access", ""),
    Spec::later_unless_off("dav_methods", ""),
    Spec::later("dav_ext_methods", ""),
    Spec::later("dav_ext_lock", ""),
    Spec::later("dav_ext_lock_zone", ""),
    Spec::later("min_delete_depth", ""),
    Spec::later("flv", "let players ask for ranges, which all files have"),
    Spec::later("mp4", "let players ask for ranges, which all files have"),
    Spec::later("mp4_buffer_size", ""),
    Spec::later("mp4_max_buffer_size", ""),
    Spec::later("mp4_start_key_frame", ""),
    Spec::later_unless_off("image_filter", "let the server behind make the pictures, and proxy to it"),
    Spec::later("image_filter_buffer", ""),
    Spec::later("image_filter_interlace", ""),
    Spec::later("image_filter_jpeg_quality", ""),
    Spec::later("image_filter_sharpen", ""),
    Spec::later("image_filter_transparency", ""),
    Spec::later("image_filter_webp_quality", ""),
    Spec::later("xslt_stylesheet", "let the server behind transform it, and proxy to it"),
    Spec::later("xslt_types", ""),
    Spec::later("xslt_param", ""),
    Spec::later("xslt_string_param", ""),
    Spec::later("xslt_last_modified", ""),
    Spec::later("xml_entities", ""),
    // Bodies
    Spec::later("add_after_body", ""),
    Spec::later("add_before_body", ""),
    Spec::later("addition_types", ""),
    Spec::later("subs_filter", ""),
    Spec::later("subs_filter_types", ""),
    Spec::later_unless_off("ssi", "let the server behind put the page together, and proxy to it"),
    Spec::later_unless_off("ssi_last_modified", ""),
    Spec::later("ssi_min_file_chunk", ""),
    Spec::later_unless_off("ssi_silent_errors", ""),
    Spec::later("ssi_types", ""),
    Spec::later("ssi_value_length", ""),
    Spec::later("status_zone", ""),
    Spec::later("status_format", ""),
    Spec::later("status", ""),
    Spec::later("api", ""),
    Spec::later("http_upgrade", ""),
    Spec::later("tunnel_pass", ""),
    // Caching
    Spec::later("proxy_allow_upstream", ""),
    Spec::later_unless_off("proxy_store", ""),
    Spec::later("proxy_store_access", ""),
    // Proxying
    Spec::later("proxy_request_dynamic", ""),
    Spec::later("proxy_ssl_alpn", ""),
    Spec::later("proxy_ssl_certificate_cache", ""),
    Spec::later("proxy_ssl_key_log", ""),
    // Upstreams
    Spec::later("sticky_cookie_insert", ""),
    Spec::later("ntlm", ""),
    Spec::later("fair", ""),
    Spec::later("bind_conn", ""),
    Spec::later("health_check_timeout", ""),
    Spec::later_unless_off("session_log", ""),
    Spec::later("session_log_format", ""),
    Spec::later("session_log_zone", ""),
    // Other blocks
    Spec::later("mail", ""),
    Spec::later("rtmp", ""),
    Spec::later("google_perftools_profiles", ""),
    Spec::later("mgmt", ""),
    Spec::later("otel_exporter", ""),
    Spec::later("otel_service_name", ""),
    Spec::later("otel_trace", ""),
    Spec::later("otel_trace_context", ""),
    Spec::later("opentracing", ""),
    Spec::later("zone_sync", ""),
    // Of `stream` and `mail`
    Spec::later("proxy_session_drop", ""),
];
