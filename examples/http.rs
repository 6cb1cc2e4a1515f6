//! A client that sends one request per connection: enough to show what a service answers.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time;

use crate::Error;

/// The longest an answer may take.
const LIMIT: Duration = Duration::from_secs(60);

/// What the service answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status, such as 200.
    pub status: u16,
    /// The body; `Null` where it is no JSON.
    pub json: Value,
    head: String,
}

impl Reply {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn parse(answer: &str) -> Option<Self> {
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let json = serde_json::from_str(body).unwrap_or_default();
        Some(Self { status, json, head: head.to_owned() })
    }
}

/// Sends a GET.
///
/// # Errors
///
/// When there is no answer that can be understood within a minute.
///
/// # Cancel safety
///
/// The connection is closed.
pub async fn get(service: SocketAddr, path: &str) -> Result<Reply, Error> {
    send(service, &format!("GET {path} HTTP/1.1\r\nconnection: close\r\nhost: {service}\r\n\r\n"))
        .await
}

/// Sends a POST with JSON.
///
/// # Errors
///
/// As [`get`].
///
/// # Cancel safety
///
/// The connection is closed; the service may have done what it was asked for.
pub async fn post(service: SocketAddr, path: &str, json: &Value) -> Result<Reply, Error> {
    let body = json.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nconnection: close\r\nhost: {service}");
    let kind = format!("content-type: application/json\r\ncontent-length: {}", body.len());
    send(service, &format!("{head}\r\n{kind}\r\n\r\n{body}")).await
}

async fn send(service: SocketAddr, request: &str) -> Result<Reply, Error> {
    let mut answer = String::new();
    time::timeout(LIMIT, async {
        let mut stream = TcpStream::connect(service).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_string(&mut answer).await
    })
    .await??;
    Reply::parse(&answer).ok_or_else(|| format!("no HTTP: {answer:?}").into())
}
