//! Who is connected and was not let in yet: so many in all and from one address. Pure.
//! Invariant: when there is no place, the one that waits longest goes, of whoever has too many: so nobody keeps others out by being
//! slow.
//! Next: `ingest_door.rs`, which goes by it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

/// In all, and from one address or network of 64 bits.
const MOST: usize = 256;
const FROM_ONE: usize = 16;

/// Those who wait, in the order in which they came.
#[derive(Debug, Default)]
pub struct Waiting {
    all: VecDeque<(u64, Option<IpAddr>)>,
    next: u64,
}

impl Waiting {
    /// One comes: its number, and the one that goes for it.
    pub fn enter(&mut self, from: IpAddr) -> (u64, Option<u64>) {
        let group = group_of(from);
        let is_of = |(_, other): &&(u64, Option<IpAddr>)| *other == group;
        let goes = if group.is_some() && self.all.iter().filter(is_of).count() >= FROM_ONE {
            self.all.iter().find(is_of).map(|one| one.0)
        } else if self.all.len() >= MOST {
            self.all.front().map(|one| one.0)
        } else {
            None
        };
        goes.into_iter().for_each(|goes| self.leave(goes));
        self.next += 1;
        self.all.push_back((self.next, group));
        (self.next, goes)
    }

    pub fn leave(&mut self, number: u64) {
        self.all.retain(|one| one.0 != number);
    }
}

/// Whom a connection is counted against; none if it may be anybody's, behind a proxy on this machine or beside it.
fn group_of(from: IpAddr) -> Option<IpAddr> {
    match from.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_private() || v4.is_link_local() => None,
        IpAddr::V6(v6) if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() => None,
        IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_longest_goes_of_those_who_have_too_many() {
        let mut waiting = Waiting::default();
        let stranger: IpAddr = "203.0.113.9".parse().unwrap();
        let first = waiting.enter("198.51.100.1".parse().unwrap()).0;
        let own: Vec<u64> = (0..FROM_ONE).map(|_| waiting.enter(stranger).0).collect();
        assert_eq!(waiting.enter(stranger).1, Some(own[0]), "its own first goes, and nobody else's");
        let same = |n: u8| format!("2001:db8::{n}").parse().unwrap();
        let network: Vec<u64> = (0..FROM_ONE as u8).map(|n| waiting.enter(same(n)).0).collect();
        assert_eq!(waiting.enter(same(99)).1, Some(network[0]), "a network of 64 bits is one");
        // Behind a proxy there may be many.
        let many = (0..MOST - 1 - 2 * FROM_ONE).filter(|_| waiting.enter("127.0.0.1".parse().unwrap()).1.is_some()).count();
        assert_eq!((many, waiting.all.len()), (0, MOST));
        assert_eq!(waiting.enter("10.0.0.7".parse().unwrap()).1, Some(first), "there is no place: the oldest goes");
        waiting.leave(own[1]);
        assert_eq!(waiting.enter(stranger).1, None);
    }
}
