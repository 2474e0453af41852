//! How many messages one socket may send.

use std::time::Instant;

use crate::signaling::socket::porch::Settings;

/// Messages over the rate that are refused before the socket is closed. Those of a client that slows down again are
/// forgiven at the rate itself.
const MAX_REFUSED: f64 = 1_000.0;

/// Messages a socket may send: so many a second, with a reserve for the burst of joining.
pub struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    refused: f64,
    at: Instant,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    Allowed,
    Refused,
    /// Refused, and so often that the socket has to go.
    TooOften,
}

impl Rate {
    pub fn new(settings: &Settings) -> Self {
        let per_second: f64 = settings.messages_per_second.into();
        let burst: f64 = settings.message_burst.into();
        Self { per_second, burst, left: burst, refused: 0.0, at: Instant::now() }
    }

    pub fn take(&mut self, now: Instant) -> Taken {
        let earned = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.at = now;
        self.left = (self.left + earned).min(self.burst);
        self.refused = (self.refused - earned).max(0.0);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Taken::Allowed;
        }
        self.refused += 1.0;
        if self.refused > MAX_REFUSED { Taken::TooOften } else { Taken::Refused }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn sent(every_ms: f64, messages: u32) -> Taken {
        let start = Instant::now();
        let mut rate = Rate { per_second: 100.0, burst: 400.0, left: 400.0, refused: 0.0, at: start };
        let mut last = Taken::Allowed;
        for message in 0..messages {
            last = rate.take(start + Duration::from_secs_f64(f64::from(message) * every_ms / 1_000.0));
            if last == Taken::TooOften {
                break;
            }
        }
        last
    }

    #[test]
    fn a_flood_is_refused_and_then_ended() {
        assert_eq!(sent(0.0, 400), Taken::Allowed, "the reserve");
        assert_eq!(sent(0.0, 401), Taken::Refused);
        assert_eq!(sent(0.0, 1_401), Taken::TooOften);
        assert_eq!(sent(1.0, 10_000), Taken::TooOften, "ten times the rate");
    }

    #[test]
    fn a_client_within_the_rate_or_a_little_over_it_stays() {
        assert_eq!(sent(10.0, 10_000), Taken::Allowed);
        assert_ne!(sent(8.0, 10_000), Taken::TooOften);
    }
}
