//! API keys, known by the SHA-256 of their secret only: the secret is 256 random bits, so one round is enough.
//! Invariant: nothing here or in the database can be turned back into a key.
//! Next: `salon_core::reach`, what a key may do.

use salon_core::{AccountId, ApiKeyId, Reach, Scope, Timestamp};

use crate::Store;
use crate::engine::{Arg, Row, Tx, args, built};
use crate::error::{Error, Result, Rule};
use crate::transact::{run, transaction};

#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// SHA-256 of the secret.
    pub hash: [u8; 32],
    pub account: AccountId,
    /// Whose key it is, for callers that send an address with it.
    pub email: Option<String>,
    pub label: String,
    pub reach: Reach,
    pub created_at: Timestamp,
    /// When it was last used, give or take an hour.
    pub used_at: Option<Timestamp>,
    /// SHA-256 of the secret before this one, and until when that is good too.
    pub former: Option<([u8; 32], Timestamp)>,
}

/// Leaves out hashes and address, so that a key can be logged by accident without harm.
impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("account", &self.account).field("label", &self.label).finish_non_exhaustive()
    }
}

/// A use is noted when the last one noted is older than this, in milliseconds. Lower is truer, and writes more.
pub const USED_EVERY_MS: i64 = 3_600_000;

const COLUMNS: &str = "id, hash, account_id, email, label, scope, app_id, expires_ms, created_ms, used_ms, former_hash, \
     former_until_ms";

const INSERT: &str = "insert into api_keys (id, hash, account_id, email, label, scope, app_id, expires_ms, created_ms) \
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing";

impl Store {
    /// Stores a key. One whose secret is there already stays as it is.
    pub async fn insert_api_key(&self, key: &ApiKey) -> Result<()> {
        run(&self.db, INSERT, insert_args(key)).await.map(drop)
    }

    /// Stores a new key. False if the account has `most` already, `Conflict(IdTaken)` if its secret is another's.
    pub async fn create_api_key(&self, key: &ApiKey, most: u32) -> Result<bool> {
        transaction!(self.db, |tx| {
            let sql = "select count(*) as total from api_keys where account_id = $1";
            let total = tx.one(sql, args![&key.account]).await?.map_or(Ok(0), |row| row.int("total"))?;
            if total >= i64::from(most) {
                return Ok(false);
            }
            match tx.run(INSERT, insert_args(key)).await? {
                0 => Err(Error::Conflict(Rule::IdTaken)),
                _ => Ok(true),
            }
        })
    }

