//! Who is connected, and who goes when there are too many: those that are in no request, of whoever has most.
//! Owns the bounds of connections; an address is one of IPv4 or a network of 64 bits of IPv6.
//! Invariant: a connection whose request is being answered, and one that is no HTTP any more, stays.
//! Next: `line.rs`, what is known of one connection; `door.rs`, which lets them in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::figures::Figures;
use crate::line::{Line, Phase};
use crate::network::Network;

/// How many connections there may be.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// In all.
    pub connections: usize,
    /// From one address.
    pub per_address: usize,
    /// Those of which no whole request is there, in all and from one address. Each may hold a request's head.
    pub waiting: usize,
    pub waiting_per_address: usize,
    /// From here come the connections of many: no address of these is bounded by itself.
    pub proxies: Vec<Network>,
}

/// Everybody who is connected.
#[derive(Debug)]
pub(crate) struct Crowd {
    bounds: Bounds,
    here: Mutex<Here>,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Here {
    /// By address; under none those of proxies.
    groups: HashMap<Option<IpAddr>, Group>,
    all: usize,
    waiting: usize,
}

#[derive(Debug, Default)]
struct Group {
    lines: HashMap<u64, Arc<Line>>,
    waiting: usize,
    sending: usize,
}

/// There is no place for a connection, and nobody who could go for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Crowd {
    pub fn new(bounds: Bounds, figures: Figures) -> Self {
        Self { bounds, here: Mutex::default(), figures }
    }

    /// Lets a connection in, which has said nothing yet. Those that go for it are told to close.
    pub fn enter(&self, from: IpAddr, line: &Arc<Line>) -> Result<Option<IpAddr>, Full> {
        self.make_room(from, line).inspect_err(|Full| {
            self.figures.turned_away.inc();
        })
    }

    fn make_room(&self, from: IpAddr, line: &Arc<Line>) -> Result<Option<IpAddr>, Full> {
        let group = self.group_of(from);
        let (bounds, mut here) = (&self.bounds, self.here());
        if group.is_some() {
            let own = |here: &Here| here.groups.get(&group).map_or((0, 0), |own| (own.lines.len(), own.waiting));
            if own(&here).0 >= bounds.per_address || own(&here).1 >= bounds.waiting_per_address {
                here.dismiss_of(&group)?;
                self.figures.gave_way.inc();
            }
        }
        if here.waiting >= bounds.waiting || here.all >= bounds.connections {
            here.dismiss()?;
            self.figures.gave_way.inc();
        }
        here.add(group, line.clone());
        Ok(group)
    }

    /// Somebody goes at once, whoever may go first: the system gives no more.
    pub fn dismiss(&self) {
        // If all are in requests it gets better when these are done.
        if self.here().dismiss().is_ok() {
            self.figures.gave_way.inc();
        }
    }

    pub fn leave(&self, group: Option<IpAddr>, line: &Line) {
        self.here().remove(&group, line.id);
    }

    /// A connection goes on to another phase.
    pub fn turn(&self, group: Option<IpAddr>, line: &Line, to: Phase) {
        self.here().turn(&group, line, to);
    }

    /// The same, unless it has gone on meanwhile.
    pub fn turn_from(&self, group: Option<IpAddr>, line: &Line, from: Phase, to: Phase) {
        let mut here = self.here();
        if line.phase() == from {
            here.turn(&group, line, to);
        }
    }

