//! How often somebody may come: a bucket that fills as time passes and loses one each time.
//! Invariant: the map holds those with a bucket that is not full; the others are as if never seen.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// Those with a bucket that is not full. Past this those whose buckets have refilled are forgotten, then all.
const MAX_BUCKETS: usize = 10_000;

/// The buckets of all who come.
#[derive(Debug)]
pub struct Rates<Who> {
    /// Times in a full bucket; 0 means no limit.
    limit: u64,
    /// In which an empty one fills.
    span: Duration,
    /// When each bucket will be full again: its level, told as a time.
    full_at: Mutex<HashMap<Who, Instant>>,
}

impl<Who: Clone + Eq + Hash> Rates<Who> {
    /// At most `limit` times at once, and within each `span` from then on.
    pub fn new(limit: u64, span: Duration) -> Self {
        Self { limit, span, full_at: Mutex::default() }
    }

    /// Takes one time out of somebody's bucket.
    ///
    /// # Errors
    /// The time until there is one again.
    pub fn take(&self, who: &Who, now: Instant) -> Result<(), Duration> {
        if self.limit == 0 {
            return Ok(());
        }
        let one = self.span.div_f64(self.limit as f64);
        let mut buckets = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(full_at) = buckets.get_mut(who) {
            let next = (*full_at).max(now) + one;
            let wait = next.saturating_duration_since(now).saturating_sub(self.span);
            if !wait.is_zero() {
                return Err(wait);
            }
            *full_at = next;
            return Ok(());
        }
        if buckets.len() >= MAX_BUCKETS {
            buckets.retain(|_, full_at| *full_at > now);
            if buckets.len() >= MAX_BUCKETS {
                buckets.clear();
            }
        }
        buckets.insert(who.clone(), now + one);
        Ok(())
    }
}

/// How late those who come too often hear so, and how many hear it late at a time: whoever waits for one answer before it
/// asks again, as clients do, is slowed down to next to nothing.
const LATE: Duration = Duration::from_secs(1);
const MAX_LATE: usize = 256;

/// The same for guests, who hear late that they come too often.
#[derive(Debug)]
pub struct LateRates<Who> {
    rates: Rates<Who>,
    late: Semaphore,
}

impl<Who: Clone + Eq + Hash> LateRates<Who> {
    /// At most `limit` times at once, and within each `span` from then on.
    pub fn new(limit: u64, span: Duration) -> Self {
        Self { rates: Rates::new(limit, span), late: Semaphore::new(MAX_LATE) }
    }

    /// Takes one time out of somebody's bucket.
    ///
    /// # Errors
    /// The time until there is one again, told late.
    pub async fn take(&self, who: &Who) -> Result<(), Duration> {
        match self.judge(who, Instant::now()) {
            Ok(()) => Ok(()),
            Err((wait, place)) => {
                if place.is_some() {
                    tokio::time::sleep(LATE).await;
                }
                Err(wait)
            }
        }
    }

    /// A refusal comes with a place to wait in, if there is one.
    fn judge(&self, who: &Who, now: Instant) -> Result<(), (Duration, Option<SemaphorePermit<'_>>)> {
        self.rates.take(who, now).map_err(|wait| (wait, self.late.try_acquire().ok()))
    }
}

#[cfg(test)]
mod tests {
    use salon_core::{AccountId, ParticipantId};

    use super::*;

    const SPAN: Duration = Duration::from_secs(300);

    #[test]
    fn a_bucket_empties_and_refills() {
        let rates = Rates::new(3, SPAN);
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
    fn who_comes_too_often_hears_so_late_unless_too_many_do() {
        let rates = LateRates::new(1, SPAN);
        let (mallory, ada) = (ParticipantId::parse("m").unwrap(), ParticipantId::parse("a").unwrap());
        let now = Instant::now();
        assert!(rates.judge(&mallory, now).is_ok());
        let waiting: Vec<_> = (0..MAX_LATE).map(|_| rates.judge(&mallory, now).unwrap_err()).collect();
        assert!(waiting.iter().all(|refused| refused.1.is_some()), "each waits in a place");
        assert!(rates.judge(&mallory, now).unwrap_err().1.is_none(), "as many wait as may: this one hears at once");
        assert!(rates.judge(&ada, now).is_ok(), "others do not wait");
        drop(waiting);
        let (again, place) = rates.judge(&mallory, now).unwrap_err();
        assert_eq!((again, place.is_some()), (SPAN, true));
    }

    #[test]
    fn no_limit_is_no_limit() {
        let rates = Rates::new(0, SPAN);
        let account = AccountId::parse("a").unwrap();
        assert!((0..10_000).all(|_| rates.take(&account, Instant::now()).is_ok()));
    }
}
