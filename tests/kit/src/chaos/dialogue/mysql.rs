//! The same for the protocol of MySQL.
//!
//! Source: MySQL, "Client/Server Protocol", "Command Phase". A command is the packet of number 0, and
//! nothing more is asked before it is answered. Of an answer only its first packets are looked at: as
//! many as say that the results of other statements of the text follow.

use super::{Dialogue, Framing, Kind, Request, text};

const COM_QUIT: u8 = 0x01;
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_SEND_LONG_DATA: u8 = 0x18;
const COM_STMT_CLOSE: u8 = 0x19;
/// Results of other statements follow (`SERVER_MORE_RESULTS_EXISTS`).
const MORE: u8 = 0x08;
/// The client asks for TLS.
const CLIENT_SSL: u8 = 0x08;

impl Dialogue {
    /// A packet of the client.
    pub(super) fn commanded(&mut self, number: u8, body: &[u8]) -> Kind {
        if number == 1 && body.len() == 32 && body[1] & CLIENT_SSL != 0 {
            // What follows is encrypted, and not looked at.
            self.client.set(Framing::Opaque);
            self.server.set(Framing::Opaque);
            return Kind::SslRequest;
        }
        let (0, Some((command, rest))) = (number, body.split_first()) else { return Kind::Other };
        match *command {
            COM_QUIT | COM_STMT_SEND_LONG_DATA => Kind::Other,
            COM_STMT_CLOSE => {
                self.prepared.remove(&name(rest));
                Kind::Other
            }
            COM_QUERY => self.executes(Some(text(rest))),
            COM_STMT_EXECUTE => self.executes(self.prepared.get(&name(rest)).cloned()),
            other => {
                self.asks(Vec::new());
                self.preparing = (other == COM_STMT_PREPARE).then(|| text(rest));
                Kind::Other
            }
        }
    }

    fn executes(&mut self, statement: Option<String>) -> Kind {
        self.asks(statement.into_iter().collect());
        Kind::Execution
    }

    fn asks(&mut self, statements: Vec<String>) {
        self.preparing = None;
        self.requests.clear();
        self.requests.push_back(Request { statements, complete: true });
    }

    /// The server's answer to a statement that is to be prepared begins with its number.
    pub(super) fn prepared(&mut self, body: &[u8]) {
        let Some(statement) = self.preparing.take() else { return };
        if let Some((0x00, rest)) = body.split_first() {
            self.prepared.insert(name(rest), statement);
        }
    }
}

/// What a prepared statement is known by: four bytes.
fn name(bytes: &[u8]) -> String {
    format!("{:02x?}", bytes.get(..4).unwrap_or_default())
}

/// Whether a packet says that a statement was executed, and that others follow.
pub(super) fn has_more(body: &[u8]) -> bool {
    let Some((0x00, rest)) = body.split_first() else { return false };
    // Rows affected and the last identifier come before the status.
    let status = skip_number(rest).and_then(skip_number).and_then(<[u8]>::first);
    status.is_some_and(|status| status & MORE != 0)
}

/// What follows a number of one to nine bytes.
fn skip_number(bytes: &[u8]) -> Option<&[u8]> {
    let (first, rest) = bytes.split_first()?;
    match first {
        0xFC => rest.get(2..),
        0xFD => rest.get(3..),
        0xFE => rest.get(8..),
        _ => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ok_tells_whether_others_follow() {
        assert!(!has_more(&[0, 0, 0, 2, 0, 0, 0]));
        assert!(has_more(&[0, 0, 0, 0x0A, 0, 0, 0]));
        assert!(has_more(&[0, 0xFC, 1, 1, 0, 0x0A, 0, 0, 0]));
        assert!(!has_more(&[0xFF, 0, 0, 0x0A, 0, 0, 0]), "an error is the last");
        assert!(!has_more(&[]));
    }
}
