//! How the log gets from the writer to the standbys, and from there to their readers.

use std::time::Duration;

use super::log::{Record, RecordId};
use super::queue::{Deed, Event};
use super::swarm::Kind;
use super::wire::Back;
use super::world::World;

impl World {
    /// Appends a record to a writer's log.
    pub(super) fn append(&mut self, server: usize, record: Record) -> usize {
        let id: RecordId = self.records.len();
        let is_aurora = self.swarm.kind == Kind::Aurora;
        let log = if is_aurora { &mut self.volume } else { &mut self.servers[server].log };
        let place = log.len();
        log.push(id);
        self.servers[server].replayed = place + 1;
        for write in &record.writes {
            self.writes[*write].records.push((id, place));
        }
        self.records.push(record);
        self.appended.push(self.now);
        self.feed(server);
        place + 1
    }

    /// Whether a standby receives the log of the server it follows.
    pub(super) fn streams(&self, to: usize) -> bool {
        let standby = &self.servers[to];
        let Some(from) = standby.follows else { return false };
        if !standby.is_up() || !self.servers[from].is_up() || !self.servers[from].writer {
            return false;
        }
        self.swarm.kind == Kind::Aurora || !self.links_cut[to]
    }

    /// Sends what is new in a server's log to those that follow it.
    pub(super) fn feed(&mut self, from: usize) {
        for to in 0..self.servers.len() {
            if self.servers[to].follows != Some(from) || !self.streams(to) {
                continue;
            }
            if self.swarm.kind == Kind::Aurora {
                self.replay_more(to);
            } else if !self.servers[to].streaming
                && self.servers[to].log.len() < self.servers[from].log.len()
            {
                self.servers[to].streaming = true;
                let at = self.now + self.jittered(self.swarm.replication_delay);
                self.queue.push(at, Event::Stream { to });
            }
        }
    }

    /// Everything that stood still may go on.
    pub(super) fn feed_all(&mut self) {
        for server in 0..self.servers.len() {
            if self.servers[server].writer {
                self.feed(server);
            }
            self.replay_more(server);
            self.acknowledge(server);
        }
    }

    /// A piece of the log arrives.
    pub(super) fn stream(&mut self, to: usize) {
        self.servers[to].streaming = false;
        let Some(from) = self.servers[to].follows.filter(|_| self.streams(to)) else { return };
        let length = self.servers[to].log.len();
        // Every record names the one before it: after a crash that lost what this one has already,
        // the rest does not fit.
        let fits = |last: usize| self.servers[from].log.get(last) == self.servers[to].log.get(last);
        if !length.checked_sub(1).is_none_or(fits) {
            return self.soon(Duration::from_millis(500), Deed::Rejoin { server: to });
        }
        let news = self.servers[from].log.get(length..).unwrap_or_default().to_vec();
        self.servers[to].log.extend(news);
        self.replay_more(to);
        self.acknowledge(to);
        self.feed(from);
    }

    /// A standby tells the server it follows how much it has.
    fn acknowledge(&mut self, by: usize) {
        let Some(from) = self.servers[by].follows.filter(|_| self.streams(by)) else { return };
        let (length, run) = (self.servers[by].log.len(), self.servers[from].run);
        let at = self.now + self.jittered(self.swarm.replication_delay);
        self.queue.push(at, Event::Acknowledged { by, run, length });
    }

    /// The word of a standby arrives: commits that waited for it are done.
    pub(super) fn acknowledged(&mut self, by: usize, run: u64, length: usize) {
        let Some(from) = self.servers[by].follows else { return };
        if self.servers[from].run != run || !self.streams(by) {
            return;
        }
        let writer = &mut self.servers[from];
        writer.acknowledged = writer.acknowledged.max(length);
        let known = writer.acknowledged;
        let (done, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut writer.waiting).into_iter().partition(|w| w.length <= known);
        writer.waiting = kept;
        for commit in done {
            self.promised[from] = self.promised[from].max(commit.length);
            let back = Back::Reply { token: commit.token, result: Ok(()) };
            self.send_back(commit.connection, back);
        }
    }

    /// A server replays what it has received.
    pub(super) fn replay_more(&mut self, on: usize) {
        let upto = self.log(on).len();
        let server = &mut self.servers[on];
        if server.writer || server.replaying || server.replay_paused || !server.is_up() {
            return;
        }
        if server.replayed < upto {
            server.replaying = true;
            let at = self.now + self.jittered(self.swarm.replay_delay);
            self.queue.push(at, Event::Replay { on, upto });
        }
    }

    pub(super) fn replay(&mut self, on: usize, upto: usize) {
        let length = self.log(on).len();
        let server = &mut self.servers[on];
        server.replaying = false;
        if server.writer || server.replay_paused || !server.is_up() {
            return;
        }
        server.replayed = server.replayed.max(upto.min(length));
        self.replay_more(on);
    }
}
