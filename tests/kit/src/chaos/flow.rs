//! One connection of a client, and the proxy's own one to the server.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::Direction;
use super::edit::{Edited, Editor};
use super::fault::Plan;
use super::mishap::Loss;
use super::proxy::Shared;
use super::pump::{Broken, Pump};
use super::shape::Way;
use crate::guarded;

/// The longest wait for the server to accept the proxy's connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The longest wait for the last words of a side that has closed.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What both directions of a connection know.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) shared: Arc<Shared>,
    /// Those of the plan when the connection began.
    resets: u64,
    pub(crate) half_closes: u64,
    silent: AtomicBool,
    editor: Mutex<Editor>,
    /// When something passed last.
    active: Mutex<Instant>,
}

impl Line {
    fn new(shared: Arc<Shared>, plan: &Plan, random: fastrand::Rng) -> Self {
        let editor = if shared.mysql { Editor::mysql(random) } else { Editor::new(random) };
        Self {
            shared,
            resets: plan.resets,
            half_closes: plan.half_closes,
            silent: AtomicBool::new(false),
            editor: Mutex::new(editor),
            active: Mutex::new(Instant::now()),
        }
    }

    /// Nothing passes any more.
    pub(crate) fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed)
    }

    /// Has the connection been forgotten while it was idle? Notes that it is not idle now.
    pub(crate) fn forgotten(&self, now: Instant, plan: &Plan) -> Option<Loss> {
        let idle = now.duration_since(std::mem::replace(&mut guarded(&self.active), now));
        plan.forgets(idle)
    }

    pub(crate) fn edit<'a>(&self, direction: Direction, bytes: &'a [u8]) -> Edited<'a> {
        let mut editor = guarded(&self.editor);
        if direction == Direction::ToServer {
            editor.request(bytes, &self.shared.arsenal)
        } else {
            editor.answer(bytes, &self.shared.arsenal)
        }
    }

    /// Ends when this connection is to be reset.
    async fn doomed(&self, mut plan: watch::Receiver<Plan>) {
        // An error means that the proxy is gone.
        let _ = plan.wait_for(|plan| plan.closed || plan.resets > self.resets).await;
    }
}

/// Serves a client until both sides have closed or one has broken off.
pub(crate) async fn serve(client: TcpStream, shared: Arc<Shared>) {
    let _open = shared.tally.accept();
    let plan = shared.plan.subscribe();
    let mut random = shared.random();
    let line = Line::new(shared, &plan.borrow(), random.fork());
    let server = tokio::select! {
        biased;
        () = line.doomed(plan.clone()) => None,
        server = reach(&client, &line.shared, plan.clone()) => server,
    };
    let Some(server) = server else { return reset(&client) };
    let broken = tokio::select! {
        biased;
        () = line.doomed(plan.clone()) => true,
        broken = converse(&client, &server, &line, plan.clone(), random) => broken,
    };
    if broken {
        reset(&client);
        reset(&server);
    }
}

/// Connects to the server, if it lets us.
async fn reach(
    client: &TcpStream,
    shared: &Shared,
    mut plan: watch::Receiver<Plan>,
) -> Option<TcpStream> {
    plan.wait_for(|plan| !plan.stalls_handshakes()).await.ok()?;
    let connect = timeout(CONNECT_LIMIT, connect(shared.target()));
    let server = connect.await.unwrap_or_else(|late| Err(late.into()));
    match server.and_then(|server| client.set_nodelay(true).map(|()| server)) {
        Ok(server) => Some(server),
        Err(_) => {
            audible(&mut plan).await;
            None
        }
    }
}

async fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // One that is given up in between is reset, too.
    SockRef::from(&socket).set_linger(Some(Duration::ZERO))?;
    let server = socket.connect(target).await?;
    SockRef::from(&server).set_linger(None)?;
    server.set_nodelay(true)?;
    Ok(server)
}

/// Forwards both ways; was the connection broken off by one side?
async fn converse(
    client: &TcpStream,
    server: &TcpStream,
    line: &Line,
    mut plan: watch::Receiver<Plan>,
    mut random: fastrand::Rng,
) -> bool {
    let mut pump = |from, to, direction| {
        let way = Way::new(Instant::now(), random.fork());
        Pump { from, to, direction, line, plan: plan.clone(), way }.run()
    };
    let mut up = pin!(pump(client, server, Direction::ToServer));
    let mut down = pin!(pump(server, client, Direction::ToClient));
    let end = tokio::select! {
        end = &mut up => rest(end, down).await,
        end = &mut down => rest(end, up).await,
    };
    if end.is_err() {
        audible(&mut plan).await;
    }
    end.is_err()
}

/// Goes on with the other direction, if that makes sense, when one has ended.
async fn rest(
    end: Result<(), Broken>,
    other: impl Future<Output = Result<(), Broken>>,
) -> Result<(), Broken> {
    match end {
        Ok(()) => other.await,
        // A server says why it ends a session, and closes: that is still to be read when a
        // request cannot be written any more.
        Err(Broken::Receiver) => timeout(LAST_WORDS, other).await.unwrap_or(end),
        Err(Broken::Off) => end,
    }
}

/// A reset is a packet too: it does not pass while packets are lost.
async fn audible(plan: &mut watch::Receiver<Plan>) {
    // An error means that the proxy is gone.
    let _ = plan.wait_for(|plan| !plan.silences_any()).await;
}

/// Makes the end of a connection a reset (`ECONNRESET`) instead of an orderly one.
fn reset(stream: &TcpStream) {
    // Fails on a connection that was reset already.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
