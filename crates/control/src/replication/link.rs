//! The link itself: one connection that tells, and one that hears.

use super::position::{self, Position};
use super::{Node, RETRY};
use bifrons_flow::Shared;
use bifrons_model::Replication as Config;
use bifrons_store::{Mode, Purge, PurgeError, Scope, ZonesError};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamReadReply};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, RedisError, RedisResult, TlsCertificates, Value, cmd,
};
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// 5 seconds: how long a read waits for news, so that a connection that died in silence is noticed.
const WAIT: Duration = Duration::from_secs(5);
/// 500: purges in one read.
const BATCH: u32 = 500;

/// How far this node has read; outlives connections.
#[derive(Default)]
pub(super) struct Reader {
    position: Option<Position>,
    /// Whether it has read since the process started: what the stream lost after that was applied here, or is a
    /// stream begun anew.
    is_caught_up: bool,
}

/// Tells and hears until something fails.
pub(super) async fn run(config: &Config, shared: &Shared, node: &Node, reader: &mut Reader) -> RedisError {
    match try_run(config, shared, node, reader).await {
        Ok(never) => match never {},
        Err(err) => err,
    }
}

async fn try_run(
    config: &Config,
    shared: &Shared,
    node: &Node,
    reader: &mut Reader,
) -> RedisResult<std::convert::Infallible> {
    let client = open(config).await?;
    let limit = config.timeout.0;
    let mut told = connect(&client, limit, limit).await?;
    let mut heard = connect(&client, limit, limit + WAIT).await?;
    begin(config, shared, node, (reader, &mut told)).await?;
    if node.counts.connected.swap(1, Relaxed) == 0 {
        tracing::info!(stream = config.stream, "purges reach other nodes, and theirs reach this one");
    }
    tokio::select! {
        failed = tell(config, node, &mut told) => failed,
        failed = hear(config, shared, node, (reader, &mut heard)) => failed,
    }
}

/// Where Redis is, with what is to be proved by TLS.
async fn open(config: &Config) -> RedisResult<Client> {
    let url = config.redis.as_str();
    if !config.redis.is_encrypted() {
        return Client::open(url);
    }
    let read = async |path: &String| {
        let named = |err| std::io::Error::other(format!("{path}: {err}"));
        tokio::fs::read(path).await.map_err(named)
    };
    let root_cert = match &config.tls.ca {
        Some(ca) => Some(read(ca).await?),
        None => None,
    };
    let client_tls = match (&config.tls.cert, &config.tls.key) {
        (Some(cert), Some(key)) => {
            Some(ClientTlsConfig { client_cert: read(cert).await?, client_key: read(key).await? })
        }
        _ => None,
    };
    Client::build_with_tls(url, TlsCertificates { client_tls, root_cert })
}

async fn connect(
    client: &Client,
    connect: Duration,
    response: Duration,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(connect))
        .set_response_timeout(Some(response));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Finds out where to read on from, and whether something was missed.
async fn begin(
    config: &Config,
    shared: &Shared,
    node: &Node,
    (reader, connection): (&mut Reader, &mut MultiplexedConnection),
) -> RedisResult<()> {
    let stream = info(config, connection).await?;
    let known = reader.position.or_else(|| position::read(shared, &config.stream));
    let Some(known) = known else {
        // Nothing is stored here from before: what was purged then is not here.
        reader.position = Some(stream.as_ref().map_or_else(Position::default, |stream| stream.last));
        reader.is_caught_up = true;
        position::write(shared, &config.stream, reader.position.unwrap_or_default());
        return Ok(());
    };
    let is_lost = match &stream {
        // Begun anew by a Redis that keeps nothing: ids are times, so what comes is behind all that was.
        None => !reader.is_caught_up && known != Position::default(),
        Some(stream) => stream.gone > known,
    };
    if is_lost {
        tracing::warn!(
            stream = config.stream,
            "the stream no longer has all purges that this node has missed: its caches are emptied"
        );
        node.counts.resets.fetch_add(1, Relaxed);
        apply(shared, &Purge { zone: None, what: Scope::All, mode: Mode::Hard }).await;
    }
    reader.position = Some(match stream {
        Some(stream) if is_lost => stream.last,
        None => Position::default(),
        Some(_) => known,
    });
    reader.is_caught_up = true;
    Ok(())
}

/// What Redis says of the stream.
struct Info {
    last: Position,
    /// The newest that it no longer has.
    gone: Position,
}

