//! The one peer that a host has pinned for everyone.
//! Invariant: the pinned peer is present: when it leaves, the fold forgets the pin and everyone is told.
//! Next: `stage.rs`.

use crate::event::EventBody;
use crate::ids::PeerId;
use crate::record::Record;
use crate::session::rate::Act;
use crate::session::{Message, Refusal, Session};
use crate::time::Timestamp;

impl Session {
    /// Pins a peer in place of the one before it, or with `None` unpins. Everyone is told, the caller too: its client
    /// changes nothing before (seen in web SDK 2.0.2).
    pub fn pin(&mut self, now: Timestamp, caller: &PeerId, peer: Option<&PeerId>) -> Result<(), Refusal> {
        self.tick(now);
        if !self.caller(caller)?.preset.pin_participant {
            return Err(Refusal::NotAllowed);
        }
        // Pinning a hidden one would show it.
        if peer.is_some_and(|peer| !self.is_shown(peer)) {
            return Err(Refusal::UnknownPeer);
        }
        self.take_rate(caller, Act::Host, 1)?;
        let before = self.pinned().cloned();
        let changed = before.as_ref() != peer;
        if changed {
            self.emit(EventBody::PeerPinned { peer: peer.cloned() });
        }
        self.send_all(None, &Message::Pinned(peer.cloned()));
        if changed {
            self.select_by_pin(before, peer.cloned());
        }
        Ok(())
    }

    /// Who is pinned for everyone.
    pub fn pinned(&self) -> Option<&PeerId> {
        self.live().and_then(Record::pinned)
    }

    /// The peer is about to leave: it is not pinned any more.
    pub(super) fn tell_unpinned(&mut self, peer: &PeerId) {
        if self.pinned() == Some(peer) {
            self.send_all(Some(peer), &Message::Pinned(None));
        }
    }
}
