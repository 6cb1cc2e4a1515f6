//! One direction of a connection.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::time::Instant;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep_until;

use super::Direction;
use super::edit::{Edited, Then};
use super::fault::Plan;
use super::flow::Line;
use super::mishap::Loss;
use super::shape::Way;

/// Why a direction ended other than by its sender's closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// Nothing more is to be forwarded in any direction.
    Off,
    /// The receiver is gone; what it sent before may still be read.
    Receiver,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Off
    }
}

/// Forwards as read, with no timer and no copy while nothing is wrong.
#[derive(Debug)]
pub(crate) struct Pump<'a> {
    pub(crate) from: &'a TcpStream,
    pub(crate) to: &'a TcpStream,
    pub(crate) direction: Direction,
    pub(crate) line: &'a Line,
    pub(crate) plan: watch::Receiver<Plan>,
    pub(crate) way: Way,
}

impl Pump<'_> {
    /// Forwards until the sender has closed its side, and closes the other one then.
    pub(crate) async fn run(mut self) -> Result<(), Broken> {
        let mut buffer = vec![0; 16 * 1024];
        let mut open = true;
        while open || !self.way.is_empty() {
            self.audible().await?;
            if self.is_half_closed() {
                break;
            }
            if !self.way.is_empty() && !self.plan.borrow().is_slow() {
                self.hurry().await?;
                continue;
            }
            let arrival = self.way.next_arrival();
            tokio::select! {
                biased;
                changed = self.plan.changed() => changed.map_err(|_| Broken::Off)?,
                () = due(arrival), if arrival.is_some() => self.arrive().await?,
                ready = self.from.readable(), if open && self.way.has_room() => {
                    ready?;
                    open = match self.read(&mut buffer)? {
                        Some(0) => false,
                        Some(length) => self.receive(&buffer[..length]).await? == Then::GoOn,
                        None => true,
                    };
                }
            }
        }
        self.audible().await?;
        // The receiver may have closed first.
        let _ = SockRef::from(self.to).shutdown(Shutdown::Write);
        Ok(())
    }

    /// What the sender has sent, if anything.
    fn read(&self, buffer: &mut [u8]) -> Result<Option<usize>, Broken> {
        match self.from.try_read(buffer) {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(_) => Err(Broken::Off),
        }
    }

    /// Deals with bytes of the sender.
    async fn receive(&mut self, bytes: &[u8]) -> Result<Then, Broken> {
        let forgotten = self.line.forgotten(Instant::now(), &self.plan.borrow());
        if let Some(loss) = forgotten {
            return self.lose(loss).await;
        }
        let edited = self.line.edit(self.direction, bytes);
        if edited.asks_for_tls {
            let answered = |plan: &Plan| !plan.stalls_tls();
            self.plan.wait_for(answered).await.map_err(|_| Broken::Off)?;
        }
        let Edited { bytes, then, shot, .. } = edited;
        if let Some(shot) = shot {
            // Told before the client can see it: who sees the error finds that it has happened.
            self.audible().await?;
            shot.done();
        }
        if self.way.is_empty() && !self.plan.borrow().is_slow() {
            self.write(&bytes).await?;
        } else {
            self.way.send(&bytes, Instant::now(), &self.plan.borrow());
        }
        if then != Then::GoOn {
            // What was sent before arrives before the end does.
            while let Some(arrival) = self.way.next_arrival() {
                due(Some(arrival)).await;
                self.arrive().await?;
            }
        }
        match then {
            Then::Lose(loss) => self.lose(loss).await,
            Then::GoOn | Then::Finish => Ok(then),
        }
    }

    async fn lose(&self, loss: Loss) -> Result<Then, Broken> {
        match loss {
            Loss::Reset => Err(Broken::Off),
            Loss::Silence => {
                self.line.silence();
                pending().await
            }
        }
    }

    /// Forwards the next bytes that are on their way.
    async fn arrive(&mut self) -> Result<(), Broken> {
        let part = self.way.take().unwrap_or_default();
        self.write(&part).await
    }

    /// Lets all that is on its way arrive at once.
    async fn hurry(&mut self) -> Result<(), Broken> {
        while !self.way.is_empty() {
            self.arrive().await?;
        }
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            // Also between two parts of a message: nothing passes once a fault is set.
            self.audible().await?;
            match self.to.try_write(bytes) {
                Ok(length) => {
                    self.line.shared.tally.forwarded(self.direction, length);
                    bytes = &bytes[length..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.to.writable().await?,
                Err(_) => return Err(Broken::Receiver),
            }
        }
        Ok(())
    }

    /// Waits while bytes of this direction are lost.
    async fn audible(&mut self) -> Result<(), Broken> {
        if self.line.is_silent() {
            pending::<()>().await;
        }
        let direction = self.direction;
        let passes = |plan: &Plan| !plan.silences(direction);
        self.plan.wait_for(passes).await.map(drop).map_err(|_| Broken::Off)
    }

    fn is_half_closed(&self) -> bool {
        self.direction == Direction::ToClient
            && self.plan.borrow().half_closes > self.line.half_closes
    }
}

async fn due(arrival: Option<Instant>) {
    if let Some(arrival) = arrival {
        sleep_until(arrival.into()).await;
    }
}
