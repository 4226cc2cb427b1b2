//! Clients that keep a proxy busy while something happens to it.

use bifrons_testkit::{Message, Wire};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Half of the clients keep their connection, the others open one for each request.
const CLIENTS: usize = 6;

/// Traffic until it is stopped.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    failures: Arc<Mutex<Vec<String>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// Begins it. `check` says what is wrong with an answer.
    pub(crate) fn start(
        addr: SocketAddr,
        check: impl Fn(&Message) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let (is_over, answered, failures) =
            <(Arc<AtomicBool>, Arc<AtomicUsize>, Arc<Mutex<Vec<String>>>)>::default();
        let check = Arc::new(check);
        let clients = (0..CLIENTS).map(|number| {
            let (is_over, answered, failures, check) =
                (is_over.clone(), answered.clone(), failures.clone(), check.clone());
            std::thread::spawn(move || {
                let mut kept = None;
                while !is_over.load(Ordering::Relaxed) {
                    match request(addr, &mut kept, number % 2 == 0) {
                        Ok(answer) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            if let Err(why) = check(&answer) {
                                failures.lock().unwrap().push(why);
                            }
                        }
                        Err(why) => failures.lock().unwrap().push(why),
                    }
                }
            })
        });
        Self { clients: clients.collect(), is_over, answered, failures }
    }

    /// Waits until so many more requests were answered.
    #[track_caller]
    pub(crate) fn wait_for(&self, more: usize) {
        let until = self.answered.load(Ordering::Relaxed) + more;
        bifrons_testkit::wait_until("requests are answered", || {
            self.answered.load(Ordering::Relaxed) >= until || !self.failures.lock().unwrap().is_empty()
        });
    }

    /// Ends it: every request was answered well.
    #[track_caller]
    pub(crate) fn stop(self) -> usize {
        self.is_over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        let failures = self.failures.lock().unwrap();
        let answered = self.answered.load(Ordering::Relaxed);
        assert!(
            failures.is_empty(),
            "{} failed, {answered} were answered: {:?}",
            failures.len(),
            &failures[..failures.len().min(5)]
        );
        answered
    }
}

/// One request; the connection is kept where both sides want that.
fn request(addr: SocketAddr, kept: &mut Option<Wire>, keeps: bool) -> Result<Message, String> {
    let is_kept = kept.is_some();
    let mut wire = match kept.take() {
        Some(wire) => wire,
        None => Wire::over(std::net::TcpStream::connect(addr).map_err(|err| format!("connecting: {err}"))?),
    };
    wire.try_send("GET /traffic HTTP/1.1\r\nHost: test\r\n\r\n")
        .map_err(|err| format!("sending (kept: {is_kept}): {err}"))?;
    let answer = wire.try_read(Some("GET")).map_err(|cut| format!("answer (kept: {is_kept}): {cut:?}"))?;
    if keeps && answer.field("Connection") != Some("close") {
        *kept = Some(wire);
    }
    if answer.status() == 200 { Ok(answer) } else { Err(format!("status {}", answer.status())) }
}
