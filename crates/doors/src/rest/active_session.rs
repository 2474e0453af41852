//! The live session of a meeting: what it is now, and removing or muting people in it.
//! Invariant: what a call here has answered is true for the next call, whoever makes it.
//! `show` is the hot path: the published summary and arithmetic, no inbox, no database.
//! Next: `live.rs` finds the session; `salon_core::session` decides.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use salon_core::event::Actor;
use salon_core::limits::MAX_POLL_QUESTION_CHARS;
use salon_core::session::{NewPoll, PollView, Refusal};
use salon_core::{MeetingId, ParticipantId, Timestamp};
use salon_store::acting;
use salon_store::{Meeting, Store};
use salon_wire::rest::active_session as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::sessions::Session;

use crate::flows::kick::end_others;
use crate::flows::live_task::live_task;
use crate::ids::random_id;
use crate::rest::auth::Caller;
use crate::rest::body::Body;
use crate::rest::check::{MAX_CUSTOM_ID_CHARS, text};
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::reply::{Answer, created, data};
use crate::rest::sessions;
use crate::rest::tag::Tag;
use crate::rfc3339::rfc3339;
use salon_live::{Handle, Hub, Reading};

/// Ids in one call. More would keep the session's task from its other callers.
const MAX_TARGETS: usize = 1_000;

/// How often other nodes' connected meetings are looked for, in milliseconds: for so long they may be missing from an answer.
const ASK_FOR_FAMILY_EVERY_MS: i64 = 1_000;

/// The live session.
#[utoipa::path(get, path = "/meetings/{meeting_id}/active-session", tag = "active_session",
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<Session>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let now = teller.clock.now();
    let live = match teller.hub.summary(meeting.as_str(), now)? {
        Some(live) => live,
        None => brought(&store, &teller, &caller, &meeting).await?,
    };
    if *live.app() != caller.app {
        return Err(ApiError::no_active_session(&meeting));
    }
    if !has_family(&teller.hub, &store, &meeting, &live, now) {
        let (summary, minutes) = live.tell(&teller.told(live.at(now))?);
        let tag = Tag::of(summary);
        return Ok(tag.on(&headers, || data(sessions::to_wire(summary, minutes)).into_response()));
    }
    let breakout_rooms = sessions::breakouts(&teller, &store, (&meeting, live.session()), true, now).await?;
    let (summary, minutes) = live.tell(&teller.told(live.at(now))?);
    Ok(data(Session { breakout_rooms, ..sessions::to_wire(summary, minutes) }).into_response())
}

/// A session that this node did not know of: left behind by a node that died, or another's.
async fn brought(store: &Store, teller: &Teller, caller: &Caller, meeting: &MeetingId) -> Result<Reading, ApiError> {
    let none = || ApiError::no_active_session(meeting);
    store.live_session_of(meeting).await?.filter(|row| row.summary.app == caller.app).ok_or_else(none)?;
    sessions::bring(teller, meeting).await?;
    teller.hub.summary(meeting.as_str(), teller.clock.now())?.ok_or_else(none)
}

/// Whether meetings were connected with this one, answered from memory. What other nodes did is looked for once in a while,
/// and nobody waits for that.
fn has_family(hub: &Hub, store: &Store, meeting: &MeetingId, live: &Reading, now: Timestamp) -> bool {
    let known = hub.has_family(meeting.as_str());
    if !known && store.is_shared() && live.takes_family_question(now, ASK_FOR_FAMILY_EVERY_MS) {
        hub.look_for_family(meeting);
    }
    known
}

/// Removes participants from the session. They may come back with the same token.
#[utoipa::path(post, path = "/meetings/{meeting_id}/active-session/kick", tag = "active_session", request_body = wire::Targets,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Affected>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn kick(
    State(store): State<Store>,
    State(hub): State<Hub>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    Body(body): Body<wire::Targets>,
) -> Answer<wire::Affected> {
    let targets = Targets::of(body)?;
    let (meeting, handle) = task(&hub, &store, &caller, &meeting).await?;
    let found = find(&hub, &store, &meeting, &handle, &targets).await?;
    let ids = found.ids.clone();
    ids.iter().for_each(|id| acting::about("participant", id.as_str()));
    let kicked = handle.call(move |session, now| session.kick_participants(now, &ids)).await?;
    data(wire::Affected { action: "kick".to_owned(), participants: found.those(&kicked, &targets)? })
}

