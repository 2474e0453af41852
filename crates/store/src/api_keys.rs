//! API keys, known by the SHA-256 of their secret only: the secret is 256 random bits, so one round is enough.
//! Invariant: nothing here or in the database can be turned back into a key.
//! Next: `settings.rs`.

use salon_core::{AccountId, Timestamp};

use crate::Store;
use crate::engine::{Row, args};
use crate::error::{Error, Result};

#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    pub account: AccountId,
    /// Whose key it is, for callers that send an address with it.
    pub email: Option<String>,
    pub label: String,
    pub created_at: Timestamp,
}

/// Leaves out hash and address, so that a key can be logged by accident without harm.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("account", &self.account).field("label", &self.label).finish_non_exhaustive()
    }
}

impl Store {
    /// Stores a key. One that is there already stays as it is.
    pub async fn insert_api_key(&self, key: &ApiKey) -> Result<()> {
        let sql = "insert into api_keys (hash, account_id, email, label, created_ms) values ($1, $2, $3, $4, $5) \
                   on conflict do nothing";
        let row = args![&key.hash, &key.account, &key.email, &key.label, key.created_at];
        self.db.run(sql, row).await.map(drop)
    }

    pub async fn api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>> {
        let sql = "select hash, account_id, email, label, created_ms from api_keys where hash = $1";
        self.db.one(sql, args![hash]).await?.as_ref().map(read_key).transpose()
    }

    /// The keys of an account, oldest first. People make them by hand, so there are few.
    pub async fn api_keys(&self, account: &AccountId) -> Result<Vec<ApiKey>> {
        let sql = "select hash, account_id, email, label, created_ms from api_keys where account_id = $1 \
                   order by created_ms, hash";
        self.db.all(sql, args![account]).await?.iter().map(read_key).collect()
    }

    /// Forgets a key. `NotFound` if it is not there.
    pub async fn revoke_api_key(&self, hash: &[u8; 32]) -> Result<()> {
        match self.db.run("delete from api_keys where hash = $1", args![hash]).await? {
            0 => Err(Error::NotFound),
            _ => Ok(()),
        }
    }
}

fn read_key(row: &Row) -> Result<ApiKey> {
    Ok(ApiKey {
        hash: row.hash("hash")?,
        account: row.id("account_id")?,
        email: row.text_or_null("email")?,
        label: row.text("label")?,
        created_at: row.time("created_ms")?,
    })
}
