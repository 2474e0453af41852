//! Who came to a meeting and was not let straight in, over REST: Salon's own beside the contract.
//! Next: `crate::entrance`, where it is noted.

use axum::extract::State;
use salon_core::MeetingId;
use salon_store::{Comer, Happening, MAX_OF_MEETING, Store};
use salon_wire::rest::entrances as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody};

use crate::people;
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;

/// Entries in one answer.
const ENTRIES: u32 = 100;

/// Who waits, who was let in or turned away, and who could not come in, and why.
#[utoipa::path(get, path = "/meetings/{meeting_id}/entrance", tag = "active_session",
    description = "Salon's own; not in the contract.",
    params(("meeting_id" = String, Path, format = "uuid"), wire::EntranceQuery),
    responses((status = 200, body = Envelope<wire::Entrance>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    asked: Asked,
) -> Answer<wire::Entrance> {
    let limit = asked.limit(ENTRIES, MAX_OF_MEETING)?;
    let known = store.meeting(&caller.app, &meeting).await?;
    known.ok_or_else(|| ApiError::not_found(format!("No meeting found with id {meeting}")))?;
    // Who waits in a session of another node, that node knows.
    sessions::bring(&teller, &meeting).await?;
    let waiting = match teller.hub.find(meeting.as_str()) {
        Some(handle) => handle.call(|session, _| session.waiting().iter().map(people::waiting).collect()).await?,
        None => Vec::new(),
    };
    let entries = store.entrance(&meeting, limit).await?.into_iter().map(entry).collect();
    data(wire::Entrance { waiting, entries })
}

fn entry(comer: Comer) -> wire::Entry {
    let Comer { happened, who } = comer;
    let (what, text) = told(happened.what);
    let (display_name, custom_participant_id) = who.map_or((None, None), |(name, custom)| (name, Some(custom)));
    wire::Entry {
        what,
        text: text.to_owned(),
        participant_id: happened.participant.to_string(),
        custom_participant_id,
        display_name,
        peer_id: happened.peer.to_string(),
        first_at: rfc3339(happened.first_at),
        last_at: rfc3339(happened.last_at),
        times: happened.times,
    }
}

fn told(what: Happening) -> (wire::Happening, &'static str) {
    match what {
        Happening::Waits => (wire::Happening::Waits, "asked to be let in, and waited"),
        Happening::LetIn => (wire::Happening::LetIn, "came in after waiting"),
        Happening::Denied => (wire::Happening::Denied, "was turned away by a host"),
        Happening::WentAway => (wire::Happening::WentAway, "went away, or lost the connection, while waiting"),
        Happening::TokenExpired => (
            wire::Happening::TokenExpired,
            "came with a token that had expired: it needs a new one, from POST …/participants/{id}/token",
        ),
        Happening::NoParticipant => {
            (wire::Happening::NoParticipant, "came with a token of a participant who was deleted, or is of another meeting")
        }
        Happening::Inactive => (wire::Happening::Inactive, "could not join: the meeting is INACTIVE; PATCH its status to ACTIVE"),
        Happening::Full => (wire::Happening::Full, "could not join: the meeting has as many people as limits.* allow"),
        Happening::PutOut => (wire::Happening::PutOut, "could not come back: a host had removed this connection"),
        Happening::TooOften => (wire::Happening::TooOften, "was refused for coming too often in a short time"),
        Happening::Refused => (wire::Happening::Refused, "was refused"),
    }
}
