//! New ids. Those of rows sort by age; where an id must not be guessed, or lives in memory only, it is random.
//! Next: `salon_core::ids`, what an id is.

use salon_core::{
    ApiKeyId, AppId, ChatId, FileId, MeetingId, ParticipantId, PollId, PresetId, RecordingId, SessionId, TrackId, WebhookId,
};
use uuid::Uuid;

/// An id that the server makes.
pub trait Fresh: Sized {
    fn of(uuid: Uuid) -> Self;
}

macro_rules! fresh {
    ($($id:ident),* $(,)?) => {$(
        impl Fresh for $id {
            fn of(uuid: Uuid) -> Self {
                $id::parse(uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer())).expect("a UUID is an id")
            }
        }
    )*};
}

fresh!(ApiKeyId, AppId, ChatId, FileId, MeetingId, ParticipantId, PollId, PresetId, RecordingId, SessionId, TrackId, WebhookId);

/// A new id for a row. Later ones sort after earlier ones, which keeps indexes compact and lists in order.
pub fn fresh_id<T: Fresh>() -> T {
    T::of(Uuid::now_v7())
}

/// A new id that nobody can guess.
pub fn random_id<T: Fresh>() -> T {
    T::of(Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fresh_ids_sort_by_age() {
        let ids: Vec<MeetingId> = (0..1_000).map(|_| fresh_id()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
