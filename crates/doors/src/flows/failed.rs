//! Why a flow came to nothing.
//! Next: `rest/error.rs` and `signaling/trouble.rs`, how callers are told.

use salon_core::session::Refusal;

use crate::flows::presets::Unreadable;
use salon_live::{Remote, Unavailable};

#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("{0}")]
    Store(#[from] salon_store::Error),
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    /// The session is another node's.
    #[error("the session is on node {}", .0.node)]
    Elsewhere(Remote),
    #[error("there is no such preset")]
    NoSuchPreset,
}

impl From<salon_recordings::Failed> for Failed {
    fn from(failed: salon_recordings::Failed) -> Self {
        match failed {
            salon_recordings::Failed::Refused(refusal) => refusal.into(),
            salon_recordings::Failed::Unavailable(unavailable) => unavailable.into(),
            salon_recordings::Failed::Store(error) => error.into(),
        }
    }
}
