//! Bugs of ours: a panic while something was done for a transport ends that transport, and nothing else.
//! Every door of the engine leads through here or through `Engine::run`, so the media thread outlives all of them.
//! Invariant: after a panic, what may have been left half done is made anew or belongs to the transport that ends.
//! Next: `tests/panics.rs` springs a trap behind each door.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::Engine;
use super::key::Key;
use crate::{CloseReason, TransportId};

impl Engine {
    /// Does something on behalf of a transport. None after a panic, which ends that transport.
    pub(super) fn guard<R>(&mut self, now: Instant, key: Option<Key>, f: impl FnOnce(&mut Self) -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(|| f(self))) {
            Ok(done) => Some(done),
            Err(_) => {
                self.counters.panics += 1;
                self.leaving.abandon();
                if let Some(key) = key {
                    self.end_transport(now, key, Some(CloseReason::Panicked));
                }
                None
            }
        }
    }

    /// Obeys a command that is about this transport, if it is about one. None after a panic.
    pub(crate) fn obey_for<R>(&mut self, now: Instant, id: Option<&TransportId>, f: impl FnOnce(&mut Self) -> R) -> Option<R> {
        let key = id.and_then(|id| self.transports.key_of(id));
        self.guard(now, key, f)
    }
}
