//! The operator of the cluster: promotes, restarts, repoints, rejoins, and mends what was broken.

use std::sync::Arc;
use std::time::Duration;

use super::log::Record;
use super::network::Names;
use super::queue::{Deed, Event};
use super::server::State;
use super::swarm::Kind;
use super::world::World;
use crate::engine::Input;

impl World {
    pub(super) fn operate(&mut self, deed: Deed) {
        match deed {
            Deed::BringOnline => self.bring_online(),
            Deed::Endpoint => self.endpoint = self.rightful,
            Deed::Learn { server } => self.servers[server].knows_writer = self.rightful,
            Deed::Mend { server } => self.mend(server),
            Deed::MendNames => self.names = Names::Fine,
            Deed::Promote { fence, patience } => self.promote(fence, patience),
            Deed::Rejoin { server } => self.rejoin(server),
            Deed::Repoint { server } => self.repoint(server),
            Deed::Resume { server } => self.resume(server),
            Deed::Start { server } => self.start(server),
            Deed::Started { server } => self.started(server),
        }
    }

    pub(super) fn soon(&mut self, within: Duration, deed: Deed) {
        let at = self.now + self.jittered(within);
        self.queue.push(at, Event::Operate(deed));
    }

    fn mend(&mut self, server: usize) {
        let path = &mut self.paths[server];
        (path.to_cut, path.back_cut, path.delay) = (false, false, self.swarm.latency);
        self.links_cut[server] = false;
        self.feed_all();
    }

    /// Brings everybody back into use. The operator sees whom there is, and who of those he took out
    /// of use is missing still, as after the engine was replaced: he looks again later.
    fn bring_online(&mut self) {
        let topology = Arc::clone(&self.published);
        for instance in topology.instances() {
            self.fact(Input::SetOnline { instance: instance.id().clone(), online: true });
        }
        self.taken_offline.retain(|id| topology.instance(id).is_none());
        if !self.taken_offline.is_empty() {
            self.soon(Duration::from_millis(300), Deed::BringOnline);
        }
    }

    /// Whether a standby has everything that the writer has promised to keep.
    fn has_promised(&self, server: usize) -> bool {
        let promised = self.promised[self.rightful];
        let (theirs, ours) = (self.log(server), self.log(self.rightful));
        promised == 0 || theirs.get(promised - 1) == ours.get(promised - 1)
    }

    fn candidate(&self) -> Option<usize> {
        let fits = |server: &usize| {
            let standby = &self.servers[*server];
            let kept = self.swarm.kind != Kind::Synchronous || self.has_promised(*server);
            *server != self.rightful && standby.is_up() && !standby.writer && kept
        };
        (0..self.servers.len()).filter(fits).max_by_key(|server| self.log(*server).len())
    }

    fn promote(&mut self, fence: bool, patience: u32) {
        if self.is_healing {
            return;
        }
        let old = self.rightful;
        if fence && !matches!(self.servers[old].state, State::Down | State::Gone) {
            self.crash(old, State::Down);
        }
        if fence {
            self.servers[old].writer = false;
            self.servers[old].follows = None;
        }
        let Some(new) = self.candidate() else {
            if patience > 0 {
                let deed = Deed::Promote { fence, patience: patience - 1 };
                return self.soon(Duration::from_millis(200), deed);
            }
            // It has to be the old one.
            self.servers[old].writer = true;
            return self.start(old);
        };
        self.crown(new);
        for server in 0..self.servers.len() {
            if server != new && server != old {
                match self.swarm.kind {
                    Kind::Asynchronous => {
                        self.soon(Duration::from_millis(300), Deed::Repoint { server });
                    }
                    Kind::Aurora | Kind::Synchronous => self.repoint(server),
                }
            }
        }
        let rejoins = Duration::from_millis(self.rng.u64(300..6000));
        self.soon(rejoins, Deed::Rejoin { server: old });
    }

    fn crown(&mut self, new: usize) {
        self.trace.tell(self.now, || format!("operator promotes {}", self.servers[new].name));
        self.failovers += 1;
        self.timeline += 1;
        self.rightful = new;
        let length = self.log(new).len();
        // What earlier writers have promised is in it.
        self.promised[new] = length;
        let me = &mut self.servers[new];
        (me.writer, me.follows, me.timeline) = (true, None, self.timeline);
        (me.replayed, me.acknowledged, me.replay_paused) = (length, 0, false);
        self.append(new, Record::default());
        for server in 0..self.servers.len() {
            let within = if server == new { 50 } else { 700 };
            self.soon(Duration::from_millis(within), Deed::Learn { server });
        }
        self.soon(Duration::from_millis(2000), Deed::Endpoint);
    }

    /// How much two logs have in common.
    fn common(&self, one: usize, other: usize) -> usize {
        let pairs = self.log(one).iter().zip(self.log(other));
        pairs.take_while(|(a, b)| a == b).count()
    }

