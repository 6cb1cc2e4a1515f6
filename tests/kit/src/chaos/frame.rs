//! Where messages begin and end in a stream of bytes. Pure.
//!
//! Source: PostgreSQL documentation, "Message Formats". A message is a type byte, a length that
//! counts itself, and a body; the first message of a client has no type byte. A TLS record is a
//! type byte, two bytes of version, and the length of what follows (RFC 8446, 5.1). A packet of MySQL
//! is three bytes of length, a number, and a body ("Client/Server Protocol", "MySQL Packets").

/// Bodies are looked at up to this length; a statement is known by its beginning.
const LOOKED_AT: usize = 16 * 1024;
/// The type byte given to the first message of a client, which has none.
pub(crate) const STARTUP: u8 = 0;
/// The type byte given to the server's one-byte answer to a request for encryption.
pub(crate) const ENCRYPTION_ANSWER: u8 = 1;
/// The record type of a TLS handshake: what a client that starts with TLS sends first.
const TLS_HANDSHAKE: u8 = 22;

/// How the stream is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Length and body.
    Startup,
    /// One byte.
    EncryptionAnswer,
    /// Type, length, body.
    Messages,
    /// Packets of MySQL: length, number, body. The number is taken for the type.
    Packets,
    /// TLS records.
    Records,
    /// Not known; nothing is found in it.
    Opaque,
}

/// A place in the bytes being looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A message whose header ends at `at` and is followed by a body of this length.
    Header { at: usize, body: usize },
    /// A message that ends at `at`.
    End { at: usize, tag: u8, body: Vec<u8> },
}

/// The length of the header of messages and of records.
pub(crate) const HEADER: usize = 5;
/// The length of the header of packets of MySQL.
pub(crate) const PACKET_HEADER: usize = 4;

/// Finds messages in what is forwarded as it comes, in pieces of any length.
#[derive(Debug)]
pub(crate) struct Framer {
    framing: Framing,
    header: Vec<u8>,
    body: Vec<u8>,
    /// The rest of the body, once the header is known.
    left: Option<usize>,
}

