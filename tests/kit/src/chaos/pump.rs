//! One direction of a connection.

use std::io::{self, ErrorKind};
use std::net::Shutdown;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Direction;
use super::fault::Plan;
use super::stats::Tally;

/// One side reset the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broken;

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// Forwards as read, with no timer and no copy while nothing is wrong.
#[derive(Debug)]
pub(crate) struct Pump<'a> {
    pub(crate) from: &'a TcpStream,
    pub(crate) to: &'a TcpStream,
    pub(crate) way: Direction,
    pub(crate) tally: &'a Tally,
    pub(crate) plan: watch::Receiver<Plan>,
}

impl Pump<'_> {
    /// Forwards until the sender has closed its side, and closes the other one then.
    pub(crate) async fn run(mut self) -> Result<(), Broken> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            self.audible().await?;
            tokio::select! {
                biased;
                changed = self.plan.changed() => changed.map_err(|_| Broken)?,
                ready = self.from.readable() => {
                    ready?;
                    match self.from.try_read(&mut buffer) {
                        Ok(0) => break,
                        Ok(length) => self.write(&buffer[..length]).await?,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(_) => return Err(Broken),
                    }
                }
            }
        }
        self.audible().await?;
        // The receiver may have closed first.
        let _ = SockRef::from(self.to).shutdown(Shutdown::Write);
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            // Also between two parts of a message: nothing passes once a fault is set.
            self.audible().await?;
            match self.to.try_write(bytes) {
                Ok(length) => {
                    self.tally.forwarded(self.way, length);
                    bytes = &bytes[length..];
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.to.writable().await?,
                Err(_) => return Err(Broken),
            }
        }
        Ok(())
    }

    /// Waits while bytes of this direction are lost.
    async fn audible(&mut self) -> Result<(), Broken> {
        let way = self.way;
        let passes = |plan: &Plan| !plan.silences(way);
        self.plan.wait_for(passes).await.map(drop).map_err(|_| Broken)
    }
}
