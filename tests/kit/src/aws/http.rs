//! Just enough of HTTP/1.1: one request per connection, bodies of a known length.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No request and no answer here takes longer.
const LIMIT: Duration = Duration::from_secs(30);
/// No head or body here is longer.
const LONGEST: u64 = 1 << 20;

/// A request or an answer.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// The first line and the headers, each with its end of line.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut found = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.trim())
    }

    /// Reads one from a connection.
    pub(super) fn read(stream: &TcpStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(LIMIT))?;
        let mut reader = BufReader::new(stream).take(LONGEST);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let mut message = Self { head, body: Vec::new() };
        let length = message.header("content-length").and_then(|text| text.parse().ok());
        message.body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut message.body)?;
        Ok(message)
    }

    /// Writes it to a connection.
    pub(super) fn write(&self, mut stream: &TcpStream) -> io::Result<()> {
        stream.set_write_timeout(Some(LIMIT))?;
        stream.write_all(&[self.head.as_bytes(), &self.body].concat())
    }

    /// Sends a request and reads the answer.
    pub(super) fn ask(&self, address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        self.write(&stream)?;
        Self::read(&stream)
    }
}
