//! Presets: named permissions and looks, kept whole as JSON.
//! Invariant: an app has one preset of a name; one that participants use cannot be deleted.
//! Next: `participants.rs`, who use them.

use salon_core::{AppId, PresetId, Timestamp};
use serde_json::Value;

use crate::Store;
use crate::edits::{Loaded, edit};
use crate::engine::{Row, Tx, args, built};
use crate::error::{Error, Result, Rule};
use crate::list::{Filter, Listing, Page, by_creation, search_text};
use crate::transact::transaction;

#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    pub id: PresetId,
    pub app: AppId,
    pub name: String,
    pub body: Value,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

const COLUMNS: &str = "id, app_id, name, body, created_ms, updated_ms";

impl Store {
    /// Stores a new preset. `Conflict(PresetName)` if the app has one of this name, `NotFound` if there is no such app.
    pub async fn create_preset(&self, preset: &Preset) -> Result<()> {
        transaction!(self.db, |tx| { insert_preset(tx, preset).await })
    }

    pub async fn preset(&self, app: &AppId, id: &PresetId) -> Result<Option<Preset>> {
        let sql = format!("select {COLUMNS} from presets where app_id = $1 and id = $2");
        self.db.one(built(sql), args![app, id]).await?.as_ref().map(read_preset).transpose()
    }

    pub async fn preset_named(&self, app: &AppId, name: &str) -> Result<Option<Preset>> {
        let sql = format!("select {COLUMNS} from presets where app_id = $1 and name = $2");
        self.db.one(built(sql), args![app, name]).await?.as_ref().map(read_preset).transpose()
    }

    /// The presets of an app, searched by name.
    pub async fn presets(&self, app: &AppId, page: &Page) -> Result<Listing<Preset>> {
        let mut filter = Filter::new("app_id = ?", app);
        filter.and_search("search_text", page.search.as_deref());
        filter.list(&self.db, (COLUMNS, "presets"), by_creation(page), page, read_preset).await
    }

    /// Makes of a preset's name, body and `updated_at` what `change` makes of them; it may be asked several times.
    /// `NotFound` if there is none, `Conflict(PresetName)` if another preset of the app has this name,
    /// `Conflict(ChangedMeanwhile)` if too many change it at once.
    pub async fn edit_preset<E: From<Error>>(
        &self,
        app: &AppId,
        id: &PresetId,
        change: impl FnMut(Preset) -> std::result::Result<Preset, E>,
    ) -> std::result::Result<Preset, E> {
        let load = || async move {
            let sql = format!("select {COLUMNS}, version from presets where app_id = $1 and id = $2");
            let row = self.db.one(built(sql), args![app, id]).await?;
            row.map(|row| Ok(Loaded { row: read_preset(&row)?, version: row.int("version")? })).transpose()
        };
        edit(load, change, |changed, version| self.put_preset(changed, version)).await
    }

    async fn put_preset(&self, preset: Preset, version: i64) -> Result<Option<Preset>> {
        let is_put: bool = transaction!(self.db, |tx| {
            let sql = "update presets set name = $3, body = $4, search_text = $5, updated_ms = $6, version = version + 1 \
                       where app_id = $1 and id = $2 and version = $7 \
                       and not exists (select 1 from presets where app_id = $1 and name = $3 and id <> $2)";
            let found = search_text(&[&preset.name]);
            let row = args![&preset.app, &preset.id, &preset.name, &preset.body, &found, preset.updated_at, version];
            match tx.run(sql, row).await {
                Ok(0) => {}
                Ok(_) => return Ok(true),
                // Another took the name between the question and the write.
                Err(err) if err.is_refusal() => return Err(Error::Conflict(Rule::PresetName)),
                Err(err) => return Err(err),
            }
            let sql = "select version from presets where app_id = $1 and id = $2";
            match tx.one(sql, args![&preset.app, &preset.id]).await? {
                Some(row) if row.int("version")? == version => Err(Error::Conflict(Rule::PresetName)),
                Some(_) => Ok(false),
                None => Err(Error::NotFound),
            }
        })?;
        Ok(is_put.then_some(preset))
    }

    /// Deletes a preset and returns it. `Conflict(PresetInUse)` while participants have it.
    pub async fn delete_preset(&self, app: &AppId, id: &PresetId) -> Result<Preset> {
        transaction!(self.db, |tx| {
            // Those of deleted meetings come nowhere any more, and are to hold nothing up.
            let sql = "delete from participants where preset_id = $2 and app_id = $1 \
                       and meeting_id in (select id from meetings where deleted_ms is not null)";
            tx.run(sql, args![app, id]).await?;
            let sql = format!(
                "delete from presets where app_id = $1 and id = $2 \
                 and not exists (select 1 from participants where preset_id = $2) returning {COLUMNS}"
            );
            match tx.run_returning(built(sql), args![app, id]).await {
                Ok(Some(row)) => return read_preset(&row),
                Ok(None) => {}
                // Someone was given the preset between the question and the deletion.
                Err(err) if err.is_foreign_key() => return Err(Error::Conflict(Rule::PresetInUse)),
                Err(err) => return Err(err),
            }
            match tx.one("select id from presets where app_id = $1 and id = $2", args![app, id]).await? {
                Some(_) => Err(Error::Conflict(Rule::PresetInUse)),
                None => Err(Error::NotFound),
            }
        })
    }
}

/// Adds a preset within a transaction that ends if this fails.
pub(crate) async fn insert_preset(tx: &mut Tx, preset: &Preset) -> Result<()> {
    let sql = "insert into presets (id, app_id, name, body, search_text, created_ms, updated_ms) \
               values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
    let row = args![
        &preset.id,
        &preset.app,
        &preset.name,
        &preset.body,
        &search_text(&[&preset.name]),
        preset.created_at,
        preset.updated_at,
    ];
    match tx.run(sql, row).await {
        Ok(0) => {}
        Ok(_) => return Ok(()),
        Err(err) if err.is_foreign_key() => return Err(Error::NotFound),
        Err(err) => return Err(err),
    }
    let id_taken = tx.one("select id from presets where id = $1", args![&preset.id]).await?.is_some();
    Err(Error::Conflict(if id_taken { Rule::IdTaken } else { Rule::PresetName }))
}

fn read_preset(row: &Row) -> Result<Preset> {
    Ok(Preset {
        id: row.id("id")?,
        app: row.id("app_id")?,
        name: row.text("name")?,
        body: row.json("body")?,
        created_at: row.time("created_ms")?,
        updated_at: row.time("updated_ms")?,
    })
}
