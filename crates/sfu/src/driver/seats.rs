//! Whose transports there are, and who makes room for one more: first those that never connected, of whoever has most.
//! Those who are not in a meeting get few, and not for long; nobody who is in one goes for somebody who is not.
//! Pure; looks at all transports only when a bound is reached.
//! Next: `directory.rs` closes those that go.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Instant;

use crate::limits::Limits;
use crate::{Guest, OwnerId, RoomId, TransportId};

#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: HashMap<TransportId, Seat>,
    next: u64,
}

#[derive(Clone, Debug)]
struct Seat {
    owner: OwnerId,
    room: RoomId,
    /// Since when its owner is not in the meeting.
    outside_since: Option<Instant>,
    connected: bool,
    /// Those that came later have higher ones.
    order: u64,
}

impl Seat {
    fn is_outside(&self) -> bool {
        self.outside_since.is_some()
    }
}

/// So many transports of this kind there may be.
type Bound<'a> = (usize, &'static str, Box<dyn Fn(&Seat) -> bool + 'a>);

impl Seats {
    /// Gives a transport a seat; returns those that go for it, or why there is none.
    pub(super) fn enter(
        &mut self,
        now: Instant,
        limits: &Limits,
        transport: &TransportId,
        room: &RoomId,
        guest: &Guest,
    ) -> Result<Vec<TransportId>, &'static str> {
        let Guest { owner, inside, .. } = guest;
        let here = |seat: &Seat| seat.owner == *owner && seat.room == *room;
        let mut bounds: Vec<Bound<'_>> = vec![(limits.transports_per_owner, "too many transports of one person", Box::new(here))];
        if !inside {
            let outside = "too many transports of people who are not in the meeting";
            bounds.push((limits.outside_per_owner, outside, Box::new(move |seat| here(seat) && seat.is_outside())));
            bounds.push((limits.outside_per_room, outside, Box::new(|seat| seat.room == *room && seat.is_outside())));
            bounds.push((limits.outside, outside, Box::new(Seat::is_outside)));
        }
        bounds.push((limits.transports_per_room, "too many transports in the room", Box::new(|seat| seat.room == *room)));
        bounds.push((limits.transports, "too many transports", Box::new(|_| true)));
        let mut going = Vec::new();
        for (most, why, counts) in bounds {
            let stays = |(id, seat): &(&TransportId, &Seat)| counts(seat) && !going.contains(*id);
            let among = || self.seats.iter().filter(stays);
            if self.seats.len() - going.len() >= most && among().count() >= most {
                let goes = who_goes(among(), guest).ok_or(why)?;
                going.push(goes);
            }
        }
        going.iter().for_each(|gone| self.leave(gone));
        let outside_since = (!inside).then_some(now);
        let seat = Seat { owner: owner.clone(), room: room.clone(), outside_since, connected: false, order: self.next };
        self.next += 1;
        self.seats.insert(transport.clone(), seat);
        Ok(going)
    }

    /// A connection that an earlier run gave a seat.
    pub(super) fn resume(&mut self, now: Instant, transport: &TransportId, owner: &OwnerId, room: &RoomId) {
        let (owner, room, order) = (owner.clone(), room.clone(), self.next);
        self.next += 1;
        self.seats.insert(transport.clone(), Seat { owner, room, outside_since: Some(now), connected: true, order });
    }

    pub(super) fn leave(&mut self, transport: &TransportId) {
        self.seats.remove(transport);
    }

    pub(super) fn connected(&mut self, transport: &TransportId) {
        if let Some(seat) = self.seats.get_mut(transport) {
            seat.connected = true;
        }
    }

    /// Someone came into the meeting, or left it.
    pub(super) fn set_inside(&mut self, now: Instant, owner: &OwnerId, room: &RoomId, inside: bool) {
        for seat in self.seats.values_mut().filter(|seat| seat.owner == *owner && seat.room == *room) {
            seat.outside_since = if inside { None } else { seat.outside_since.or(Some(now)) };
        }
    }

    /// Those of people who have not come into the meeting for too long. They lose their seats.
    pub(super) fn overdue(&mut self, now: Instant, limits: &Limits) -> Vec<TransportId> {
        let late =
            |seat: &Seat| seat.outside_since.is_some_and(|since| now.saturating_duration_since(since) >= limits.outside_for);
        self.seats.extract_if(|_, seat| late(seat)).map(|(transport, _)| transport).collect()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }
}

