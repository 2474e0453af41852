//! Why messages are not obeyed, and how their senders are told.

use salon_core::session::Refusal;
use salon_wire::event_id;

use crate::flows::failed::Failed;
use crate::flows::presets::Unreadable;
use salon_live::Unavailable;

/// Why a message was not obeyed; told to its sender.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    #[error("{0}")]
    Refused(#[from] Refusal),
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    #[error("the message cannot be read: {0}")]
    Malformed(&'static str),
    #[error("this server does not know event {0}")]
    UnknownEvent(u32),
    #[error("{0} is not available on this server yet")]
    NotYet(&'static str),
    #[error("the participant does not exist any more")]
    Gone,
    #[error("you were removed from this meeting")]
    Removed,
    #[error("no such transport; open a new one")]
    UnknownTransport,
    #[error("{0}")]
    Media(salon_sfu::Error),
}

impl From<salon_sfu::Error> for Trouble {
    fn from(error: salon_sfu::Error) -> Self {
        match error {
            salon_sfu::Error::UnknownTransport => Trouble::UnknownTransport,
            other => Trouble::Media(other),
        }
    }
}

impl From<salon_store::Error> for Trouble {
    fn from(error: salon_store::Error) -> Self {
        tracing::warn!(%error, "the store did not answer a signaling request");
        Trouble::Unavailable(Unavailable)
    }
}

impl From<Unreadable> for Trouble {
    fn from(error: Unreadable) -> Self {
        tracing::error!(%error, "what somebody may do cannot be read");
        Trouble::Unavailable(Unavailable)
    }
}

impl From<Failed> for Trouble {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Refused(refusal) => refusal.into(),
            Failed::Unavailable(unavailable) => unavailable.into(),
            Failed::Elsewhere(_) => Unavailable.into(),
            Failed::Store(error) => error.into(),
            Failed::Unreadable(error) => error.into(),
            Failed::NoSuchPreset => Trouble::Malformed("there is no such preset"),
        }
    }
}

impl Trouble {
    /// A word for the metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Trouble::Refused(_) => "refused",
            Trouble::Unavailable(_) => "unavailable",
            Trouble::Malformed(_) => "malformed",
            Trouble::UnknownEvent(_) => "unknown_event",
            Trouble::NotYet(_) => "not_yet",
            Trouble::Gone => "gone",
            Trouble::Removed => "removed",
            Trouble::UnknownTransport => "unknown_transport",
            Trouble::Media(_) => "media",
        }
    }

    /// The text the client's promise is rejected with.
    ///
    /// Where subscribing failed because the connection is not there, it is the JSON that makes the client throw its
    /// receive transport away and open a new one (read in web SDK 2.0.2).
    pub fn message(&self, event: u32) -> String {
        let transport_is_lost = matches!(self, Trouble::UnknownTransport);
        if event == event_id::media::CONSUME && transport_is_lost {
            return r#"{"errorCode":"internal_error","errorDescription":"Backend error"}"#.to_string();
        }
        self.to_string()
    }
}
