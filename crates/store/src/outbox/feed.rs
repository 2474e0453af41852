//! An app's feed: what webhooks would have said, for those who ask.
//! Invariant: numbers are given out when the feed is read, by one reader at a time, so that nothing committed late appears
//! before a number that was read already; of one session they follow its events.

use salon_core::{AppId, DeliveryId, Notice, Timestamp, WebhookId};

use super::entries::{events as names, fresh_delivery_id};
use crate::Store;
use crate::engine::{args, built, transaction};
use crate::error::{Error, Result};
use crate::notice;

/// One event in a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its place: what to ask for later ones with.
    pub number: u64,
    pub id: DeliveryId,
    pub notice: Notice,
}

impl Store {
    /// What the feed of an app has after `after`, at most `limit`. The first question begins the feed, with these events:
    /// what happens from then on is in it.
    pub async fn read_feed(
        &self,
        app: &AppId,
        events: &[String],
        after: u64,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<FeedEntry>> {
        transaction!(self.db, |tx| {
            // One reader at a time. The note that somebody reads keeps it from being swept.
            let sql = "update webhooks set updated_ms = $2 where app_id = $1 and url is null";
            if tx.run(sql, args![app, now]).await? == 0 {
                let sql = "insert into webhooks (id, app_id, name, url, events, enabled, created_ms, updated_ms) \
                           values ($1, $2, '', null, $3, $4, $5, $5) on conflict do nothing";
                let row = args![fresh_delivery_id().as_str(), app, &names(events), true, now];
                tx.run(sql, row).await?;
                return Ok(Vec::new());
            }
            let feed = tx.one("select id from webhooks where app_id = $1 and url is null", args![app]).await?;
            let feed: WebhookId = feed.ok_or(Error::NotFound)?.id("id")?;
            let numbered = "select id, event, notice, number from webhook_deliveries \
                            where webhook_id = $1 and state = 'kept' and number > $2 order by number limit $3";
            let mut rows = tx.all(numbered, args![&feed, after, limit]).await?;
            let missing = u64::from(limit).saturating_sub(rows.len() as u64);
            if missing > 0 {
                let sql =
                    "select coalesce(max(number), 0) as last from webhook_deliveries where webhook_id = $1 and state = 'kept'";
                // Not below what was read before and has been swept since.
                let last = tx.one(sql, args![&feed]).await?.map_or(Ok(0), |row| row.count::<u64>("last"))?.max(after);
                let sql = "select id from webhook_deliveries where webhook_id = $1 and state = 'kept' and number is null \
                           order by created_ms, subject, position limit $2";
                let new = tx.all(built(sql.to_owned()), args![&feed, missing]).await?;
                for (row, number) in new.iter().zip(last + 1..) {
                    let sql = "update webhook_deliveries set number = $2 where id = $1";
                    tx.run(sql, args![&row.id::<DeliveryId>("id")?, number]).await?;
                }
                if !new.is_empty() {
                    rows = tx.all(numbered, args![&feed, after, limit]).await?;
                }
            }
            rows.iter()
                .map(|row| {
                    let notice = notice::decode(&row.text("event")?, &row.text("notice")?).ok_or(Error::column("notice"))?;
                    Ok(FeedEntry { number: row.count("number")?, id: row.id("id")?, notice })
                })
                .collect()
        })
    }
}
