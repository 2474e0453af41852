//! One port for all threads: the kernel gives datagrams to the wrong one, which hands them over.
//! Invariant: only what proves a password, or comes from where one was proven, crosses.
//! Next: `crossing.rs` has what is known of addresses of other threads.

use std::net::SocketAddr;
use std::time::Instant;

use super::address::{Address, Datagram};
use super::crossing::Crossing;
use super::key::Key;
use super::{Engine, demux};
use crate::counters::DropReason;
use crate::limits::ADDRESSES_PER_TRANSPORT;

impl Engine {
    /// A datagram that is for none of our transports. True if it is on its way to another thread.
    ///
    /// A check from an address that nobody has proven crosses only if its password is right, so that strangers cannot fill
    /// the way; where its address belongs is decided by the thread that has the transport. `at` is for the rates.
    pub(super) fn hand_over(&mut self, at: u64, name: Option<&str>, datagram: &Datagram<'_>) -> bool {
        // A connection over TCP began at the right thread.
        let &Datagram { now, came, from: Address::Udp(from), bytes, .. } = datagram else { return false };
        if !self.crossings.is_one_port() {
            return false;
        }
        let to = match name {
            Some(name) => demux::thread_of(name).filter(|to| {
                let proven = self.crossings.owner_of(from) == Some(*to);
                self.crossings.is_another(*to)
                    && (proven || self.verified.may(&self.rates, at, from) && self.identity.farewell.is_genuine(name, bytes))
            }),
            None => self.crossings.hear_of(now, from),
        };
        let Some(to) = to else { return false };
        self.cross(to, Crossing::Datagram { from, came, bytes: bytes.into() });
        true
    }

    /// A transport's client proved that it is at an address.
    pub(super) fn learn_address(&mut self, from: Address, key: Key, via: Option<usize>) {
        let oldest = self.demux.learn(from, key);
        self.forget_addresses(oldest.as_slice());
        let Address::Udp(from) = from else { return };
        self.crossings.forget(from);
        if let Some(via) = via {
            self.cross(via, Crossing::Learned { address: from });
        }
    }

    /// These addresses are no client's of ours any more. Any thread may have handed over what came from there.
    pub(super) fn forget_addresses(&mut self, addresses: &[Address]) {
        let threads = if self.crossings.is_one_port() { self.crossings.threads() } else { 0 };
        for address in addresses {
            let Address::Udp(address) = *address else { continue };
            (0..threads).for_each(|thread| self.cross(thread, Crossing::Forgotten { address }));
        }
    }

    pub(super) fn learn_elsewhere(&mut self, now: Instant, address: SocketAddr, owner: usize) {
        let most = self.limits.transports.saturating_mul(ADDRESSES_PER_TRANSPORT);
        if !self.crossings.learn(now, address, owner, most) {
            self.counters.dropped(DropReason::CrossingFull);
            return;
        }
        self.demux.unlearn(Address::Udp(address));
    }
}
