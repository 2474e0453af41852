//! Which media thread has what, and which one gets what is new. For commands only, never on the way of a packet.
//! Owns the limits on transports, which count over all threads. The handle enters a name before it asks a thread to make
//! what it is for; the thread takes it out when that failed or has ended.
//! Invariant: an entry lives as long as what it names, or as the command that makes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use super::seats::Seats;
use crate::engine::Gone;
use crate::limits::{Limits, MUCH_BUSIER_BY, NEW_TRANSPORT_WEIGHS, TRANSPORT_WEIGHS};
use crate::{Consume, Error, Guest, OwnerId, ProducerId, Resumed, RoomId, TransportId};

/// The load of a thread that has ended: more than any has.
const ENDED: u64 = u64::MAX / 4;

#[derive(Debug)]
pub(super) struct Directory {
    limits: Limits,
    /// Transports of one room that stay together on a thread.
    room_per_thread: usize,
    names: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    transports: HashMap<TransportId, Place>,
    seats: Seats,
    producers: HashMap<ProducerId, usize>,
    /// How many transports of a room each thread has.
    rooms: HashMap<RoomId, Vec<usize>>,
    threads: Vec<Thread>,
}

#[derive(Clone, Debug, Default)]
struct Thread {
    ended: bool,
    transports: usize,
    /// Packets per second, as it last said.
    busy: u64,
    /// Transports that are too new to be part of that: since it last said so, and in the time before.
    new: usize,
    newish: usize,
}

impl Names {
    /// Takes everything of a thread out.
    fn clear(&mut self, thread: usize, now: Thread) -> Vec<TransportId> {
        self.threads[thread] = now;
        self.producers.retain(|_, home| *home != thread);
        self.rooms.retain(|_, here| {
            here[thread] = 0;
            here.iter().any(|count| *count > 0)
        });
        let lost: Vec<_> = self.transports.extract_if(|_, place| place.thread == thread).map(|(id, _)| id).collect();
        lost.iter().for_each(|transport| self.seats.leave(transport));
        lost
    }
}

/// Where a transport is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub thread: usize,
    pub room: RoomId,
}

impl Directory {
    pub(super) fn new(threads: usize, limits: Limits, room_per_thread: usize) -> Self {
        Self {
            limits,
            room_per_thread: room_per_thread.max(1),
            names: Mutex::new(Names { threads: vec![Thread::default(); threads], ..Names::default() }),
        }
    }

    /// A thread tells how many packets it moves in a second.
    pub(super) fn is_busy(&self, thread: usize, packets_per_second: u64) {
        let thread = &mut self.names().threads[thread];
        thread.busy = packets_per_second;
        thread.newish = std::mem::take(&mut thread.new);
    }

    /// A thread has ended, by a bug or because it was told to: nothing is left there, and nothing new goes there. Returns
    /// the transports that were there.
    pub(super) fn ended(&self, thread: usize) -> Vec<TransportId> {
        self.names().clear(thread, Thread { ended: true, ..Thread::default() })
    }

    /// A thread lost everything by a bug, and goes on. Returns the transports that were there.
    pub(super) fn lost(&self, thread: usize) -> Vec<TransportId> {
        self.names().clear(thread, Thread::default())
    }

    /// Enters a new transport of somebody; returns the thread that gets it, and those that are to be closed for it, which may
    /// stay a moment longer.
    pub(super) fn enter_transport(
        &self,
        now: Instant,
        transport: &TransportId,
        room: &RoomId,
        guest: &Guest,
    ) -> Result<(usize, Vec<TransportId>), Error> {
        let mut names = self.names();
        if names.transports.contains_key(transport) {
            return Err(Error::Refused("there is a transport of that name".into()));
        }
        let going = names.seats.enter(now, &self.limits, transport, room, guest);
        let going = going.map_err(|why| Error::Refused(why.into()))?;
        drop(names);
        let entered = self.enter(transport, room, going.len());
        if entered.is_err() {
            self.names().seats.leave(transport);
        }
        entered.map(|thread| (thread, going))
    }

    /// Enters a transport that an earlier run had on this thread, with its producers. Its owner counts as outside until the
    /// session says otherwise.
    pub(super) fn resume(&self, now: Instant, resumed: &Resumed, thread: usize) -> Result<(), Error> {
        let Resumed { transport, room, owner, .. } = resumed;
        let mut names = self.names();
        if names.transports.contains_key(transport) || names.transports.len() >= self.limits.transports {
            return Err(Error::Refused("too many transports".into()));
        }
        names.seats.resume(now, transport, owner, room);
        let threads = names.threads.len();
        names.rooms.entry(room.clone()).or_insert_with(|| vec![0; threads])[thread] += 1;
        names.threads[thread].transports += 1;
        names.transports.insert(transport.clone(), Place { thread, room: room.clone() });
        names.producers.extend(resumed.producers.iter().map(|(producer, ..)| (producer.clone(), thread)));
        Ok(())
    }

