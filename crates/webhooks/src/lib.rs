//! Telling others over HTTP what happens in their apps.
//! Reading order: `due` (when what is tried, pure), `guard` (where requests may go), `key` and `signature` (what proves that
//! they are ours), `post` (one request; `fetch` is its like), `deliver` (the task that brings it all together).
//! Invariant: what is told, and in which order, the store decides; here nothing is remembered that would be missed.

mod deliver;
mod due;
mod fetch;
mod figures;
mod guard;
mod key;
mod post;
mod signature;

use std::sync::Arc;

pub use deliver::{Parts, deliver};
pub use fetch::Fetch;
pub use figures::Figures;
pub use guard::{Guard, Refused};
pub use key::Key;
pub use signature::fresh_secret;

/// What those need who register webhooks: where they may be, and what receivers check with.
#[derive(Clone)]
pub struct Webhooks {
    pub guard: Arc<Guard>,
    pub key: Key,
}
