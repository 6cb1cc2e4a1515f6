//! A door before an API: counts the calls, and misbehaves when told to.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::http::Message;
use crate::{KitError, guarded};

/// How the door treats those who come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Passes everything on.
    Honest,
    /// Answers that there were too many calls (`ThrottlingException`, 400).
    Throttling,
    /// Answers that the service has failed (500).
    Failing,
    /// Passes everything on, that much later.
    Slow(Duration),
    /// Answers 200 with what is no JSON.
    Garbage,
    /// Answers 200 with JSON that is not the answer.
    Strange,
    /// Says that the caller may not (`AccessDeniedException`, 400).
    Denying,
    /// Closes every connection.
    Gone,
}

/// The door; closed with this value.
#[derive(Debug)]
pub struct Front {
    address: SocketAddr,
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    behind: SocketAddr,
    mood: Mutex<Mood>,
    calls: Mutex<HashMap<String, usize>>,
    is_closed: AtomicBool,
}

impl Front {
    /// Opens a door before the API at `behind`.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn before(behind: SocketAddr) -> Result<Self, KitError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(KitError::io("bind"))?;
        let address = listener.local_addr().map_err(KitError::io("ask for a port"))?;
        let shared = Arc::new(Shared {
            behind,
            mood: Mutex::new(Mood::Honest),
            calls: Mutex::default(),
            is_closed: AtomicBool::new(false),
        });
        let inside = Arc::clone(&shared);
        let keeper = thread::Builder::new().name("kit-front".into());
        let keeper = keeper.spawn(move || keep(&listener, &inside));
        let keeper = Some(keeper.map_err(KitError::io("start a thread"))?);
        Ok(Self { address, shared, keeper })
    }

    /// The URL to give to a client.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Treats those who come from now on like that.
    pub fn be(&self, mood: Mood) {
        *guarded(&self.shared.mood) = mood;
    }

    /// How often an operation was called, such as `GetSecretValue`.
    #[must_use]
    pub fn calls(&self, operation: &str) -> usize {
        guarded(&self.shared.calls).get(operation).copied().unwrap_or(0)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.shared.is_closed.store(true, Ordering::Release);
        // Wakes the thread that accepts; if that fails, it has ended.
        let _ = TcpStream::connect(self.address);
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
    }
}

fn keep(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.is_closed.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // A client that goes away in the middle is no concern of the door's.
        thread::spawn(move || drop(serve(&stream, &shared)));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let request = Message::read(stream)?;
    let target = request.header("x-amz-target").unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    *guarded(&shared.calls).entry(operation).or_default() += 1;
    let mood = *guarded(&shared.mood);
    let refusal = |code: &str| format!(r#"{{"__type":"{code}","message":"said the door"}}"#);
    let (status, body) = match mood {
        Mood::Gone => return Ok(()),
        Mood::Honest => return pass_on(request, stream, shared),
        Mood::Slow(delay) => {
            thread::sleep(delay);
            return pass_on(request, stream, shared);
        }
        Mood::Throttling => ("400 Bad Request", refusal("ThrottlingException")),
        Mood::Failing => ("500 Internal Server Error", refusal("InternalServiceError")),
        Mood::Denying => ("400 Bad Request", refusal("AccessDeniedException")),
        Mood::Garbage => ("200 OK", "<html>it works".to_owned()),
        Mood::Strange => ("200 OK", r#"{"SecretString":"planted-in-garbage"}"#.to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/x-amz-json-1.1\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    Message { head, body: body.into_bytes() }.write(stream)
}

fn pass_on(mut request: Message, stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    request.head = closing(&request.head);
    let mut answer = request.ask(shared.behind)?;
    answer.head = closing(&answer.head);
    answer.write(stream)
}

/// The head with one request for each connection.
fn closing(head: &str) -> String {
    let is_about = |line: &str| line.to_ascii_lowercase().starts_with("connection:");
    let kept: String =
        head.trim_end().split_inclusive("\r\n").filter(|line| !is_about(line)).collect();
    format!("{}\r\nConnection: close\r\n\r\n", kept.trim_end())
}
