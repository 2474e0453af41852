//! The outbox: what webhooks are still to be told. A lane is what one of them is to be told of one subject, in order.
//! Invariant: what is open is in a lane, and of a lane one delivery at a time is under way, the first that is open: of one
//! session nobody hears a later event before an earlier one. Lanes of a run that is gone are free.
//! Next: `outbox/entries.rs`, how they get in; `outbox/past.rs`, looking back; `outbox/feed.rs`, asking instead.

mod bell;
mod delivery;
pub(crate) mod entries;
mod feed;
mod past;

use std::collections::BTreeSet;

use salon_core::{DeliveryId, Timestamp, WebhookId};

use crate::Store;
use crate::engine::{Arg, Tx, args, built, transaction};
use crate::error::{Error, Result};
use crate::outbox::delivery::{DELIVERY, read_delivery};
use crate::outbox::entries::rouse;
use crate::run_id::RunId;
use crate::webhooks::{self, Webhook, read_webhook};

pub(crate) use bell::Bell;
pub use delivery::{Delivery, DeliveryState};
pub use feed::FeedEntry;
pub use past::{DeliveryFilter, Replayed};

/// For so long a lane is its holder's after each of its tries, in milliseconds. It must be more than a try may take; raising
/// it makes what a dead node had in hand wait longer.
pub const LANE_HELD_MS: i64 = 30_000;

/// Deliveries taken out of a lane at once: what a webhook may be told that was switched off meanwhile.
const AT_ONCE: u32 = 16;

/// What a run may tell a webhook now, in as many lanes as it holds.
pub struct Claimed {
    pub webhook: Webhook,
    pub app_name: String,
    /// Tries in a row that came to nothing so far.
    pub failures: u32,
    pub lanes: Vec<Lane>,
}

/// Who is to be told something, if there is something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub webhook: WebhookId,
    /// So many lanes at most.
    pub lanes: u32,
    /// Nothing is under way to it. While it does not answer, only then one lane is taken.
    pub is_idle: bool,
}

/// The next deliveries of one subject, in order. The run that claimed them holds it for [`LANE_HELD_MS`].
pub struct Lane {
    pub subject: String,
    pub deliveries: Vec<Delivery>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub webhook: WebhookId,
    pub subject: String,
    pub delivery: DeliveryId,
    pub position: u64,
    /// This one included.
    pub tries: u32,
    pub at: Timestamp,
    pub status: Option<u16>,
    pub answer: Option<String>,
    pub next: Next,
    /// The lane is let go: nothing more that was claimed in it is tried.
    pub lets_go: bool,
    /// How the webhook stands.
    pub standing: Standing,
}

/// What is to become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Delivered,
    Failed,
    /// It is tried again in so many milliseconds, and nothing after it before.
    Again(i64),
}

/// What a try says about the webhook it was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It answers as before.
    Good,
    /// It answers again: what waits for it goes out at once.
    Recovered,
    /// It does not answer, and gets no try for so many milliseconds; 0: no rest.
    Failing(i64),
}

impl Store {
    /// Waits until somebody is to be told something that was written through this store, and says who.
    pub async fn woken_webhooks(&self) -> BTreeSet<WebhookId> {
        self.bell.woken().await
    }

    /// The webhooks that may be told something now, whoever wrote it.
    pub async fn webhooks_due(&self, now: Timestamp) -> Result<Vec<WebhookId>> {
        let clock = self.db.clock("$1");
        let sql = format!(
            "select w.id from webhooks w where w.enabled = $2 and w.url is not null and w.paused_until_ms <= {clock} \
             and exists (select 1 from webhook_lanes l where l.webhook_id = w.id and l.next_ms <= {clock})"
        );
        self.db.all(built(sql), args![now, true]).await?.iter().map(|row| row.id("id")).collect()
    }

    /// Frees the lanes of runs that are no more.
    pub async fn free_lanes(&self) -> Result<()> {
        let sql = format!(
            "update webhook_lanes set holder = null, next_ms = 0 where (webhook_id, subject) in \
             (select webhook_id, subject from webhook_lanes \
             where holder is not null and holder not in (select run from nodes){})",
            self.db.for_update_of_free()
        );
        self.db.run(built(sql), args![]).await.map(drop)
    }

