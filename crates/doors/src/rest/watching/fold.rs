//! The people of a session as its stored record has them, read from the beginning, and what is told of each event on the way.
//! Invariant: the same events give the same frames, on whichever node, however late.
//! Next: `feed.rs`, which reads on.

use salon_core::{Event, EventBody, Record, SessionId};
use salon_store::{MAX_EVENTS, Store};

use crate::people;
use crate::rest::watching::frame::{Frame, What, numbered};

/// The people of a session up to an event.
pub struct Fold {
    /// Of the events that are of people alone: chat and the like take no memory here.
    pub people: Record,
    /// The last event that was read.
    pub read: u64,
}

impl Fold {
    /// Reads a record up to an event. The frames are those of the events after `told`. None if there is no such record.
    pub async fn read(
        store: &Store,
        session: &SessionId,
        until: u64,
        told: u64,
    ) -> salon_store::Result<Option<(Self, Vec<Frame>)>> {
        let mut fold: Option<Self> = None;
        let mut frames = Vec::new();
        loop {
            let read = fold.as_ref().map_or(0, |fold| fold.read);
            let events = events(store, session, read, until).await?;
            let Some(last) = events.last().map(|event| event.seq) else { break };
            for event in &events {
                match &mut fold {
                    Some(fold) => frames.extend(fold.take(event, event.seq > told)),
                    None => fold = Record::begin(event).map(|people| Self { people, read: event.seq }),
                }
            }
            if fold.is_none() || last >= until {
                break;
            }
        }
        Ok(fold.map(|fold| (fold, frames)))
    }

    /// Takes the next event; what is told of it, if that is wanted.
    pub fn take(&mut self, event: &Event, wanted: bool) -> Option<Frame> {
        self.read = event.seq;
        if !event.body.is_of_people() {
            return None;
        }
        let prev = self.people.people_seq;
        self.people.apply(event);
        let (session, seq) = (&self.people.started.session, event.seq);
        if !wanted {
            return None;
        }
        if matches!(event.body, EventBody::SessionEnded { .. }) {
            let ended = people::ended(prev, &self.people)?;
            return Some(Frame { what: What::End { prev, seq }, text: numbered("ended", session, seq, &ended) });
        }
        let change = people::change(prev, &self.people, event)?;
        Some(Frame { what: What::Step { prev, seq }, text: numbered("change", session, seq, &change) })
    }
}

/// Some of the events after one, and none after another; none if there are no more of them.
pub async fn events(store: &Store, session: &SessionId, after: u64, until: u64) -> salon_store::Result<Vec<Event>> {
    let wanted = until.saturating_sub(after).min(u64::from(MAX_EVENTS)) as u32;
    if wanted == 0 {
        return Ok(Vec::new());
    }
    store.events(session, after, wanted).await
}
