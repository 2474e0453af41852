//! The ids of everything that has one, as types that cannot be mixed up.
//! Invariant: an id is plain text of at most `MAX_ID_LEN` printable ASCII characters.
//! Ids are made outside (core has no randomness) and only compared here.
//! Next: `event.rs`, where they are used.

use std::fmt;
use std::sync::Arc;

/// Longest id accepted from outside, in bytes. A UUID has 36; the rest is room for `dev` and the like.
pub const MAX_ID_LEN: usize = 64;

/// The text is not an id: empty, longer than [`MAX_ID_LEN`], or with other than ASCII letters, digits, `-`, `_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id has 1 to {MAX_ID_LEN} letters, digits, '-' or '_'")
    }
}

impl std::error::Error for NotAnId {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` as an id if it has the form of one.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                let fits = !text.is_empty() && text.len() <= MAX_ID_LEN;
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
                if fits && plain { Ok(Self(text.into())) } else { Err(NotAnId) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// Who owns apps and API tokens.
    AccountId
}
id! {
    /// An app: the wall between customers' meetings, participants and presets. On the wire also `organization_id`.
    AppId
}
id! {
    /// The lasting place people return to.
    MeetingId
}
id! {
    /// Someone added to a meeting. On the wire also `user_id`.
    ParticipantId
}
id! {
    /// A named set of permissions and looks.
    PresetId
}
id! {
    /// One live run of a meeting. On the wire also `room_uuid`.
    SessionId
}
id! {
    /// One connection of a participant: a tab, a phone. Made by the client, stable over its reconnects.
    PeerId
}
id! {
    /// A message of the chat.
    ChatId
}
id! {
    /// A file that somebody uploaded for the chat.
    FileId
}
id! {
    /// An address that is told over HTTP what happens in an app.
    WebhookId
}
id! {
    /// One event that one webhook is told of, however often it takes.
    DeliveryId
}
id! {
    /// One recording of a session, and its files.
    RecordingId
}
id! {
    /// A credential of an account's programs.
    ApiKeyId
}
id! {
    /// A question put to everyone.
    PollId
}
id! {
    /// What a peer publishes, as people see it. On the wire `producer_id`.
    TrackId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_plain_text() {
        for good in ["dev", "0190b7c4-4a2e-7d52-9a10-5d0c0a6f8f7e", "A_b-9"] {
            assert_eq!(PeerId::parse(good).map(|id| id.to_string()), Ok(good.to_string()));
        }
        let long = "x".repeat(MAX_ID_LEN + 1);
        for bad in ["", "a b", "a/b", "ä", "a\0", long.as_str()] {
            assert_eq!(PeerId::parse(bad), Err(NotAnId), "{bad:?}");
        }
    }
}
