//! What client and server are talking about. Pure.
//!
//! Source: PostgreSQL documentation, "Message Flow" and "Message Formats". Every `Query`, every
//! `Sync`, and the startup is answered by exactly one `ReadyForQuery`, in that order.

mod mysql;

use std::collections::{HashMap, VecDeque};

use super::frame::{ENCRYPTION_ANSWER, Framer, Framing, HEADER, Mark, PACKET_HEADER, STARTUP};
use super::mishap::Aim;

const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Both directions of one connection, as far as they can be understood.
#[derive(Debug)]
pub(crate) struct Dialogue {
    client: Framer,
    server: Framer,
    /// The statement that is being prepared, whose number the server is about to tell (MySQL).
    preparing: Option<String>,
    application: String,
    /// The requests that are not answered yet; the last one may still grow.
    requests: VecDeque<Request>,
    /// The texts of prepared statements, by name.
    prepared: HashMap<String, String>,
}

/// What is answered with one `ReadyForQuery`.
#[derive(Debug, Default)]
struct Request {
    statements: Vec<String>,
    complete: bool,
}

/// What a client's message is to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Asks for TLS.
    SslRequest,
    /// Executes statements.
    Execution,
    Other,
}

impl Dialogue {
    pub(crate) fn new() -> Self {
        Self {
            client: Framer::new(Framing::Startup),
            server: Framer::new(Framing::Messages),
            preparing: None,
            application: String::new(),
            requests: VecDeque::new(),
            prepared: HashMap::new(),
        }
    }

    /// One with a server of MySQL or MariaDB.
    pub(crate) fn mysql() -> Self {
        let packets = || Framer::new(Framing::Packets);
        Self { client: packets(), server: packets(), ..Self::new() }
    }

    /// How many bytes come before the body of a message.
    pub(crate) fn header(&self) -> usize {
        if self.server.framing() == Framing::Packets { PACKET_HEADER } else { HEADER }
    }

    /// Whether the protocol is MySQL's.
    pub(crate) fn is_mysql(&self) -> bool {
        self.server.framing() == Framing::Packets
    }

    /// The end of the client's next message in `bytes`, and what it is.
    pub(crate) fn hear_client(&mut self, bytes: &[u8], at: &mut usize) -> Option<(usize, Kind)> {
        loop {
            let mark = self.client.next(bytes, at)?;
            // TLS from the first byte on.
            if self.client.framing() == Framing::Records
                && self.server.framing() == Framing::Messages
            {
                self.server.set(Framing::Records);
            }
            if let Mark::End { at, tag, body } = mark {
                return Some((at, self.asked(tag, &body)));
            }
        }
    }

    /// The next mark in what the server sends. Its answer about encryption is no message.
    pub(crate) fn hear_server(&mut self, bytes: &[u8], at: &mut usize) -> Option<Mark> {
        let mut mark = self.server.next(bytes, at)?;
        if self.server.framing() == Framing::EncryptionAnswer
            && let Mark::Header { .. } = mark
        {
            mark = self.server.next(bytes, at)?;
        }
        if self.is_mysql() {
            if let Mark::End { body, .. } = &mark {
                self.prepared(body);
            }
            return Some(mark);
        }
        if let Mark::End { tag: ENCRYPTION_ANSWER, body, .. } = &mark {
            let (client, server) = match body.as_slice() {
                b"S" => (Framing::Records, Framing::Records),
                b"N" => (Framing::Startup, Framing::Messages),
                _ => (Framing::Opaque, Framing::Opaque),
            };
            self.client.set(client);
            self.server.set(server);
        }
        Some(mark)
    }

    /// Is this the last message of an answer?
    pub(crate) fn ends_answer(&self, tag: u8, body: &[u8]) -> bool {
        match self.server.framing() {
            Framing::Packets => !mysql::has_more(body),
            Framing::Records => true,
            _ => tag == b'Z',
        }
    }

    /// The server is ready for the next request.
    pub(crate) fn answered(&mut self) {
        self.requests.pop_front();
    }

    /// Is the oldest unanswered request what is aimed at?
    pub(crate) fn answer_meets(&self, aim: &Aim) -> bool {
        self.meets(aim, self.requests.front())
    }

    /// Is the request that was heard last what is aimed at?
    pub(crate) fn request_meets(&self, aim: &Aim) -> bool {
        self.meets(aim, self.requests.back())
    }

    fn meets(&self, aim: &Aim, request: Option<&Request>) -> bool {
        let any = |wanted: &dyn Fn(&str) -> bool| {
            request.is_some_and(|request| request.statements.iter().any(|text| wanted(text)))
        };
        match aim {
            Aim::Any => true,
            Aim::Application(name) => self.application == *name,
            Aim::Statement(part) => any(&|text| text.contains(part.as_str())),
            Aim::Commit => any(&is_commit),
        }
    }

    fn asked(&mut self, tag: u8, body: &[u8]) -> Kind {
        match self.client.framing() {
            Framing::Records => return Kind::Other,
            Framing::Packets => return self.commanded(tag, body),
            _ => {}
        }
        match tag {
            STARTUP => return self.started(body),
            b'Q' => {
                self.request().statements.push(text(body));
                self.request().complete = true;
                return Kind::Execution;
            }
            b'P' => {
                let mut fields = body.split(|byte| *byte == 0).map(text);
                if let (Some(name), Some(statement)) = (fields.next(), fields.next()) {
                    self.prepared.insert(name, statement);
                }
            }
            b'B' => {
                let name = body.split(|byte| *byte == 0).nth(1).map(text).unwrap_or_default();
                let statement = self.prepared.get(&name).cloned();
                self.request().statements.extend(statement);
                return Kind::Execution;
            }
            b'C' if body.first() == Some(&b'S') => drop(self.prepared.remove(&text(&body[1..]))),
            b'S' | b'F' => self.request().complete = true,
            _ => {}
        }
        Kind::Other
    }

    /// The first message, or the first after a refused encryption.
    fn started(&mut self, body: &[u8]) -> Kind {
        let code = body.first_chunk().map(|code| u32::from_be_bytes(*code));
        match code {
            Some(SSL_REQUEST | GSS_REQUEST) => {
                self.server.set(Framing::EncryptionAnswer);
                if code == Some(SSL_REQUEST) {
                    return Kind::SslRequest;
                }
            }
            Some(CANCEL_REQUEST) | None => self.client.set(Framing::Opaque),
            Some(_) => {
                self.client.set(Framing::Messages);
                let fields: Vec<String> = body[4..].split(|byte| *byte == 0).map(text).collect();
                let named = |pair: &&[String]| pair[0] == "application_name";
                let name = fields.chunks_exact(2).find(named).map(|pair| pair[1].clone());
                self.application = name.unwrap_or_default();
                self.requests.push_back(Request { complete: true, ..Request::default() });
            }
        }
        Kind::Other
    }

    /// The request that the client is at.
    fn request(&mut self) -> &mut Request {
        if self.requests.back().is_none_or(|request| request.complete) {
            self.requests.push_back(Request::default());
        }
        let last = self.requests.len() - 1;
        &mut self.requests[last]
    }
}

/// Text up to the first zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

/// Does one of these statements commit? Words in literals may mislead it, in a test only.
fn is_commit(statements: &str) -> bool {
    statements.split(';').any(|statement| {
        let word = statement.split_whitespace().next().unwrap_or_default();
        word.eq_ignore_ascii_case("COMMIT") || word.eq_ignore_ascii_case("END")
    })
}
