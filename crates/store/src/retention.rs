//! What is old enough to go: sessions that ended long ago, and what was measured in them.
//! Invariant: a session goes from every list in one transaction, and what it leaves behind is known until it is gone, so a
//! sweep that is cut off anywhere is finished by the next, and nobody meets half a record.
//! Next: `docs/data.md`, for how long what is kept.

use salon_core::erasure::Erasure;
use salon_core::{AppId, SessionId, Timestamp};

use crate::Store;
use crate::acting;
use crate::engine::{Row, args, built, transaction as quiet};
use crate::error::{Error, Result};
use crate::transact::transaction;
use crate::transcripts;

/// Events of a gone session that one transaction deletes. More holds others up for longer.
const EVENTS: u32 = 1_000;

/// A session whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldSession {
    /// As it is stored: what cannot be read can go.
    pub session: String,
    /// `None` if it cannot be read.
    pub app: Option<AppId>,
    pub ended_at: Timestamp,
}

impl Store {
    /// Sessions that ended before `before`, oldest first, at most `most` of those after `after`. The last of a meeting that keeps
    /// its chat is not among them: the next begins with its chat.
    pub async fn old_sessions(&self, before: Timestamp, after: Option<&OldSession>, most: u32) -> Result<Vec<OldSession>> {
        self.sessions_over("", before, after, most).await
    }

    /// The same, of those whose chat is still there.
    pub async fn sessions_with_old_chat(
        &self,
        before: Timestamp,
        after: Option<&OldSession>,
        most: u32,
    ) -> Result<Vec<OldSession>> {
        self.sessions_over(" and s.has_chat = true", before, after, most).await
    }

    async fn sessions_over(
        &self,
        only: &str,
        before: Timestamp,
        after: Option<&OldSession>,
        most: u32,
    ) -> Result<Vec<OldSession>> {
        let (at, id) = after.map_or((i64::MIN, ""), |last| (last.ended_at.0, last.session.as_str()));
        let sql = format!(
            "select s.id, s.app_id, s.ended_ms from sessions s \
                   where s.ended_ms < $1{only} and (s.ended_ms > $2 or (s.ended_ms = $2 and s.id > $3)) \
                   and not (exists (select 1 from meetings m where m.id = s.meeting_id and m.persist_chat = true) \
                            and not exists (select 1 from sessions t where t.meeting_id = s.meeting_id \
                                            and (t.created_ms > s.created_ms or (t.created_ms = s.created_ms and t.id > s.id)))) \
                   order by s.ended_ms, s.id limit $4"
        );
        let rows = self.db.all(built(sql), args![before, at, id, most]).await?;
        let read = |row: &Row| {
            let app = AppId::parse(&row.text("app_id")?).ok();
            Ok(OldSession { session: row.text("id")?, app, ended_at: row.time("ended_ms")? })
        };
        rows.iter().map(read).collect()
    }

    /// Takes a session that is over off every list, and says what is left to delete. False if somebody else did.
    pub async fn bury_session(&self, old: &OldSession) -> Result<bool> {
        acting::about("session", &old.session);
        transaction!(self.db, |tx| {
            tx.run("delete from peer_quality where session_id = $1", args![&old.session]).await?;
            let sql = "update session_days set listed = listed - 1 where exists (select 1 from sessions s where s.id = $1 \
                       and s.ended_ms is not null and s.app_id = session_days.app_id and s.created_ms / 86400000 = session_days.day)";
            tx.run(sql, args![&old.session]).await?;
            let sql = "delete from sessions where id = $1 and ended_ms is not null";
            if tx.run(sql, args![&old.session]).await? == 0 {
                return Ok(false);
            }
            let sql = "insert into buried_sessions (session_id) values ($1) on conflict do nothing";
            tx.run(sql, args![&old.session]).await?;
            Ok(true)
        })
    }

    /// Sessions that were buried and have left something: those that a sweep was cut off in.
    pub async fn buried_sessions(&self) -> Result<Vec<String>> {
        let sql = "select session_id from buried_sessions order by session_id";
        self.db.all(sql, args![]).await?.iter().map(|row| row.text("session_id")).collect()
    }

    /// Deletes some of what a buried session left. True once nothing is.
    pub async fn clear_buried(&self, session: &str) -> Result<bool> {
        quiet!(self.db, |tx| {
            let sql = format!(
                "delete from session_events where session_id = $1 and seq in \
                 (select seq from session_events where session_id = $1 order by seq limit {EVENTS})"
            );
            if tx.run(built(sql), args![session]).await? == u64::from(EVENTS) {
                return Ok(false);
            }
            tx.run("delete from peer_quality_blocks where session_id = $1", args![session]).await?;
            tx.run("delete from session_peers where session_id = $1", args![session]).await?;
            tx.run("delete from client_events where session_id = $1", args![session]).await?;
            transcripts::forget(tx, session).await?;
            // Those whose files are there still go when these do.
            let sql = "delete from recordings where session_id = $1 and kept = $2 and status in ('UPLOADED', 'ERRORED')";
            tx.run(sql, args![session, false]).await?;
            let sql = "delete from livestreams where session_id = $1 and kept = $2 and status in ('IDLE', 'ERRORED')";
            tx.run(sql, args![session, false]).await?;
            tx.run("delete from buried_sessions where session_id = $1", args![session]).await?;
            Ok(true)
        })
    }

    /// Takes out of the record of a session that is over what was said in its chat. Who was there, and what they did else, stays.
    pub async fn clear_chat(&self, old: &OldSession) -> Result<()> {
        acting::about("session", &old.session);
        let session = SessionId::parse(&old.session).map_err(|_| Error::NotFound)?;
        self.rewrite(&session, &mut Erasure::of_chat()).await?;
        self.db.run("update sessions set has_chat = false where id = $1", args![&session]).await.map(drop)
    }

    /// Deletes some of what was measured in calls before `before`. True once nothing of it is left.
    pub async fn clear_quality(&self, before: Timestamp) -> Result<bool> {
        quiet!(self.db, |tx| {
            let mut all = true;
            for (table, key) in [("peer_quality", "session_id, peer_id"), ("peer_quality_blocks", "session_id, peer_id, block")] {
                let sql = format!(
                    "delete from {table} where ({key}) in (select {key} from {table} where updated_ms < $1 limit {EVENTS})"
                );
                all &= tx.run(built(sql), args![before]).await? < u64::from(EVENTS);
            }
            Ok(all)
        })
    }
}
