//! Ending a session from outside, when nobody can: its record cannot be read, or nobody who runs it is to be had.
//! Invariant: as for any owner, the end is the next event of the record, and whoever owned the session is shut out.
//! Next: `ownership.rs`.

use salon_core::event::{EndReason, EventBody};
use salon_core::notice::{News, Notice};
use salon_core::{SessionId, Timestamp};

use crate::Store;
use crate::acting;
use crate::engine::{args, built};
use crate::error::{Error, Result, Rule};
use crate::outbox::entries::announce;
use crate::ownership::owner_seen;
use crate::record;
use crate::transact::transaction;
use crate::{day_sums, peer_row};

impl Store {
    /// Ends a live session at the last moment at which its owner was seen: those in it left then. Answers with that moment.
    /// `NotFound` if there is none of this id, `Conflict(SessionEnded)` if it is over.
    pub async fn end_session(&self, session: &SessionId, now: Timestamp) -> Result<Timestamp> {
        let mut woken = Vec::new();
        let outcome = transaction!(self.db, |tx| {
            // The node's row is joined below: an outer join cannot be held.
            let sql = format!("select ended_ms from sessions where id = $1{}", self.db.for_update());
            let held = tx.one(built(sql), args![session]).await?.ok_or(Error::NotFound)?;
            if held.int_or_null("ended_ms")?.is_some() {
                return Err(Error::Conflict(Rule::SessionEnded));
            }
            let sql = format!(
                "select s.last_seq, s.updated_ms, s.live, s.live_since_ms, s.settled_ms, s.app_id, s.meeting_id, s.title, s.started_ms, \
                 s.created_ms, {} as seen_ms \
                 from sessions s left join nodes n on n.name = s.owner_node where s.id = $1",
                owner_seen(&self.db)
            );
            let row = tx.one(built(sql), args![session]).await?.ok_or(Error::NotFound)?;
            acting::of_app(&row.id("app_id")?);
            let ended_at = row.time("seen_ms")?.max(row.time("updated_ms")?);
            let growing = row.int("live")?.saturating_mul(ended_at.0).saturating_sub(row.int("live_since_ms")?).max(0);
            let seq = row.count::<u64>("last_seq")? + 1;
            let (kind, body) = record::encode(&EventBody::SessionEnded { ended_at, reason: EndReason::Closed });
            let sql = "insert into session_events (session_id, seq, at_ms, kind, body) values ($1, $2, $3, $4, $5)";
            tx.run(sql, args![session, seq, now.max(ended_at), kind, &body]).await?;
            let sql = "update sessions set ended_ms = $2, updated_ms = $3, live = 0, live_since_ms = 0, \
                       settled_ms = settled_ms + $4, last_seq = $5, epoch = epoch + 1, \
                       peers_seq = case when peers_seq = last_seq then $5 else peers_seq end where id = $1";
            tx.run(sql, args![session, ended_at, now.max(ended_at), growing, seq]).await?;
            peer_row::end(tx, session, ended_at).await?;
            let settled_ms = row.int("settled_ms")? + growing;
            day_sums::add(tx, &[(&row.id("app_id")?, row.time("created_ms")?, settled_ms)]).await?;
            let notice = Notice {
                session: session.clone(),
                meeting: row.id("meeting_id")?,
                app: row.id("app_id")?,
                title: row.text("title")?,
                started_at: row.time("started_ms")?,
                created_at: row.time("created_ms")?,
                seq,
                at: now.max(ended_at),
                news: News::Ended { at: ended_at, reason: EndReason::Closed },
            };
            woken = announce(&self.db, tx, &notice).await?;
            Ok(ended_at)
        });
        if outcome.is_ok() {
            self.bell.wake(woken);
        }
        outcome
    }
}
