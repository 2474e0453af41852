//! How many may watch: on this node, one thing, with one key, and for one account.
//! Invariant: a seat is given back when whoever has it is gone.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard};

use salon_core::AccountId;

use crate::metrics::Metrics;
use crate::rest::auth::KeyHash;
use crate::rest::error::ApiError;
use crate::rest::settings::Watchers;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Group {
    Node,
    One(String),
    Account(AccountId),
    Key(KeyHash),
}

/// All seats.
#[derive(Clone)]
pub struct Seats {
    most: Watchers,
    taken: Arc<Mutex<HashMap<Group, usize>>>,
    metrics: Arc<Metrics>,
}

/// The place of somebody who watches.
pub struct Seat {
    seats: Seats,
    groups: Vec<Group>,
}

impl Seats {
    pub fn new(most: Watchers, metrics: Arc<Metrics>) -> Self {
        Self { most, taken: Arc::default(), metrics }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Group, usize>> {
        self.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// A seat for somebody who watches all of `what`.
    ///
    /// # Errors
    /// 429 if there are as many as there may be.
    pub fn take(&self, what: &[&str], account: &AccountId, key: KeyHash) -> Result<Seat, ApiError> {
        let mut groups = vec![Group::Node, Group::Account(account.clone()), Group::Key(key)];
        groups.extend(what.iter().map(|one| Group::One((*one).to_owned())));
        let mut taken = self.taken();
        for group in &groups {
            let (most, of) = match group {
                Group::Node => (self.most.of_node, "on this node"),
                Group::One(_) => (self.most.of_one, "of one meeting or list"),
                Group::Account(_) => (self.most.of_account, "of one account"),
                Group::Key(_) => (self.most.of_key, "with one key"),
            };
            if taken.get(group).is_some_and(|count| *count >= most) {
                return Err(ApiError::too_many(format!("There are {most} streams {of}, which is the most; close one first")));
            }
        }
        for group in &groups {
            *taken.entry(group.clone()).or_default() += 1;
        }
        drop(taken);
        self.metrics.stream_opens();
        Ok(Seat { seats: self.clone(), groups })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.metrics.stream_closed();
        let mut taken = self.seats.taken();
        for group in &self.groups {
            match taken.get_mut(group) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(taken.remove(group)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_goes_makes_place_and_who_is_refused_takes_none() {
        let metrics = Arc::new(Metrics::registered(&mut prometheus_client::registry::Registry::default()));
        let seats = Seats::new(Watchers { of_node: 4, of_one: 2, of_account: 3, of_key: 2 }, metrics);
        let account = |name: &str| AccountId::parse(name).unwrap();
        let take = |what: &str, name: &str, key: u8| seats.take(&[what], &account(name), KeyHash([key; 32])).ok();
        let first = take("m", "a", 1).unwrap();
        let _second = take("m", "a", 2).unwrap();
        assert!(take("m", "b", 3).is_none(), "two of one meeting");
        let _third = take("n", "a", 2).unwrap();
        assert!(take("o", "a", 4).is_none(), "three of an account");
        let _fourth = take("o", "b", 3).unwrap();
        assert!(take("p", "c", 5).is_none(), "four of the node");
        drop(first);
        assert!(take("m", "b", 2).is_none(), "two with a key");
        assert!(take("m", "b", 3).is_some());
    }
}
