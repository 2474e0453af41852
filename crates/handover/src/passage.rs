//! Falling quiet, in phases: nobody is asked anything new, what was asked is done, everybody packs.
//! Owns who takes part, how far each of them is, and what they have packed.
//! Invariant: a parcel is there only as long as whoever packed it takes part, and keeps its descriptors open.
//! Next: `server/src/start/upgrade.rs`, which goes through the phases.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::parcel::Parcel;

/// How far a handover is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Phase {
    /// There is none.
    #[default]
    Open,
    /// Nothing new is begun: no connection, request or message is read. What was begun is finished.
    Closing,
    /// Sessions do what they were asked, and then nothing more.
    Settling,
    /// Sockets say what is left to be said, and pack.
    Packing,
}

/// What somebody who takes part is, which says in which phase it has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// A port or a connection, or something that is done for one: quiet when closing.
    Door,
    /// Quiet when settling.
    Session,
    /// Quiet when closing, and packs last.
    Socket,
}

impl Part {
    fn acts_in(self, phase: Phase) -> bool {
        match phase {
            Phase::Open => false,
            Phase::Closing => self != Part::Session,
            Phase::Settling => self == Part::Session,
            Phase::Packing => self == Part::Socket,
        }
    }
}

/// Through which everything goes from one process to the next. Clones are the same.
#[derive(Clone, Default)]
pub struct Passage(Arc<Inner>);

#[derive(Default)]
struct Inner {
    phase: watch::Sender<Phase>,
    state: Mutex<State>,
    /// Somebody has reported, or has gone.
    news: Notify,
}

#[derive(Default)]
struct State {
    phase: Phase,
    next: u64,
    here: HashMap<u64, Entry>,
    /// Those who have something to do in this phase and have not reported.
    busy: usize,
}

struct Entry {
    part: Part,
    reported: bool,
    parcels: Vec<Parcel>,
}

impl Passage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes part from now on, until the guest is dropped.
    pub fn enter(&self, part: Part) -> Guest {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        state.here.insert(id, Entry { part, reported: false, parcels: Vec::new() });
        state.busy += usize::from(part.acts_in(state.phase));
        // Under the lock, so that it sees every phase after the present one.
        Guest { id, phase: self.0.phase.subscribe(), passage: self.clone() }
    }

    /// Goes on to a phase and waits until everybody has done what there is to do in it; answers with how many have not in time.
    pub async fn go_on(&self, phase: Phase, within: Duration) -> usize {
        self.begin(phase);
        let quiet = async {
            loop {
                let news = self.0.news.notified();
                if self.state().busy == 0 {
                    return;
                }
                news.await;
            }
        };
        let _ = tokio::time::timeout(within, quiet).await;
        self.state().busy
    }

    /// The handover comes to nothing: everybody goes on.
    pub fn reopen(&self) {
        self.begin(Phase::Open);
    }

    fn begin(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        let mut busy = 0;
        for entry in state.here.values_mut() {
            entry.reported = false;
            busy += usize::from(entry.part.acts_in(phase));
            if phase == Phase::Open {
                entry.parcels.clear();
            }
        }
        state.busy = busy;
        self.0.phase.send_replace(phase);
    }

    /// All that is packed by now.
    pub fn parcels(&self) -> Vec<Parcel> {
        let state = self.state();
        let mut all: Vec<(&u64, &Entry)> = state.here.iter().collect();
        // In the order in which they came.
        all.sort_by_key(|(id, _)| **id);
        all.into_iter().flat_map(|(_, entry)| entry.parcels.iter().cloned()).collect()
    }

    /// Whether a handover is under way.
    pub fn is_open(&self) -> bool {
        *self.0.phase.borrow() == Phase::Open
    }
}

/// Somebody who takes part.
pub struct Guest {
    id: u64,
    phase: watch::Receiver<Phase>,
    passage: Passage,
}

impl Guest {
    /// Returns as soon as a handover is in this phase or a later one.
    pub async fn reaches(&mut self, phase: Phase) {
        // The passage lives as long as this does.
        let _ = self.phase.wait_for(|now| *now >= phase).await;
    }

    /// Returns when there is no handover, or no more.
    pub async fn is_over(&mut self) {
        let _ = self.phase.wait_for(|now| *now == Phase::Open).await;
    }

    /// Returns how far it is when that is not `known` any more.
    pub async fn turns(&mut self, known: Phase) -> Phase {
        self.phase.wait_for(|now| *now != known).await.map_or(Phase::Open, |now| *now)
    }

    /// How far it is.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// There is nothing left to do in this phase.
    pub fn report(&self) {
        let mut state = self.passage.state();
        let phase = state.phase;
        let Some(entry) = state.here.get_mut(&self.id) else { return };
        let counts = entry.part.acts_in(phase) && !std::mem::replace(&mut entry.reported, true);
        state.busy -= usize::from(counts);
        drop(state);
        self.passage.0.news.notify_waiters();
    }

    /// This goes along. Its descriptors stay open as long as this guest is here and the handover goes on.
    pub fn pack(&self, parcel: Parcel) {
        let mut state = self.passage.state();
        if state.phase != Phase::Open
            && let Some(entry) = state.here.get_mut(&self.id)
        {
            entry.parcels.push(parcel);
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut state = self.passage.state();
        let phase = state.phase;
        if let Some(entry) = state.here.remove(&self.id) {
            state.busy -= usize::from(entry.part.acts_in(phase) && !entry.reported);
        }
        drop(state);
        self.passage.0.news.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn named(what: &str) -> Parcel {
        Parcel { what: what.into(), ..Parcel::default() }
    }

    #[tokio::test]
    async fn each_phase_waits_for_those_who_have_something_to_do_in_it() {
        let passage = Passage::default();
        let (door, session, socket) = (Part::Door, Part::Session, Part::Socket);
        let (door, mut session, mut socket) = (passage.enter(door), passage.enter(session), passage.enter(socket));
        assert_eq!(passage.go_on(Phase::Closing, Duration::ZERO).await, 2);
        door.pack(named("port"));
        door.report();
        socket.report();
        socket.report();
        assert_eq!(passage.state().busy, 0);
        session.reaches(Phase::Closing).await;
        let settled = tokio::spawn(async move {
            session.reaches(Phase::Settling).await;
            session.pack(named("session"));
            session.report();
            session.is_over().await;
        });
        assert_eq!(passage.go_on(Phase::Settling, LONG).await, 0);
        socket.reaches(Phase::Settling).await;
        assert_eq!(passage.go_on(Phase::Packing, Duration::ZERO).await, 1);
        socket.pack(named("socket"));
        let what = |passage: &Passage| passage.parcels().into_iter().map(|parcel| parcel.what).collect::<Vec<_>>();
        assert_eq!(what(&passage), ["port", "session", "socket"]);
        drop(socket);
        assert_eq!(what(&passage), ["port", "session"], "its descriptor may be another's by now");
        passage.reopen();
        settled.await.expect("it goes on");
        assert!(passage.parcels().is_empty() && passage.is_open());
    }

    #[tokio::test]
    async fn who_comes_or_goes_meanwhile_is_counted() {
        let passage = Passage::default();
        let first = passage.enter(Part::Door);
        assert_eq!(passage.go_on(Phase::Closing, Duration::ZERO).await, 1);
        let second = passage.enter(Part::Door);
        drop(first);
        assert_eq!(passage.state().busy, 1);
        second.report();
        drop(second);
        assert_eq!(passage.state().busy, 0);
        let late = passage.enter(Part::Session);
        late.pack(named("early"));
        assert_eq!(passage.state().busy, 0, "its phase is to come");
    }
}
