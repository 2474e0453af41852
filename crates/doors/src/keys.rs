//! Whose secret this is, and whose app that is, answered from memory once known.
//! Owns copies of API keys and of which account owns which app; the store has the truth.
//! Invariant: a revoked key works for at most `FRESH` longer on a node that can reach its store. Secrets are never kept,
//! only their SHA-256.
//! Next: `rest/auth.rs` reads the headers.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use salon_core::{AccountId, AppId};
use salon_store::{ApiKey, Store};

/// How long a key is believed without asking the store. Lower revokes sooner, higher asks less often.
pub const FRESH: Duration = Duration::from_secs(5);

/// Keys and apps held at most; past this the copies are dropped and asked for again.
const MAX_COPIES: usize = 10_000;

type Copies<K, V> = RwLock<HashMap<K, (V, Instant)>>;

/// Answers who a secret belongs to.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    keys: Arc<Copies<[u8; 32], Arc<ApiKey>>>,
    apps: Arc<RwLock<HashMap<AppId, AccountId>>>,
}

/// The form in which a secret is stored.
pub fn digest(secret: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl Keys {
    pub fn new(store: Store) -> Self {
        Self { store, keys: Arc::default(), apps: Arc::default() }
    }

    /// The key whose secret this is; `None` if there is none or it was revoked.
    ///
    /// A known key is answered from memory at once. One that was last looked up more than [`FRESH`] ago is looked up
    /// again: this request and those beside it still take the copy, the next ones see the answer.
    pub async fn key(&self, secret: &str) -> Result<Option<Arc<ApiKey>>, salon_store::Error> {
        let hash = digest(secret);
        let copy = self.keys.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&hash).cloned();
        let Some((key, asked)) = copy else { return self.ask(hash).await };
        match asked.elapsed() {
            age if age < FRESH => Ok(Some(key)),
            // An old copy after a quiet time could be long revoked: ask before answering.
            age if age > 2 * FRESH => self.ask(hash).await,
            _ => {
                self.keep(hash, key.clone());
                let keys = self.clone();
                tokio::spawn(async move { keys.ask(hash).await });
                Ok(Some(key))
            }
        }
    }

    async fn ask(&self, hash: [u8; 32]) -> Result<Option<Arc<ApiKey>>, salon_store::Error> {
        match self.store.api_key(&hash).await? {
            Some(key) => {
                let key = Arc::new(key);
                self.keep(hash, key.clone());
                Ok(Some(key))
            }
            None => {
                self.keys.write().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&hash);
                Ok(None)
            }
        }
    }

    fn keep(&self, hash: [u8; 32], key: Arc<ApiKey>) {
        let mut keys = self.keys.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if keys.len() >= MAX_COPIES {
            keys.clear();
        }
        keys.insert(hash, (key, Instant::now()));
    }

    /// The account that owns an app; `None` if there is no such app. Apps never change hands, so a copy stays true.
    pub async fn account_of(&self, app: &AppId) -> Result<Option<AccountId>, salon_store::Error> {
        if let Some(account) = self.apps.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(app) {
            return Ok(Some(account.clone()));
        }
        let found = self.store.app(app).await?.map(|app| app.account);
        if let Some(account) = &found {
            let mut apps = self.apps.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            if apps.len() >= MAX_COPIES {
                apps.clear();
            }
            apps.insert(app.clone(), account.clone());
        }
        Ok(found)
    }
}