    fn repoint(&mut self, server: usize) {
        let rightful = self.rightful;
        if server == rightful || self.servers[server].writer {
            return;
        }
        if self.common(server, rightful) < self.log(server).len() {
            if self.swarm.kind == Kind::Synchronous {
                // An old writer that is still there must hear from nobody that its commits are kept.
                self.servers[server].follows = None;
            }
            return self.soon(Duration::from_millis(500), Deed::Rejoin { server });
        }
        self.servers[server].follows = Some(rightful);
        self.feed_all();
    }

    fn rejoin(&mut self, server: usize) {
        let rightful = self.rightful;
        if server == rightful {
            return;
        }
        if matches!(self.servers[server].state, State::Up | State::Hung | State::Starting) {
            self.crash(server, State::Down);
        }
        let common = self.common(server, rightful);
        let is_aurora = self.swarm.kind == Kind::Aurora;
        let me = &mut self.servers[server];
        if !is_aurora {
            me.log.truncate(common);
            me.replayed = me.replayed.min(common);
        }
        (me.writer, me.follows) = (false, Some(rightful));
        (self.promised[server], self.servers[server].acknowledged) = (0, 0);
        self.start(server);
    }

    fn resume(&mut self, server: usize) {
        let me = &mut self.servers[server];
        (me.replay_paused, me.lie, me.clock) = (false, None, 0);
        me.max_connections = self.swarm.max_connections;
        if me.state == State::Hung {
            me.state = State::Up;
            let (stalled, backlog) =
                (std::mem::take(&mut me.stalled), std::mem::take(&mut me.backlog));
            for (id, token, work) in stalled {
                self.execute(id, token, work);
            }
            for (id, sent) in backlog {
                // Serving one may have ended it.
                self.arrived(id, sent, 0);
            }
        }
        self.feed_all();
    }

    fn start(&mut self, server: usize) {
        self.runs += 1;
        let run = self.runs;
        let keeps = self.longest_follower(server);
        let unflushed = self.rng.usize(..4);
        let (kind, rightful) = (self.swarm.kind, self.rightful);
        let me = &mut self.servers[server];
        if !matches!(me.state, State::Down | State::Gone) {
            return;
        }
        (me.state, me.run, me.process) = (State::Starting, run, Arc::from(format!("run {run}")));
        (me.streaming, me.replaying) = (false, false);
        if kind == Kind::Aurora {
            // The storage knows who is the writer.
            me.writer = server == rightful;
        }
        if kind == Kind::Asynchronous && me.writer {
            // What was not flushed is gone, but for what standbys have: only that is sent to them.
            // One that has still to be rewound may have more.
            let length = me.log.len().saturating_sub(unflushed).max(keeps.min(me.log.len()));
            let lost = me.log.split_off(length);
            me.replayed = me.log.len();
            self.tokens.lose(&lost);
        }
        self.soon(Duration::from_millis(200), Deed::Started { server });
    }

    fn longest_follower(&self, server: usize) -> usize {
        let followers = self.servers.iter().filter(|other| other.follows == Some(server));
        followers.map(|other| other.log.len()).max().unwrap_or_default()
    }

    fn started(&mut self, server: usize) {
        if self.servers[server].state != State::Starting {
            return;
        }
        self.servers[server].state = State::Up;
        self.trace.tell(self.now, || {
            let me = &self.servers[server];
            format!("server {} is up, writer: {}, timeline {}", me.name, me.writer, me.timeline)
        });
        self.repoint(server);
        self.feed_all();
    }

    /// The time of faults is over: everything is mended, and there is one writer.
    pub(super) fn heal(&mut self) {
        self.trace.tell(self.now, || "everything is mended from now on".to_owned());
        self.is_healing = true;
        // A network that loses messages is trouble too.
        self.swarm.loss = 0;
        self.monitors_die = false;
        self.names = Names::Fine;
        self.bring_online();
        self.soon(Duration::from_millis(300), Deed::BringOnline);
        for server in 0..self.servers.len() {
            self.mend(server);
            self.resume(server);
            if server == self.rightful {
                self.servers[server].writer = true;
                self.start(server);
            } else if self.servers[server].follows != Some(self.rightful)
                || !self.servers[server].is_up()
            {
                self.soon(Duration::from_millis(500), Deed::Rejoin { server });
            }
            self.soon(Duration::from_millis(300), Deed::Learn { server });
        }
        self.soon(Duration::from_millis(300), Deed::Endpoint);
    }

    /// What the cluster should look like to us, compared with what it looks like.
    pub(super) fn check_whole(&mut self) {
        use super::invariants::Seen;
        let topology = Arc::clone(&self.published);
        let at = |server| Some(super::server::ip(server));
        let is_writer = topology.writer().is_some_and(|w| w.ip() == at(self.rightful));
        let mut missing = (!is_writer).then(|| "its writer".to_owned());
        for server in (0..self.servers.len()).filter(|server| *server != self.rightful) {
            if !topology.readers().iter().any(|reader| reader.ip() == at(server)) {
                missing = Some(format!("its reader {}", self.servers[server].name));
            }
        }
        self.judge.see(self.now, &Seen::Whole { missing });
    }
}
