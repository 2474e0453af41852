//! What all transports of an engine share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::config::{CryptoProvider, DtlsCert};

use super::address::Address;
use super::farewell::Farewell;

#[derive(Debug)]
pub(crate) struct Identity {
    /// One certificate for all: the fingerprint is in each SDP, and making one costs a millisecond.
    pub cert: DtlsCert,
    pub crypto: Arc<CryptoProvider>,
    /// Where clients reach us, most preferred first.
    pub candidates: Vec<Address>,
    pub farewell: Farewell,
    /// One moment in both clocks: ours, and the time since 1970.
    pub began: (Instant, Duration),
}

impl Identity {
    /// The time since 1970, on a clock that is never set back.
    pub(crate) fn wall(&self, now: Instant) -> Duration {
        self.began.1 + now.saturating_duration_since(self.began.0)
    }
}
