//! Participants over REST: people added to a meeting, each with a preset and tokens.
//! Invariant: who is deleted is out: the row goes first, so that no token opens the door again, then the live peers.
//! Next: `active_session.rs`, what is done to those who are in.

use axum::extract::State;
use salon_core::{MeetingId, ParticipantId, Timestamp};
use salon_store::acting;
use salon_store::{Error as StoreError, Page as Part, Participant, ParticipantRow, Preset, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::participants as wire;
use salon_wire::rest::secret::Secret;

use crate::flows::failed::Failed;
use crate::flows::kick::remove_deleted;
use crate::flows::live_task::live_task;
use crate::flows::tickets;
use crate::ids::fresh_id;
use crate::rest::auth::Caller;
use crate::rest::body::Body;
use crate::rest::check::{MAX_CUSTOM_ID_CHARS, name_if_any, text, url};
use crate::rest::edits::Edits;
use crate::rest::error::ApiError;
use crate::rest::meetings;
use crate::rest::path::At;
use crate::rest::presets::MAX_NAME_CHARS;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, created, data, page};
use crate::rfc3339::rfc3339;
use crate::tokens::Tokens;
use salon_live::Clock;
use salon_live::Hub;

/// The participants of a meeting, newest first.
#[utoipa::path(get, path = "/meetings/{meeting_id}/participants", tag = "meetings",
    params(("meeting_id" = String, Path, format = "uuid"), wire::ParticipantsQuery),
    responses((status = 200, body = Page<Vec<wire::Participant>>), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    asked: Asked,
) -> Listed<Vec<wire::Participant>> {
    // This list has no search in the contract, and unknown parameters are ignored.
    let wanted = Part { search: None, ..asked.page()? };
    meetings::find(&store, &caller, &meeting).await?;
    let found = store.participants(&meeting, &wanted).await?;
    let items: Vec<_> = found.items.into_iter().map(to_wire).collect();
    let paging = paging(&wanted, items.len(), found.total);
    page(items, paging)
}

/// Adds a participant and answers with a token to join with.
#[utoipa::path(post, path = "/meetings/{meeting_id}/participants", tag = "meetings", request_body = wire::ParticipantBody,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::ParticipantWithToken>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn add(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    Body(body): Body<wire::ParticipantBody>,
) -> Answer<wire::ParticipantWithToken> {
    text("custom_participant_id", &body.custom_participant_id, 1, MAX_CUSTOM_ID_CHARS)?;
    let name = checked_name(body.name)?;
    let picture = checked_picture(body.picture)?;
    meetings::find(&store, &caller, &meeting).await?;
    let preset = preset_named(&store, &caller, &body.preset_name).await?;
    let now = clock.now();
    let participant = Participant {
        id: fresh_id(),
        meeting,
        app: caller.app,
        preset: preset.id,
        name,
        picture,
        custom_participant_id: body.custom_participant_id,
        origin: None,
        created_at: now,
        updated_at: now,
    };
    acting::about("participant", participant.id.as_str());
    store.create_participant(&participant).await.map_err(|error| match error {
        // Meeting and preset were there a moment ago, and meetings are never deleted.
        StoreError::NotFound => no_preset(&body.preset_name),
        other => other.into(),
    })?;
    created(with_token(&tokens, ParticipantRow { participant, preset_name: preset.name }, now))
}

