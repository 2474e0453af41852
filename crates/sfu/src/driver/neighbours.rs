//! The ways between media threads: one bounded queue from each to each other, and a bell at each.
//! A batch is moved, not copied; nobody waits. std's bounded channel has no lock while it is neither full nor empty of
//! waiters, and a batch costs one push, so nothing faster would be noticed.
//! Invariant: a thread that sleeps is woken by the first batch; those after it ring no more until it has looked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use mio::Waker;

use crate::engine::crossing::Crossing;
use crate::limits::CROSSING_BATCHES;

/// One thread's ends of the ways.
pub(super) struct Neighbours {
    bell: Arc<Bell>,
    /// By thread; none to itself.
    to: Vec<Option<(SyncSender<Vec<Crossing>>, Arc<Bell>)>>,
    from: Vec<(usize, Receiver<Vec<Crossing>>)>,
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
                let (sender, receiver) = sync_channel(CROSSING_BATCHES);
                all[to].from.push((from, receiver));
                way = Some((sender, Arc::clone(bell)));
            }
            all[from].to.push(way);
        }
    }
    all
}

impl Neighbours {
    /// Moves what waits to another thread. False if its queue is full: all of it goes on waiting.
    pub(super) fn send(&self, to: usize, waiting: &mut Vec<Crossing>) -> bool {
        let Some(Some((sender, bell))) = self.to.get(to) else { return true };
        match sender.try_send(std::mem::take(waiting)) {
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
