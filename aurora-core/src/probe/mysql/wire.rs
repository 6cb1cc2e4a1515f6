//! Packets over a socket.
//!
//! Source: MySQL, "Client/Server Protocol", "MySQL Packets".

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::engine::FailureKind;
use crate::probe::Failure;

/// What is longer is no answer to a question of ours.
const LONGEST: usize = 16 * 1024 * 1024;
/// A packet of this length goes on in the next one.
const FULL: usize = 0xFF_FFFF;

const DOING: &str = "connection";

/// A connection, encrypted or not.
pub(super) trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// A sequence of packets in both directions.
pub(super) struct Wire {
    socket: Box<dyn Socket>,
    /// The number of the next packet.
    next: u8,
}

impl Wire {
    pub(super) fn new(socket: impl Socket + 'static, next: u8) -> Self {
        Self { socket: Box::new(socket), next }
    }

    /// Begins a new exchange.
    pub(super) fn begin(&mut self) {
        self.next = 0;
    }

    /// Reads one packet; one that says that something went wrong is a failure.
    pub(super) async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        let packet = read_packet(&mut self.socket, &mut self.next).await?;
        match packet.first() {
            Some(0xFF) => Err(refusal(&packet)),
            _ => Ok(packet),
        }
    }

    /// Sends one packet.
    pub(super) async fn write(&mut self, payload: &[u8]) -> Result<(), Failure> {
        write_packet(&mut self.socket, &mut self.next, payload).await
    }

    /// Waits for what comes unasked: the end, perhaps with its reason.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was read is the end.
    pub(super) async fn farewell(&mut self) -> String {
        let mut said = [0; 512];
        match self.socket.read(&mut said).await {
            Ok(0) => "the server closed the connection".to_owned(),
            Ok(length) => match said.get(4..length) {
                Some(packet) if packet.first() == Some(&0xFF) => {
                    refusal(packet).message().to_owned()
                }
                Some(_) | None => "the server said what it was not asked".to_owned(),
            },
            Err(error) => Failure::of_socket(&error, DOING).message().to_owned(),
        }
    }
}

/// Reads one packet of the sequence.
pub(super) async fn read_packet(
    socket: &mut (impl AsyncRead + Unpin),
    next: &mut u8,
) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::of_socket(&error, DOING);
    let mut packet = Vec::new();
    loop {
        let mut header = [0; 4];
        socket.read_exact(&mut header).await.map_err(failed)?;
        let [low, middle, high, number] = header;
        if number != *next {
            return Err(nonsense("a packet out of its order"));
        }
        *next = next.wrapping_add(1);
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let before = packet.len();
        if before + length > LONGEST {
            return Err(nonsense("an answer without end"));
        }
        packet.resize(before + length, 0);
        socket.read_exact(&mut packet[before..]).await.map_err(failed)?;
        if length < FULL {
            return Ok(packet);
        }
    }
}

/// Sends one packet of the sequence.
pub(super) async fn write_packet(
    socket: &mut (impl AsyncWrite + Unpin),
    next: &mut u8,
    payload: &[u8],
) -> Result<(), Failure> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length < FULL as u32);
    let Some(length) = length else { return Err(nonsense("a question without end")) };
    let [low, middle, high, _] = length.to_le_bytes();
    let mut packet = vec![low, middle, high, *next];
    packet.extend_from_slice(payload);
    *next = next.wrapping_add(1);
    let failed = |error| Failure::of_socket(&error, DOING);
    socket.write_all(&packet).await.map_err(failed)?;
    socket.flush().await.map_err(failed)
}

/// What a packet says that begins with 0xFF. Before the login there may be no SQLSTATE in it.
pub(super) fn refusal(packet: &[u8]) -> Failure {
    let [_, low, high, rest @ ..] = packet else { return nonsense("an error without a number") };
    let (state, message) = match rest {
        [b'#', state @ ..] => state.split_at_checked(5).unwrap_or((b"HY000", state)),
        message => (b"HY000".as_slice(), message),
    };
    let number = u16::from_le_bytes([*low, *high]);
    Failure::of_mysql(number, &String::from_utf8_lossy(state), &String::from_utf8_lossy(message))
}

/// What no server of MySQL says.
pub(super) fn nonsense(what: &str) -> Failure {
    let message = format!("it does not speak the protocol of MySQL: {what}");
    Failure::new(FailureKind::Other, message)
}