    /// Whom a connection is counted against; none if it may be anybody's.
    fn group_of(&self, from: IpAddr) -> Option<IpAddr> {
        let from = from.to_canonical();
        if self.bounds.proxies.iter().any(|proxies| proxies.has(from)) {
            return None;
        }
        Some(match from {
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    fn here(&self) -> MutexGuard<'_, Here> {
        self.here.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Here {
    fn add(&mut self, group: Option<IpAddr>, line: Arc<Line>) {
        let own = self.groups.entry(group).or_default();
        own.waiting += 1;
        own.lines.insert(line.id, line);
        self.all += 1;
        self.waiting += 1;
    }

    fn turn(&mut self, group: &Option<IpAddr>, line: &Line, to: Phase) {
        let from = line.phase();
        line.set_phase(to);
        // One that was dismissed is counted no more.
        let Some(own) = self.groups.get_mut(group).filter(|own| own.lines.contains_key(&line.id)) else { return };
        let step = |count: usize, is: fn(Phase) -> bool| count + usize::from(is(to)) - usize::from(is(from));
        self.waiting = step(self.waiting, Phase::is_waiting);
        own.waiting = step(own.waiting, Phase::is_waiting);
        own.sending = step(own.sending, Phase::is_sending);
    }

    fn remove(&mut self, group: &Option<IpAddr>, id: u64) -> Option<Arc<Line>> {
        let own = self.groups.get_mut(group)?;
        let line = own.lines.remove(&id)?;
        let (waits, sends) = (usize::from(line.phase().is_waiting()), usize::from(line.phase().is_sending()));
        own.waiting -= waits;
        own.sending -= sends;
        if own.lines.is_empty() {
            self.groups.remove(group);
        }
        self.all -= 1;
        self.waiting -= waits;
        Some(line)
    }

    /// One of whoever has most that may go. People behind proxies cannot be told apart, so none of them has many.
    fn dismiss(&mut self) -> Result<(), Full> {
        let weight = |(group, own): &(&Option<IpAddr>, &Group)| {
            let most = if group.is_some() { usize::MAX } else { 1 };
            (own.waiting.min(most), own.sending.min(most))
        };
        let most = self.groups.iter().max_by_key(weight).map(|(group, _)| *group).ok_or(Full)?;
        self.dismiss_of(&most)
    }

    /// One of a group goes: what has sent no whole request before what is idle before what sends a body, and of these the
    /// one that was silent for longest.
    fn dismiss_of(&mut self, group: &Option<IpAddr>) -> Result<(), Full> {
        let own = self.groups.get(group).ok_or(Full)?;
        let may_go = own.lines.values().filter(|line| line.phase() != Phase::Busy);
        let first = may_go.min_by_key(|line| (line.phase(), line.silent_since(), line.id)).ok_or(Full)?.id;
        if let Some(line) = self.remove(group, first) {
            line.close.cancel();
        }
        Ok(())
    }
}

impl Bounds {
    #[cfg(test)]
    pub(crate) fn of_tests() -> Self {
        Self { connections: 6, per_address: 4, waiting: 6, waiting_per_address: 3, proxies: vec!["10.0.0.0/8".parse().unwrap()] }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    struct Scene {
        crowd: Crowd,
        lines: HashMap<&'static str, (Option<IpAddr>, Arc<Line>)>,
        begin: Instant,
        next: u64,
    }

    impl Scene {
        fn new(change: impl FnOnce(&mut Bounds)) -> Self {
            let mut bounds = Bounds::of_tests();
            change(&mut bounds);
            Self { crowd: Crowd::new(bounds, Figures::default()), lines: HashMap::new(), begin: Instant::now(), next: 0 }
        }

        /// Who went for it, or none if there was no place.
        fn enter(&mut self, name: &'static str, from: &str) -> Option<Vec<&'static str>> {
            self.next += 1;
            let line = Arc::new(Line::new(self.next, self.begin + Duration::from_secs(self.next)));
            let open = |scene: &Self| {
                let open = scene.lines.iter().filter(|(_, (_, line))| !line.close.is_cancelled());
                open.map(|(name, _)| *name).collect::<Vec<_>>()
            };
            let before = open(self);
            let group = self.crowd.enter(from.parse().unwrap(), &line).ok()?;
            let after = open(self);
            self.lines.insert(name, (group, line));
            Some(before.into_iter().filter(|name| !after.contains(name)).collect())
        }

        fn turn(&self, name: &str, phase: Phase) {
            let (group, line) = &self.lines[name];
            self.crowd.turn(*group, line, phase);
        }

        fn leave(&mut self, name: &str) {
            let (group, line) = self.lines.remove(name).unwrap();
            self.crowd.leave(group, &line);
        }
    }

    fn nobody() -> Option<Vec<&'static str>> {
        Some(vec![])
    }

    #[test]
    fn one_address_has_its_own_part_and_makes_room_for_itself() {
        let mut scene = Scene::new(|_| {});
        for name in ["a", "b", "c"] {
            assert_eq!(scene.enter(name, "192.0.2.1"), nobody());
        }
        assert_eq!(scene.enter("d", "192.0.2.1"), Some(vec!["a"]), "three may wait");
        for name in ["b", "c", "d"] {
            scene.turn(name, Phase::Busy);
        }
        assert_eq!(scene.enter("e", "192.0.2.1"), nobody());
        assert_eq!(scene.enter("f", "192.0.2.1"), Some(vec!["e"]), "four may be there");
        scene.turn("f", Phase::Busy);
        assert_eq!(scene.enter("g", "192.0.2.1"), None, "all are in requests");
        assert_eq!(scene.enter("g", "192.0.2.2"), nobody(), "somebody else");
        scene.leave("f");
        assert_eq!(scene.enter("h", "192.0.2.1"), nobody());
    }

    #[test]
    fn a_network_of_ipv6_is_an_address_and_ipv4_is_ipv4() {
        let mut scene = Scene::new(|bounds| bounds.waiting_per_address = 1);
        assert_eq!(scene.enter("a", "2001:db8:1:2::1"), nobody());
        assert_eq!(scene.enter("b", "2001:db8:1:2:ffff::2"), Some(vec!["a"]));
        assert_eq!(scene.enter("c", "2001:db8:1:3::1"), nobody());
        assert_eq!(scene.enter("d", "192.0.2.1"), nobody());
        assert_eq!(scene.enter("e", "::ffff:192.0.2.1"), Some(vec!["d"]));
    }

    #[test]
    fn when_all_is_full_whoever_has_most_in_no_request_makes_room() {
        let mut scene = Scene::new(|_| {});
        for (name, from) in [("a", "192.0.2.1"), ("p", "10.0.0.1"), ("q", "10.0.0.1"), ("r", "10.0.0.2")] {
            assert_eq!(scene.enter(name, from), nobody());
        }
        assert_eq!(scene.enter("m", "192.0.2.9"), nobody());
        assert_eq!(scene.enter("n", "192.0.2.9"), nobody());
        assert_eq!(scene.enter("b", "192.0.2.2"), Some(vec!["m"]));
    }

    #[test]
    fn the_heads_of_strangers_go_before_the_idle_and_these_before_the_sending() {
        let mut scene = Scene::new(|_| {});
        for name in ["a", "b", "c", "d", "e", "f"] {
            assert_eq!(scene.enter(name, "10.0.0.1"), nobody(), "a proxy is not bounded by itself");
        }
        scene.turn("a", Phase::Busy);
        scene.turn("b", Phase::Sending);
        scene.turn("c", Phase::Idle);
        for (comes, gone) in [("g", "d"), ("h", "e"), ("i", "f"), ("j", "c"), ("k", "b")] {
            assert_eq!(scene.enter(comes, "10.0.0.1"), Some(vec![gone]));
            scene.turn(comes, Phase::Busy);
        }
        assert_eq!(scene.enter("l", "10.0.0.1"), None, "all are in requests");
        assert_eq!(scene.enter("l", "192.0.2.1"), None);
        let figures = &scene.crowd.figures;
        assert_eq!((figures.gave_way.get(), figures.turned_away.get()), (5, 2));
    }
}