/// Ends the session for everyone.
#[utoipa::path(post, path = "/meetings/{meeting_id}/active-session/kick-all", tag = "active_session",
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::KickedAll>), (status = 404, body = ErrorBody)))]
pub async fn kick_all(
    State(store): State<Store>,
    State(hub): State<Hub>,
    caller: Caller,
    At(meeting): At<MeetingId>,
) -> Answer<wire::KickedAll> {
    let (meeting, handle) = task(&hub, &store, &caller, &meeting).await?;
    let kicked = handle.call(|session, now| session.kick_all(now, &Actor::Api)).await?;
    let mut count = kicked.map_err(|_| ApiError::no_active_session(&meeting.id))?;
    if meeting.parent.is_none() && hub.has_family(meeting.id.as_str()) {
        count += end_others(&hub, &store, &meeting.id, &meeting.id).await.map_err(|failed| {
            ApiError::unavailable("The session is ended, those of its connected meetings may not be; try again").because(failed)
        })?;
    }
    data(wire::KickedAll { action: "kick-all".to_owned(), kicked_participants_count: count as u64 })
}

/// Switches participants' microphones off. They may switch them on again.
#[utoipa::path(post, path = "/meetings/{meeting_id}/active-session/mute", tag = "active_session", request_body = wire::Targets,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Affected>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn mute(
    State(store): State<Store>,
    State(hub): State<Hub>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    Body(body): Body<wire::Targets>,
) -> Answer<wire::Affected> {
    let targets = Targets::of(body)?;
    let (meeting, handle) = task(&hub, &store, &caller, &meeting).await?;
    let found = find(&hub, &store, &meeting, &handle, &targets).await?;
    let ids = found.ids.clone();
    ids.iter().for_each(|id| acting::about("participant", id.as_str()));
    let muted = handle.call(move |session, now| session.mute_participants(now, &ids)).await?;
    data(wire::Affected { action: "mute".to_owned(), participants: found.those(&muted, &targets)? })
}

/// Switches every microphone off, and on demand keeps people from switching theirs on again.
#[utoipa::path(post, path = "/meetings/{meeting_id}/active-session/mute-all", tag = "active_session", request_body = wire::MuteAllBody,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::MutedAll>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn mute_all(
    State(store): State<Store>,
    State(hub): State<Hub>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    Body(body): Body<wire::MuteAllBody>,
) -> Answer<wire::MutedAll> {
    let (meeting, handle) = task(&hub, &store, &caller, &meeting).await?;
    let muted = handle.call(move |session, now| session.mute_all(now, body.allow_unmute)).await?;
    let count = muted.map_err(|_| ApiError::no_active_session(&meeting.id))?;
    data(wire::MutedAll { action: "mute-all".to_owned(), muted_participants_count: count as u64 })
}

/// Asks everyone in the session, as if a participant had.
#[utoipa::path(post, path = "/meetings/{meeting_id}/active-session/poll", tag = "active_session", request_body = wire::PollBody,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::PollCreated>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn poll(
    State(store): State<Store>,
    State(hub): State<Hub>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    Body(body): Body<wire::PollBody>,
) -> Answer<wire::PollCreated> {
    text("question", &body.question, 1, MAX_POLL_QUESTION_CHARS)?;
    if body.options.len() < 2 {
        return Err(ApiError::invalid("options", "must contain at least 2 items"));
    }
    let (meeting, handle) = task(&hub, &store, &caller, &meeting).await?;
    let new = NewPoll {
        id: random_id(),
        question: body.question,
        options: body.options,
        anonymous: body.anonymous.unwrap_or(false),
        hide_votes: body.hide_votes.unwrap_or(false),
    };
    acting::about("poll", new.id.as_str());
    let by_name = caller.app.to_string();
    let asked = handle.call(move |session, now| session.create_poll(now, &Actor::Api, &by_name, new)).await?;
    let poll = asked.map_err(|refusal| match refusal {
        Refusal::NoSession => ApiError::no_active_session(&meeting.id),
        refusal => ApiError::bad_request(refusal),
    })?;
    created(wire::PollCreated { action: "poll".to_owned(), poll: poll_to_wire(poll) })
}

