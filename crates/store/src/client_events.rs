//! What clients said of themselves during a session, for explanations only: a row for each thing, once.
//! Invariant: of one peer there are so many at most; the same thing said again, as clients do, is one row.
//! What may be in it is decided at the door.

use salon_core::{PeerId, SessionId, Timestamp};

use crate::Store;
use crate::engine::{args, built, transaction};
use crate::error::Result;
use crate::many::{chunks, tuples};

/// Most events kept of one peer of a session. More say nothing new.
pub const MAX_CLIENT_EVENTS: u32 = 500;

/// Something a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEvent {
    /// The client's own name for it.
    pub event: String,
    /// By the client's clock, as it wrote it: with the name what tells this one from others.
    pub told: String,
    /// When it was, by ours.
    pub at: Timestamp,
    /// What else there is to it, of what we keep: a device and a state.
    pub device: String,
    pub state: String,
}

impl Store {
    /// Keeps what a peer's client said, as far as there is room; answers with how many were not known before.
    pub async fn keep_client_events(&self, session: &SessionId, peer: &PeerId, events: &[ClientEvent]) -> Result<u64> {
        transaction!(self.db, |tx| {
            let sql = "select count(*) as total from client_events where session_id = $1 and peer_id = $2";
            let known: u32 = tx.one(sql, args![session, peer.as_str()]).await?.map_or(Ok(0), |row| row.count("total"))?;
            let room = MAX_CLIENT_EVENTS.saturating_sub(known) as usize;
            let mut kept = 0;
            for events in chunks(&events[..events.len().min(room)]) {
                let sql = format!(
                    "insert into client_events (session_id, peer_id, event, told, at_ms, device, state) values {} \
                     on conflict do nothing",
                    tuples(events.len(), 7)
                );
                let args = events.iter().flat_map(|event| {
                    args![session, peer.as_str(), &event.event, &event.told, event.at, &event.device, &event.state]
                });
                kept += tx.run(built(sql), args.collect()).await?;
            }
            Ok(kept)
        })
    }

    /// What a peer's client said, in the order of time.
    pub async fn client_events(&self, session: &SessionId, peer: &PeerId) -> Result<Vec<ClientEvent>> {
        let sql = "select event, told, at_ms, device, state from client_events where session_id = $1 and peer_id = $2 \
                   order by at_ms, event limit $3";
        let rows = self.db.all(sql, args![session, peer.as_str(), MAX_CLIENT_EVENTS]).await?;
        let read = |row: &crate::engine::Row| {
            Ok(ClientEvent {
                event: row.text("event")?,
                told: row.text("told")?,
                at: row.time("at_ms")?,
                device: row.text("device")?,
                state: row.text("state")?,
            })
        };
        rows.iter().map(read).collect()
    }
}
