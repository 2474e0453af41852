//! The chains of the audit log: where an act goes, and what it is hashed with.
//! Invariant: each entry holds the SHA-256 of itself and of the one before it; acts are added at the end of their account's chain
//! only, in the transaction of what they did.
//! Next: `audit.rs`, which reads them.

use aws_lc_rs::digest::{Context, SHA256};
use salon_core::AccountId;
use serde_json::{Value, json};

use crate::acting::{Act, By, Outcome};
use crate::engine::{Tx, args};
use crate::error::{Error, Result};

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

/// Each part with its length, so that no two entries read alike.
pub(crate) fn hash(prev: &[u8; 32], number: u64, account: &AccountId, act: &Act, subjects: &str) -> [u8; 32] {
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

pub(crate) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::Refused => "refused",
    }
}

fn subjects_text(act: &Act) -> String {
    Value::from(act.subjects.iter().map(|(kind, id)| json!([kind, id])).collect::<Vec<_>>()).to_string()
}
