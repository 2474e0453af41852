//! Messages that people's applications send through the session; nothing is remembered of them.
//! Invariant: one participant sends at most `BROADCASTS_PER_SECOND` in any second.
//! Next: the tests.

use std::collections::BTreeSet;

use crate::ids::{MAX_ID_LEN, PeerId};
use crate::limits::{MAX_BROADCAST_BYTES, MAX_BROADCAST_IDS, MAX_BROADCAST_TYPE_BYTES};
use crate::session::rate::Act;
use crate::session::{Broadcast, Message, Refusal, Session};
use crate::time::Timestamp;

/// Whom a broadcast is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everyone but the sender, whose client gets its own message as the answer.
    Others,
    Peers(Vec<PeerId>),
}

/// The web SDK's own word for leading everyone's view; it is no application's (2.0.2 hides it from them).
const SPOTLIGHT: &str = "spotlight";

/// Refuses a message that is too large, or names too many.
pub(super) fn check_size(message: &Broadcast, named: usize) -> Result<(), Refusal> {
    let too_many = message.ids.len().max(named) > MAX_BROADCAST_IDS;
    let too_long = message.payload.len() > MAX_BROADCAST_BYTES
        || message.kind.len() > MAX_BROADCAST_TYPE_BYTES
        || message.ids.iter().any(|id| id.len() > MAX_ID_LEN);
    if too_many || too_long { Err(Refusal::TooLarge) } else { Ok(()) }
}

impl Session {
    /// Whether a caller may say something of this kind at all.
    pub(super) fn may_broadcast(&self, caller: &PeerId, message: &Broadcast) -> Result<(), Refusal> {
        let leads = self.caller(caller)?.preset.can_spotlight;
        if message.kind == SPOTLIGHT && !leads { Err(Refusal::NotAllowed) } else { Ok(()) }
    }

    /// Passes a message on.
    pub fn broadcast(&mut self, now: Timestamp, caller: &PeerId, to: Audience, message: Broadcast) -> Result<(), Refusal> {
        self.tick(now);
        self.may_broadcast(caller, &message)?;
        check_size(&message, if let Audience::Peers(peers) = &to { peers.len() } else { 0 })?;
        self.take_rate(caller, Act::Broadcast, 1)?;
        match to {
            Audience::Others => self.send_all(Some(caller), &Message::Broadcast(message)),
            Audience::Peers(peers) => {
                // A set: naming somebody twice does not reach them twice.
                for peer in &BTreeSet::from_iter(peers) {
                    self.send_joined(peer, Message::Broadcast(message.clone()));
                }
            }
        }
        Ok(())
    }
}
