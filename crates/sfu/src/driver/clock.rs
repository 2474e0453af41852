//! The clock of the driver.

use std::time::{Instant, SystemTime};

#[expect(clippy::disallowed_methods, reason = "the driver owns the clock")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the driver owns the clock")]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}
