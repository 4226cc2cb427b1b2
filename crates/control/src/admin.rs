//! The admin listener: health, metrics, the running configuration.
//!
//! Who reaches it may read the configuration and have it loaded again: it belongs on loopback. It has no
//! part in the way of a request: its own server, on the control thread.

mod cache;
mod clusters;

use crate::dump;
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bifrons_flow::Shared;
use bifrons_net::Listening;
use bifrons_observe::metrics::CONTENT_TYPE;
use serde_json::json;
use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// What the process is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not serving yet.
    Starting,
    /// Serving.
    Serving,
    /// Finishing what runs, about to end.
    Draining,
}

/// Asks for a reload: the answer is what is to be said about it.
pub type ReloadRequest = oneshot::Sender<Result<String, String>>;

/// What the handlers see.
#[derive(Clone)]
pub struct Admin {
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    reload: mpsc::Sender<ReloadRequest>,
}

/// Path, what it gives.
const INDEX: &[(&str, &str)] = &[
    ("/healthz", "200 while the process runs"),
    ("/readyz", "200 while it serves, 503 while it starts or drains"),
    ("/metrics", "metrics, in Prometheus's text format"),
    ("/config", "the configuration as it runs, as YAML or (Accept: application/json) JSON"),
    ("/clusters", "clusters and their endpoints, as JSON"),
    ("/cache", "GET ?url=: what is stored under a URL, as JSON"),
    ("/cache/purge", "POST: purges, by JSON: {\"what\":{\"tag\":\"news\"},\"mode\":\"soft\"}"),
    ("/reload", "POST: takes the configuration again"),
];

impl Admin {
    /// Reload requests go to `reload`.
    pub fn new(
        shared: Arc<Shared>,
        phase: watch::Receiver<Phase>,
        reload: mpsc::Sender<ReloadRequest>,
    ) -> Self {
        Self { shared, phase, reload }
    }

    /// Serves until `end`, then finishes what runs.
    ///
    /// # Errors
    /// When the socket cannot be registered, or is no longer one.
    pub async fn serve(
        self,
        socket: Listening,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let fd = socket.as_fd().try_clone_to_owned()?;
        let unix = socket.addr().inet().is_none();
        drop(socket);
        let app = router(self);
        if unix {
            let listener = tokio::net::UnixListener::from_std(fd.into())?;
            return axum::serve(listener, app).with_graceful_shutdown(end).await;
        }
        let listener = tokio::net::TcpListener::from_std(fd.into())?;
        axum::serve(listener, app).with_graceful_shutdown(end).await
    }
}

impl Admin {
    /// Why a request may not change something; None where it may.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        // A browser names the page that sends it here, and no page has a business doing so.
        if headers.contains_key(header::ORIGIN) {
            return Some(error(StatusCode::FORBIDDEN, "a web page may not change anything here"));
        }
        let snapshot = self.shared.snapshot();
        let path = snapshot.as_ref().and_then(|snapshot| snapshot.config.admin.as_ref()?.token_file.as_ref());
        let path = path?;
        let token = match std::fs::read_to_string(path) {
            Ok(token) if !token.trim().is_empty() => token,
            Ok(_) => return Some(error(StatusCode::SERVICE_UNAVAILABLE, "`admin.token_file` is empty")),
            Err(why) => {
                tracing::error!(path, error = %why, "the admin listener's token cannot be read");
                return Some(error(StatusCode::SERVICE_UNAVAILABLE, "`admin.token_file` cannot be read"));
            }
        };
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if is_same(given.trim().as_bytes(), token.trim().as_bytes()) {
            return None;
        }
        let mut refusal = error(StatusCode::UNAUTHORIZED, "this needs `Authorization: Bearer TOKEN`");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        Some(refusal)
    }
}

/// Compares in a time that tells nothing about where two tokens differ.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    let differ = given.iter().zip(token).fold(0, |differ, (left, right)| differ | (left ^ right));
    given.len() == token.len() && differ == 0
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/config", get(config))
        .route("/clusters", get(clusters))
        .route("/cache", get(cache::inspect))
        .route("/cache/purge", post(cache::purge))
        .route("/reload", post(reload))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .with_state(admin)
}

async fn index() -> String {
    let lines = INDEX.iter().map(|(path, what)| format!("{path:<13} {what}\n"));
    format!("bifrons {}\n\n{}", env!("CARGO_PKG_VERSION"), lines.collect::<String>())
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(admin): State<Admin>) -> (StatusCode, &'static str) {
    match *admin.phase.borrow() {
        Phase::Serving => (StatusCode::OK, "ok\n"),
        Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.shared.metrics.render()).into_response()
}

async fn config(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let Some(snapshot) = admin.shared.snapshot() else {
        return error(StatusCode::SERVICE_UNAVAILABLE, "there is no configuration yet");
    };
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let (kind, text) = match accept.contains("json") {
        true => ("application/json", dump::to_json(&snapshot.config)),
        false => ("application/yaml", dump::to_yaml(&snapshot.config)),
    };
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(message) => error(StatusCode::INTERNAL_SERVER_ERROR, &message),
    }
}

async fn clusters(State(admin): State<Admin>) -> Response {
    match admin.shared.snapshot() {
        Some(snapshot) => Json(clusters::describe(&snapshot, admin.shared.now_ms())).into_response(),
        None => error(StatusCode::SERVICE_UNAVAILABLE, "there is no configuration yet"),
    }
}

async fn reload(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    if let Some(refusal) = admin.refusal(&headers) {
        return refusal;
    }
    let (reply, answer) = oneshot::channel();
    let outcome = match admin.reload.send(reply).await {
        Ok(()) => answer.await,
        Err(_) => return error(StatusCode::SERVICE_UNAVAILABLE, "the process is about to end"),
    };
    match outcome {
        Ok(Ok(message)) => Json(json!({ "result": "ok", "message": message })).into_response(),
        Ok(Err(message)) => error(StatusCode::UNPROCESSABLE_ENTITY, &message),
        Err(_) => error(StatusCode::SERVICE_UNAVAILABLE, "the process is about to end"),
    }
}

async fn unknown() -> Response {
    error(StatusCode::NOT_FOUND, "there is nothing at this path; / lists what there is")
}

async fn wrong_method() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "this path does not take the method")
}

fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}

#[cfg(test)]
mod tests;
