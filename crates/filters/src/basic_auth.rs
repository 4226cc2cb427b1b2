//! `basic_auth`: asks for a name and a password (RFC 7617).

mod known;
mod scheme;
mod users;

use crate::filter::{Filter, Step};
use crate::spec::Spec;
use bifrons_config::{Dur, Template};
use bifrons_core::{Error, Kind, Result as FlowResult};
use bifrons_http::name::is_field_value;
use bifrons_http::vars::{Scope, credentials};
use bifrons_http::{ReqCx, Request, Response};
use indexmap::IndexMap;
use schemars::JsonSchema;
use scheme::Scheme;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use users::Users;

/// 5 minutes: longer than clients wait.
const DELAY_MAX: Duration = Duration::from_secs(300);

/// Asks for a name and a password, and refuses with 401 who has none that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What browsers show beside the question. Where it renders as `off`, nothing is asked.
    pub realm: Template,
    /// Names and hashed passwords, as `htpasswd` writes them: bcrypt (`$2y$`), SHA-crypt (`$5$`, `$6$`), MD5
    /// (`$apr1$`, `$1$`), `{SSHA}`, `{SHA}`, `{PLAIN}`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub users: IndexMap<String, String>,
    /// A file of them instead, `name:hash` a line. A change holds within a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<Template>,
    /// How long a refusal is held back, at most 5 minutes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delay: Dur,
}

fn is_zero(delay: &Dur) -> bool {
    delay.0.is_zero()
}

impl Spec for Config {
    const NAME: &str = "basic_auth";
    const EXAMPLE: &str = r#"{ realm: office, users: { anna: "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=" } }"#;

    fn build(&self) -> Result<Arc<dyn Filter>, String> {
        if self.users.is_empty() == self.file.is_none() {
            return Err("it needs either `users` or `file`".to_owned());
        }
        if self.delay.0 > DELAY_MAX {
            return Err(format!("a delay of {} is longer than {}", self.delay, Dur(DELAY_MAX)));
        }
        for (name, hash) in &self.users {
            if name.contains(':') {
                return Err(format!("the name \"{name}\" has a colon"));
            }
            if Scheme::of(hash).is_none() {
                return Err(format!("the hash of \"{name}\" is of no known kind"));
            }
        }
        let source = match &self.file {
            Some(file) => Source::File(file.clone()),
            None => Source::Users(Arc::new(Users::of(&self.users))),
        };
        Ok(Arc::new(BasicAuth { realm: self.realm.clone(), source, delay: self.delay.0 }))
    }
}

/// The running filter.
struct BasicAuth {
    realm: Template,
    source: Source,
    delay: Duration,
}

enum Source {
    Users(Arc<Users>),
    File(Template),
}

/// What a client gave, and what it is asked with.
struct Question {
    realm: Vec<u8>,
    name: Vec<u8>,
    password: Vec<u8>,
}

/// What is said to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Pass,
    /// Unknown, or wrong.
    Refuse,
    /// Nobody may come in: there is no file of users.
    Forbid,
    /// It can't be said.
    Fail,
    /// It can't be said now: too many are asking.
    Busy,
}

impl Filter for BasicAuth {
    fn request<'a>(&'a self, cx: &'a mut ReqCx, req: &'a mut Request) -> Step<'a> {
        let scope = Scope { cx, req: &req.head, res: None };
        let Some(realm) = self.realm_of(&scope) else { return Step::Next };
        let Some((name, password)) = credentials(&req.head.headers) else {
            return match self.delay.is_zero() {
                true => Step::Reply(Box::new(unauthorized(&realm))),
                false => Step::Wait(Box::pin(self.refuse(realm))),
            };
        };
        let mut path = Vec::new();
        let users = match &self.source {
            Source::Users(users) => Some(users.clone()),
            Source::File(file) => {
                file.render(&scope, &mut path);
                users::cached(&path)
            }
        };
        let question = Question { realm, name, password };
        // Most requests end here: the file was read lately, and the password is a known one.
        match users.as_ref().and_then(|users| users.judge(&question)) {
            Some(Verdict::Pass) => Step::Next,
            _ => Step::Wait(Box::pin(self.decide(cx, users, path, question))),
        }
    }

    fn has_say(&self, cx: &ReqCx, req: &Request) -> bool {
        self.realm_of(&Scope { cx, req: &req.head, res: None }).is_some()
    }
}

impl BasicAuth {
    /// The realm; `None` where nothing is asked.
    fn realm_of(&self, scope: &Scope<'_>) -> Option<Vec<u8>> {
        let mut realm = Vec::new();
        self.realm.render(scope, &mut realm);
        (realm != b"off").then_some(realm)
    }

    /// Reads the file where that is due, and hashes the password on another thread.
    async fn decide(
        &self,
        cx: &mut ReqCx,
        users: Option<Arc<Users>>,
        path: Vec<u8>,
        question: Question,
    ) -> FlowResult<Option<Response>> {
        let users = match users {
            Some(users) => users,
            None => users::load(path.clone()).await,
        };
        let verdict = match users.judge(&question) {
            Some(verdict) => verdict,
            None => users.judge_by_work(&question).await,
        };
        match verdict {
            Verdict::Pass => Ok(None),
            Verdict::Forbid => Ok(Some(Response::empty(403))),
            Verdict::Busy => Err(Error::local(Kind::Busy, "too many passwords wait to be hashed")),
            Verdict::Fail => Err(Error::local(Kind::Internal, "the file of users is of no use")),
            Verdict::Refuse => {
                // In nginx's words, by which tools shut out who guesses.
                let name = String::from_utf8_lossy(&question.name);
                let why = match users.has(&question.name) {
                    true => format!("user \"{name}\": password mismatch"),
                    false => {
                        format!("user \"{name}\" was not found in \"{}\"", String::from_utf8_lossy(&path))
                    }
                };
                cx.denied = Some(why.into());
                self.refuse(question.realm).await
            }
        }
    }

    async fn refuse(&self, realm: Vec<u8>) -> FlowResult<Option<Response>> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        Ok(Some(unauthorized(&realm)))
    }
}

/// 401 with the question (RFC 7617 2).
fn unauthorized(realm: &[u8]) -> Response {
    let mut answer = Response::empty(401);
    let value = [b"Basic realm=\"", realm, b"\""].concat();
    if is_field_value(&value) {
        answer.head.headers.append_as("WWW-Authenticate", &value);
    }
    answer
}

#[cfg(test)]
mod tests;
