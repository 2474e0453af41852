//! How many requests an account may make: a bucket that fills as time passes and loses one per request.
//! Invariant: the map holds accounts with a bucket that is not full; the others are as if never seen.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use salon_core::AccountId;

/// The span for which limits are given.
const SPAN: Duration = Duration::from_secs(300);

/// Accounts with a bucket that is not full. Past this those that have refilled are forgotten, then all.
const MAX_ACCOUNTS: usize = 10_000;

/// The buckets of all accounts.
#[derive(Debug)]
pub struct Rates {
    /// Requests in a full bucket, and refilled in [`SPAN`]; 0 means no limit.
    limit: u64,
    /// When each bucket will be full again: its level, told as a time.
    full_at: Mutex<HashMap<AccountId, Instant>>,
}

impl Rates {
    pub fn new(limit: u64) -> Self {
        Self { limit, full_at: Mutex::default() }
    }

    /// Takes one request out of the account's bucket.
    ///
    /// # Errors
    /// The time until there is one again.
    pub fn take(&self, account: &AccountId, now: Instant) -> Result<(), Duration> {
        if self.limit == 0 {
            return Ok(());
        }
        let one = SPAN.div_f64(self.limit as f64);
        let mut buckets = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(full_at) = buckets.get_mut(account) {
            let next = (*full_at).max(now) + one;
            let wait = next.saturating_duration_since(now).saturating_sub(SPAN);
            if !wait.is_zero() {
                return Err(wait);
            }
            *full_at = next;
            return Ok(());
        }
        if buckets.len() >= MAX_ACCOUNTS {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= MAX_ACCOUNTS {
                buckets.clear();
            }
        }
        buckets.insert(account.clone(), now + one);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let rates = Rates::new(3);
        let (a, b) = (AccountId::parse("a").unwrap(), AccountId::parse("b").unwrap());
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(rates.take(&a, start), Ok(()));
        }
        let wait = rates.take(&a, start).expect_err("the fourth is too many");
        assert_eq!(wait, Duration::from_secs(100), "one of three in 300 seconds");
        assert_eq!(rates.take(&b, start), Ok(()), "another account has its own bucket");
        assert_eq!(rates.take(&a, start + wait), Ok(()));
        assert!(rates.take(&a, start + wait).is_err());
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rates = Rates::new(0);
        let account = AccountId::parse("a").unwrap();
        assert!((0..10_000).all(|_| rates.take(&account, Instant::now()).is_ok()));
    }
}
