//! The audit log: who did what to what, when, from where. Each account has a chain of its own.
//! Invariant: entries are added only; each holds the SHA-256 of itself and of the one before, so one that is changed, taken out
//! or put in breaks the chain, and the head of the chain says how long it is.
//! Next: `acting.rs`, what is to be noted; `chain.rs`, how it is.

use salon_core::{AccountId, ApiKeyId, AppId, ParticipantId, Timestamp};
use serde_json::Value;

use crate::Store;
use crate::acting::{Act, By, Outcome};
use crate::chain::{hash, note, outcome_name};
use crate::engine::{Row, args, built, transaction};
use crate::error::{Error, Result};
use crate::list::{Filter, Listing, Page};

/// An act, in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// From 1, without gaps.
    pub number: u64,
    pub act: Act,
    /// Of this entry and, through the one before, of all before it.
    pub hash: [u8; 32],
}

/// Which entries are wanted.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// `search` is not looked at.
    pub page: Page,
    pub app: Option<AppId>,
    /// The id of whoever did it.
    pub by: Option<String>,
    pub what: Option<String>,
    /// The id of something it was done to.
    pub subject: Option<String>,
    pub outcome: Option<Outcome>,
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
}

/// What a look through a chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chain {
    /// Its length, and the hash of its last entry.
    Whole { entries: u64, head: [u8; 32] },
    /// The first entry that is not as it was written.
    Broken { at: u64, why: &'static str },
}

const COLUMNS: &str = "number, account_id, app_id, by_kind, by_id, what, subjects, from_address, at_ms, outcome, prev_hash, hash";

/// Entries that one step of a look through a chain reads.
const STEP: u32 = 500;

impl Store {
    /// Notes an act that writes nothing else.
    pub async fn note_act(&self, act: &Act) -> Result<()> {
        transaction!(self.db, |tx| { note(tx, std::slice::from_ref(act)).await })
    }

    /// The entries of an account, newest first unless the page says otherwise.
    pub async fn audit_log(&self, account: &AccountId, wanted: &AuditFilter) -> Result<Listing<AuditEntry>> {
        let mut filter = Filter::new("account_id = ?", account);
        if let Some(app) = &wanted.app {
            filter.and("app_id = ?", app);
        }
        if let Some(by) = &wanted.by {
            filter.and("by_id = ?", by);
        }
        if let Some(what) = &wanted.what {
            filter.and("what = ?", what);
        }
        if let Some(subject) = &wanted.subject {
            // Ids hold letters, digits, '-' and '_' only, of which the last is a wildcard.
            filter.and("subjects like ? escape '\\'", &format!("%\"{}\"%", subject.replace('_', "\\_")));
        }
        if let Some(outcome) = wanted.outcome {
            filter.and("outcome = ?", outcome_name(outcome));
        }
        filter.and_between("at_ms", wanted.from, wanted.to);
        let order = if wanted.page.newest_first { "number desc" } else { "number" };
        filter.list(&self.db, (COLUMNS, "audit_log"), (order, None), &wanted.page, read_entry).await
    }

    /// The accounts that have entries.
    pub async fn audited_accounts(&self) -> Result<Vec<AccountId>> {
        let sql = "select account_id from audit_heads union select account_id from audit_log order by account_id";
        self.db.all(sql, args![]).await?.iter().map(|row| row.id("account_id")).collect()
    }

    /// Looks through the whole chain of an account. Entries that come meanwhile may or may not be looked at.
    pub async fn verify_audit_log(&self, account: &AccountId) -> Result<Chain> {
        // First, so that the log is at least as long.
        let sql = "select number, hash from audit_heads where account_id = $1";
        let head = match self.db.one(sql, args![account]).await? {
            Some(row) => Some((row.count::<u64>("number")?, row.hash("hash")?)),
            None => None,
        };
        let (mut last, mut prev) = (0, [0; 32]);
        let mut at_head = [0; 32];
        loop {
            let sql =
                format!("select {COLUMNS} from audit_log where account_id = $1 and number > $2 order by number limit {STEP}");
            let rows = self.db.all(built(sql), args![account, last]).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let broken = |why| Ok(Chain::Broken { at: last + 1, why });
                if row.count::<u64>("number")? != last + 1 {
                    return broken("it is missing");
                }
                let Ok(entry) = read_entry(row) else { return broken("it cannot be read") };
                if row.hash("prev_hash")? != prev {
                    return broken("the one before it is another than the one it was written after");
                }
                if hash(&prev, entry.number, account, &entry.act, &row.text("subjects")?) != entry.hash {
                    return broken("it was changed");
                }
                (last, prev) = (entry.number, entry.hash);
                if head.is_some_and(|(number, _)| number == last) {
                    at_head = prev;
                }
            }
        }
        match head {
            Some((number, _)) if number > last => Ok(Chain::Broken { at: last + 1, why: "it is missing, at the end" }),
            Some((_, hash)) if hash != at_head => Ok(Chain::Broken { at: last, why: "it is another than the last one written" }),
            None if last > 0 => Ok(Chain::Broken { at: last, why: "what says how long the log is, is missing" }),
            _ => Ok(Chain::Whole { entries: last, head: prev }),
        }
    }
}

fn read_subjects(json: &Value) -> Option<Vec<(String, String)>> {
    let pair = |pair: &Value| Some((pair.get(0)?.as_str()?.to_owned(), pair.get(1)?.as_str()?.to_owned()));
    json.as_array()?.iter().map(pair).collect()
}

fn read_entry(row: &Row) -> Result<AuditEntry> {
    let id = row.text_or_null("by_id")?;
    let id = id.as_deref().unwrap_or_default();
    let by = match row.text("by_kind")?.as_str() {
        "key" => ApiKeyId::parse(id).map(By::Key).ok(),
        "participant" => ParticipantId::parse(id).map(By::Participant).ok(),
        "operator" => Some(By::Operator),
        "salon" => Some(By::Salon),
        _ => None,
    };
    let outcome = match row.text("outcome")?.as_str() {
        "done" => Outcome::Done,
        "refused" => Outcome::Refused,
        _ => return Err(Error::column("outcome")),
    };
    let act = Act {
        account: Some(row.id("account_id")?),
        app: row.id_or_null("app_id")?,
        by: by.ok_or(Error::column("by_kind"))?,
        what: row.text("what")?,
        subjects: read_subjects(&row.json("subjects")?).ok_or(Error::column("subjects"))?,
        from: row.text_or_null("from_address")?,
        at: row.time("at_ms")?,
        outcome,
    };
    Ok(AuditEntry { number: row.count("number")?, act, hash: row.hash("hash")? })
}
