//! What those look into who tell others what they see.
//! Next: `feed.rs`, one meeting; `board.rs`, one app.

use std::time::Duration;

use salon_quality::Quality;
use salon_store::Store;

use crate::rest::live::Teller;

/// How long a thing that is watched outlives the last who heard it: they come back.
pub const LINGER: Duration = Duration::from_secs(10);

/// How long those who watch are left with what they know while there is no looking. Then they are told that it is old.
pub const OLD_AFTER: Duration = Duration::from_secs(10);

/// Where they look.
#[derive(Clone)]
pub struct Sources {
    pub store: Store,
    pub teller: Teller,
    pub quality: Quality,
}
