//! The ways between media threads: one bounded queue from each to each other, and a bell at each.
//! A batch is moved, not copied; nobody waits. std's bounded channel has no lock while it is neither full nor empty of
//! waiters, and a batch costs one push, so nothing faster would be noticed.
//! Invariant: a thread that sleeps is woken by the first batch; those after it ring no more until it has looked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use mio::Waker;

use crate::engine::crossing::{Crossing, Crossings};
use crate::limits::CROSSING_BATCHES;

/// One thread's ends of the ways.
pub(super) struct Neighbours {
    bell: Arc<Bell>,
    /// By thread; none to itself.
    to: Vec<Option<To>>,
    from: Vec<(usize, Receiver<Vec<Crossing>>)>,
}

/// The way to another thread.
struct To {
    queue: SyncSender<Vec<Crossing>>,
    bell: Arc<Bell>,
}

/// Wakes a thread, with one system call however often it is rung.
struct Bell {
    rung: AtomicBool,
    waker: Arc<Waker>,
}

/// The ends for all threads, by the wakers of each.
pub(super) fn neighbours(wakers: &[Arc<Waker>]) -> Vec<Neighbours> {
    let bells: Vec<Arc<Bell>> =
        wakers.iter().map(|waker| Arc::new(Bell { rung: AtomicBool::new(false), waker: Arc::clone(waker) })).collect();
    let ends = |bell: &Arc<Bell>| Neighbours { bell: Arc::clone(bell), to: Vec::new(), from: Vec::new() };
    let mut all: Vec<Neighbours> = bells.iter().map(ends).collect();
    for from in 0..bells.len() {
        for (to, bell) in bells.iter().enumerate() {
            let mut way = None;
            if from != to {
                let (queue, receiver) = sync_channel(CROSSING_BATCHES);
                all[to].from.push((from, receiver));
                way = Some(To { queue, bell: Arc::clone(bell) });
            }
            all[from].to.push(way);
        }
    }
    all
}

impl Neighbours {
    /// Carries over what waits. False if some of it goes on waiting, as a thread does not take it.
    pub(super) fn carry(&self, crossings: &mut Crossings) -> bool {
        crossings.waiting().fold(true, |all, (to, waiting)| self.send(to, waiting) && all)
    }

    fn send(&self, to: usize, waiting: &mut Vec<Crossing>) -> bool {
        let Some(Some(To { queue, bell })) = self.to.get(to) else { return true };
        // About as much will come again.
        let room = Vec::with_capacity(waiting.len());
        match queue.try_send(std::mem::replace(waiting, room)) {
            Ok(()) => {}
            Err(TrySendError::Full(batch)) => {
                *waiting = batch;
                return false;
            }
            // It has ended, and its transports with it.
            Err(TrySendError::Disconnected(_)) => return true,
        }
        if !bell.rung.swap(true, Ordering::AcqRel) {
            // If waking fails the thread still sees the batch at its next deadline.
            let _ = bell.waker.wake();
        }
        true
    }

    /// Takes what came over.
    pub(super) fn receive(&self, mut each: impl FnMut(usize, Crossing)) {
        if !self.bell.rung.load(Ordering::Relaxed) {
            return;
        }
        // First: what is pushed after this rings again.
        self.bell.rung.swap(false, Ordering::AcqRel);
        for (from, receiver) in &self.from {
            for crossing in receiver.try_iter().take(CROSSING_BATCHES).flatten() {
                each(*from, crossing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mio::{Events, Poll, Token};

    use super::*;
    use crate::engine::key::ProducerKey;

    #[test]
    fn what_a_full_way_does_not_take_waits_and_comes_in_order() {
        let polls: Vec<Poll> = (0..2).map(|_| Poll::new().expect("a poll")).collect();
        let wakers = polls.iter().map(|poll| Arc::new(Waker::new(poll.registry(), Token(0)).expect("a waker")));
        let all = neighbours(&wakers.collect::<Vec<_>>());
        let ended = |n| Crossing::Ended { key: ProducerKey(n) };
        let mut came = vec![];
        let receive = |came: &mut Vec<u64>| {
            all[1].receive(|from, crossing| {
                let Crossing::Ended { key } = crossing else { panic!("{crossing:?}") };
                assert_eq!(from, 0);
                came.push(key.0);
            });
        };
        receive(&mut came);
        for n in 0..CROSSING_BATCHES as u64 {
            assert!(all[0].send(1, &mut vec![ended(n)]));
        }
        let mut waiting = vec![ended(64), ended(65)];
        assert!(!all[0].send(1, &mut waiting));
        assert_eq!(waiting.len(), 2);
        let mut woken = Events::with_capacity(1);
        let [_, mut poll] = <[Poll; 2]>::try_from(polls).expect("two");
        poll.poll(&mut woken, Some(Duration::from_secs(5))).expect("polled");
        assert!(!woken.is_empty(), "it was woken");
        receive(&mut came);
        assert!(all[0].send(1, &mut waiting) && waiting.is_empty());
        receive(&mut came);
        assert_eq!(came, (0..66).collect::<Vec<_>>());
        poll.poll(&mut woken, Some(Duration::from_secs(5))).expect("polled");
        assert!(!woken.is_empty(), "and again, as it had looked");
    }
}
