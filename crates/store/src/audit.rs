//! The audit log: who did what to what, when, from where. Each account has a chain of its own.
//! Invariant: entries are added only; each holds the SHA-256 of itself and of the one before, so one that is changed, taken out
//! or put in breaks the chain, and the head of the chain says how long it is.
//! Next: `acting.rs`, what is to be noted; `transact.rs`, which adds it to the transaction of the act.

use aws_lc_rs::digest::{Context, SHA256};
use salon_core::{AccountId, ApiKeyId, AppId, ParticipantId, Timestamp};
use serde_json::{Value, json};

use crate::Store;
use crate::acting::{Act, By, Outcome};
use crate::engine::{Row, Tx, args};
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

/// Adds acts to the chains of their accounts, those of one account in this order. What no account has, nobody could look for:
/// it is left out.
pub(crate) async fn note(tx: &mut Tx, acts: &[Act]) -> Result<()> {
    let mut placed = Vec::with_capacity(acts.len());
    for act in acts {
        match account_of(tx, act).await? {
            Some(account) => placed.push((account, act)),
            None => tracing::warn!(what = act.what, "an act of no account is not in the audit log"),
        }
    }
    // Chains are held until the commit; in one order everywhere, so that two transactions never wait for each other.
    placed.sort_by(|(one, _), (other, _)| one.cmp(other));
    for (account, act) in placed {
        let sql = "insert into audit_heads (account_id, number, hash) values ($1, 0, $2) on conflict do nothing";
        tx.run(sql, args![&account, &[0; 32]]).await?;
        let sql = tx.held("select number, hash from audit_heads where account_id = $1");
        let head = tx.one(sql, args![&account]).await?.ok_or(Error::NotFound)?;
        let (number, prev) = (head.count::<u64>("number")? + 1, head.hash("hash")?);
        let subjects = subjects_text(act);
        let hash = hash(&prev, number, &account, act, &subjects);
        let sql = "insert into audit_log (account_id, number, at_ms, app_id, by_kind, by_id, what, subjects, from_address, \
                   outcome, prev_hash, hash) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let (kind, id) = by(&act.by);
        let row = args![
            &account,
            number,
            act.at,
            &act.app,
            kind,
            &id.map(str::to_owned),
            &act.what,
            &subjects,
            &act.from,
            outcome_name(act.outcome),
            &prev,
            &hash,
        ];
        tx.run(sql, row).await?;
        let sql = "update audit_heads set number = $2, hash = $3 where account_id = $1";
        tx.run(sql, args![&account, number, &hash]).await?;
    }
    Ok(())
}

async fn account_of(tx: &mut Tx, act: &Act) -> Result<Option<AccountId>> {
    if act.account.is_some() {
        return Ok(act.account.clone());
    }
    let Some(app) = &act.app else { return Ok(None) };
    tx.one("select account_id from apps where id = $1", args![app]).await?.map(|row| row.id("account_id")).transpose()
}

impl Store {
    /// Notes an act that writes nothing else.
    pub async fn note_act(&self, act: &Act) -> Result<()> {
        crate::engine::transaction!(self.db, |tx| { note(tx, std::slice::from_ref(act)).await })
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
            let rows = self.db.all(crate::engine::built(sql), args![account, last]).await?;
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

/// Each part with its length, so that no two entries read alike.
fn hash(prev: &[u8; 32], number: u64, account: &AccountId, act: &Act, subjects: &str) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let mut part = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => {
            context.update(&(bytes.len() as u64 + 1).to_be_bytes());
            context.update(bytes);
        }
        None => context.update(&0u64.to_be_bytes()),
    };
    let (kind, id) = by(&act.by);
    part(Some(prev));
    part(Some(&number.to_be_bytes()));
    part(Some(account.as_str().as_bytes()));
    part(Some(&act.at.0.to_be_bytes()));
    part(act.app.as_ref().map(|app| app.as_str().as_bytes()));
    part(Some(kind.as_bytes()));
    part(id.map(str::as_bytes));
    part(Some(act.what.as_bytes()));
    part(Some(subjects.as_bytes()));
    part(act.from.as_ref().map(|from| from.as_bytes()));
    part(Some(outcome_name(act.outcome).as_bytes()));
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn by(by: &By) -> (&'static str, Option<&str>) {
    match by {
        By::Key(id) => ("key", Some(id.as_str())),
        By::Participant(id) => ("participant", Some(id.as_str())),
        By::Operator => ("operator", None),
        By::Salon => ("salon", None),
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
    }
}

fn subjects_text(act: &Act) -> String {
    Value::from(act.subjects.iter().map(|(kind, id)| json!([kind, id])).collect::<Vec<_>>()).to_string()
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
