//! Apps: the walls between customers' meetings, presets and participants.
//! Invariant: an account has one app of a name; an app comes into being together with its first presets.
//! Next: `presets.rs`.

use salon_core::{AccountId, AppId, Timestamp};

use crate::Store;
use crate::engine::{Row, args, built};
use crate::error::{Error, Result, Rule};
use crate::list::{Filter, Listing, Page, by_creation, search_text};
use crate::presets::{Preset, insert_preset};
use crate::transact::transaction;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    pub account: AccountId,
    pub name: String,
    pub created_at: Timestamp,
}

const COLUMNS: &str = "id, account_id, name, created_ms";

impl Store {
    /// Stores a new app with its first presets. `Conflict(AppName)` if the account has one of this name,
    /// `Conflict(IdTaken)` if the id exists.
    pub async fn create_app(&self, app: &App, presets: &[Preset]) -> Result<()> {
        transaction!(self.db, |tx| {
            let sql = "insert into apps (id, account_id, name, search_text, created_ms) \
                       values ($1, $2, $3, $4, $5) on conflict do nothing";
            let row = args![&app.id, &app.account, &app.name, &search_text(&[&app.name]), app.created_at];
            if tx.run(sql, row).await? == 0 {
                let id_taken = tx.one("select id from apps where id = $1", args![&app.id]).await?.is_some();
                return Err(Error::Conflict(if id_taken { Rule::IdTaken } else { Rule::AppName }));
            }
            for preset in presets {
                insert_preset(tx, preset).await?;
            }
            Ok(())
        })
    }

    pub async fn app(&self, id: &AppId) -> Result<Option<App>> {
        let sql = format!("select {COLUMNS} from apps where id = $1");
        self.db.one(built(sql), args![id]).await?.as_ref().map(read_app).transpose()
    }

    /// The apps of an account, or of them `only` this one, searched by name.
    pub async fn apps(&self, account: &AccountId, only: Option<&AppId>, page: &Page) -> Result<Listing<App>> {
        let mut filter = Filter::new("account_id = ?", account);
        if let Some(only) = only {
            filter.and("id = ?", only);
        }
        filter.and_search("search_text", page.search.as_deref());
        filter.list(&self.db, (COLUMNS, "apps"), by_creation(page), page, read_app).await
    }
}

fn read_app(row: &Row) -> Result<App> {
    Ok(App { id: row.id("id")?, account: row.id("account_id")?, name: row.text("name")?, created_at: row.time("created_ms")? })
}
