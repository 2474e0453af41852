//! How deliveries get into the outbox: in the transaction of what caused them, and only if somebody wants them.
//! Invariant: an app without webhooks costs one look when a session begins, and after that nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use salon_core::{AppId, DeliveryId, Notice, SessionId, Timestamp, WebhookId};
use serde_json::json;

use crate::engine::{Db, Row, Tx, args, built};
use crate::error::{Error, Result};
use crate::many::{chunks, select, tuples};
use crate::notice;

/// Who wants to be told of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    pub id: WebhookId,
    pub events: Vec<String>,
    /// It is asked, not told.
    pub is_feed: bool,
}

/// A delivery to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub webhook: WebhookId,
    pub subject: String,
    pub position: u64,
    pub session: SessionId,
    pub event: String,
    /// As `notice.rs` encodes it.
    pub notice: String,
    pub created_at: Timestamp,
    pub is_for_feed: bool,
}

impl Hook {
    /// What it is to be told of this; `None` if it does not want to know.
    pub fn entry(&self, notice: &Notice) -> Option<Entry> {
        let event = notice::name(notice);
        self.events.iter().any(|wanted| wanted == event).then(|| Entry {
            webhook: self.id.clone(),
            subject: notice.subject().to_owned(),
            position: notice.seq,
            session: notice.session.clone(),
            event: event.to_owned(),
            notice: notice::encode(notice),
            created_at: notice.at,
            is_for_feed: self.is_feed,
        })
    }
}

/// Who listens in these apps. They are there until the transaction ends.
pub(crate) async fn hooks_of(db: &Db, tx: &mut Tx, apps: &BTreeSet<&AppId>) -> Result<HashMap<AppId, Vec<Hook>>> {
    let mut hooks: HashMap<AppId, Vec<Hook>> = HashMap::new();
    let sql = |list: &str| {
        format!("select id, app_id, url, events from webhooks where app_id in ({list}) and enabled = true{}", db.for_key_share())
    };
    for row in select(tx, sql, apps).await? {
        let hook = Hook { id: row.id("id")?, events: read_events(&row)?, is_feed: row.text_or_null("url")?.is_none() };
        let known = hooks.entry(row.id("app_id")?).or_default();
        // A list that was filled up names an app more than once.
        if !known.contains(&hook) {
            known.push(hook);
        }
    }
    Ok(hooks)
}

/// Tells whoever wants to know; answers with who is to be woken.
pub(crate) async fn announce(db: &Db, tx: &mut Tx, notice: &Notice) -> Result<Vec<WebhookId>> {
    let hooks = hooks_of(db, tx, &BTreeSet::from([&notice.app])).await?;
    let entries: Vec<_> = hooks.into_values().flatten().filter_map(|hook| hook.entry(notice)).collect();
    insert(tx, &entries).await?;
    Ok(entries.into_iter().map(|entry| entry.webhook).collect())
}

/// Writes deliveries, those of one subject in order, and sees to it that those to be told are in a lane.
pub(crate) async fn insert(tx: &mut Tx, entries: &[Entry]) -> Result<()> {
    let mut lanes: BTreeMap<(&WebhookId, &str), u64> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.is_for_feed) {
        lanes.insert((&entry.webhook, &entry.subject), entry.position);
    }
    // Lanes first, so that whoever has emptied one sees that there is more.
    let lanes: Vec<_> = lanes.into_iter().collect();
    for rows in chunks(&lanes) {
        let sql = format!(
            "insert into webhook_lanes (webhook_id, subject, last_position, next_ms) values {} \
             on conflict (webhook_id, subject) do update set last_position = excluded.last_position",
            tuples(rows.len(), 4)
        );
        let args = rows.iter().flat_map(|((webhook, subject), position)| args![*webhook, *subject, *position, 0_i64]);
        tx.run(built(sql), args.collect()).await?;
    }
    for rows in chunks(entries) {
        let sql = format!(
            "insert into webhook_deliveries (id, webhook_id, subject, position, session_id, event, notice, created_ms, state) \
             values {}",
            tuples(rows.len(), 9)
        );
        let args = rows.iter().flat_map(|entry| {
            let state = if entry.is_for_feed { "kept" } else { "open" };
            args![
                &fresh_delivery_id(),
                &entry.webhook,
                &entry.subject,
                entry.position,
                &entry.session,
                &entry.event,
                &entry.notice,
                entry.created_at,
                state,
            ]
        });
        tx.run(built(sql), args.collect()).await?;
    }
    Ok(())
}

/// Makes all that waits for a webhook due, but for what is under way or just being added to.
pub(crate) async fn rouse(db: &Db, tx: &mut Tx, webhook: &WebhookId) -> Result<()> {
    let sql = format!(
        "update webhook_lanes set next_ms = 0 where webhook_id = $1 and subject in \
         (select subject from webhook_lanes where webhook_id = $1 and holder is null{})",
        db.for_update_of_free()
    );
    tx.run(built(sql), args![webhook]).await.map(drop)
}

/// The names of events, as webhooks keep what they want to be told of.
pub(crate) fn events(names: &[String]) -> String {
    json!(names).to_string()
}

pub(crate) fn read_events(row: &Row) -> Result<Vec<String>> {
    let names = row.json("events")?;
    let names = names.as_array().ok_or(Error::column("events"))?;
    names.iter().map(|name| name.as_str().map(str::to_owned).ok_or(Error::column("events"))).collect()
}

/// Random, as receivers tell repeats by it.
pub(crate) fn fresh_delivery_id() -> DeliveryId {
    DeliveryId::parse(&uuid::Uuid::new_v4().to_string()).expect("a UUID is an id")
}
