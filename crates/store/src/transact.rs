//! Transactions that somebody answers for: what is written in one, and who did it, are stored together or not at all.
//! Next: `engine.rs`, whose transactions these are; `acting.rs`, who does it.

use sqlx::SqlSafeStr;

use crate::acting::Acting;
use crate::chain;
use crate::engine::{Arg, Db, Tx};
use crate::error::Result;

/// As [`engine::transaction!`](crate::engine), and if anything was written, what the present task does is noted with it.
macro_rules! transaction {
    ($db:expr, |$tx:ident| $body:block) => {
        $crate::engine::transaction!($db, |$tx| $body, $crate::transact::finish)
    };
}
pub(crate) use transaction;

/// Runs one writing statement as such a transaction; returns how many rows it touched.
pub(crate) async fn run(db: &Db, sql: impl SqlSafeStr, args: Vec<Arg>) -> Result<u64> {
    let sql = sql.into_sql_str();
    transaction!(db, |tx| { tx.run(sql.clone(), args.clone()).await })
}

pub(crate) async fn finish<T>(mut tx: Tx, mut outcome: Result<T>) -> Result<T> {
    let acting = if outcome.is_ok() && tx.has_written() { Acting::current() } else { None };
    if let Some(acting) = &acting
        && let Err(error) = chain::note(&mut tx, &[acting.act()]).await
    {
        outcome = Err(error);
    }
    let outcome = tx.finish(outcome).await;
    if let (Ok(_), Some(acting)) = (&outcome, acting) {
        acting.settle();
    }
    outcome
}
