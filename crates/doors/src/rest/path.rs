//! Ids in the address, as types. Past this point nothing is a raw string.
//! Invariant: ids of rows are UUIDs in small letters, so that one row has one address.

use axum::extract::{FromRequestParts, Path, RawPathParams};
use axum::http::request::Parts;
use salon_core::{ApiKeyId, DeliveryId, MeetingId, ParticipantId, PeerId, PresetId, RecordingId, SessionId, WebhookId};

use serde::de::DeserializeOwned;

use crate::rest::error::ApiError;

/// An id taken from the address.
#[derive(Debug, Clone)]
pub struct At<T>(pub T);

/// An id that can stand in an address.
pub trait PathId: Sized + Send {
    /// What the route table calls it.
    const NAME: &'static str;
    fn read(text: &str) -> Option<Self>;
}

macro_rules! row_id {
    ($($id:ident = $name:literal),* $(,)?) => {$(
        impl PathId for $id {
            const NAME: &'static str = $name;
            fn read(text: &str) -> Option<Self> {
                uuid(text, |text| $id::parse(text).ok())
            }
        }
    )*};
}

row_id! {
    MeetingId = "meeting_id",
    ParticipantId = "participant_id",
    PresetId = "preset_id",
    RecordingId = "recording_id",
    SessionId = "session_id",
    WebhookId = "webhook_id",
    DeliveryId = "delivery_id",
    ApiKeyId = "key_id",
}

/// Clients make these; they need not be UUIDs.
impl PathId for PeerId {
    const NAME: &'static str = "peer_id";
    fn read(text: &str) -> Option<Self> {
        PeerId::parse(text).ok()
    }
}

/// In `sessions/{id}/participants/{participant_id}`, which may name a peer, made by a client, or a participant.
#[derive(Debug, Clone)]
pub struct PeerOrParticipant(pub String);

impl PathId for PeerOrParticipant {
    const NAME: &'static str = "participant_id";
    fn read(text: &str) -> Option<Self> {
        PeerId::parse(text).ok().map(|id| Self(id.to_string()))
    }
}

/// In `livestreams/{livestream_id}`.
#[derive(Debug, Clone)]
pub struct LivestreamAt(pub RecordingId);

impl PathId for LivestreamAt {
    const NAME: &'static str = "livestream_id";
    fn read(text: &str) -> Option<Self> {
        RecordingId::read(text).map(Self)
    }
}

/// In `livestreams/sessions/{livestream_session_id}`.
#[derive(Debug, Clone)]
pub struct LivestreamSessionAt(pub String);

impl PathId for LivestreamSessionAt {
    const NAME: &'static str = "livestream_session_id";
    fn read(text: &str) -> Option<Self> {
        uuid(text, |text| Some(Self(text.to_owned())))
    }
}

/// What stands in the address of something that is not a row: secrets and names in links. What is no text leads nowhere.
#[derive(Debug, Clone)]
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(names)| Self(names)).map_err(|_| ApiError::not_found("This link is not valid"))
    }
}

impl<S: Send + Sync, T: PathId> FromRequestParts<S> for At<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| invalid::<T>())?;
        let text = params.iter().find(|(name, _)| *name == T::NAME).map(|(_, value)| value);
        text.and_then(T::read).map(At).ok_or_else(invalid::<T>)
    }
}

fn invalid<T: PathId>() -> ApiError {
    ApiError::invalid(T::NAME, "must be a valid GUID")
}

/// Reads a UUID in its usual form, with hyphens, in any case of letters.
fn uuid<T>(text: &str, make: impl Fn(&str) -> Option<T>) -> Option<T> {
    let hyphens = [8, 13, 18, 23];
    let well_formed = text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| if hyphens.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() });
    match well_formed {
        false => None,
        true if text.bytes().any(|byte| byte.is_ascii_uppercase()) => make(&text.to_ascii_lowercase()),
        true => make(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_addressed_by_uuid() {
        let id = "0190b7c4-4a2e-7d52-9a10-5d0c0a6f8f7e";
        assert_eq!(MeetingId::read(id).map(|id| id.to_string()).as_deref(), Some(id));
        assert_eq!(MeetingId::read(&id.to_uppercase()).map(|id| id.to_string()).as_deref(), Some(id));
        for bad in ["", "dev", "0190b7c44a2e7d529a105d0c0a6f8f7e", "0190b7c4-4a2e-7d52-9a10-5d0c0a6f8f7g", "a\0"] {
            assert!(MeetingId::read(bad).is_none(), "{bad:?}");
        }
        assert!(PeerId::read("tab-1").is_some());
    }
}
