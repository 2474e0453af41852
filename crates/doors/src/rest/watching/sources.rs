//! What those look into who tell others what they see.
//! Next: `feed.rs`, one meeting; `board.rs`, one app.

use salon_quality::Quality;
use salon_store::Store;

use crate::rest::live::Teller;

/// Where they look.
#[derive(Clone)]
pub struct Sources {
    pub store: Store,
    pub teller: Teller,
    pub quality: Quality,
}
