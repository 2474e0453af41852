//! What all nodes must agree on and nobody configures, such as the secret that signs tokens.
//! Invariant: the first value written under a key stays, and everyone reads that one.

use crate::Store;
use crate::engine::{args, transaction};
use crate::error::{Error, Result};

impl Store {
    /// The value of `key`, if there is one.
    pub async fn setting(&self, key: &str) -> Result<Option<String>> {
        let row = self.db.one("select value from settings where key = $1", args![key]).await?;
        row.map(|row| row.text("value")).transpose()
    }

    /// Offers `value` for `key`, and returns the value that was there first: it, or an earlier one.
    pub async fn setting_or_insert(&self, key: &str, value: &str) -> Result<String> {
        transaction!(self.db, |tx| {
            tx.run("insert into settings (key, value) values ($1, $2) on conflict do nothing", args![key, value]).await?;
            let row = tx.one("select value from settings where key = $1", args![key]).await?;
            row.ok_or(Error::NotFound)?.text("value")
        })
    }
}
