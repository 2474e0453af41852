//! What happens at the entrances of meetings: who has to wait, and who is not let in, and why.
//! Owns what is not written down yet.
//! Invariant: nobody waits for it and nothing hangs on it; of one participant so much is kept as the store has room for, and
//! what comes faster than it can be written is dropped and counted.
//! Next: `salon_store`'s `entrance.rs`; `rest/entrances.rs`, which tells it.

use std::sync::Arc;
use std::time::Duration;

use salon_core::session::Refusal;
use salon_core::{AppId, MeetingId, ParticipantId, PeerId};
use salon_live::Clock;
use salon_store::{AtEntrance, Happening, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What may wait to be written down: a second of a crowd that finds a closed door.
const ROOM: usize = 2_048;

/// How long it is gathered, so that a crowd costs one write.
const GATHER: Duration = Duration::from_secs(1);

/// Where it is noted.
#[derive(Clone)]
pub struct Entrance {
    notes: mpsc::Sender<AtEntrance>,
    clock: Clock,
    metrics: Arc<Metrics>,
}

/// Who it is about.
pub struct At<'a> {
    pub app: &'a AppId,
    pub meeting: &'a MeetingId,
    pub participant: &'a ParticipantId,
    pub peer: &'a PeerId,
}

impl Entrance {
    /// And what writes it down, to be run until the node stops.
    pub fn new(store: Store, clock: Clock, metrics: Arc<Metrics>, stop: CancellationToken) -> (Self, impl Future<Output = ()>) {
        let (notes, written) = mpsc::channel(ROOM);
        (Self { notes, clock, metrics }, write(store, written, stop))
    }

    /// Notes that this happened now.
    pub fn note(&self, at: At<'_>, what: Happening) {
        let now = self.clock.now();
        let happened = AtEntrance {
            app: at.app.clone(),
            meeting: at.meeting.clone(),
            participant: at.participant.clone(),
            peer: at.peer.clone(),
            what,
            first_at: now,
            last_at: now,
            times: 1,
        };
        if self.notes.try_send(happened).is_err() {
            self.metrics.refused("entrance");
        }
    }
}

/// As what a refused join counts; none of those that are no answer to somebody at the entrance.
pub fn refused(refusal: &Refusal) -> Option<Happening> {
    match refusal {
        Refusal::MeetingInactive => Some(Happening::Inactive),
        Refusal::Full => Some(Happening::Full),
        Refusal::PutOut => Some(Happening::PutOut),
        Refusal::TooOften => Some(Happening::TooOften),
        // A robot that comes before the people.
        Refusal::NoSession => None,
        _ => Some(Happening::Refused),
    }
}

async fn write(store: Store, mut notes: mpsc::Receiver<AtEntrance>, stop: CancellationToken) {
    let mut gathered = Vec::new();
    loop {
        let is_over = match stop.run_until_cancelled(notes.recv_many(&mut gathered, ROOM)).await {
            Some(0) | None => true,
            Some(_) => stop.run_until_cancelled(tokio::time::sleep(GATHER)).await.is_none(),
        };
        while gathered.len() < ROOM
            && let Ok(note) = notes.try_recv()
        {
            gathered.push(note);
        }
        if !gathered.is_empty()
            && let Err(error) = store.keep_entrance(&gathered).await
        {
            tracing::debug!(%error, lost = gathered.len(), "cannot write down who came to a meeting and was not let in");
        }
        gathered.clear();
        if is_over {
            return;
        }
    }
}
