//! Sessions that are carried on by others: what one wrote, the other has to see.
//!
//! All of them share one engine here; two processes that measure apart are what
//! `cargo xtask freshness` has.

use std::collections::VecDeque;

use super::invariants::Seen;
use super::log::RecordId;
use super::world::World;
use crate::token::{CausalToken, Judgement, judge};

/// How many tokens are under way at most.
const KEPT: usize = 64;

/// A token, and the last record that it stands for.
#[derive(Debug)]
struct Carried {
    token: CausalToken,
    record: (RecordId, usize),
}

/// The tokens that are under way, and where they led.
#[derive(Debug)]
pub(super) struct Tokens {
    carried: VecDeque<Carried>,
    /// Per client, the last record of the session that it continues by a token.
    pub(super) continues: Vec<Option<(RecordId, usize)>>,
    /// Chances of their own, so that a seed lives as it did without tokens.
    rng: fastrand::Rng,
}

impl Tokens {
    pub(super) fn new(seed: u64, clients: usize) -> Self {
        let rng = fastrand::Rng::with_seed(!seed);
        Self { carried: VecDeque::new(), continues: vec![None; clients], rng }
    }

    /// Forgets what was acknowledged before it was flushed and went with a crash: nobody promises
    /// that it outlives one, and its positions are given to others.
    pub(super) fn lose(&mut self, lost: &[RecordId]) {
        self.carried.retain(|carried| !lost.contains(&carried.record.0));
        for continued in &mut self.continues {
            continued.take_if(|(record, _)| lost.contains(record));
        }
    }
}

impl World {
    /// Now and then a session leaves a token, or continues one that was left.
    pub(super) fn trade_tokens(&mut self, client: usize) {
        if !self.clients[client].session.is_free() {
            return;
        }
        match self.tokens.rng.u8(..4) {
            0 => self.leave_token(client),
            1 => self.continue_token(client),
            _ => {}
        }
    }

    /// The token is there once the writer was sampled after the session's last write.
    fn leave_token(&mut self, client: usize) {
        // What an asynchronous failover took away before, a token cannot bring back.
        let own = self.own[client].filter(|own| self.still_there(self.known_writer(), *own));
        let (Some(record), Some(sampled)) = (own, &self.published.sampled) else { return };
        let since = self.clients[client].session.stands_for(self.now);
        let Some(position) = sampled.position_since(since) else { return };
        let token = CausalToken::new("sim".to_owned(), sampled.incarnation, position);
        if self.tokens.carried.len() == KEPT {
            self.tokens.carried.pop_front();
        }
        self.tokens.carried.push_back(Carried { token, record });
    }

    fn continue_token(&mut self, client: usize) {
        if self.tokens.carried.is_empty() {
            return;
        }
        let index = self.tokens.rng.usize(..self.tokens.carried.len());
        let Carried { token, record } = &self.tokens.carried[index];
        let judged = judge(token, &self.published, self.now);
        let (record, timeline) = (*record, token.timeline());
        let Some(Judgement::Holds { required }) = judged else { return };
        let present = self.published.sampled.as_ref().and_then(|sampled| sampled.incarnation);
        // Who has moved on since we heard of it last, or was rewound to follow another, has another
        // history by now.
        let is_as_known = |writer: &usize| {
            let server = &self.servers[*writer];
            server.writer && Some(server.timeline) == present
        };
        if let Some(writer) = self.known_writer().filter(is_as_known)
            && timeline < present
        {
            // It was accepted across a failover, so it must have outlived it.
            let visible = self.still_there(Some(writer), record);
            self.judge.see(self.now, &Seen::ReadOwn { client, visible });
        }
        self.clients[client].session.require(required);
        self.tokens.continues[client] = Some(record);
    }
}
