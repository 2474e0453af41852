//! What was seen of the quality of people's calls: one JSON for each peer of a session, written anew as it grows.
//! Invariant: it outlives the session; what it holds is its writer's business.

use salon_core::{PeerId, SessionId, Timestamp};
use serde_json::Value;

use crate::Store;
use crate::engine::{args, transaction};
use crate::error::Result;

impl Store {
    /// What is kept of a peer.
    pub async fn peer_quality(&self, session: &SessionId, peer: &PeerId) -> Result<Option<Value>> {
        let sql = "select sums from peer_quality where session_id = $1 and peer_id = $2";
        self.db.one(sql, args![session, peer.as_str()]).await?.map(|row| row.json("sums")).transpose()
    }

    /// Keeps this instead of what was there, for all of these peers or, if that fails, for none.
    pub async fn keep_peer_quality(&self, of: &[(SessionId, PeerId, Value)], now: Timestamp) -> Result<()> {
        let sql = "insert into peer_quality (session_id, peer_id, sums, updated_ms) values ($1, $2, $3, $4) \
                   on conflict (session_id, peer_id) do update set sums = excluded.sums, updated_ms = excluded.updated_ms";
        transaction!(self.db, |tx| {
            for (session, peer, sums) in of {
                tx.run(sql, args![session, peer.as_str(), sums, now]).await?;
            }
            Ok(())
        })
    }
}
