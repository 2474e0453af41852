//! Looking back at what webhooks were told, and telling it again.
//! Invariant: what is told again has an id and a lane of its own, so nothing new waits for it.

use std::ops::ControlFlow;

use salon_core::{AppId, DeliveryId, Event, Notice, SessionId, Timestamp, WebhookId};

use super::delivery::{DELIVERY, Delivery, DeliveryState, read_delivery};
use super::entries::{Entry, Hook, fresh_delivery_id, insert};
use crate::Store;
use crate::engine::{Row, args, built};
use crate::error::{Error, Result};
use crate::list::{Filter, Listing, Page};
use crate::notice;
use crate::sessions::fold;
use crate::transact::transaction;

/// Which deliveries of a webhook to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    pub page: Page,
    pub state: Option<DeliveryState>,
    /// The name of an event.
    pub event: Option<String>,
    pub session: Option<SessionId>,
}

/// What is told once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    Deliveries(u64),
    /// There is more than was allowed, and nothing is told.
    TooMany,
}

const TABLES: &str = "webhook_deliveries d join webhooks w on w.id = d.webhook_id \
     left join webhook_lanes l on l.webhook_id = d.webhook_id and l.subject = d.subject";

fn read(row: &Row) -> Result<Delivery> {
    let lane = row.time_or_null("next_ms")?;
    let rest = row.time("paused_until_ms")?;
    read_delivery(row, lane.map(|lane| lane.max(rest)))
}

impl Store {
    /// What a webhook was told and is to be told.
    pub async fn deliveries(&self, webhook: &WebhookId, filter: &DeliveryFilter) -> Result<Listing<Delivery>> {
        let mut deliveries = Filter::new("d.webhook_id = ?", webhook);
        if let Some(state) = filter.state {
            deliveries.and("d.state = ?", state.name());
        }
        if let Some(event) = &filter.event {
            deliveries.and("d.event = ?", event);
        }
        if let Some(session) = &filter.session {
            deliveries.and("d.session_id = ?", session);
        }
        let direction = if filter.page.newest_first { " desc" } else { "" };
        let order = format!("d.created_ms{direction}, d.position{direction}, d.id");
        let columns = format!("{DELIVERY}, l.next_ms, w.paused_until_ms");
        deliveries.list(&self.db, (&columns, TABLES), (&order, None), &filter.page, read).await
    }

    pub async fn delivery(&self, webhook: &WebhookId, id: &DeliveryId) -> Result<Option<Delivery>> {
        let sql = format!("select {DELIVERY}, l.next_ms, w.paused_until_ms from {TABLES} where d.webhook_id = $1 and d.id = $2");
        self.db.one(built(sql), args![webhook, id]).await?.as_ref().map(read).transpose()
    }

    /// Tells a webhook this, by itself and under an id of its own, whether or not it asked for such events.
    pub async fn tell_webhook(&self, webhook: &WebhookId, notice: &Notice, now: Timestamp) -> Result<Delivery> {
        let subject = fresh_delivery_id().to_string();
        let entry = Entry {
            webhook: webhook.clone(),
            subject: subject.clone(),
            position: 0,
            session: notice.session.clone(),
            event: notice::name(notice).to_owned(),
            notice: notice::encode(notice),
            created_at: now,
            is_for_feed: false,
        };
        transaction!(self.db, |tx| { insert(tx, std::slice::from_ref(&entry)).await })?;
        self.bell.wake([webhook.clone()]);
        let sql = format!(
            "select {DELIVERY}, l.next_ms, w.paused_until_ms from {TABLES} where d.webhook_id = $1 and d.subject = $2 \
             and d.position = 0"
        );
        let row = self.db.one(built(sql), args![webhook, &subject]).await?;
        read(&row.ok_or(Error::NotFound)?)
    }

    /// Tells a webhook once more what happened in its app from `from` to `to`, both inclusive, as the records have it: also
    /// what it was never told. Of all `events` at most `most` in all.
    pub async fn replay(
        &self,
        (app, webhook): (&AppId, &WebhookId),
        (from, to): (Timestamp, Timestamp),
        events: &[String],
        most: usize,
        now: Timestamp,
    ) -> Result<Replayed> {
        let hook = Hook { id: webhook.clone(), events: events.to_vec(), is_feed: false };
        let replay = fresh_delivery_id();
        let sql = "select id from sessions where app_id = $1 and created_ms <= $3 and updated_ms >= $2 \
                   order by created_ms, id limit $4";
        let sessions = self.db.all(sql, args![app, from, to, most as u64 + 1]).await?;
        let mut entries = Vec::new();
        for session in &sessions {
            let session: SessionId = session.id("id")?;
            for notice in self.notices(&session).await? {
                if notice.at < from || notice.at > to {
                    continue;
                }
                let Some(entry) = hook.entry(&notice) else { continue };
                if entries.len() >= most {
                    return Ok(Replayed::TooMany);
                }
                entries.push(Entry { subject: format!("{session} {replay}"), created_at: now, ..entry });
            }
        }
        if sessions.len() > most {
            return Ok(Replayed::TooMany);
        }
        // By and by, so that nobody else waits long for the database.
        for part in entries.chunk_by(|one, next| one.subject == next.subject).flat_map(|subject| subject.chunks(256)) {
            transaction!(self.db, |tx| { insert(tx, part).await })?;
        }
        self.bell.wake([webhook.clone()]);
        Ok(Replayed::Deliveries(entries.len() as u64))
    }

    /// What those outside are told of a session, from its record.
    async fn notices(&self, session: &SessionId) -> Result<Vec<Notice>> {
        let (mut record, mut notices) = (None, Vec::new());
        let look = |event: Event| {
            let record = fold(&mut record, session, &event)?;
            notices.extend(Notice::of(record, &event));
            Ok(ControlFlow::Continue(()))
        };
        self.each_event(session, look).await?;
        Ok(notices)
    }
}
