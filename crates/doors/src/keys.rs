//! Whose secret this is, and whose app that is, answered from memory once known.
//! Owns copies of API keys and of which account owns which app; the store has the truth.
//! Invariant: a key that is revoked or changed here counts so at once, one that is elsewhere as soon as that node says so, or
//! after at most `FRESH` on a node that can reach its store. Secrets are never kept, only their SHA-256.
//! Next: `rest/auth.rs` reads the headers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use salon_cluster::{Hint, Hints};
use salon_core::{AccountId, ApiKeyId, AppId, Timestamp};
use salon_store::{ApiKey, Store, USED_EVERY_MS};

/// How long a key is believed without asking the store. Lower revokes sooner, higher asks less often.
pub const FRESH: Duration = Duration::from_secs(5);

/// Keys and apps held at most; past this the copies are dropped and asked for again.
const MAX_COPIES: usize = 10_000;

/// What secrets begin with, so that people and scanners of leaked secrets know one when they see it.
pub const PREFIX: &str = "salon_";

/// A key, and when it was last asked for.
#[derive(Clone)]
struct Copy {
    key: Arc<ApiKey>,
    /// The last use that the store was told of, in milliseconds; `i64::MIN` if there was none.
    noted: Arc<AtomicI64>,
    asked: Instant,
}

/// Answers who a secret belongs to.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    /// Other nodes have copies too.
    hints: Hints,
    keys: Arc<RwLock<HashMap<[u8; 32], Copy>>>,
    /// How often keys were forgotten. What was read from the store before may be from before the change.
    forgotten: Arc<AtomicU64>,
    apps: Arc<RwLock<HashMap<AppId, AccountId>>>,
}

/// The form in which a secret is stored.
pub fn digest(secret: &str) -> [u8; 32] {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, secret.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// A new secret: 256 random bits, more than anybody can guess, so its SHA-256 needs no slowing down.
pub fn fresh_secret() -> String {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system gives random bytes");
    format!("{PREFIX}{}", hex::encode(bytes))
}

impl Keys {
    pub fn new(store: Store, hints: Hints) -> Self {
        Self { store, hints, keys: Arc::default(), forgotten: Arc::default(), apps: Arc::default() }
    }

    /// The key whose secret this is; `None` if there is none, or it was revoked or is over.
    ///
    /// A known key is answered from memory at once. One that was last looked up more than [`FRESH`] ago is looked up
    /// again: this request and those beside it still take the copy, the next ones see the answer.
    pub async fn key(&self, secret: &str, now: Timestamp) -> Result<Option<Arc<ApiKey>>, salon_store::Error> {
        self.of_hash(digest(secret), now).await
    }

    /// The same by the secret's hash.
    pub async fn of_hash(&self, hash: [u8; 32], now: Timestamp) -> Result<Option<Arc<ApiKey>>, salon_store::Error> {
        let copy = self.keys.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&hash).cloned();
        let copy = match copy {
            Some(copy) if copy.asked.elapsed() < FRESH => Some(copy),
            // An old copy after a quiet time could be long revoked: ask before answering.
            Some(copy) if copy.asked.elapsed() < 2 * FRESH => {
                // Whoever comes beside this one need not ask too.
                let since = self.forgotten.load(Ordering::SeqCst);
                self.keep(hash, Copy { asked: Instant::now(), ..copy.clone() }, since);
                let keys = self.clone();
                tokio::spawn(async move { keys.ask(hash).await });
                Some(copy)
            }
            _ => self.ask(hash).await?,
        };
        let Some(copy) = copy.filter(|copy| !copy.key.reach.is_over(now)) else { return Ok(None) };
        self.note_use(&copy, now);
        Ok(Some(copy.key))
    }

    /// A key was changed or revoked here: from now on the store is asked for it, and so it is at other nodes that hear of it.
    pub fn changed(&self, id: &ApiKeyId) {
        self.forget(id);
        self.hints.tell(Hint::Key(id.to_string()));
    }

    /// Drops what is known of a key: from now on the store is asked.
    pub fn forget(&self, id: &ApiKeyId) {
        let mut keys = self.keys.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        keys.retain(|_, copy| copy.key.id != *id);
    }

    async fn ask(&self, hash: [u8; 32]) -> Result<Option<Copy>, salon_store::Error> {
        let since = self.forgotten.load(Ordering::SeqCst);
        match self.store.api_key(&hash).await? {
            Some(key) => {
                let noted = Arc::new(AtomicI64::new(key.used_at.map_or(i64::MIN, |at| at.0)));
                let copy = Copy { key: Arc::new(key), noted, asked: Instant::now() };
                self.keep(hash, copy.clone(), since);
                Ok(Some(copy))
            }
            None => {
                self.keys.write().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&hash);
                Ok(None)
            }
        }
    }

    /// Keeps a copy that was read when keys had been forgotten `since` times.
    fn keep(&self, hash: [u8; 32], copy: Copy, since: u64) {
        let mut keys = self.keys.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.forgotten.load(Ordering::SeqCst) != since {
            return;
        }
        if keys.len() >= MAX_COPIES {
            keys.clear();
        }
        keys.insert(hash, copy);
    }

    /// Has the store note the use, beside the request, if the last one noted is long ago.
    fn note_use(&self, copy: &Copy, now: Timestamp) {
        let noted = copy.noted.load(Ordering::Relaxed);
        let due = now.0.saturating_sub(noted) >= USED_EVERY_MS;
        if due && copy.noted.compare_exchange(noted, now.0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let (store, key) = (self.store.clone(), copy.key.clone());
            tokio::spawn(async move {
                if let Err(error) = store.api_key_used(&key, now).await {
                    tracing::debug!(%error, "the use of an API key was not noted");
                }
            });
        }
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
