//! What was seen of the quality of people's calls: blocks of some minutes for each peer of a session.
//! Invariant: they outlive the session; what they hold is their writer's business. What earlier versions kept is one JSON
//! for each peer, which is only read.

use salon_core::{PeerId, SessionId, Timestamp};
use serde_json::Value;

use crate::Store;
use crate::engine::{args, built, transaction};
use crate::error::Result;
use crate::many::{chunks, tuples};

/// Most blocks of one peer that are read at once: a week of five minutes each.
const MAX_BLOCKS: u32 = 2_016;

/// Some minutes of a peer's call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QualityBlock {
    pub session: SessionId,
    pub peer: PeerId,
    pub number: u64,
    pub body: Vec<u8>,
}

impl Store {
    /// What an earlier version kept of a peer.
    pub async fn peer_quality(&self, session: &SessionId, peer: &PeerId) -> Result<Option<Value>> {
        let sql = "select sums from peer_quality where session_id = $1 and peer_id = $2";
        self.db.one(sql, args![session, peer.as_str()]).await?.map(|row| row.json("sums")).transpose()
    }

    /// The blocks of a peer from one number to another, in order; at most those of a week.
    pub async fn quality_blocks(
        &self,
        session: &SessionId,
        peer: &PeerId,
        (from, to): (u64, u64),
    ) -> Result<Vec<(u64, Vec<u8>)>> {
        let sql = "select block, body from peer_quality_blocks where session_id = $1 and peer_id = $2 \
                   and block between $3 and $4 order by block limit $5";
        let rows = self.db.all(sql, args![session, peer.as_str(), from, to, MAX_BLOCKS]).await?;
        rows.iter().map(|row| Ok((row.count("block")?, row.bytes("body")?))).collect()
    }

    /// Keeps these blocks, instead of what was kept under their numbers; all of them or, if that fails, none.
    pub async fn keep_quality(&self, blocks: &[&QualityBlock], now: Timestamp) -> Result<()> {
        if blocks.is_empty() {
            return Ok(());
        }
        transaction!(self.db, |tx| {
            for blocks in chunks(blocks) {
                let sql = format!(
                    "insert into peer_quality_blocks (session_id, peer_id, block, body, updated_ms) values {} \
                     on conflict (session_id, peer_id, block) do update set body = excluded.body, updated_ms = excluded.updated_ms",
                    tuples(blocks.len(), 5)
                );
                let args = blocks
                    .iter()
                    .flat_map(|block| args![&block.session, block.peer.as_str(), block.number, block.body.as_slice(), now]);
                tx.run(built(sql), args.collect()).await?;
            }
            Ok(())
        })
    }
}
