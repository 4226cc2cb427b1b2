//! Purges that nodes tell each other through a stream in Redis or Valkey.
//!
//! A purge here goes into the stream; what others put there is applied here, in order. Where a node is in the stream
//! lies beside what it has stored on disk, so that one that was away catches up. Nothing waits for Redis: a purge holds
//! here at once, and goes out as soon as it can.

mod link;
mod outbox;
mod position;
mod waiting;

use bifrons_flow::Shared;
use bifrons_model::Replication as Config;
use bifrons_observe::Exposition;
use bifrons_observe::metrics::Type;
use outbox::Outbox;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::watch;

/// A second: how soon Redis is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The link to the other nodes. One a process.
pub struct Replication {
    settings: watch::Sender<Option<Config>>,
    node: Arc<Node>,
}

/// What this node has to tell and has heard.
pub(crate) struct Node {
    /// Its name in the stream: what it said itself it does not hear.
    pub(crate) name: String,
    pub(crate) outbox: Outbox,
    pub(crate) counts: Counts,
}

/// What is counted of it.
#[derive(Default)]
pub struct Counts {
    pub(crate) sent: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) resets: AtomicU64,
    pub(crate) connected: AtomicU64,
}

impl Replication {
    /// Starts it, for as long as the process runs; without a configuration it waits for one. Call it once, in the
    /// control side's runtime.
    pub fn start(shared: &Arc<Shared>, config: Option<Config>) -> Self {
        let name = format!("{}-{:08x}", shared.instance, fastrand::u32(..));
        let node = Arc::new(Node { name, outbox: Outbox::default(), counts: Counts::default() });
        node.outbox.set_open(config.is_some());
        // Here they hold already; others have not heard of them. Twice told is once purged.
        waiting::read(shared).iter().for_each(|purge| node.outbox.push(purge));
        shared.zones.on_purge({
            let node = Arc::clone(&node);
            move |purge| node.outbox.push(purge)
        });
        shared.metrics.on_render({
            let node = Arc::clone(&node);
            move |out| node.expose(out)
        });
        let (settings, news) = watch::channel(config);
        tokio::spawn(waiting::keep(Arc::clone(shared), Arc::clone(&node)));
        tokio::spawn(run(Arc::clone(shared), Arc::clone(&node), news));
        Self { settings, node }
    }

    /// Takes over another configuration.
    pub fn configure(&self, config: Option<Config>) {
        self.node.outbox.set_open(config.is_some());
        self.settings.send_if_modified(|now| {
            let changes = *now != config;
            *now = config;
            changes
        });
    }
}

/// Keeps the link up, and makes it anew when the configuration changes.
async fn run(shared: Arc<Shared>, node: Arc<Node>, mut news: watch::Receiver<Option<Config>>) {
    let mut reader = link::Reader::default();
    let mut was_told = false;
    loop {
        let config = news.borrow_and_update().clone();
        let Some(config) = config else {
            if news.changed().await.is_err() {
                return;
            }
            continue;
        };
        let linked = link::run(&config, &shared, &node, &mut reader);
        let failed = tokio::select! {
            biased;
            changed = news.changed() => {
                node.counts.connected.store(0, Relaxed);
                if changed.is_err() {
                    return;
                }
                reader = link::Reader::default();
                continue;
            }
            failed = linked => failed,
        };
        // Once an outage, not once a try.
        let was_up = node.counts.connected.swap(0, Relaxed) == 1;
        node.counts.errors.fetch_add(1, Relaxed);
        if was_up || !was_told {
            tracing::warn!(error = %failed, "purges do not reach other nodes; they are kept and sent later");
            was_told = true;
        }
        tokio::time::sleep(RETRY).await;
    }
}

impl Node {
    fn expose(&self, out: &mut Exposition) {
        if self.outbox.is_open() {
            expose(&self.counts, self.outbox.len(), out);
        }
    }
}

/// Writes the families.
pub fn expose(counts: &Counts, waiting: usize, out: &mut Exposition) {
    let value = |count: &AtomicU64| count.load(Relaxed);
    #[rustfmt::skip]
    let families = [
        ("bifrons_replication_sent_total", "Purges told to other nodes.", Type::Counter, value(&counts.sent)),
        ("bifrons_replication_received_total", "Purges of other nodes that were applied here.", Type::Counter, value(&counts.received)),
        ("bifrons_replication_errors_total", "Times the link to Redis failed.", Type::Counter, value(&counts.errors)),
        ("bifrons_replication_resets_total", "Times all caches were emptied because purges were missed.", Type::Counter, value(&counts.resets)),
        ("bifrons_replication_waiting", "Purges that wait to be told.", Type::Gauge, waiting as u64),
        ("bifrons_replication_connected", "1 where the link to Redis is up.", Type::Gauge, value(&counts.connected)),
    ];
    for (name, help, kind, value) in families {
        out.family(name, help, kind);
        out.sample(name, &[], value);
    }
}