/// Who goes for a newcomer: the oldest that never connected, of whoever has most. For somebody inside people outside go first,
/// though they are connected. Nobody goes for somebody who has as many; then it is one of the newcomer's own, if it has one
/// that may go.
fn who_goes<'a>(among: impl Iterator<Item = (&'a TransportId, &'a Seat)>, guest: &Guest) -> Option<TransportId> {
    let mut may_go: Vec<(&TransportId, &Seat)> = among
        .filter(|(_, seat)| match (seat.owner == guest.owner, guest.inside) {
            (true, _) => !seat.connected || seat.is_outside(),
            (false, true) => !seat.connected || seat.is_outside(),
            (false, false) => !seat.connected && seat.is_outside(),
        })
        .collect();
    let mut has: HashMap<&OwnerId, usize> = HashMap::new();
    may_go.iter().for_each(|(_, seat)| *has.entry(&seat.owner).or_default() += 1);
    let own = has.get(&guest.owner).copied().unwrap_or(0);
    may_go.retain(|(_, seat)| seat.owner == guest.owner || has[&seat.owner] > own);
    let rank = |(_, seat): &(&TransportId, &Seat)| (!seat.is_outside(), seat.connected, Reverse(has[&seat.owner]), seat.order);
    may_go.into_iter().min_by_key(rank).map(|(transport, _)| transport.clone())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Hall {
        seats: Seats,
        limits: Limits,
        now: Instant,
    }

    impl Hall {
        fn new(limits: Limits) -> Self {
            Self { seats: Seats::default(), limits, now: Instant::now() }
        }

        /// `who` is an owner, in capitals if it is in the meeting. Returns who went, or nothing if there was no seat.
        fn enter(&mut self, transport: &str, who: &str, room: &str) -> Option<Vec<String>> {
            let guest = Guest {
                owner: who.to_lowercase().into(),
                inside: who.chars().all(char::is_uppercase),
                note: String::new(),
                tag: crate::Tag::default(),
            };
            let went = self.seats.enter(self.now, &self.limits, &transport.into(), &room.into(), &guest).ok()?;
            Some(went.iter().map(|transport| transport.to_string()).collect())
        }

        fn connect(&mut self, transport: &str) {
            self.seats.connected(&transport.into());
        }
    }

    fn went(transport: &str) -> Option<Vec<String>> {
        Some(vec![transport.to_owned()])
    }

    fn nobody() -> Option<Vec<String>> {
        Some(vec![])
    }

    #[test]
    fn one_guest_outside_gets_a_few_and_its_newest() {
        let mut hall = Hall::new(Limits { outside_per_owner: 2, ..Limits::default() });
        for n in 0..6_000 {
            let gone = if n < 2 { nobody() } else { went(&format!("t{}", n - 2)) };
            assert_eq!(hall.enter(&format!("t{n}"), "mallory", "r"), gone);
        }
        assert_eq!(hall.enter("a", "ALICE", "r"), nobody(), "nobody else notices");
    }

    #[test]
    fn when_all_is_full_the_unconnected_of_whoever_has_most_go_first() {
        let mut hall = Hall::new(Limits { transports: 5, ..Limits::default() });
        for (transport, who) in [("b1", "BOB"), ("m1", "MALLORY"), ("m2", "MALLORY"), ("m3", "MALLORY"), ("c1", "CAROL")] {
            assert_eq!(hall.enter(transport, who, "r"), nobody());
        }
        hall.connect("m1");
        hall.connect("b1");
        assert_eq!(hall.enter("a1", "ALICE", "s"), went("m2"));
        assert_eq!(hall.enter("m4", "MALLORY", "s"), went("m3"), "who has most makes room for itself");
        for transport in ["c1", "a1", "m4"] {
            hall.connect(transport);
        }
        assert_eq!(hall.enter("d1", "DAVE", "r"), None, "all are in a call");
    }

    #[test]
    fn people_outside_make_room_for_those_inside_and_never_the_other_way_round() {
        let mut hall = Hall::new(Limits { transports_per_room: 3, ..Limits::default() });
        assert_eq!(hall.enter("a", "ALICE", "r"), nobody());
        assert_eq!(hall.enter("b", "bob", "r"), nobody());
        assert_eq!(hall.enter("c", "carol", "r"), nobody());
        hall.connect("b");
        assert_eq!(hall.enter("d", "DAVE", "r"), went("c"), "who has not connected");
        assert_eq!(hall.enter("e", "eve", "r"), None, "nobody in the meeting goes for somebody outside");
        assert_eq!(hall.enter("f", "FRANK", "r"), went("b"), "connected, but outside");
        assert_eq!(hall.enter("e", "eve", "s"), nobody(), "elsewhere there is room");
    }

    #[test]
    fn outside_is_small_in_each_room_and_in_all() {
        let mut hall = Hall::new(Limits { outside_per_room: 2, outside: 3, ..Limits::default() });
        for (transport, who, room) in [("a", "a", "r"), ("b", "b", "r"), ("c", "c", "s")] {
            assert_eq!(hall.enter(transport, who, room), nobody());
            hall.connect(transport);
        }
        assert_eq!(hall.enter("d", "d", "r"), None);
        assert_eq!(hall.enter("d", "d", "t"), None);
        hall.seats.set_inside(hall.now, &"a".into(), &"r".into(), true);
        assert_eq!(hall.enter("d", "d", "r"), nobody(), "one of them has come in");
    }

    #[test]
    fn who_does_not_come_in_goes_after_a_while() {
        let mut hall = Hall::new(Limits::default());
        hall.enter("a", "alice", "r");
        hall.enter("b", "BOB", "r");
        hall.connect("a");
        hall.now += hall.limits.outside_for - Duration::from_secs(1);
        hall.enter("c", "carol", "r");
        assert_eq!(hall.seats.overdue(hall.now, &hall.limits), []);
        hall.now += Duration::from_secs(1);
        assert_eq!(hall.seats.overdue(hall.now, &hall.limits), ["a".into()]);
        // Bob leaves the meeting and keeps his page open.
        hall.seats.set_inside(hall.now, &"bob".into(), &"r".into(), false);
        hall.now += hall.limits.outside_for;
        assert_eq!(hall.seats.overdue(hall.now, &hall.limits).len(), 2);
        assert!(hall.seats.is_empty());
    }
}
