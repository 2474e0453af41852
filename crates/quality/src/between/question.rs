//! Who should have heard or seen whom, and when.

use salon_core::{PeerId, Timestamp};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Sound,
    Picture,
}

/// What is asked about.
pub struct Question<'a> {
    pub medium: Medium,
    pub speaker: &'a PeerId,
    pub listener: &'a PeerId,
    /// When the session began.
    pub began: Timestamp,
    pub from: Timestamp,
    pub to: Timestamp,
}
