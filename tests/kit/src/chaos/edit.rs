//! What becomes of the bytes that a pump has read. Pure.

use std::borrow::Cow;
use std::sync::Arc;

use super::dialogue::{Dialogue, Kind};
use super::frame::{Mark, PACKET_HEADER};
use super::kept::Kept;
use super::mishap::{Arsenal, Loss, Mishap, Shot};

/// The length of the bytes that are no message.
const GARBAGE: usize = 16;

/// What is forwarded, and what happens then.
#[derive(Debug)]
pub(crate) struct Edited<'a> {
    pub(crate) bytes: Cow<'a, [u8]>,
    pub(crate) then: Then,
    pub(crate) shot: Option<Arc<Shot>>,
    /// The client asks for TLS.
    pub(crate) asks_for_tls: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    /// Closes the receiver's side in an orderly way.
    Finish,
    Lose(Loss),
}

impl<'a> Edited<'a> {
    fn end(bytes: impl Into<Cow<'a, [u8]>>, then: Then, shot: Option<Arc<Shot>>) -> Self {
        Self { bytes: bytes.into(), then, shot, asks_for_tls: false }
    }
}

/// One connection's messages, and what is happening to them.
#[derive(Debug)]
pub(crate) struct Editor {
    dialogue: Dialogue,
    dropping: Option<Dropping>,
    random: fastrand::Rng,
}

/// What the server sends and does not arrive.
#[derive(Debug)]
enum Dropping {
    /// The rest of a message.
    Message,
    /// The rest of an answer, after which the connection is lost.
    Answer(Loss, Arc<Shot>),
}

impl Editor {
    pub(crate) fn new(random: fastrand::Rng) -> Self {
        Self { dialogue: Dialogue::new(), dropping: None, random }
    }

    /// Of a connection to a server of MySQL or MariaDB.
    pub(crate) fn mysql(random: fastrand::Rng) -> Self {
        Self { dialogue: Dialogue::mysql(), ..Self::new(random) }
    }

    /// What reaches the server of these bytes.
    pub(crate) fn request<'a>(&mut self, bytes: &'a [u8], arsenal: &Arsenal) -> Edited<'a> {
        let (mut at, mut begin) = (0, 0);
        let mut edited = Edited::end(bytes, Then::GoOn, None);
        while let Some((end, kind)) = self.dialogue.hear_client(bytes, &mut at) {
            edited.asks_for_tls |= kind == Kind::SslRequest;
            if kind == Kind::Execution
                && let Some(shot) = arsenal.take(true, |aim| self.dialogue.request_meets(aim))
                && let Mishap::LoseRequest(loss) = shot.mishap
            {
                // A part that has been forwarded before is not executed without the rest.
                return Edited::end(&bytes[..begin], Then::Lose(loss), Some(shot));
            }
            begin = end;
        }
        edited
    }

    /// What reaches the client of these bytes.
    pub(crate) fn answer<'a>(&mut self, bytes: &'a [u8], arsenal: &Arsenal) -> Edited<'a> {
        let (mut at, mut kept) = (0, Kept::of(bytes));
        let mut done = None;
        while let Some(mark) = self.dialogue.hear_server(bytes, &mut at) {
            match mark {
                Mark::Header { at, body } if self.dropping.is_none() => {
                    let aim = |aim: &_| self.dialogue.answer_meets(aim);
                    let Some(shot) = arsenal.take(false, aim) else { continue };
                    if let Some(then) = self.strike(&shot, at, body, &mut kept) {
                        return Edited::end(kept.all(), then, Some(shot));
                    }
                    done = Some(shot).filter(|shot| shot.mishap == Mishap::Garbage);
                }
                Mark::Header { .. } => {}
                Mark::End { at, tag, body } => {
                    let last = self.dialogue.ends_answer(tag, &body);
                    if last {
                        self.dialogue.answered();
                    }
                    match self.dropping.take() {
                        Some(Dropping::Message) => kept.skip(at),
                        Some(Dropping::Answer(loss, shot)) if last => {
                            return Edited::end(kept.all(), Then::Lose(loss), Some(shot));
                        }
                        other => self.dropping = other,
                    }
                }
            }
        }
        if self.dropping.is_none() {
            kept.keep(bytes.len());
        }
        Edited::end(kept.all(), Then::GoOn, done)
    }

    /// Lets the mishap happen to the message whose header ends at `at`.
    fn strike(
        &mut self,
        shot: &Arc<Shot>,
        at: usize,
        body: usize,
        kept: &mut Kept<'_>,
    ) -> Option<Then> {
        let begin = at.saturating_sub(self.dialogue.header());
        // Some bytes of the message, never all.
        let part = if body > 0 { at + body / 2 } else { at.saturating_sub(1) };
        match shot.mishap {
            Mishap::ResetInMessage => {
                kept.keep(part);
                return Some(Then::Lose(Loss::Reset));
            }
            Mishap::TruncateMessage => {
                kept.keep(part);
                return Some(Then::Finish);
            }
            Mishap::Garbage => {
                kept.keep(begin);
                kept.insert(&self.garbage());
                self.dropping = Some(Dropping::Message);
            }
            Mishap::LoseAnswer(loss) | Mishap::LoseRequest(loss) => {
                kept.keep(begin);
                self.dropping = Some(Dropping::Answer(loss, Arc::clone(shot)));
            }
        }
        None
    }

    /// Bytes that begin no message: every one has its highest bit set, so that the type is
    /// unknown and the length negative. In MySQL it is a packet of a number that is out of order.
    fn garbage(&mut self) -> [u8; GARBAGE] {
        let mut bytes = std::array::from_fn(|_| self.random.u8(0x80..));
        if self.dialogue.is_mysql() {
            bytes[..3].copy_from_slice(&[(GARBAGE - PACKET_HEADER) as u8, 0, 0]);
        }
        bytes
    }
}

#[cfg(test)]
mod tests;
