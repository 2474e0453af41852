//! What goes from one media thread to another: a mirror of a producer that is consumed there, its packets, and wishes
//! the other way. With one port for all threads also datagrams that the kernel gave to the wrong one.
//! Owns what waits to cross. Invariants: news of producers arrive in order and are never lost; packets may be dropped.
//! A mirror is an ordinary producer with another origin, so consumers do not know the difference.
//! Next: `mirrors.rs` and `one_port.rs` act on it, `driver/neighbours.rs` carries it over.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::media::Rid;

use super::key::ProducerKey;
use super::packet::Packet;
use crate::limits::{CROSSING_BACKLOG, SILENT_FOR};
use crate::sdp::Format;
use crate::{ProducerId, RoomId};

/// One thing that crosses.
#[derive(Debug)]
pub(crate) enum Crossing {
    /// Packets of this producer follow.
    Begin(Box<Begin>),
    /// A packet of a producer, and the name of its layer. Threads number layers each for themselves.
    Packet { key: ProducerKey, rid: Option<Rid>, packet: Packet },
    /// The server held a producer back, or let it go on.
    Paused { key: ProducerKey, paused: bool },
    /// Its client sends it anew: other streams follow.
    Anew { key: ProducerKey },
    /// A producer is no more.
    Ended { key: ProducerKey },
    /// A thread lost everything that it had and that it knew of others.
    Restarted,

    // From the thread with the mirror back home.
    /// Someone there waits for a key frame of this layer.
    KeyFrameWanted { key: ProducerKey, rid: Option<Rid> },
    /// Nobody there consumes it any more. Says nothing about a mirror that began later.
    Unwatch { key: ProducerKey, serial: u64 },

    // Between a media thread and the one for other nodes.
    /// Somebody on another node wants this producer.
    Share { id: ProducerId, room: RoomId },
    /// The layers of a mirror that anybody wants here.
    Wants { key: ProducerKey, layers: Vec<Option<Rid>> },
    /// The layers that come in at its client's node, with their bit/s.
    Alive { key: ProducerKey, layers: Vec<(Option<Rid>, u64)> },

    // With one port for all threads.
    /// A datagram for a transport there.
    Datagram { from: SocketAddr, came: Instant, bytes: Box<[u8]> },
    /// Datagrams from this address are for the thread that says so: its client proved it.
    Learned { address: SocketAddr },
    /// They are not any more.
    Forgotten { address: SocketAddr },
}

/// What a mirror needs to know.
#[derive(Debug)]
pub(crate) struct Begin {
    pub key: ProducerKey,
    pub serial: u64,
    pub id: ProducerId,
    pub room: RoomId,
    pub format: Format,
    pub stream: String,
    pub screen_share: bool,
    pub paused: bool,
    /// The names of its layers that are alive. With them a key frame can be asked for before a packet has crossed, which
    /// takes a second for a screen that stands still.
    pub layers: Vec<Option<Rid>>,
}

impl Crossing {
    /// What is lost like any packet, and asked for or sent again.
    fn may_be_lost(&self) -> bool {
        !matches!(
            self,
            Self::Begin(_)
                | Self::Paused { .. }
                | Self::Anew { .. }
                | Self::Ended { .. }
                | Self::Unwatch { .. }
                | Self::Restarted
        )
    }

    /// Whether nothing is lost if `self` arrives and `earlier` does not.
    fn overtakes(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::Restarted, _) => true,
            (Self::Ended { key }, Self::Begin(begin)) => begin.key == *key,
            (Self::Ended { key }, Self::Paused { key: of, .. } | Self::Anew { key: of }) => of == key,
            (Self::Anew { key }, Self::Anew { key: of }) => of == key,
            (Self::Begin(again), Self::Begin(begin)) => begin.key == again.key,
            (Self::Begin(again), Self::Paused { key, .. }) => *key == again.key,
            (Self::Paused { key, .. }, Self::Paused { key: of, .. }) => of == key,
            (Self::Unwatch { key, .. }, Self::Unwatch { key: of, .. }) => of == key,
            _ => false,
        }
    }
}

/// This thread among the others.
#[derive(Debug, Default)]
pub(crate) struct Crossings {
    me: usize,
    /// What waits, for each thread.
    waiting: Vec<Vec<Crossing>>,
    serial: u64,
    one_port: bool,
    /// The thread that has to do with other nodes, if there is one.
    relay: Option<usize>,
    /// With one port: who has the client at an address that is not ours, and when it was proven or heard.
    elsewhere: HashMap<SocketAddr, (usize, Instant)>,
}

impl Crossings {
    pub(crate) fn new(me: usize, of: usize, one_port: bool) -> Self {
        Self { me, waiting: (0..of).map(|_| Vec::new()).collect(), one_port, ..Self::default() }
    }