/// One participant.
#[utoipa::path(get, path = "/meetings/{meeting_id}/participants/{participant_id}", tag = "meetings",
    params(("meeting_id" = String, Path, format = "uuid"), ("participant_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Participant>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    At(id): At<ParticipantId>,
) -> Answer<wire::Participant> {
    data(to_wire(find(&store, &caller, &meeting, &id).await?))
}

/// Changes what is sent, and answers with a fresh token.
#[utoipa::path(patch, path = "/meetings/{meeting_id}/participants/{participant_id}", tag = "meetings", request_body = wire::ParticipantPatch,
    params(("meeting_id" = String, Path, format = "uuid"), ("participant_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::ParticipantWithToken>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    State(edits): State<Edits>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    At(id): At<ParticipantId>,
    Body(patch): Body<wire::ParticipantPatch>,
) -> Answer<wire::ParticipantWithToken> {
    let _turn = edits.turn(id.as_str()).await;
    find(&store, &caller, &meeting, &id).await?;
    let name = patch.name.map(checked_name).transpose()?;
    let picture = patch.picture.map(checked_picture).transpose()?;
    // Everyone has a preset, so null cannot take it away: it changes nothing.
    let preset = match patch.preset_name {
        Some(Some(name)) => Some(preset_named(&store, &caller, &name).await?),
        _ => None,
    };
    let now = clock.now();
    let change = |was: Participant| {
        Ok::<_, StoreError>(Participant {
            name: name.clone().unwrap_or(was.name),
            picture: picture.clone().unwrap_or(was.picture),
            preset: preset.as_ref().map_or(was.preset, |preset| preset.id.clone()),
            updated_at: now.max(was.updated_at),
            ..was
        })
    };
    let changed = store.edit_participant(&meeting, &id, change).await.map_err(|error| gone(error, &id))?;
    let row = find(&store, &caller, &meeting, &changed.id).await?;
    data(with_token(&tokens, row, changed.updated_at))
}

/// Deletes a participant: their tokens are worth nothing from now on, and they are removed from a live session.
#[utoipa::path(delete, path = "/meetings/{meeting_id}/participants/{participant_id}", tag = "meetings",
    params(("meeting_id" = String, Path, format = "uuid"), ("participant_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::DeletedParticipant>), (status = 404, body = ErrorBody)))]
pub async fn delete(
    State(store): State<Store>,
    State(hub): State<Hub>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    At(id): At<ParticipantId>,
) -> Answer<wire::DeletedParticipant> {
    let meeting = meetings::find(&store, &caller, &meeting).await?;
    let stand_ins = store.stand_ins(&id).await?;
    let everywhere = stand_ins.into_iter().map(|stand_in| (stand_in.meeting, stand_in.id));
    let everywhere: Vec<_> = everywhere.chain([(meeting.id.clone(), id.clone())]).collect();
    for (meeting, _) in &everywhere {
        // Where they are in a session, before anything is done.
        if let Err(elsewhere @ Failed::Elsewhere(_)) = live_task(&hub, meeting).await {
            return Err(elsewhere.into());
        }
    }
    let deleted = store.delete_participant(&meeting.id, &id).await.map_err(|error| gone(error, &id))?;
    // It is deleted, whatever the session says: a second call could not do better.
    for (meeting, id) in everywhere {
        if let Err(error) = remove_deleted(&hub, &store, &meeting, &id).await {
            tracing::warn!(meeting.id = %meeting, participant.id = %id, %error, "a deleted participant may still be in a session");
        }
    }
    let participant = deleted.participant;
    data(wire::DeletedParticipant {
        custom_participant_id: participant.custom_participant_id,
        preset_id: participant.preset.to_string(),
        created_at: rfc3339(participant.created_at),
        updated_at: rfc3339(participant.updated_at),
    })
}

/// Makes another token; earlier ones stay valid.
#[utoipa::path(post, path = "/meetings/{meeting_id}/participants/{participant_id}/token", tag = "meetings",
    params(("meeting_id" = String, Path, format = "uuid"), ("participant_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::ParticipantToken>), (status = 404, body = ErrorBody)))]
pub async fn token(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(tokens): State<Tokens>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    At(id): At<ParticipantId>,
) -> Answer<wire::ParticipantToken> {
    let row = find(&store, &caller, &meeting, &id).await?;
    data(wire::ParticipantToken { token: sign(&tokens, &row.participant, clock.now()) })
}

async fn find(store: &Store, caller: &Caller, meeting: &MeetingId, id: &ParticipantId) -> Result<ParticipantRow, ApiError> {
    let found = store.participant(meeting, id).await?.filter(|row| row.participant.app == caller.app);
    match found {
        Some(row) => Ok(row),
        None => {
            // Tells an unknown meeting from an unknown participant.
            meetings::find(store, caller, meeting).await?;
            Err(unknown(id))
        }
    }
}

async fn preset_named(store: &Store, caller: &Caller, name: &str) -> Result<Preset, ApiError> {
    text("preset_name", name, 1, MAX_NAME_CHARS)?;
    if let Some(preset) = store.preset_named(&caller.app, name).await? {
        return Ok(preset);
    }
    // Presets are kept without the blanks around their names; who makes one with blanks also asks with them.
    match name.trim() {
        trimmed if trimmed == name => Err(no_preset(name)),
        trimmed => store.preset_named(&caller.app, trimmed).await?.ok_or_else(|| no_preset(name)),
    }
}

fn no_preset(name: &str) -> ApiError {
    ApiError::not_found(format!("No preset found with name {name}"))
}

fn unknown(id: &ParticipantId) -> ApiError {
    ApiError::not_found(format!("No participant found with id {id}"))
}

fn gone(error: StoreError, id: &ParticipantId) -> ApiError {
    match error {
        StoreError::NotFound => unknown(id),
        other => other.into(),
    }
}

pub fn checked_name(name: Option<String>) -> Result<Option<String>, ApiError> {
    name_if_any("name", name, salon_core::limits::MAX_NAME_CHARS)
}

/// An empty address is none: many callers have nothing better to send.
pub fn checked_picture(picture: Option<String>) -> Result<Option<String>, ApiError> {
    let picture = picture.filter(|picture| !picture.is_empty());
    if let Some(picture) = &picture {
        url("picture", picture)?;
    }
    Ok(picture)
}

fn sign(tokens: &Tokens, participant: &Participant, now: Timestamp) -> Secret {
    Secret(tickets::sign(tokens, participant, None, now))
}

fn to_wire(row: ParticipantRow) -> wire::Participant {
    let participant = row.participant;
    wire::Participant {
        id: participant.id.to_string(),
        name: participant.name,
        picture: participant.picture,
        custom_participant_id: participant.custom_participant_id,
        preset_name: row.preset_name,
        created_at: rfc3339(participant.created_at),
        updated_at: rfc3339(participant.updated_at),
    }
}

fn with_token(tokens: &Tokens, row: ParticipantRow, now: Timestamp) -> wire::ParticipantWithToken {
    let token = sign(tokens, &row.participant, now);
    let participant = to_wire(row);
    wire::ParticipantWithToken {
        id: participant.id,
        name: participant.name,
        picture: participant.picture,
        custom_participant_id: participant.custom_participant_id,
        preset_name: participant.preset_name,
        created_at: participant.created_at,
        updated_at: participant.updated_at,
        token,
    }
}