impl Framer {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, header: Vec::new(), body: Vec::new(), left: None }
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    /// From the next message on.
    pub(crate) fn set(&mut self, framing: Framing) {
        *self = Self::new(framing);
    }

    /// The next mark in `bytes` from `at` on, which moves forward; `None` at their end.
    pub(crate) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Option<Mark> {
        if self.left.is_none() {
            bytes.get(*at)?;
            while self.header.len() < self.header_length()? {
                self.header.push(*bytes.get(*at)?);
                *at += 1;
                self.recognise();
            }
            let Some(body) = self.body_length() else {
                self.set(Framing::Opaque);
                return None;
            };
            self.left = Some(body);
            return Some(Mark::Header { at: *at, body });
        }
        let left = self.left.unwrap_or_default();
        let here = left.min(bytes.len() - *at);
        let wanted = here.min(LOOKED_AT - self.body.len());
        self.body.extend_from_slice(&bytes[*at..*at + wanted]);
        *at += here;
        self.left = Some(left - here);
        if here < left {
            return None;
        }
        let tag = self.tag();
        self.left = None;
        self.header.clear();
        Some(Mark::End { at: *at, tag, body: std::mem::take(&mut self.body) })
    }

    /// A client may begin with TLS at once; no other first message begins with this byte.
    fn recognise(&mut self) {
        if self.framing == Framing::Startup && self.header == [TLS_HANDSHAKE] {
            self.framing = Framing::Records;
        }
    }

    fn header_length(&self) -> Option<usize> {
        match self.framing {
            Framing::Startup => Some(4),
            Framing::Packets => Some(PACKET_HEADER),
            Framing::EncryptionAnswer => Some(0),
            Framing::Messages | Framing::Records => Some(HEADER),
            Framing::Opaque => None,
        }
    }

    fn body_length(&self) -> Option<usize> {
        let long = |bytes: &[u8]| {
            let length = u32::from_be_bytes(bytes.try_into().ok()?);
            usize::try_from(length).ok()?.checked_sub(4)
        };
        match self.framing {
            Framing::Startup => long(&self.header),
            Framing::EncryptionAnswer => Some(1),
            Framing::Messages => long(&self.header[1..]),
            Framing::Packets => {
                let [a, b, c] = *self.header.first_chunk()?;
                usize::try_from(u32::from_le_bytes([a, b, c, 0])).ok()
            }
            Framing::Records => Some(u16::from_be_bytes([self.header[3], self.header[4]]).into()),
            Framing::Opaque => None,
        }
    }

    fn tag(&self) -> u8 {
        match self.framing {
            Framing::Startup => STARTUP,
            Framing::EncryptionAnswer => ENCRYPTION_ANSWER,
            Framing::Packets => self.header[PACKET_HEADER - 1],
            Framing::Messages | Framing::Records | Framing::Opaque => self.header[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &[u8] = b"Z\0\0\0\x05I";
    const BOUND: &[u8] = b"2\0\0\0\x04";

    /// All messages in the pieces: where they end in their piece, type and body.
    fn ends(framer: &mut Framer, pieces: &[&[u8]]) -> Vec<(usize, u8, Vec<u8>)> {
        let mut found = Vec::new();
        for piece in pieces {
            let mut at = 0;
            while let Some(mark) = framer.next(piece, &mut at) {
                if let Mark::End { at, tag, body } = mark {
                    found.push((at, tag, body));
                }
            }
        }
        found
    }

    #[test]
    fn messages_are_found_however_they_are_cut() {
        let bytes = [READY, BOUND, READY].concat();
        let mut framer = Framer::new(Framing::Messages);
        let expected = [(6, b'Z', b"I".to_vec()), (11, b'2', vec![]), (17, b'Z', b"I".to_vec())];
        assert_eq!(ends(&mut framer, &[&bytes]), expected);
        for cut in 0..bytes.len() {
            let (head, tail) = bytes.split_at(cut);
            let tags: Vec<u8> =
                ends(&mut framer, &[head, tail]).into_iter().map(|(_, tag, _)| tag).collect();
            assert_eq!(tags, [b'Z', b'2', b'Z'], "cut at {cut}");
        }
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(ends(&mut framer, &single).len(), 3);
    }

    #[test]
    fn a_header_is_told_before_its_body_is_there() {
        let mut framer = Framer::new(Framing::Messages);
        let mut at = 0;
        let head = b"D\0\0\0\x0eab";
        assert_eq!(framer.next(head, &mut at), Some(Mark::Header { at: 5, body: 10 }));
        assert_eq!(framer.next(head, &mut at), None);
        assert_eq!(at, 7);
    }

    #[test]
    fn a_startup_has_no_type_and_a_record_has_a_short_length() {
        let mut framer = Framer::new(Framing::Startup);
        let request = [0, 0, 0, 8, 4, 210, 22, 47];
        let expected = (8, STARTUP, vec![4, 210, 22, 47]);
        assert_eq!(ends(&mut framer, &[&request]), [expected]);
        let hello = [22, 3, 1, 0, 2, 7, 7, 23, 3, 3, 0, 1, 9];
        let found = ends(&mut framer, &[&hello]);
        assert_eq!(found, [(7, 22, vec![7, 7]), (13, 23, vec![9])]);
        assert_eq!(framer.framing(), Framing::Records);
    }

    #[test]
    fn nonsense_is_given_up() {
        let mut framer = Framer::new(Framing::Messages);
        assert_eq!(ends(&mut framer, &[&[255, 0, 0, 0, 1, 0, 0], READY]), []);
        assert_eq!(framer.framing(), Framing::Opaque);
    }

    #[test]
    fn long_bodies_are_not_kept_whole() {
        let mut bytes = vec![b'Q'];
        bytes.extend(u32::to_be_bytes(100_004));
        bytes.extend(vec![b'x'; 100_000]);
        bytes.extend(READY);
        let mut framer = Framer::new(Framing::Messages);
        let pieces: Vec<&[u8]> = bytes.chunks(999).collect();
        let found = ends(&mut framer, &pieces);
        assert_eq!((found[0].1, found[0].2.len()), (b'Q', LOOKED_AT));
        assert_eq!(found[1].1, b'Z');
    }
}
