//! Tickets that open one stream, once.
//! Invariant: of two who show the same ticket, at whichever nodes, one gets in. What a ticket says is not kept, only its SHA-256.
//! Next: the door `rest/stream_tickets.rs`.

use salon_core::{AccountId, AppId, MeetingId, SessionId, Timestamp};

use crate::Store;
use crate::engine::{args, transaction as quiet};
use crate::error::Result;
use crate::transact::transaction;

/// A ticket.
#[derive(Clone, PartialEq, Eq)]
pub struct StreamTicket {
    /// SHA-256 of what it says.
    pub hash: [u8; 32],
    pub account: AccountId,
    pub app: AppId,
    /// SHA-256 of the secret of the key that it was taken with: the stream lives as long as that is good.
    pub key_hash: [u8; 32],
    pub opens: Opens,
    pub expires_at: Timestamp,
}

/// What it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// The people of a meeting; with `wait` also while no session is live.
    People { meeting: MeetingId, wait: bool },
    /// The live sessions of the app, and the people of one of them.
    Sessions { also: Option<SessionId> },
}

impl Store {
    /// Keeps a ticket, and forgets those whose time is over.
    pub async fn add_stream_ticket(&self, ticket: &StreamTicket, now: Timestamp) -> Result<()> {
        let StreamTicket { hash, account, app, key_hash, opens, expires_at } = ticket;
        let (meeting, also, waits) = match opens {
            Opens::People { meeting, wait } => (Some(meeting.clone()), None, *wait),
            Opens::Sessions { also } => (None, also.clone(), false),
        };
        transaction!(self.db, |tx| {
            tx.run("delete from stream_tickets where expires_ms <= $1", args![now]).await?;
            let sql = "insert into stream_tickets (hash, account_id, app_id, key_hash, meeting_id, also_session_id, waits, \
                       expires_ms) values ($1, $2, $3, $4, $5, $6, $7, $8)";
            tx.run(sql, args![hash, account, app, key_hash, &meeting, &also, waits, *expires_at]).await?;
            Ok(())
        })
    }

    /// The ticket of this hash, if it is good.
    pub async fn stream_ticket(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<StreamTicket>> {
        let sql = "select account_id, app_id, key_hash, meeting_id, also_session_id, waits, expires_ms from stream_tickets \
                   where hash = $1 and expires_ms > $2";
        let Some(row) = self.db.one(sql, args![hash, now]).await? else { return Ok(None) };
        let opens = match row.id_or_null("meeting_id")? {
            Some(meeting) => Opens::People { meeting, wait: row.flag("waits")? },
            None => Opens::Sessions { also: row.id_or_null("also_session_id")? },
        };
        Ok(Some(StreamTicket {
            hash: *hash,
            account: row.id("account_id")?,
            app: row.id("app_id")?,
            key_hash: row.hash("key_hash")?,
            opens,
            expires_at: row.time("expires_ms")?,
        }))
    }

    /// Takes a ticket from whoever shows it. False if somebody else was faster.
    pub async fn spend_stream_ticket(&self, hash: &[u8; 32]) -> Result<bool> {
        quiet!(self.db, |tx| {
            let gone = tx.run("delete from stream_tickets where hash = $1", args![hash]).await?;
            Ok(gone > 0)
        })
    }
}
