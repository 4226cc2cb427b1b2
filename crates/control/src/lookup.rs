//! Names that requests bring (`url` with variables): asked for once, remembered as their TTL says.

use crate::resolve::{self, Answer};
use bifrons_flow::Shared;
use bifrons_flow::lookup::{Found, Lookup};
use bifrons_model::Resolver;
use hickory_resolver::TokioResolver;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};

/// 4,096 names are remembered; beyond that all that are too old go, and then any.
const NAMES_MAX: usize = 4096;
/// 1,024 names are asked for at once.
const ASKED_MAX: usize = 1024;
/// 1 s: how long it is remembered that a name is not there, so that a burst asks once.
const FAILED_FOR: Duration = Duration::from_secs(1);

type Key = (Arc<Resolver>, Box<str>);
type Outcome = Result<Found, String>;

/// Answers the workers' questions for as long as the process runs. Call it once.
pub fn start(shared: &Shared) -> Option<JoinHandle<()>> {
    let questions = shared.lookups.receive()?;
    Some(tokio::spawn(Names::default().run(questions)))
}

#[derive(Default)]
struct Names {
    resolvers: HashMap<Arc<Resolver>, Result<TokioResolver, String>>,
    known: HashMap<Key, (Outcome, Instant)>,
    waiting: HashMap<Key, Vec<oneshot::Sender<Outcome>>>,
    asked: JoinSet<(Key, Outcome)>,
}

impl Names {
    async fn run(mut self, mut questions: mpsc::Receiver<Lookup>) {
        loop {
            // Both are cancel-safe. Biased: answers free places for questions.
            tokio::select! {
                biased;
                Some(done) = self.asked.join_next() => {
                    if let Ok((key, outcome)) = done {
                        self.answer(key, outcome);
                    }
                }
                question = questions.recv() => match question {
                    Some(question) => self.ask(question),
                    None => return,
                },
            }
        }
    }

    fn ask(&mut self, Lookup { host, resolver, reply }: Lookup) {
        let key = (resolver, host);
        if let Some((outcome, until)) = self.known.get(&key)
            && *until > Instant::now()
        {
            // Who asked may be gone.
            let _ = reply.send(outcome.clone());
            return;
        }
        if let Some(waiting) = self.waiting.get_mut(&key) {
            waiting.push(reply);
            return;
        }
        if self.asked.len() >= ASKED_MAX {
            let _ = reply.send(Err("too many names are being resolved".into()));
            return;
        }
        self.waiting.insert(key.clone(), vec![reply]);
        let resolver =
            self.resolvers.entry(key.0.clone()).or_insert_with(|| resolve::resolver(&key.0)).clone();
        self.asked.spawn(async move {
            let outcome = match resolver {
                Ok(resolver) => resolve::lookup(&resolver, &key.0, &key.1).await.map(|answer| found(&answer)),
                Err(why) => Err(why),
            };
            (key, outcome)
        });
    }

    fn answer(&mut self, key: Key, outcome: Outcome) {
        let now = Instant::now();
        for reply in self.waiting.remove(&key).into_iter().flatten() {
            let _ = reply.send(outcome.clone());
        }
        if self.known.len() >= NAMES_MAX {
            self.known.retain(|_, (_, until)| *until > now);
            if self.known.len() >= NAMES_MAX {
                self.known.clear();
            }
        }
        let until = match &outcome {
            Ok(found) => found.until,
            Err(why) => {
                tracing::warn!(name = &*key.1, error = why, "name not resolved");
                now + FAILED_FOR
            }
        };
        self.known.insert(key, (outcome, until));
    }
}

fn found(answer: &Answer) -> Found {
    Found { addrs: answer.addrs.clone().into(), until: answer.valid_until }
}
