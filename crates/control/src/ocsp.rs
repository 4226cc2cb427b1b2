//! OCSP answers that are sent along with certificates: fetched here, again before they end.
//!
//! Responders speak plain HTTP (RFC 6960 A.1), since what they say is signed.

use bifrons_flow::Shared;
use bifrons_tls::certificate::Certificate;
use bifrons_tls::ocsp::Address;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

/// A second: how soon a new certificate gets its answer. A look costs a comparison for each certificate.
const LOOK: Duration = Duration::from_secs(1);
/// 10 seconds for a whole exchange: nobody waits for it but the next one.
const EXCHANGE: Duration = Duration::from_secs(10);
/// 8 responders are asked at once.
const ASKED_MAX: usize = 8;
/// 64 KiB: answers have one to four, with the certificate of whoever answers.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Fetches what is due for as long as the process runs. Call it once.
pub fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = shared.clone();
    tokio::spawn(async move {
        // Each certificate once, since who is taken here is due no more.
        let mut waiting = VecDeque::new();
        let mut asked = JoinSet::new();
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Biased: a place that is free again goes to who waits. Both may be dropped halfway.
            tokio::select! {
                biased;
                Some(_) = asked.join_next() => {}
                _ = look.tick() => waiting.extend(shared.tls.take_due_staples(SystemTime::now())),
            }
            while asked.len() < ASKED_MAX {
                let Some(certificate) = waiting.pop_front() else { break };
                asked.spawn(async move { renew(&certificate).await });
            }
        }
    })
}

async fn renew(certificate: &Certificate) {
    let cert = certificate.paths.cert.display();
    let outcome = match tokio::time::timeout(EXCHANGE, fetch(certificate)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("the responder took too long".to_owned()),
    };
    match outcome {
        Ok(()) => tracing::info!(%cert, "an OCSP answer was fetched"),
        Err(problem) => {
            certificate.note_failure(SystemTime::now());
            tracing::warn!(%cert, problem, "no OCSP answer was to be had");
        }
    }
}

async fn fetch(certificate: &Certificate) -> Result<(), String> {
    let question = certificate.question()?;
    let Address { host, addr, path } = Address::of(&question.url)?;
    let failed = |err: std::io::Error| format!("{}: {err}", question.url);
    let mut stream = TcpStream::connect(addr).await.map_err(failed)?;
    // HTTP/1.0, so that the answer ends where its length or the connection does.
    let head = format!(
        "POST {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/ocsp-request\r\n\
         Accept: application/ocsp-response\r\nContent-Length: {}\r\n\r\n",
        question.request.len()
    );
    let request = [head.as_bytes(), &question.request].concat();
    stream.write_all(&request).await.map_err(failed)?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await.map_err(failed)?;
    let answer = body(&bytes).map_err(|why| format!("{}: {why}", question.url))?;
    let now = SystemTime::now();
    let staple = question.judge(answer, now).map_err(|why| format!("{}: {why}", question.url))?;
    certificate.staple(&question, staple, now);
    Ok(())
}

/// The body of a whole answer.
fn body(bytes: &[u8]) -> Result<&[u8], String> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").ok_or("no answer in HTTP")?;
    let (head, body) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 4..).unwrap_or_default());
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    if status != "200" {
        return Err(format!("the responder answers with status {status}"));
    }
    let mut length = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("a coding that HTTP/1.0 does not know".to_owned());
        }
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse::<usize>().ok();
        }
    }
    match length {
        Some(length) => body.get(..length).ok_or_else(|| "the answer was cut off".to_owned()),
        None => Ok(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        assert_eq!(body(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nabc"), Ok(&b"ab"[..]));
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nabc"), Ok(&b"abc"[..]));
        for wrong in [
            &b"HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.0 404 No\r\n\r\nabc",
            b"HTTP/1.0 200 OK\r\n",
            b"",
        ] {
            assert!(body(wrong).is_err());
        }
    }
}