fn poll_to_wire(poll: PollView) -> wire::Poll {
    let options = poll.options.into_iter().map(|option| {
        let vote = |(id, name): (ParticipantId, String)| wire::PollVote { id: id.to_string(), name };
        wire::PollOption { text: option.text, count: option.count, votes: option.votes.into_iter().map(vote).collect() }
    });
    wire::Poll {
        id: poll.id.to_string(),
        question: poll.question,
        options: options.collect(),
        anonymous: Some(poll.anonymous),
        hide_votes: Some(poll.hide_votes),
        created_by: Some(poll.by_name),
        voted: Some(poll.voted.iter().map(ToString::to_string).collect()),
    }
}

/// Whom a call is about.
#[derive(Clone)]
struct Targets {
    ids: Vec<String>,
    custom_ids: Vec<String>,
}

impl Targets {
    fn of(body: wire::Targets) -> Result<Self, ApiError> {
        let ids = body.participant_ids.unwrap_or_default();
        let custom_ids = body.custom_participant_ids.unwrap_or_default();
        match ids.len() + custom_ids.len() {
            0 => Err(ApiError::bad_request("one of \"participant_ids\", \"custom_participant_ids\" is required")),
            many if many > MAX_TARGETS => Err(ApiError::bad_request(format_args!("at most {MAX_TARGETS} ids are taken"))),
            _ => Ok(Self { ids, custom_ids }),
        }
    }

    fn nobody(&self) -> ApiError {
        let named = self.ids.iter().chain(&self.custom_ids);
        // One id is the usual case; of many the first few say enough.
        let named: Vec<String> = named.take(5).map(|id| id.chars().take(MAX_CUSTOM_ID_CHARS).collect()).collect();
        ApiError::not_found(format!("No user found with id {}", named.join(", ")))
    }
}

/// Participants of a call who are in the session, and what is told about them.
struct Found {
    ids: Vec<ParticipantId>,
    rows: Vec<wire::AffectedParticipant>,
}

impl Found {
    /// The rows of those to whom it was done; an error if that is nobody.
    fn those(self, done: &[ParticipantId], targets: &Targets) -> Result<Vec<wire::AffectedParticipant>, ApiError> {
        if done.is_empty() {
            return Err(targets.nobody());
        }
        Ok(self.rows.into_iter().filter(|row| done.iter().any(|id| id.as_str() == row.id)).collect())
    }
}

/// Asks the session who of the targets is in, and the store about them, before anything is done.
async fn find(hub: &Hub, store: &Store, meeting: &Meeting, handle: &Handle, targets: &Targets) -> Result<Found, ApiError> {
    let Targets { ids, custom_ids } = targets.clone();
    let ids = handle.call(move |session, _| session.find_participants(&ids, &custom_ids)).await?;
    if ids.is_empty() {
        let live = hub.session_of(meeting.id.as_str()).is_some();
        return Err(if live { targets.nobody() } else { ApiError::no_active_session(&meeting.id) });
    }
    let mut rows = Vec::with_capacity(ids.len());
    for id in &ids {
        // Whoever is being deleted this moment may have no row any more.
        let Some(row) = store.participant(&meeting.id, id).await? else { continue };
        rows.push(wire::AffectedParticipant {
            id: id.to_string(),
            name: row.participant.name,
            email: None,
            picture: row.participant.picture,
            created_at: rfc3339(row.participant.created_at),
            updated_at: rfc3339(row.participant.updated_at),
        });
    }
    Ok(Found { ids, rows })
}

/// The task of a meeting of the caller's app.
pub(super) async fn task(hub: &Hub, store: &Store, caller: &Caller, meeting: &MeetingId) -> Result<(Meeting, Handle), ApiError> {
    let none = || ApiError::no_active_session(meeting);
    let meeting = store.meeting(&caller.app, meeting).await?.ok_or_else(none)?;
    let handle = live_task(hub, &meeting.id).await?.ok_or_else(none)?;
    Ok((meeting, handle))
}
