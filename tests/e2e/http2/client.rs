//! A well-behaved client of HTTP/2: the `h2` crate's.

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Request, Response};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// As long as waits of the testkit.
const DEADLINE: Duration = Duration::from_secs(20);

/// A connection, whose frames move in a thread of their own.
pub(crate) struct Client {
    runtime: Runtime,
    send: SendRequest<Bytes>,
}

/// A request on its way.
pub(crate) struct Running {
    answer: ResponseFuture,
    /// What is left to send of it.
    pub(crate) body: h2::SendStream<Bytes>,
}

impl Running {
    /// The next interim answer's status.
    pub(crate) fn poll_informational(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<u16> {
        self.answer.poll_informational(cx).map(|interim| interim.unwrap().unwrap().status().as_u16())
    }

    /// The head of the answer.
    pub(crate) fn answer(&mut self) -> &mut ResponseFuture {
        &mut self.answer
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: http::response::Parts,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }
}

/// `GET` of that path at host `test`.
pub(crate) fn get(path: &str) -> Request<()> {
    request("GET", path)
}

/// That method and path at host `test`.
pub(crate) fn request(method: &str, path: &str) -> Request<()> {
    let request = Request::builder().version(http::Version::HTTP_2).method(method);
    request.uri(format!("http://test{path}")).body(()).unwrap()
}

impl Client {
    #[track_caller]
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self::with(addr, &h2::client::Builder::new())
    }

    #[track_caller]
    pub(crate) fn with(addr: SocketAddr, builder: &h2::client::Builder) -> Self {
        let mut threads = tokio::runtime::Builder::new_multi_thread();
        let runtime = threads.worker_threads(1).enable_all().build().unwrap();
        let send = runtime.block_on(async {
            let stream = TcpStream::connect(addr).await.unwrap();
            let (send, conn) = builder.handshake::<_, Bytes>(stream).await.unwrap();
            tokio::spawn(async move {
                // What is wrong with it shows at its streams.
                let _ = conn.await;
            });
            send
        });
        Self { runtime, send }
    }

    /// Sends a request; with `is_last` it has no body.
    #[track_caller]
    pub(crate) fn begin(&mut self, request: Request<()>, is_last: bool) -> Running {
        let (send, runtime) = (&mut self.send, &self.runtime);
        runtime.block_on(async {
            std::future::poll_fn(|cx| send.poll_ready(cx)).await.unwrap();
            let (answer, body) = send.send_request(request, is_last).unwrap();
            Running { answer, body }
        })
    }

    /// Waits for the head of an answer.
    pub(crate) fn head(&self, running: Running) -> Result<Response<h2::RecvStream>, h2::Error> {
        self.wait(running.answer)
    }

    /// Waits, but not for ever.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(DEADLINE, what).await.expect("in time") })
    }

    /// Waits for the whole answer.
    pub(crate) fn finish(&self, running: Running) -> Result<Answer, h2::Error> {
        self.wait(async {
            let (head, stream) = running.answer.await?.into_parts();
            read(head, stream).await
        })
    }

    /// A request without body, and its answer.
    #[track_caller]
    pub(crate) fn ask(&mut self, request: Request<()>) -> Answer {
        let running = self.begin(request, true);
        self.finish(running).unwrap()
    }

    /// A request with that body, sent as the windows allow, and its answer.
    #[track_caller]
    pub(crate) fn post(&mut self, request: Request<()>, body: &[u8]) -> Answer {
        let mut running = self.begin(request, false);
        // An answer may end the stream before the body has gone out (RFC 9113 8.1): then nothing waits for it.
        let _ = running.body.send_data(Bytes::copy_from_slice(body), true);
        self.finish(running).unwrap()
    }
}

/// Reads the body and what follows, and opens the windows again.
pub(crate) async fn read(
    head: http::response::Parts,
    mut stream: h2::RecvStream,
) -> Result<Answer, h2::Error> {
    let mut body = Vec::new();
    while let Some(piece) = stream.data().await {
        let piece = piece?;
        stream.flow_control().release_capacity(piece.len())?;
        body.extend_from_slice(&piece);
    }
    let trailers = stream.trailers().await?;
    Ok(Answer { head, body, trailers })
}