    /// How many deliveries are open, and when the oldest was made.
    pub async fn open_deliveries(&self) -> Result<(u64, Option<Timestamp>)> {
        let sql = "select count(*) as total, min(created_ms) as oldest_ms from webhook_deliveries where state = 'open'";
        let row = self.db.one(sql, args![]).await?.ok_or(Error::NotFound)?;
        Ok((row.count("total")?, row.time_or_null("oldest_ms")?))
    }

    /// Writes down what came of tries, and takes for `run` up to so many lanes of each of `wanted`, all in one transaction.
    /// A webhook that is switched off, rests, or has nothing due is left out. What a run says of lanes that it has lost
    /// meanwhile changes nothing of them.
    pub async fn deliver(&self, run: &RunId, tried: &[Tried], wanted: &[Wanted], now: Timestamp) -> Result<Vec<Claimed>> {
        // In the order in which appends go through lanes, so that neither waits for the other.
        let mut tried: Vec<&Tried> = tried.iter().collect();
        tried.sort_by_key(|tried| (&tried.webhook, &tried.subject, tried.position));
        transaction!(self.db, |tx| {
            for tried in &tried {
                self.note(tx, run, tried, now).await?;
            }
            for tried in &tried {
                self.judge(tx, tried, now).await?;
            }
            let mut claimed = Vec::new();
            for wanted in wanted {
                claimed.extend(self.claim(tx, run, wanted, now).await?);
            }
            Ok(claimed)
        })
    }

    async fn note(&self, tx: &mut Tx, run: &RunId, tried: &Tried, now: Timestamp) -> Result<()> {
        let state = match tried.next {
            Next::Delivered => DeliveryState::Delivered,
            Next::Failed => DeliveryState::Failed,
            Next::Again(_) => DeliveryState::Open,
        };
        let sql = "update webhook_deliveries set state = $2, tries = $3, tried_ms = $4, status = $5, answer = $6 \
                   where id = $1 and state = 'open'";
        let status = Arg::Int(tried.status.map(i64::from));
        tx.run(sql, args![&tried.delivery, state.name(), tried.tries, tried.at, status, &tried.answer]).await?;

        let clock = self.db.clock("$4");
        let lane = "webhook_id = $1 and subject = $2 and holder = $3";
        if let Next::Again(pause_ms) = tried.next {
            let sql = format!("update webhook_lanes set holder = null, next_ms = {clock} + $5 where {lane}");
            return tx.run(built(sql), args![&tried.webhook, &tried.subject, run, now, pause_ms]).await.map(drop);
        }
        if !tried.lets_go {
            let sql = format!("update webhook_lanes set next_ms = {clock} + $5 where {lane}");
            return tx.run(built(sql), args![&tried.webhook, &tried.subject, run, now, LANE_HELD_MS]).await.map(drop);
        }
        // Whoever adds to the lane meanwhile raises its last position first, so that a lane with something in it stays.
        let sql = format!("delete from webhook_lanes where {lane} and last_position <= $4");
        if tx.run(built(sql), args![&tried.webhook, &tried.subject, run, tried.position]).await? == 0 {
            let sql = format!("update webhook_lanes set holder = null, next_ms = 0 where {lane}");
            tx.run(built(sql), args![&tried.webhook, &tried.subject, run]).await?;
        }
        Ok(())
    }

    async fn judge(&self, tx: &mut Tx, tried: &Tried, now: Timestamp) -> Result<()> {
        match tried.standing {
            Standing::Good => {}
            Standing::Recovered => {
                let sql = "update webhooks set failures = 0, paused_until_ms = 0 where id = $1";
                tx.run(sql, args![&tried.webhook]).await?;
                rouse(&self.db, tx, &tried.webhook).await?;
            }
            Standing::Failing(rest_ms) => {
                let sql = format!(
                    "update webhooks set failures = failures + 1, \
                     paused_until_ms = case when $3 > 0 then {} + $3 else paused_until_ms end where id = $1",
                    self.db.clock("$2")
                );
                tx.run(built(sql), args![&tried.webhook, now, rest_ms]).await?;
            }
        }
        Ok(())
    }

