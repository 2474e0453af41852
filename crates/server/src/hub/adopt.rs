//! Taking sessions over: those that a run of this node left behind when it died, and those of nodes that are dead.
//! Invariant: a session goes on only after the store has made this run its owner, under a new epoch.
//! Next: `Session::recover`, which says what an outage means for the people in it.

use salon_core::session::MeetingFacts;
use salon_core::{Session, Timestamp};
use salon_store::SessionRow;

use crate::hub::{Handle, Hub, Unavailable};

impl Hub {
    /// Takes over every live session that has no living owner; answers with how many.
    ///
    /// `last_beat` is the last moment the previous run of this node is known to have been alive, as its own file has it.
    pub async fn adopt_orphans(&self, last_beat: Option<Timestamp>) -> Result<usize, salon_store::Error> {
        let orphans = self.shared.store.live_sessions_to_adopt(&self.shared.run, self.shared.clock.now()).await?;
        let mut adopted = 0;
        for orphan in orphans {
            let Some(row) = self.shared.store.live_session_of(&orphan.meeting).await? else { continue };
            match self.take_over(&row, last_beat).await {
                Ok(_) => adopted += 1,
                // Another node was faster.
                Err(salon_store::Error::NotOwner | salon_store::Error::Conflict(_)) => {}
                Err(salon_store::Error::Corrupt(corrupt)) => {
                    tracing::error!(session.id = %orphan.session, %corrupt, "the record of a live session cannot be read; it is left alone");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(adopted)
    }

    /// Takes one session over if its owner is dead.
    pub(super) async fn adopt(&self, row: &SessionRow) -> Result<Handle, Unavailable> {
        self.take_over(row, None).await.map_err(|error| {
            tracing::warn!(session.id = %row.summary.session, %error, "cannot take a session over");
            Unavailable
        })
    }

    async fn take_over(&self, row: &SessionRow, last_beat: Option<Timestamp>) -> Result<Handle, salon_store::Error> {
        let (store, run) = (&self.shared.store, &self.shared.run);
        let session = &row.summary.session;
        let now = self.shared.clock.now();
        // This very run may have let go of it before, after a failure to save.
        let is_own = row.owner_run == *run;
        let (epoch, seen) = if is_own {
            (row.epoch, now)
        } else {
            let epoch = store.take_over(session, row.epoch, run, now).await?;
            // The file is more exact, but speaks only of runs of this very node.
            let beat = last_beat.filter(|_| row.owner_node == self.shared.node).unwrap_or_default();
            (epoch, beat.max(row.owner_seen_at))
        };
        let record = store.record(session).await?.ok_or(salon_store::Error::NotFound)?;
        let facts = MeetingFacts {
            meeting: record.started.meeting.clone(),
            app: record.started.app.clone(),
            title: record.started.title.clone(),
            keep_alive_ms: record.started.keep_alive_ms,
            // Asked when a session begins, with facts of that moment; this one has begun.
            persist_chat: false,
            parent: record.started.parent.clone(),
        };
        let family = self.stored_family(&facts).await?;
        if !is_own {
            let published = record.peers.values().filter(|peer| peer.is_present() && !peer.tracks.is_empty());
            self.shared.media.cut_off(&facts.meeting, published.map(|peer| peer.who.peer.clone()), seen);
        }
        tracing::info!(meeting.id = %facts.meeting, session.id = %session, outage_ms = now.since(seen), "going on with a session");
        let session = Session::recover(facts, self.shared.limits.clone(), record, now, seen);
        let handle = self.spawn(session, epoch);
        // What it was before the outage may not be so any more.
        if let Some(parent) = family {
            self.note_family(&parent);
        }
        Ok(handle)
    }
}