    /// The transports of a thread.
    pub(super) fn on(&self, thread: usize) -> Vec<TransportId> {
        let names = self.names();
        names.transports.iter().filter(|(_, place)| place.thread == thread).map(|(id, _)| id.clone()).collect()
    }

    /// The client of a transport is connected: it does not go before others.
    pub(super) fn connected(&self, transport: &TransportId) {
        self.names().seats.connected(transport);
    }

    pub(super) fn set_inside(&self, now: Instant, owner: &OwnerId, room: &RoomId, inside: bool) {
        self.names().seats.set_inside(now, owner, room, inside);
    }

    /// Transports that are to be closed, as their owners have not come into the meeting for too long, and where they are.
    pub(super) fn overdue(&self, now: Instant) -> Vec<TransportId> {
        self.names().seats.overdue(now, &self.limits)
    }

    /// Finds a thread for a new transport, while so many are about to go.
    fn enter(&self, transport: &TransportId, room: &RoomId, going: usize) -> Result<usize, Error> {
        let mut names = self.names();
        if names.transports.contains_key(transport) {
            return Err(Error::Refused("there is a transport of that name".into()));
        }
        if names.transports.len() >= self.limits.transports + going {
            return Err(Error::Refused("too many transports".into()));
        }
        let mut here = names.rooms.get(room).cloned().unwrap_or_else(|| vec![0; names.threads.len()]);
        if here.iter().sum::<usize>() >= self.limits.transports_per_room + going {
            return Err(Error::Refused("too many transports in the room".into()));
        }
        let thread = choose(&here, &loads(&names.threads), self.room_per_thread);
        here[thread] += 1;
        names.rooms.insert(room.clone(), here);
        names.threads[thread].transports += 1;
        names.threads[thread].new += 1;
        names.transports.insert(transport.clone(), Place { thread, room: room.clone() });
        Ok(thread)
    }

    /// Enters a new producer on the thread of its transport.
    pub(super) fn enter_producer(&self, producer: &ProducerId, thread: usize) -> Result<(), Error> {
        let mut names = self.names();
        if names.producers.contains_key(producer) {
            return Err(Error::Refused("there is a producer of that name".into()));
        }
        names.producers.insert(producer.clone(), thread);
        Ok(())
    }

    pub(super) fn transport(&self, transport: &TransportId) -> Result<Place, Error> {
        self.names().transports.get(transport).cloned().ok_or(Error::UnknownTransport)
    }

    pub(super) fn producer(&self, producer: &ProducerId) -> Option<usize> {
        self.names().producers.get(producer).copied()
    }

    /// The wanted producers that other threads have, by thread.
    pub(super) fn elsewhere(&self, thread: usize, wanted: &[Consume]) -> BTreeMap<usize, Vec<ProducerId>> {
        let names = self.names();
        let mut elsewhere: BTreeMap<usize, Vec<ProducerId>> = BTreeMap::new();
        for Consume { producer, .. } in wanted {
            if let Some(home) = names.producers.get(producer).filter(|home| **home != thread) {
                elsewhere.entry(*home).or_default().push(producer.clone());
            }
        }
        elsewhere
    }

    /// The threads that have transports of a room.
    pub(super) fn room(&self, room: &RoomId) -> Vec<usize> {
        let names = self.names();
        let here = names.rooms.get(room).into_iter().flatten();
        here.enumerate().filter(|(_, count)| **count > 0).map(|(thread, _)| thread).collect()
    }

    pub(super) fn rooms(&self) -> usize {
        self.names().rooms.len()
    }