    async fn claim(&self, tx: &mut Tx, run: &RunId, wanted: &Wanted, now: Timestamp) -> Result<Option<Claimed>> {
        let (clock, webhook) = (self.db.clock("$2"), &wanted.webhook);
        let sql = format!(
            "select {}, w.failures, a.name as app_name from webhooks w join apps a on a.id = w.app_id \
             where w.id = $1 and w.enabled = $3 and w.url is not null and w.paused_until_ms <= {clock}",
            webhooks::COLUMNS
        );
        let Some(row) = tx.one(built(sql), args![webhook, now, true]).await? else { return Ok(None) };
        let failures: u32 = row.count("failures")?;
        let most = if failures == 0 { wanted.lanes } else { wanted.lanes.min(wanted.is_idle.into()) };
        let sql = format!(
            "select subject, last_position from webhook_lanes where webhook_id = $1 and next_ms <= {clock} \
             order by next_ms, last_position limit $3{}",
            self.db.for_update_of_free()
        );
        let mut lanes = Vec::new();
        for lane in tx.all(built(sql), args![webhook, now, most]).await? {
            let subject = lane.text("subject")?;
            let sql = format!(
                "select {DELIVERY} from webhook_deliveries d \
                 where d.webhook_id = $1 and d.subject = $2 and d.state = 'open' order by d.position limit $3"
            );
            let deliveries = tx.all(built(sql), args![webhook, &subject, AT_ONCE]).await?;
            if deliveries.is_empty() {
                // They were too old and are gone.
                let sql = "delete from webhook_lanes where webhook_id = $1 and subject = $2 and last_position <= $3";
                tx.run(sql, args![webhook, &subject, lane.int("last_position")?]).await?;
                continue;
            }
            let sql = format!(
                "update webhook_lanes set holder = $3, next_ms = {} + $5 where webhook_id = $1 and subject = $2",
                self.db.clock("$4")
            );
            tx.run(built(sql), args![webhook, &subject, run, now, LANE_HELD_MS]).await?;
            let deliveries = deliveries.iter().map(|row| read_delivery(row, None)).collect::<Result<_>>()?;
            lanes.push(Lane { subject, deliveries });
        }
        if lanes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Claimed { webhook: read_webhook(&row)?, app_name: row.text("app_name")?, failures, lanes }))
    }

    /// Gives up what was made before `before` and is still open, so that nothing piles up for one that stays away. What was
    /// never tried says so.
    pub async fn give_up_deliveries(&self, before: Timestamp) -> Result<()> {
        for row in self.db.all("select distinct webhook_id from webhook_lanes", args![]).await? {
            let webhook: WebhookId = row.id("webhook_id")?;
            let sql = "update webhook_deliveries set state = 'failed', answer = coalesce(answer, 'waited for too long') \
                       where id in (select id from webhook_deliveries where webhook_id = $1 and state = 'open' \
                       and created_ms < $2 limit 500) and state = 'open'";
            while self.db.run(sql, args![&webhook, before]).await? > 0 {}
        }
        Ok(())
    }

    /// Forgets what was made before `before`, told or not, and feeds that nobody has read since then.
    pub async fn sweep_deliveries(&self, before: Timestamp) -> Result<()> {
        let sql = "select id from webhooks where url is null and updated_ms < $1";
        for row in self.db.all(sql, args![before]).await? {
            let feed: WebhookId = row.id("id")?;
            transaction!(self.db, |tx| {
                tx.run("delete from webhooks where id = $1 and updated_ms < $2", args![&feed, before]).await?;
                let sql = "delete from webhook_deliveries where webhook_id = $1 \
                           and not exists (select 1 from webhooks where id = $1)";
                tx.run(sql, args![&feed]).await
            })?;
        }
        for row in self.db.all("select id from webhooks", args![]).await? {
            let webhook: WebhookId = row.id("id")?;
            let sql = "delete from webhook_deliveries where id in (select id from webhook_deliveries \
                       where webhook_id = $1 and created_ms < $2 order by created_ms limit 500)";
            while self.db.run(sql, args![&webhook, before]).await? > 0 {}
        }
        Ok(())
    }
}