    /// The key whose secret this is. Found by its former secret, it is good no longer than that; whether it is good still is
    /// for the caller to judge.
    pub async fn api_key(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>> {
        let sql = format!("select {COLUMNS} from api_keys where hash = $1 or former_hash = $1");
        let Some(row) = self.db.one(built(sql), args![hash]).await? else { return Ok(None) };
        let mut key = read_key(&row)?;
        if let Some((former, until)) = key.former
            && former == *hash
        {
            key.reach.until = Some(key.reach.until.map_or(until, |own| own.min(until)));
        }
        Ok(Some(key))
    }

    /// The keys of an account, oldest first. People make them by hand, so there are few.
    pub async fn api_keys(&self, account: &AccountId) -> Result<Vec<ApiKey>> {
        let sql = format!("select {COLUMNS} from api_keys where account_id = $1 order by created_ms, hash");
        self.db.all(built(sql), args![account]).await?.iter().map(read_key).collect()
    }

    /// Makes of a key what `change` makes of it, but for id, account and `created_at`. `NotFound` if the account has none of
    /// this id.
    pub async fn edit_api_key<E: From<Error>>(
        &self,
        account: &AccountId,
        id: &ApiKeyId,
        change: impl Fn(ApiKey) -> std::result::Result<ApiKey, E>,
    ) -> std::result::Result<ApiKey, E> {
        transaction!(self.db, |tx| {
            let key = self.key_to_change(tx, account, id).await?;
            let hash = key.hash;
            let key = match change(key) {
                Ok(key) => key,
                Err(refused) => return Ok(Err(refused)),
            };
            let sql = "update api_keys set hash = $2, email = $3, label = $4, scope = $5, app_id = $6, expires_ms = $7, \
                       former_hash = $8, former_until_ms = $9, id = $10 where hash = $1";
            let former = key.former;
            let row = args![
                &hash,
                &key.hash,
                &key.email,
                &key.label,
                scope_name(key.reach.scope),
                &key.reach.app,
                key.reach.until,
                former.map(|(hash, _)| hash),
                former.map(|(_, until)| until),
                &key.id,
            ];
            tx.run(sql, row).await?;
            Ok(Ok(key))
        })?
    }

    /// Notes that a key was used, unless that was noted within the hour.
    pub async fn api_key_used(&self, key: &ApiKey, now: Timestamp) -> Result<()> {
        let sql = "update api_keys set used_ms = $2 where hash = $1 and (used_ms is null or used_ms <= $3)";
        self.db.run(sql, args![&key.hash, now, now.plus_ms(-USED_EVERY_MS)]).await.map(drop)
    }

    /// Forgets a key, and returns it. `NotFound` if the account has none of this id.
    pub async fn delete_api_key(&self, account: &AccountId, id: &ApiKeyId) -> Result<ApiKey> {
        transaction!(self.db, |tx| {
            let key = self.key_to_change(tx, account, id).await?;
            match tx.run("delete from api_keys where hash = $1", args![&key.hash]).await? {
                0 => Err(Error::NotFound),
                _ => Ok(key),
            }
        })
    }

    /// A key that nobody else changes until the transaction ends.
    async fn key_to_change(&self, tx: &mut Tx, account: &AccountId, id: &ApiKeyId) -> Result<ApiKey> {
        let sql = format!("select {COLUMNS} from api_keys where account_id = $1{}", self.db.for_update());
        for row in tx.all(built(sql), args![account]).await? {
            let key = read_key(&row)?;
            if key.id == *id {
                return Ok(key);
            }
        }
        Err(Error::NotFound)
    }

    /// Forgets a key. `NotFound` if it is not there.
    pub async fn revoke_api_key(&self, hash: &[u8; 32]) -> Result<()> {
        match run(&self.db, "delete from api_keys where hash = $1", args![hash]).await? {
            0 => Err(Error::NotFound),
            _ => Ok(()),
        }
    }
}

fn insert_args(key: &ApiKey) -> Vec<Arg> {
    args![
        &key.id,
        &key.hash,
        &key.account,
        &key.email,
        &key.label,
        scope_name(key.reach.scope),
        &key.reach.app,
        key.reach.until,
        key.created_at,
    ]
}

fn scope_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Manage => "manage",
    }
}

/// A word from a later release is the least there is.
fn scope_of(name: &str) -> Scope {
    if name == "manage" { Scope::Manage } else { Scope::Read }
}

/// The id of a key from before there were ids: a UUID in form, made of the beginning of its hash.
fn id_of(hash: &[u8; 32]) -> Option<ApiKeyId> {
    let beginning = *hash.first_chunk()?;
    ApiKeyId::parse(&uuid::Uuid::from_bytes(beginning).to_string()).ok()
}

fn read_key(row: &Row) -> Result<ApiKey> {
    let hash = row.hash("hash")?;
    let id = row.id_or_null("id")?.or_else(|| id_of(&hash)).ok_or(Error::column("id"))?;
    let former = row.hash_or_null("former_hash")?.zip(row.time_or_null("former_until_ms")?);
    Ok(ApiKey {
        id,
        hash,
        account: row.id("account_id")?,
        email: row.text_or_null("email")?,
        label: row.text("label")?,
        reach: Reach {
            scope: scope_of(&row.text("scope")?),
            app: row.id_or_null("app_id")?,
            until: row.time_or_null("expires_ms")?,
        },
        created_at: row.time("created_ms")?,
        used_at: row.time_or_null("used_ms")?,
        former,
    })
}
