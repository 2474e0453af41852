//! Strangers on TCP: how many may wait to prove themselves, and what became of connections. Shared by the handle, which
//! waits for their first frame, and the media thread, which has their checks judged.
//! Invariant: a place is given back when its connection is proven or gone. Locked when that changes, never per packet.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::framing::{self, PREFIX};
use crate::counters::{Snapshot, TcpEnd};
use crate::engine::demux;
use crate::limits::{TCP_PROVEN_WITHIN, TCP_UNPROVEN, TCP_UNPROVEN_PER_ADDRESS};

/// A connection of a client to be, with its first check.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub stream: std::net::TcpStream,
    pub from: SocketAddr,
    /// The first frame: STUN that is addressed to someone. Whoever has several media threads finds the right one by it.
    pub check: Vec<u8>,
    pub place: Place,
}

#[derive(Debug)]
pub(crate) struct Lobby {
    /// Connections there may be.
    most: usize,
    unproven: Mutex<HashMap<IpAddr, usize>>,
    waiting: AtomicUsize,
    connections: AtomicUsize,
    ended: [AtomicU64; TcpEnd::ALL.len()],
}

impl Lobby {
    /// With so many connections at most.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            unproven: Mutex::default(),
            waiting: AtomicUsize::default(),
            connections: AtomicUsize::default(),
            ended: Default::default(),
        }
    }

    /// Waits for the first check on a new connection. None if there is no room for it, or it is not a client's.
    pub(crate) async fn receive(self: Arc<Self>, mut stream: TcpStream) -> Option<Newcomer> {
        let from = canonical(stream.peer_addr().ok()?);
        let Some(place) = self.enter(from.ip()) else {
            self.ended(TcpEnd::TooMany);
            return None;
        };
        match timeout(TCP_PROVEN_WITHIN, first_check(&mut stream)).await {
            Ok(Ok(check)) => Some(Newcomer { stream: stream.into_std().ok()?, from, check, place }),
            Ok(Err(end)) => {
                self.ended(end);
                None
            }
            Err(_) => {
                self.ended(TcpEnd::Unproven);
                None
            }
        }
    }

    /// A place for a stranger. None if all are taken, or all that one network may take.
    fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let network = network(ip);
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        let here = unproven.get(&network).copied().unwrap_or(0);
        let all = self.waiting.load(Relaxed);
        let strangers = TCP_UNPROVEN.min(self.most / 2);
        let of_one = TCP_UNPROVEN_PER_ADDRESS.min(strangers / 4).max(1);
        if here >= of_one || all >= strangers || self.connections.load(Relaxed) + all >= self.most {
            return None;
        }
        unproven.insert(network, here + 1);
        self.waiting.store(all + 1, Relaxed);
        Some(Place { lobby: self.clone(), network })
    }

    fn leave(&self, network: IpAddr) {
        let mut unproven = self.unproven.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.fetch_sub(1, Relaxed);
        if let Some(here) = unproven.get_mut(&network) {
            *here -= 1;
            if *here == 0 {
                unproven.remove(&network);
            }
        }
    }

    /// A media thread has taken a connection over.
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// A media thread has let a connection go.
    pub(crate) fn disconnected(&self, end: TcpEnd) {
        self.connections.fetch_sub(1, Relaxed);
        self.ended(end);
    }

    pub(crate) fn ended(&self, end: TcpEnd) {
        self.ended[end as usize].fetch_add(1, Relaxed);
    }

    /// Writes what is known here into a picture.
    pub(crate) fn describe(&self, snapshot: &mut Snapshot) {
        snapshot.tcp_connections = self.connections.load(Relaxed);
        snapshot.tcp_ended = TcpEnd::ALL.into_iter().map(|end| (end, self.ended[end as usize].load(Relaxed))).collect();
    }
}

/// A stranger's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    lobby: Arc<Lobby>,
    network: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.lobby.leave(self.network);
    }
}

/// Reads the first frame and no byte more. It must be STUN for someone.
async fn first_check(stream: &mut TcpStream) -> Result<Vec<u8>, TcpEnd> {
    let mut prefix = [0; PREFIX];
    stream.read_exact(&mut prefix).await.map_err(|_| TcpEnd::Left)?;
    let mut frame = vec![0; framing::length(prefix).map_err(|_| TcpEnd::Malformed)?];
    stream.read_exact(&mut frame).await.map_err(|_| TcpEnd::Left)?;
    let fits = demux::is_stun(&frame) && demux::addressee(&frame).is_some();
    if fits { Ok(frame) } else { Err(TcpEnd::Malformed) }
}

/// Whom strangers are counted by: one home or host has a whole /64 of IPv6.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// IPv4 as IPv4, also on a dual-stack socket.
pub(in crate::driver) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_and_all_together_have_so_many_places() {
        let lobby = Arc::new(Lobby::new(10_000));
        let ip = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        let mut places: Vec<Place> = (0..TCP_UNPROVEN_PER_ADDRESS).map(|_| lobby.enter(ip(0)).expect("a place")).collect();
        assert!(lobby.enter(ip(0)).is_none());
        places.pop();
        places.push(lobby.enter(ip(0)).expect("the one given back"));
        for n in 0..(TCP_UNPROVEN - TCP_UNPROVEN_PER_ADDRESS) as u32 {
            places.push(lobby.enter(ip(1 + n)).expect("a place"));
        }
        assert!(lobby.enter(ip(9_999_999)).is_none());
        drop(places);
        assert!(lobby.unproven.lock().unwrap().is_empty());
        assert!(lobby.enter(ip(0)).is_some());
    }

    #[test]
    fn where_there_is_room_for_few_strangers_get_half_of_it() {
        let lobby = Arc::new(Lobby::new(16));
        let ip = |n: u32| IpAddr::V4((0x0a00_0000 + n).into());
        let places: Vec<Place> = (0..16).filter_map(|_| lobby.enter(ip(0))).collect();
        assert_eq!(places.len(), 2, "of one address");
        let others: Vec<Place> = (1..16).filter_map(|n| lobby.enter(ip(n))).collect();
        assert_eq!(others.len(), 6);
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
    }
}
