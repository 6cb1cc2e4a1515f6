//! A connection that shows what drivers hide: command tags and the state of the transaction.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};

/// How long one answer may take; servers are told to give up earlier.
const LIMIT: Duration = Duration::from_secs(150);
/// More rows than this are not kept.
const ROWS: usize = 1000;

/// Where and as whom to connect.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) database: String,
    /// Settings of the session: name and value.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// An error of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) code: String,
    pub(crate) message: String,
    /// Where it happened: functions called, and what they ran.
    pub(crate) context: String,
}

/// The answer to one text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// The tags of the commands that succeeded, without row counts.
    pub(crate) tags: Vec<String>,
    pub(crate) error: Option<ServerError>,
    /// What the server had to say beside.
    pub(crate) warnings: Vec<String>,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Option<String>>>,
    /// `I` idle, `T` in a transaction, `E` in a failed one.
    pub(crate) status: u8,
}

impl Answer {
    /// The value in the first row and this column; empty for NULL and what is not there.
    pub(crate) fn value(&self, column: usize) -> &str {
        self.rows.first().and_then(|row| row.get(column)?.as_deref()).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> Option<&str> {
        self.error.as_ref().map(|error| error.code.as_str())
    }
}

/// One connection in the simple query protocol.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

struct Message {
    kind: u8,
    body: Vec<u8>,
}

impl Wire {
    /// Connects and waits until the server is ready.
    pub(crate) fn connect(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&target.address, Duration::from_secs(10))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        let mut wire = Self { stream: BufReader::new(stream) };
        let mut body = 196_608_u32.to_be_bytes().to_vec();
        let mut pairs = vec![("user", target.user.clone()), ("database", target.database.clone())];
        pairs.extend(target.settings.iter().cloned());
        for (name, value) in pairs {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        wire.write(None, &body)?;
        wire.authenticate()?;
        let answer = wire.answer(|| None)?;
        match answer.error {
            Some(error) => Err(io::Error::other(format!("{}: {}", error.code, error.message))),
            None => Ok(wire),
        }
    }

    fn authenticate(&mut self) -> io::Result<()> {
        let mut scram =
            ScramSha256::new(test_kit::PASSWORD.as_bytes(), ChannelBinding::unsupported());
        loop {
            let message = self.read()?;
            if message.kind == b'E' {
                let error = server_error(&message.body);
                return Err(io::Error::other(format!("{}: {}", error.code, error.message)));
            }
            let Some((code, data)) = message.body.split_first_chunk::<4>() else {
                return Err(io::Error::other("a short authentication message"));
            };
            match u32::from_be_bytes(*code) {
                0 => return Ok(()),
                10 => {
                    let first = scram.message();
                    let mut body = format!("{SCRAM_SHA_256}\0").into_bytes();
                    body.extend_from_slice(&(first.len() as u32).to_be_bytes());
                    body.extend_from_slice(first);
                    self.write(Some(b'p'), &body)?;
                }
                11 => {
                    scram.update(data)?;
                    let body = scram.message().to_vec();
                    self.write(Some(b'p'), &body)?;
                }
                12 => scram.finish(data)?,
                other => {
                    return Err(io::Error::other(format!("authentication {other} is not known")));
                }
            }
        }
    }

    /// Sends a text and reads the whole answer; a `COPY … FROM STDIN` fails.
    pub(crate) fn query(&mut self, sql: &str) -> io::Result<Answer> {
        self.query_with(sql, || None)
    }

    /// As [`Self::query`], with data for each `COPY … FROM STDIN`.
    pub(crate) fn query_with(
        &mut self,
        sql: &str,
        data: impl FnMut() -> Option<String>,
    ) -> io::Result<Answer> {
        let mut body = sql.as_bytes().to_vec();
        body.push(0);
        self.write(Some(b'Q'), &body)?;
        self.answer(data)
    }

    fn answer(&mut self, mut data: impl FnMut() -> Option<String>) -> io::Result<Answer> {
        let mut answer = Answer::default();
        loop {
            let message = self.read()?;
            match message.kind {
                b'C' => answer.tags.push(tag(&message.body)),
                b'E' => {
                    answer.error = Some(server_error(&message.body));
                    // After a fatal error the server says no more.
                    if message.body.starts_with(b"SFATAL\0") {
                        return Ok(answer);
                    }
                }
                b'N' => answer.warnings.push(server_error(&message.body).message),
                b'T' => {
                    answer.columns = columns(&message.body);
                    answer.rows.clear();
                }
                b'D' if answer.rows.len() < ROWS => answer.rows.push(row(&message.body)),
                b'G' => match data() {
                    Some(data) => {
                        self.write(Some(b'd'), data.as_bytes())?;
                        self.write(Some(b'c'), &[])?;
                    }
                    None => self.write(Some(b'f'), b"no data\0")?,
                },
                b'Z' => {
                    answer.status = message.body.first().copied().unwrap_or(b'I');
                    return Ok(answer);
                }
                _ => {}
            }
        }
    }

    fn read(&mut self) -> io::Result<Message> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length.saturating_sub(4)];
        self.stream.read_exact(&mut body)?;
        Ok(Message { kind: head[0], body })
    }

    fn write(&mut self, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        message.extend_from_slice(body);
        self.stream.get_mut().write_all(&message)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(b"\0").unwrap_or(bytes)).into_owned()
}

/// `INSERT 0 5` → `INSERT`.
fn tag(body: &[u8]) -> String {
    let text = text(body);
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit() || c == ' ');
    name.to_owned()
}

fn server_error(body: &[u8]) -> ServerError {
    let mut error =
        ServerError { code: String::new(), message: String::new(), context: String::new() };
    for field in body.split(|&byte| byte == 0) {
        let Some((&name, value)) = field.split_first() else { continue };
        match name {
            b'C' => error.code = text(value),
            b'M' => error.message = text(value),
            b'W' => error.context = text(value),
            _ => {}
        }
    }
    error
}

/// The names of a `RowDescription`: a count, then each name and 18 bytes about its type.
fn columns(body: &[u8]) -> Vec<String> {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut names = Vec::new();
    while let Some(end) = rest.iter().position(|&byte| byte == 0) {
        names.push(text(&rest[..end]));
        rest = rest.get(end + 19..).unwrap_or_default();
    }
    names
}

/// The values of a `DataRow`: a count, then each length and value; the length of NULL is -1.
fn row(body: &[u8]) -> Vec<Option<String>> {
    let mut rest = body.get(2..).unwrap_or_default();
    let mut values = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).ok();
        values.push(length.and_then(|length| after.get(..length)).map(text));
        rest = after.get(length.unwrap_or(0)..).unwrap_or_default();
    }
    values
}
