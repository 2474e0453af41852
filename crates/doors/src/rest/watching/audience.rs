//! Those who hear of one thing that is watched, and for how long whoever looks for them goes on.
//! Invariant: who hears nothing any more because there is no looking is told so.
//! Next: `feed.rs`, one meeting; `board.rs`, one app.

use std::time::Duration;

use salon_wire::rest::people::ByeBecause;
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use crate::rest::watching::frame::{Frame, What, bye};

/// How long a thing that is watched outlives the last who heard it: they come back.
const LINGER: Duration = Duration::from_secs(10);

/// How long those who watch are left with what they know while there is no looking. Then they are told that it is old.
const OLD_AFTER: Duration = Duration::from_secs(10);

/// All who watch one thing.
pub struct Audience {
    news: broadcast::Sender<Frame>,
    looked: watch::Sender<bool>,
}

impl Audience {
    /// Each may be so many frames behind.
    pub fn new(behind_at_most: usize) -> Self {
        let (news, _) = broadcast::channel(behind_at_most);
        Self { news, looked: watch::Sender::new(false) }
    }

    /// Hears from now on.
    pub fn join(&self) -> broadcast::Receiver<Frame> {
        self.news.subscribe()
    }

    pub fn is_there(&self) -> bool {
        self.news.receiver_count() > 0
    }

    pub fn tell(&self, frame: Frame) {
        // Nobody may be there to hear it.
        let _ = self.news.send(frame);
    }

    /// Waits until it was looked for the first time; false if that takes too long.
    pub async fn is_served(&self, within: Duration) -> bool {
        let mut looked = self.looked.subscribe();
        matches!(tokio::time::timeout(within, looked.wait_for(|looked| *looked)).await, Ok(Ok(_)))
    }
}

/// The looking for an audience, over time.
pub struct Vigil {
    looked_at: Instant,
    unheard_since: Option<Instant>,
}

impl Vigil {
    pub fn begin() -> Self {
        Self { looked_at: Instant::now(), unheard_since: None }
    }

    /// It was looked.
    pub fn looked(&mut self, audience: &Audience) {
        self.looked_at = Instant::now();
        audience.looked.send_replace(true);
    }

    /// Looking came to nothing.
    pub fn failed(&self, audience: &Audience) {
        if self.looked_at.elapsed() >= OLD_AFTER && audience.looked.send_replace(false) {
            audience.tell(Frame { what: What::Bye, text: bye(ByeBecause::Unavailable) });
        }
    }

    /// Whether nobody has heard it for so long that it may end.
    pub fn is_over(&mut self, audience: &Audience) -> bool {
        if audience.is_there() {
            self.unheard_since = None;
            return false;
        }
        self.unheard_since.get_or_insert_with(Instant::now).elapsed() >= LINGER
    }
}
