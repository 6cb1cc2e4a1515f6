//! A door before an API: counts the calls, and misbehaves when told to. It speaks JSON to those who
//! speak JSON, and else the XML of the query protocol.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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
    /// Answers 200 with what is neither JSON nor XML.
    Garbage,
    /// Answers 200 with JSON or XML that is not the answer.
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
    misbehaved: AtomicUsize,
    known: Mutex<HashMap<String, String>>,
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
            misbehaved: AtomicUsize::new(0),
            known: Mutex::default(),
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

    /// Answers an operation by itself from now on, in place of the API behind.
    pub fn answer(&self, operation: &str, body: impl Into<String>) {
        guarded(&self.shared.known).insert(operation.to_owned(), body.into());
    }

    /// Answers for the page of an operation that a marker leads to, in place of the API behind.
    pub fn answer_page(&self, operation: &str, marker: &str, body: impl Into<String>) {
        self.answer(&page(operation, marker), body);
    }

    /// How often an operation was called, such as `GetSecretValue`.
    #[must_use]
    pub fn calls(&self, operation: &str) -> usize {
        guarded(&self.shared.calls).get(operation).copied().unwrap_or(0)
    }

    /// How many calls met another mood than [`Mood::Honest`].
    #[must_use]
    pub fn misbehaved(&self) -> usize {
        self.shared.misbehaved.load(Ordering::Acquire)
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
    let dialect = Dialect::of(&request);
    *guarded(&shared.calls).entry(dialect.operation.clone()).or_default() += 1;
    let mood = *guarded(&shared.mood);
    if !matches!(mood, Mood::Honest) {
        shared.misbehaved.fetch_add(1, Ordering::Release);
    }
    let (status, body) = match mood {
        Mood::Gone => return Ok(()),
        Mood::Honest | Mood::Slow(_) => {
            if let Mood::Slow(delay) = mood {
                thread::sleep(delay);
            }
            let known = guarded(&shared.known).get(&dialect.page).cloned();
            match known {
                Some(body) => ("200 OK", body),
                None => return pass_on(request, stream, shared),
            }
        }
        Mood::Throttling => ("400 Bad Request", dialect.refusal("ThrottlingException")),
        Mood::Failing => ("500 Internal Server Error", dialect.refusal("InternalServiceError")),
        Mood::Denying => ("400 Bad Request", dialect.refusal("AccessDeniedException")),
        Mood::Garbage => ("200 OK", "<html>it works".to_owned()),
        Mood::Strange => ("200 OK", dialect.strange()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        dialect.content_type(),
        body.len()
    );
    Message { head, body: body.into_bytes() }.write(stream)
}

/// What is called, and in which form.
struct Dialect {
    operation: String,
    /// The operation, and which page of its answer.
    page: String,
    is_json: bool,
}

fn page(operation: &str, marker: &str) -> String {
    format!("{operation} from {marker}")
}

impl Dialect {
    fn of(request: &Message) -> Self {
        if let Some(target) = request.header("x-amz-target") {
            let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
            return Self { page: operation.clone(), operation, is_json: true };
        }
        let form = String::from_utf8_lossy(&request.body);
        let field = |name| form.split('&').find_map(|field| field.strip_prefix(name));
        let operation = field("Action=").unwrap_or_default().to_owned();
        let page = field("Marker=").map_or_else(|| operation.clone(), |at| page(&operation, at));
        Self { operation, page, is_json: false }
    }

    fn content_type(&self) -> &'static str {
        if self.is_json { "application/x-amz-json-1.1" } else { "text/xml" }
    }

    fn refusal(&self, code: &str) -> String {
        if self.is_json {
            return format!(r#"{{"__type":"{code}","message":"said the door"}}"#);
        }
        format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>\
             <Message>said the door</Message></Error><RequestId>1</RequestId></ErrorResponse>"
        )
    }

    fn strange(&self) -> String {
        if self.is_json {
            return r#"{"SecretString":"planted-in-garbage"}"#.to_owned();
        }
        let name = &self.operation;
        format!(
            "<{name}Response><{name}Result><Weather>fine</Weather></{name}Result></{name}Response>"
        )
    }
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