    /// What waits to cross to another thread; empty for ourselves.
    pub(crate) fn waiting(&mut self) -> impl Iterator<Item = (usize, &mut Vec<Crossing>)> {
        self.waiting.iter_mut().enumerate().filter(|(_, waiting)| !waiting.is_empty())
    }

    /// False if it was dropped, as too much waits.
    pub(crate) fn push(&mut self, to: usize, crossing: Crossing) -> bool {
        let Some(waiting) = self.waiting.get_mut(to).filter(|_| to != self.me) else { return true };
        if waiting.len() >= CROSSING_BACKLOG {
            if crossing.may_be_lost() {
                return false;
            }
            // The other thread is stuck. Three pieces of news are enough for each producer it knows.
            waiting.retain(|earlier| !crossing.overtakes(earlier));
        }
        waiting.push(crossing);
        true
    }

    /// This thread goes on after it lost everything.
    pub(super) fn succeed(&mut self, before: &Self) {
        self.serial = before.serial;
        for thread in 0..self.threads() {
            // News are never dropped.
            let _ = self.push(thread, Crossing::Restarted);
        }
    }

    /// Another thread knows nothing of its clients any more.
    pub(super) fn forget_all_of(&mut self, thread: usize) {
        self.elsewhere.retain(|_, (owner, _)| *owner != thread);
    }

    /// Tells one sharing of a producer from an earlier one.
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(super) fn is_one_port(&self) -> bool {
        self.one_port
    }

    /// How many threads there are, us included.
    pub(super) fn threads(&self) -> usize {
        self.waiting.len()
    }

    /// The last of the threads is for other nodes.
    pub(super) fn with_relay(&mut self) {
        self.relay = self.threads().checked_sub(1);
    }

    pub(super) fn has_relay(&self) -> bool {
        self.relay.is_some()
    }

    /// Whether what comes from a thread comes from another node.
    pub(super) fn is_relay(&self, thread: usize) -> bool {
        self.relay == Some(thread)
    }

    /// Whether there is such a thread beside us.
    pub(super) fn is_another(&self, thread: usize) -> bool {
        thread != self.me && thread < self.waiting.len()
    }

    /// The thread that has the client at an address, if another.
    pub(super) fn owner_of(&self, address: SocketAddr) -> Option<usize> {
        self.elsewhere.get(&address).map(|(owner, _)| *owner)
    }

    /// The same for an address from which something came now.
    pub(super) fn hear_of(&mut self, now: Instant, address: SocketAddr) -> Option<usize> {
        let (owner, heard_at) = self.elsewhere.get_mut(&address)?;
        *heard_at = now;
        Some(*owner)
    }

    /// A client is at another thread. False if too many are known already.
    pub(super) fn learn(&mut self, now: Instant, address: SocketAddr, owner: usize, most: usize) -> bool {
        let fits = self.elsewhere.len() < most || self.elsewhere.contains_key(&address);
        if fits {
            self.elsewhere.insert(address, (owner, now));
        }
        fits
    }

    /// Nobody is there any more, or it is our client now.
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.elsewhere.remove(&address);
    }

    /// Forgets addresses from which nothing came for long.
    pub(super) fn forget_silent(&mut self, now: Instant) {
        self.elsewhere.retain(|_, (_, heard_at)| now.saturating_duration_since(*heard_at) <= SILENT_FOR);
    }

    /// How many addresses are known to belong to other threads.
    #[cfg(test)]
    pub(super) fn elsewhere(&self) -> usize {
        self.elsewhere.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_thread_costs_packets_but_no_news() {
        let mut crossings = Crossings::new(0, 2, false);
        let lossy = |n| Crossing::KeyFrameWanted { key: ProducerKey(n), rid: None };
        for n in 0..CROSSING_BACKLOG as u64 {
            assert!(crossings.push(1, lossy(n)));
        }
        assert!(!crossings.push(1, lossy(1)), "dropped");
        let key = ProducerKey(7);
        for n in 0..1_000 {
            assert!(crossings.push(1, Crossing::Paused { key, paused: n % 2 == 0 }));
        }
        let (to, waiting) = crossings.waiting().next().expect("something waits");
        assert_eq!((to, waiting.len()), (1, CROSSING_BACKLOG + 1), "what is overtaken is forgotten");
        assert!(matches!(waiting.last(), Some(Crossing::Paused { paused: false, .. })), "the last word counts");
        assert!(crossings.push(1, Crossing::Ended { key }));
        let (_, waiting) = crossings.waiting().next().expect("something waits");
        assert_eq!(waiting.len(), CROSSING_BACKLOG + 1);
        assert!(matches!(waiting.last(), Some(Crossing::Ended { .. })));
    }
}