    /// Takes a name out: what it is for has ended, or was never made.
    pub(super) fn forget(&self, gone: &Gone) {
        let mut names = self.names();
        let transport = match gone {
            Gone::Producer(producer) => {
                names.producers.remove(producer);
                return;
            }
            Gone::Transport(transport) => transport,
        };
        names.seats.leave(transport);
        let Some(Place { thread, room }) = names.transports.remove(transport) else { return };
        names.threads[thread].transports -= 1;
        if let Some(here) = names.rooms.get_mut(&room) {
            here[thread] -= 1;
            if here.iter().all(|count| *count == 0) {
                names.rooms.remove(&room);
            }
        }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// What each thread has to do, about, in packets per second. Transports that are too new to tell count as the others do.
fn loads(threads: &[Thread]) -> Vec<u64> {
    let (busy, transports) = threads.iter().fold((0, 0), |(b, t), thread| (b + thread.busy, t + thread.transports));
    let usual = NEW_TRANSPORT_WEIGHS.max(busy / transports.max(1) as u64);
    let load = |t: &Thread| t.busy + t.transports as u64 * TRANSPORT_WEIGHS + (t.new + t.newish) as u64 * usual;
    threads.iter().map(|thread| if thread.ended { ENDED } else { load(thread) }).collect()
}

/// The thread for one more transport of a room that has `here` on each: with the most of the room, as long as it has not
/// too many of it and is not much busier than another; else the least busy.
fn choose(here: &[usize], load: &[u64], room_per_thread: usize) -> usize {
    let least_busy = (0..load.len()).min_by_key(|thread| load[*thread]).unwrap_or(0);
    let home = (0..here.len()).filter(|thread| (1..room_per_thread).contains(&here[*thread])).max_by_key(|thread| here[*thread]);
    home.filter(|home| load[*home] <= 2 * load[least_busy] + MUCH_BUSIER_BY).unwrap_or(least_busy)
}

#[cfg(test)]
impl Directory {
    /// Whether nothing is left of anything.
    pub(super) fn is_empty(&self) -> bool {
        let names = self.names();
        names.transports.is_empty()
            && names.producers.is_empty()
            && names.rooms.is_empty()
            && names.seats.is_empty()
            && names.threads.iter().all(|thread| thread.transports == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(here: &[usize], load: &[u64], thread: usize) {
        assert_eq!(choose(here, load, 4), thread);
    }

    #[test]
    fn a_room_begins_where_least_is_done_and_stays_while_it_is_small() {
        check(&[0, 0, 0], &[300, 100, 200], 1);
        check(&[0, 2, 0], &[0, 200, 0], 1);
        check(&[1, 3, 0], &[100, 300, 0], 1);
    }

    #[test]
    fn a_large_room_spreads() {
        check(&[0, 4, 0], &[300, 400, 200], 2);
        check(&[0, 4, 1], &[0, 400, 500], 2);
        check(&[4, 5, 6], &[400, 500, 600], 0);
    }

    #[test]
    fn a_large_room_that_fills_fast_ends_up_even() {
        let directory = Directory::new(2, Limits::default(), 100);
        let (mut open, mut live) = ([0_u64; 2], [0_u64; 2]);
        for n in 0..400 {
            open[directory.enter(&format!("{n}").into(), &"r".into(), 0).expect("a place")] += 1;
            // Fifty join in a second, and take packets from the next on.
            if n % 50 == 49 {
                (0..2).for_each(|thread| directory.is_busy(thread, live[thread] * 230));
                live = open;
            }
        }
        assert!(open.iter().all(|here| (185..=215).contains(here)), "{open:?}");
    }

    #[test]
    fn a_small_room_leaves_a_thread_that_is_much_busier() {
        check(&[2, 0], &[MUCH_BUSIER_BY * 4, MUCH_BUSIER_BY], 1);
        check(&[2, 0], &[MUCH_BUSIER_BY * 3, MUCH_BUSIER_BY], 0);
    }

    #[test]
    fn a_thread_that_has_ended_gets_nothing() {
        let directory = Directory::new(2, Limits::default(), 4);
        for (transport, thread) in [("a", 0), ("b", 0)] {
            assert_eq!(directory.enter(&transport.into(), &"r".into(), 0), Ok(thread));
        }
        directory.enter_producer(&"p".into(), 0).expect("a new name");
        assert_eq!(directory.ended(0).len(), 2);
        assert!(directory.is_empty());
        for transport in ["a", "b", "c"] {
            assert_eq!(directory.enter(&transport.into(), &transport.into(), 0), Ok(1));
        }
        // Late news of what was there are no news.
        directory.forget(&Gone::Transport("z".into()));
    }

    #[test]
    fn bounds_count_over_all_threads() {
        let limits = Limits { transports: 3, transports_per_room: 2, ..Limits::default() };
        let directory = Directory::new(2, limits, 1);
        assert_eq!(directory.enter(&"a".into(), &"r".into(), 0), Ok(0));
        assert_eq!(directory.enter(&"b".into(), &"r".into(), 0), Ok(1));
        assert_eq!(directory.room(&"r".into()), [0, 1]);
        let full = directory.enter(&"c".into(), &"r".into(), 0);
        assert!(matches!(full, Err(Error::Refused(_))), "{full:?}");
        let again = directory.enter(&"a".into(), &"s".into(), 0);
        assert!(matches!(again, Err(Error::Refused(_))), "{again:?}");
        assert_eq!(directory.enter(&"c".into(), &"s".into(), 0), Ok(0));
        let full = directory.enter(&"d".into(), &"t".into(), 0);
        assert!(matches!(full, Err(Error::Refused(_))), "{full:?}");
        for transport in ["a", "b", "c"] {
            directory.forget(&Gone::Transport(transport.into()));
        }
        assert!(directory.is_empty());
    }
}
