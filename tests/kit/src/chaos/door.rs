//! Where clients connect: it accepts, refuses, or does not answer.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;

use super::fault::Greeting;
use crate::guarded;

/// Connects that may wait to be accepted while all is well.
const BACKLOG: i32 = 1024;
/// A connect over the loopback interface that takes longer was not answered.
const UNANSWERED: Duration = Duration::from_millis(20);
/// A queue that was told to hold nothing holds one connection (Linux, `sk_acceptq_is_full`).
const MOST_FILLERS: usize = 8;

/// The listening socket of a proxy.
///
/// A connect that must not be answered needs no privileges on Linux: the kernel drops requests
/// to connect, unanswered, while the queue of connections that wait to be accepted is full. So
/// the queue is shrunk to nothing and filled with connections of our own.
#[derive(Debug)]
pub(crate) struct Door {
    address: SocketAddr,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    listener: Option<TcpListener>,
    accepting: bool,
    closed: bool,
    /// By their own address, as the accepting side sees it.
    fillers: HashMap<SocketAddr, Socket>,
    waiting: Option<Waker>,
}

impl Door {
    pub(crate) fn open(address: SocketAddr, handle: &Handle) -> io::Result<Self> {
        let listener = listen(address, BACKLOG, handle)?;
        let address = listener.local_addr()?;
        let state = State { listener: Some(listener), accepting: true, ..State::default() };
        Ok(Self { address, state: Mutex::new(state) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on new connects meet this. Takes 20 ms at most. One call at a time.
    pub(crate) fn greet(&self, greeting: Greeting, handle: &Handle) -> io::Result<()> {
        match greeting {
            Greeting::Accept => self.listen(BACKLOG, true, handle),
            Greeting::Ignore => {
                self.listen(0, false, handle)?;
                self.fill()
            }
            Greeting::Refuse => {
                let mut state = guarded(&self.state);
                state.listener = None;
                state.fillers.clear();
                Ok(())
            }
        }
    }

    /// The next client, or `None` when the door was closed for good.
    pub(crate) async fn accept(&self) -> Option<io::Result<TcpStream>> {
        poll_fn(|context| self.poll_accept(context)).await
    }

    /// Refuses all connects, for good.
    pub(crate) fn close(&self) {
        let mut state = guarded(&self.state);
        *state = State { closed: true, waiting: state.waiting.take(), ..State::default() };
        state.wake();
    }

    /// Under the lock, so that nothing is taken from the queue once that is to be full.
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<Option<io::Result<TcpStream>>> {
        let mut state = guarded(&self.state);
        if state.closed {
            return Poll::Ready(None);
        }
        while let Some(listener) = state.listener.as_ref().filter(|_| state.accepting) {
            match listener.poll_accept(context) {
                Poll::Ready(Ok((stream, peer))) => {
                    if state.fillers.remove(&peer).is_none() {
                        return Poll::Ready(Some(Ok(stream)));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Some(Err(error))),
                Poll::Pending => break,
            }
        }
        state.waiting = Some(context.waker().clone());
        Poll::Pending
    }

    fn listen(&self, backlog: i32, accepting: bool, handle: &Handle) -> io::Result<()> {
        let mut state = guarded(&self.state);
        if state.closed {
            return Ok(());
        }
        match &state.listener {
            // Listening again changes the length of the queue (Linux, `inet_listen`).
            Some(listener) => SockRef::from(listener).listen(backlog)?,
            None => state.listener = Some(listen(self.address, backlog, handle)?),
        }
        state.accepting = accepting;
        state.wake();
        Ok(())
    }

    /// Connects until a connect is not answered.
    fn fill(&self) -> io::Result<()> {
        for _ in 0..MOST_FILLERS {
            let filler = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
            if filler.connect_timeout(&self.address.into(), UNANSWERED).is_err() {
                return Ok(());
            }
            // Gone without a trace when it is dropped.
            filler.set_linger(Some(Duration::ZERO))?;
            if let Some(own) = filler.local_addr()?.as_socket() {
                guarded(&self.state).fillers.insert(own, filler);
            }
        }
        Err(io::Error::other("the kernel goes on answering connects"))
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

fn listen(address: SocketAddr, backlog: i32, handle: &Handle) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of before may still be open when it listens again.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    let _runtime = handle.enter();
    TcpListener::from_std(socket.into())
}
