//! `/cache`: what is stored, and purges.

use super::{Admin, error};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use bifrons_store::{Listed, Purge, PurgeError, ZonesError};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    url: String,
    zone: Option<String>,
}

/// A stored answer.
#[derive(Debug, Serialize)]
struct Row {
    zone: String,
    id: u64,
    url: String,
    /// What of a request selects it, as text.
    variant: String,
    tags: usize,
    in_memory: bool,
    on_disk: bool,
    /// Whether a soft purge has met it.
    marked_stale: bool,
    /// Unix seconds.
    used: u64,
    /// Unix seconds from which on it is of no use, even stale.
    useful_until: u64,
}

/// What is stored under a URL. Looks at all entries, on this thread: for people.
pub(super) async fn inspect(State(admin): State<Admin>, Query(ask): Query<Ask>) -> Response {
    match admin.shared.zones.list_url(ask.zone.as_deref(), &ask.url) {
        Ok(listed) => Json(listed.into_iter().map(row).collect::<Vec<_>>()).into_response(),
        Err(why) => refuse(&why),
    }
}

fn row((zone, listed): (String, Listed)) -> Row {
    Row {
        zone,
        id: listed.id,
        url: format!("{}{}", listed.host, listed.path),
        variant: String::from_utf8_lossy(&listed.vary).into_owned(),
        tags: listed.tags,
        in_memory: listed.in_memory,
        on_disk: listed.on_disk,
        marked_stale: listed.marked_stale,
        used: listed.used_s,
        useful_until: listed.keep_until_s,
    }
}

/// Purges, and answers when that is in force and written.
pub(super) async fn purge(State(admin): State<Admin>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = admin.refusal(&headers) {
        return refusal;
    }
    let purge: Purge = match serde_json::from_slice(&body) {
        Ok(purge) => purge,
        Err(why) => {
            let example = r#"{"what": {"tag": "news"}, "mode": "soft", "zone": "my_cache"}"#;
            return error(StatusCode::BAD_REQUEST, &format!("no purge: {why}; write {example}"));
        }
    };
    match admin.shared.zones.purge(&purge) {
        Ok(zones) => {
            admin.shared.zones.flush().await;
            Json(json!({ "result": "ok", "zones": zones })).into_response()
        }
        Err(why) => refuse(&why),
    }
}

fn refuse(why: &ZonesError) -> Response {
    let status = match why {
        ZonesError::Unknown(..) | ZonesError::Nothing => StatusCode::NOT_FOUND,
        ZonesError::Purge(PurgeError::Full(_)) => StatusCode::SERVICE_UNAVAILABLE,
        ZonesError::Purge(PurgeError::Empty(..)) => StatusCode::BAD_REQUEST,
    };
    error(status, &why.to_string())
}
