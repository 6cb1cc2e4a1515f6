//! What lets a server of MariaDB answer in Aurora's words: a front reads what its clients send, and
//! puts what Aurora would say in the place of Aurora's own views and variables. The server answers
//! then. Everything else passes untouched.
//!
//! Source: MySQL, "Client/Server Protocol": a packet is three bytes of length, a number, and a body;
//! a command is the packet of number 0, and begins with its kind. Behind TLS nothing is understood,
//! and nothing changed.

mod rewrite;
mod volume;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) use self::volume::{Row, Volume};
use crate::chaos::Reactor;

/// A statement, and one to be prepared.
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
/// A packet of this length goes on in the next one.
const LONGEST: usize = 0xff_ffff;
/// Pause after a connection that could not be accepted.
const PAUSE: Duration = Duration::from_millis(2);

/// One front; it listens until it is dropped.
#[derive(Debug)]
pub(super) struct Front {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// What the connections of a front know.
#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    name: String,
    volume: Arc<Volume>,
}

impl Front {
    /// Listens at any free port of the server's address.
    pub(super) fn start(
        reactor: &Reactor,
        server: SocketAddr,
        name: &str,
        volume: Arc<Volume>,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((server.ip(), 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let _runtime = reactor.handle().enter();
        let listener = TcpListener::from_std(listener)?;
        let shared = Arc::new(Shared { server, name: name.to_owned(), volume });
        let accepting = reactor.handle().spawn(accept(listener, shared));
        Ok(Self { address, accepting })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(serve(client, Arc::clone(&shared)))),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Serves a client until one side has closed, and ends the other as that one ended.
async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let reset = |stream: &TcpStream| {
        // What is dropped then is reset. Fails on a connection that was reset already.
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    };
    let Ok(server) = TcpStream::connect(shared.server).await else { return reset(&client) };
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let ended = converse(client, server, &shared).await;
    if let Err((client, server)) = ended {
        reset(&client);
        reset(&server);
    }
}

/// Both directions until one has ended; the streams come back when it was broken off.
async fn converse(
    client: TcpStream,
    server: TcpStream,
    shared: &Shared,
) -> Result<(), (TcpStream, TcpStream)> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let ended = tokio::select! {
        ended = requests(&mut from_client, &mut to_server, shared) => ended,
        ended = tokio::io::copy(&mut from_server, &mut to_client) => ended.map(drop),
    };
    match ended {
        Ok(()) => Ok(()),
        Err(_) => match (from_client.reunite(to_client), from_server.reunite(to_server)) {
            (Ok(client), Ok(server)) => Err((client, server)),
            // Halves of one stream always fit.
            _ => Ok(()),
        },
    }
}

/// Forwards packets of the client, with what Aurora would say.
async fn requests(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    shared: &Shared,
) -> io::Result<()> {
    let mut continues = false;
    loop {
        let mut header = [0; 4];
        match from.read_exact(&mut header).await {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        let [a, b, c, number] = header;
        let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
        let mut body = vec![0; length];
        from.read_exact(&mut body).await?;
        if is_tls(&body, number) {
            to.write_all(&[&header[..], &body].concat()).await?;
            return tokio::io::copy(from, to).await.map(drop);
        }
        let is_whole = !continues && length < LONGEST;
        continues = length == LONGEST;
        if is_whole && number == 0 && matches!(body.first(), Some(&(COM_QUERY | COM_STMT_PREPARE)))
        {
            body = shared.rewritten(body);
        }
        let bytes = u32::try_from(body.len()).map_err(io::Error::other)?.to_le_bytes();
        let header = [bytes[0], bytes[1], bytes[2], number];
        to.write_all(&[&header[..], &body].concat()).await?;
    }
}

/// The client's first packet, cut off after its fixed part, asks for TLS.
fn is_tls(body: &[u8], number: u8) -> bool {
    const CLIENT_SSL: u8 = 0x08;
    number == 1 && body.len() == 32 && body[1] & CLIENT_SSL != 0
}

impl Shared {
    fn rewritten(&self, body: Vec<u8>) -> Vec<u8> {
        let Some((kind, text)) = body.split_first() else { return body };
        let Ok(text) = std::str::from_utf8(text) else { return body };
        let changed = rewrite::rewrite(text, &self.name, || self.volume.table(&self.name));
        match changed.filter(|changed| changed.len() < LONGEST - 1) {
            Some(changed) => [&[*kind], changed.as_bytes()].concat(),
            None => body,
        }
    }
}
