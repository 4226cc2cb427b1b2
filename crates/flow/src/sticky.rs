//! Sticky sessions: which endpoint a request belongs to, and what is noted once one has answered.

use crate::request::Task;
use bifrons_balance::Endpoint;
use bifrons_config::Template;
use bifrons_http::name::is_field_value;
use bifrons_http::vars::{Scope, cookie};
use bifrons_http::{Name, RequestHead, Response};
use bifrons_model::{Sticky, StickyCookie};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// 256 bytes: a longer name of a session is none that an endpoint made.
const SESSION_BYTES_MAX: usize = 256;

/// How a cluster's sessions stick.
#[derive(Debug)]
pub struct StickyPlan {
    /// What the configuration says.
    pub config: Sticky,
    /// What was learnt, kept over snapshots.
    pub sessions: Arc<Sessions>,
}

/// Sessions and their endpoints, in two generations: what is asked for moves into the young one, and when
/// that is full the old one is forgotten.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Box<[u8]>, Session>,
    old: HashMap<Box<[u8]>, Session>,
}

#[derive(Clone, Debug)]
struct Session {
    endpoint: Box<str>,
    until_ms: u64,
}

impl Sessions {
    fn get(&self, name: &[u8], now_ms: u64, (max, timeout_ms): (usize, u64)) -> Option<Box<str>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut session = match sessions.young.get(name) {
            Some(session) => session.clone(),
            None => sessions.old.remove(name)?,
        };
        if session.until_ms <= now_ms {
            sessions.young.remove(name);
            return None;
        }
        session.until_ms = now_ms.saturating_add(timeout_ms);
        let endpoint = session.endpoint.clone();
        sessions.put(name, session, max);
        Some(endpoint)
    }

    fn put(&self, name: &[u8], endpoint: &str, until_ms: u64, max: usize) {
        let session = Session { endpoint: endpoint.into(), until_ms };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(name, session, max);
    }
}

impl Generations {
    fn put(&mut self, name: &[u8], session: Session, max: usize) {
        if self.young.len() >= max.div_ceil(2) && !self.young.contains_key(name) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(name.into(), session);
    }
}

/// The first of the values that is not empty.
fn first(templates: &[Template], scope: &Scope<'_>) -> Option<Vec<u8>> {
    templates.iter().find_map(|template| {
        let mut value = Vec::new();
        template.render(scope, &mut value);
        (!value.is_empty() && value.len() <= SESSION_BYTES_MAX).then_some(value)
    })
}

/// The sticky id of the endpoint that the request belongs to.
pub fn wanted(plan: &StickyPlan, task: &Task<'_>, head: &RequestHead) -> Option<Vec<u8>> {
    let scope = Scope { cx: &task.cx, req: head, res: None };
    match &plan.config {
        Sticky::Cookie(config) => {
            let mut cookies = head.headers.originals(Name::Cookie);
            cookies.find_map(|value| cookie(value, &config.name)).map(<[u8]>::to_vec)
        }
        Sticky::Route(variables) => first(variables, &scope),
        Sticky::Learn(config) => {
            let session = first(&config.lookup, &scope)?;
            let bounds = (config.sessions as usize, millis(config.timeout.0));
            let now_ms = task.conn.worker.shared.ms_at(task.cx.started);
            plan.sessions.get(&session, now_ms, bounds).map(|id| id.into_string().into_bytes())
        }
    }
}

/// Notes which endpoint has answered: in a cookie where the client's names another or none, or in memory.
pub fn note(
    plan: &StickyPlan,
    task: &Task<'_>,
    (head, res): (&RequestHead, &mut Response),
    (endpoint, wanted): (&Endpoint, Option<&[u8]>),
) {
    let id = endpoint.sticky_id();
    let scope = Scope { cx: &task.cx, req: head, res: Some(&res.head) };
    match &plan.config {
        Sticky::Cookie(_) if wanted == Some(id.as_bytes()) => {}
        Sticky::Cookie(config) => {
            if let Some(cookie) = set_cookie(config, id, &scope) {
                res.head.headers.append_as("Set-Cookie", &cookie);
            }
        }
        Sticky::Route(_) => {}
        Sticky::Learn(config) => {
            if let Some(session) = first(&config.create, &scope) {
                let now_ms = task.conn.worker.shared.ms_at(task.cx.started);
                let until_ms = now_ms.saturating_add(millis(config.timeout.0));
                plan.sessions.put(&session, id, until_ms, config.sessions as usize);
            }
        }
    }
}

fn set_cookie(config: &StickyCookie, id: &str, scope: &Scope<'_>) -> Option<Vec<u8>> {
    let mut out = format!("{}={id}", config.name).into_bytes();
    let mut text = String::new();
    if let Some(age) = config.max_age {
        let expires = httpdate::fmt_http_date(SystemTime::now() + age.0);
        let _ = write!(text, "; expires={expires}; max-age={}", age.0.as_secs());
    }
    out.extend_from_slice(text.as_bytes());
    for (name, template) in [("domain", &config.domain), ("path", &config.path)] {
        if let Some(template) = template {
            out.extend_from_slice(format!("; {name}=").as_bytes());
            template.render(scope, &mut out);
        }
    }
    if config.httponly {
        out.extend_from_slice(b"; httponly");
    }
    if config.secure {
        out.extend_from_slice(b"; secure");
    }
    if let Some(samesite) = &config.samesite {
        out.extend_from_slice(b"; samesite=");
        samesite.render(scope, &mut out);
    }
    is_field_value(&out).then_some(out)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
