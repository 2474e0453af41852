//! What the holder of an API key may do, where, and until when.
//! Invariant: nobody hands on what they do not have: what [`Reach::contains`] refuses can be made by no key.

use crate::ids::AppId;
use crate::time::Timestamp;

/// How much may be done, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Look at everything.
    Read,
    /// Look at everything and change it.
    Manage,
}

/// How far a key goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub scope: Scope,
    /// The only app of the account it is for; `None` if it is for all of them, and for the account itself.
    pub app: Option<AppId>,
    /// When it ends; `None` if it does not.
    pub until: Option<Timestamp>,
}

impl Reach {
    /// All that a key can have.
    pub const FULL: Self = Self { scope: Scope::Manage, app: None, until: None };

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// Whether it goes as far as `needed`.
    pub fn allows(&self, needed: Scope) -> bool {
        self.scope >= needed
    }

    /// Whether an app is within it.
    pub fn covers(&self, app: &AppId) -> bool {
        self.app.as_ref().is_none_or(|only| only == app)
    }

    /// Whether `other` can do nothing beyond this one while both are good.
    pub fn governs(&self, other: &Self) -> bool {
        self.scope >= other.scope && (self.app.is_none() || self.app == other.app)
    }

    /// Whether `other` can do nothing beyond this one, and for no longer.
    pub fn contains(&self, other: &Self) -> bool {
        let ends_first = match (self.until, other.until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(own), Some(other)) => other <= own,
        };
        self.governs(other) && ends_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Reach> {
        let app = |name| AppId::parse(name).ok();
        let mut all = Vec::new();
        for scope in [Scope::Read, Scope::Manage] {
            for app in [None, app("one"), app("two")] {
                for until in [None, Some(Timestamp(10)), Some(Timestamp(20))] {
                    all.push(Reach { scope, app: app.clone(), until });
                }
            }
        }
        all
    }

    /// Everything a key can be used for at some moments.
    fn uses(reach: &Reach) -> Vec<(Scope, &'static str, i64)> {
        let mut uses = Vec::new();
        for needed in [Scope::Read, Scope::Manage] {
            for app in ["one", "two", "the account"] {
                for now in [5, 15, 25] {
                    let app_id = AppId::parse(app).ok();
                    let covered = app_id.map_or(reach.app.is_none(), |app| reach.covers(&app));
                    if reach.allows(needed) && covered && !reach.is_over(Timestamp(now)) {
                        uses.push((needed, app, now));
                    }
                }
            }
        }
        uses
    }

    #[test]
    fn what_is_contained_can_do_nothing_more() {
        for own in all() {
            for other in all() {
                let more = uses(&other).iter().any(|used| !uses(&own).contains(used));
                assert_eq!(own.contains(&other), !more, "{own:?} {other:?}");
                if own.contains(&other) {
                    assert!(own.governs(&other));
                }
            }
        }
        assert!(all().iter().all(|reach| Reach::FULL.contains(reach)));
    }

    #[test]
    fn a_key_ends_at_its_moment() {
        let reach = Reach { until: Some(Timestamp(10)), ..Reach::FULL };
        assert!(!reach.is_over(Timestamp(9)) && reach.is_over(Timestamp(10)));
        assert!(!Reach::FULL.is_over(Timestamp(i64::MAX)));
    }
}