/// `None` where there is no such stream.
async fn info(config: &Config, connection: &mut MultiplexedConnection) -> RedisResult<Option<Info>> {
    let there: bool = cmd("EXISTS").arg(&config.stream).query_async(connection).await?;
    if !there {
        return Ok(None);
    }
    let fields: HashMap<String, Value> =
        cmd("XINFO").arg("STREAM").arg(&config.stream).query_async(connection).await?;
    let position = |name: &str| fields.get(name).and_then(text).and_then(|text| Position::parse(&text));
    let first = match fields.get("first-entry") {
        Some(Value::Array(entry)) => entry.first().and_then(text).and_then(|text| Position::parse(&text)),
        _ => None,
    };
    // Redis before 7 does not say what it has removed: all before the first that is left, if it is full.
    let length = match fields.get("length") {
        Some(Value::Int(length)) => *length,
        _ => 0,
    };
    let is_full = length >= i64::from(config.length.get());
    let guess = first.filter(|_| is_full).unwrap_or_default();
    Ok(Some(Info {
        last: position("last-generated-id").unwrap_or_default(),
        gone: position("max-deleted-entry-id").filter(|gone| *gone != Position::default()).unwrap_or(guess),
    }))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes.clone()).ok(),
        Value::SimpleString(text) => Some(text.clone()),
        _ => None,
    }
}

async fn tell(
    config: &Config,
    node: &Node,
    connection: &mut MultiplexedConnection,
) -> RedisResult<std::convert::Infallible> {
    loop {
        let purge = node.outbox.next().await;
        let Ok(text) = serde_json::to_string(&purge) else {
            node.outbox.sent(&purge);
            continue;
        };
        let _: String = cmd("XADD")
            .arg(&config.stream)
            .arg("MAXLEN")
            .arg("~")
            .arg(config.length.get())
            .arg("*")
            .arg("node")
            .arg(&node.name)
            .arg("purge")
            .arg(text)
            .query_async(connection)
            .await?;
        node.outbox.sent(&purge);
        node.counts.sent.fetch_add(1, Relaxed);
    }
}

async fn hear(
    config: &Config,
    shared: &Shared,
    node: &Node,
    (reader, connection): (&mut Reader, &mut MultiplexedConnection),
) -> RedisResult<std::convert::Infallible> {
    loop {
        let after = reader.position.unwrap_or_default();
        let news: Option<StreamReadReply> = cmd("XREAD")
            .arg("COUNT")
            .arg(BATCH)
            .arg("BLOCK")
            .arg(WAIT.as_millis() as u64)
            .arg("STREAMS")
            .arg(&config.stream)
            .arg(after.to_string())
            .query_async(connection)
            .await?;
        let Some(news) = news else { continue };
        for entry in news.keys.into_iter().flat_map(|key| key.ids) {
            if let Some(purge) = read(&entry, &node.name) {
                apply(shared, &purge).await;
                node.counts.received.fetch_add(1, Relaxed);
            }
            reader.position = Position::parse(&entry.id).or(reader.position);
        }
        if let Some(position) = reader.position {
            // Only what would survive a fall of the machine is behind us.
            shared.zones.flush().await;
            position::write(shared, &config.stream, position);
        }
    }
}

/// The purge of an entry that another node wrote.
fn read(entry: &StreamId, own: &str) -> Option<Purge> {
    let field = |name: &str| entry.map.get(name).and_then(text);
    if field("node").as_deref() == Some(own) {
        return None;
    }
    match serde_json::from_str(&field("purge").unwrap_or_default()) {
        Ok(purge) => Some(purge),
        Err(err) => {
            tracing::warn!(id = entry.id, %err, "an entry of the stream of purges makes no sense and is left out");
            None
        }
    }
}

/// Applies it; where too many wait to be swept, as soon as there is room.
async fn apply(shared: &Shared, purge: &Purge) {
    // Bounded: a sweep takes seconds at most.
    for _ in 0..600 {
        match shared.zones.apply(purge) {
            Err(ZonesError::Purge(PurgeError::Full(_))) => tokio::time::sleep(RETRY / 10).await,
            Ok(_) => return,
            // Caches of other nodes need not be here.
            Err(ZonesError::Unknown(..) | ZonesError::Nothing) => return,
            Err(err) => return tracing::warn!(%err, "a purge of another node was not taken"),
        }
    }
    tracing::error!("a purge of another node was not taken: too many wait");
}
