//! Names that a request needs resolved: asked of the control side, which remembers the answers.

use bifrons_core::{Error, Kind, Result};
use bifrons_model::Resolver;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// 1,024: questions of all workers that wait for the control side; further ones fail at once.
const WAITING_MAX: usize = 1024;

/// A name to be resolved.
#[derive(Debug)]
pub struct Lookup {
    /// The name.
    pub host: Box<str>,
    /// Who resolves it.
    pub resolver: Arc<Resolver>,
    /// Where the answer goes; the asker may be gone by then.
    pub reply: oneshot::Sender<std::result::Result<Found, String>>,
}

/// The addresses of a name.
#[derive(Clone, Debug)]
pub struct Found {
    /// In the order of the answer.
    pub addrs: Arc<[IpAddr]>,
    /// Until when they are good.
    pub until: Instant,
}

/// Where workers ask.
#[derive(Debug, Default)]
pub struct Lookups(OnceLock<mpsc::Sender<Lookup>>);

impl Lookups {
    /// Where the questions arrive. For the control side, once.
    pub fn receive(&self) -> Option<mpsc::Receiver<Lookup>> {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        self.0.set(sender).is_ok().then_some(receiver)
    }

    /// The addresses of the name.
    ///
    /// # Errors
    /// `NoEndpoint` with the reason: nobody resolves, no such name, no answer in time.
    pub async fn ask(&self, host: &str, resolver: &Arc<Resolver>) -> Result<Found> {
        let failed =
            |why: &str| Error::upstream(Kind::NoEndpoint, format!("{host} could not be resolved: {why}"));
        if **resolver == Resolver::None {
            return Err(failed("no resolver defined"));
        }
        let (reply, answer) = oneshot::channel();
        let question = Lookup { host: host.into(), resolver: resolver.clone(), reply };
        let sent = self.0.get().map(|sender| sender.try_send(question));
        if !matches!(sent, Some(Ok(()))) {
            return Err(failed("too many names are being resolved"));
        }
        match answer.await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(why)) => Err(failed(&why)),
            Err(_) => Err(failed("the process is about to end")),
        }
    }
}
