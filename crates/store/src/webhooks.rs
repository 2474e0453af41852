//! Webhooks: the addresses that want to be told over HTTP what happens in an app.
//! Invariant: whoever is deleted is told nothing more: what was still open goes with it.
//! Next: `outbox.rs`, what they are to be told.

use salon_core::{AppId, Timestamp, WebhookId};

use crate::Store;
use crate::edits::{Loaded, edit};
use crate::engine::{Row, args, built};
use crate::error::{Error, Result};
use crate::outbox::entries::{events, read_events, rouse};
use crate::transact::transaction;

/// A registration. Holds secrets: not for logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub app: AppId,
    pub name: String,
    pub url: String,
    /// The names of the events it is told of.
    pub events: Vec<String>,
    pub enabled: bool,
    /// Signs what it is told in the way of Standard Webhooks as well; `None` if it never asked for that.
    pub secret: Option<Secret>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What Standard Webhooks are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    pub now: String,
    /// The one before, and until when it signs too.
    pub former: Option<(String, Timestamp)>,
}

/// Leaves out the address, which may hold a secret of the receiver's, and the secrets.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

pub(crate) const COLUMNS: &str = "w.id, w.app_id, w.name, w.url, w.events, w.enabled, w.secret, w.former_secret, \
     w.former_until_ms, w.created_ms, w.updated_ms";

impl Store {
    /// Stores a new webhook. False if the app has `most` already.
    pub async fn create_webhook(&self, webhook: &Webhook, most: u32) -> Result<bool> {
        transaction!(self.db, |tx| {
            let sql = "select count(*) as total from webhooks where app_id = $1 and url is not null";
            let total = tx.one(sql, args![&webhook.app]).await?.map_or(Ok(0), |row| row.int("total"))?;
            if total >= i64::from(most) {
                return Ok(false);
            }
            let sql = "insert into webhooks (id, app_id, name, url, events, enabled, created_ms, updated_ms) \
                       values ($1, $2, $3, $4, $5, $6, $7, $8)";
            let row = args![
                &webhook.id,
                &webhook.app,
                &webhook.name,
                &webhook.url,
                &events(&webhook.events),
                webhook.enabled,
                webhook.created_at,
                webhook.updated_at,
            ];
            tx.run(sql, row).await.map(|_| true)
        })
    }

    pub async fn webhook(&self, app: &AppId, id: &WebhookId) -> Result<Option<Webhook>> {
        let sql = format!("select {COLUMNS} from webhooks w where w.app_id = $1 and w.id = $2 and w.url is not null");
        self.db.one(built(sql), args![app, id]).await?.as_ref().map(read_webhook).transpose()
    }

    /// The webhooks of an app, newest first. It has few.
    pub async fn webhooks(&self, app: &AppId) -> Result<Vec<Webhook>> {
        let sql = format!(
            "select {COLUMNS} from webhooks w where w.app_id = $1 and w.url is not null \
             order by w.created_ms desc, w.id desc"
        );
        self.db.all(built(sql), args![app]).await?.iter().map(read_webhook).collect()
    }

    /// Makes of a webhook what `change` makes of it, but for id, app and `created_at`; it may be asked several times. It
    /// is tried at once again if it was given a rest. `NotFound` if the app has none of this id,
    /// `Conflict(ChangedMeanwhile)` if too many change it at once.
    pub async fn edit_webhook<E: From<Error>>(
        &self,
        app: &AppId,
        id: &WebhookId,
        change: impl FnMut(Webhook) -> std::result::Result<Webhook, E>,
    ) -> std::result::Result<Webhook, E> {
        let load = || async move {
            let sql =
                format!("select {COLUMNS}, w.version from webhooks w where w.app_id = $1 and w.id = $2 and w.url is not null");
            let row = self.db.one(built(sql), args![app, id]).await?;
            row.map(|row| Ok(Loaded { row: read_webhook(&row)?, version: row.int("version")? })).transpose()
        };
        edit(load, change, |changed, version| self.put_webhook(changed, version)).await
    }

    async fn put_webhook(&self, webhook: Webhook, version: i64) -> Result<Option<Webhook>> {
        let secret = webhook.secret.as_ref();
        let former = secret.and_then(|secret| secret.former.as_ref());
        let written = transaction!(self.db, |tx| {
            let sql = "update webhooks set name = $3, url = $4, events = $5, enabled = $6, secret = $7, former_secret = $8, \
                       former_until_ms = $9, updated_ms = $10, failures = 0, paused_until_ms = 0, version = version + 1 \
                       where app_id = $1 and id = $2 and version = $11";
            let row = args![
                &webhook.app,
                &webhook.id,
                &webhook.name,
                &webhook.url,
                &events(&webhook.events),
                webhook.enabled,
                &secret.map(|secret| secret.now.clone()),
                &former.map(|(secret, _)| secret.clone()),
                former.map(|(_, until)| *until),
                webhook.updated_at,
                version,
            ];
            if tx.run(sql, row).await? == 0 {
                return Ok(false);
            }
            rouse(&self.db, tx, &webhook.id).await?;
            Ok(true)
        })?;
        if written {
            self.bell.wake([webhook.id.clone()]);
        }
        Ok(written.then_some(webhook))
    }

    /// Deletes a webhook with all it was told and was to be told, and returns it.
    pub async fn delete_webhook(&self, app: &AppId, id: &WebhookId) -> Result<Webhook> {
        transaction!(self.db, |tx| {
            let sql = format!("select {COLUMNS} from webhooks w where w.app_id = $1 and w.id = $2 and w.url is not null");
            let webhook = read_webhook(&tx.one(built(sql), args![app, id]).await?.ok_or(Error::NotFound)?)?;
            for sql in [
                "delete from webhooks where id = $1",
                "delete from webhook_lanes where webhook_id = $1",
                "delete from webhook_deliveries where webhook_id = $1",
            ] {
                tx.run(sql, args![id]).await?;
            }
            Ok(webhook)
        })
    }
}

pub(crate) fn read_webhook(row: &Row) -> Result<Webhook> {
    let former = row.text_or_null("former_secret")?.zip(row.time_or_null("former_until_ms")?);
    Ok(Webhook {
        id: row.id("id")?,
        app: row.id("app_id")?,
        name: row.text("name")?,
        url: row.text("url")?,
        events: read_events(row)?,
        enabled: row.flag("enabled")?,
        secret: row.text_or_null("secret")?.map(|now| Secret { now, former }),
        created_at: row.time("created_ms")?,
        updated_at: row.time("updated_ms")?,
    })
}
