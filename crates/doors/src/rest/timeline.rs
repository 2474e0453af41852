//! What happened in a session, and how it stood at any moment: the record as others may read it. Salon's own.
//! Invariant: what is written in private is told to nobody here, nor between whom.
//! Next: `salon_core::event`, what each event means.

use std::collections::BTreeMap;

use axum::extract::State;
use salon_core::event::{Actor, ChatContent, LeaveReason, RecordedBy, RecordingEnd, RecordingKind, StageWish};
use salon_core::permission::Source;
use salon_core::{Event, EventBody, PeerId, SessionId, Timestamp, TrackKind};
use salon_store::{MAX_EVENTS, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::people::People;
use salon_wire::rest::timeline as wire;
use serde_json::{Value, json};

use crate::people::{ended_because, left_because, people};
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::query::{Asked, moment};
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;

/// Events looked at for one page, and the most.
const USUAL: u32 = 1_000;
const MOST: u32 = 5_000;

const KINDS: [&str; 8] = ["people", "tracks", "moderation", "stage", "chat", "polls", "recordings", "node"];

/// A session's record from an event on, and how the session stood at a moment.
#[utoipa::path(get, path = "/sessions/{session_id}/timeline", tag = "sessions",
    description = "Salon's own; not in the contract.",
    params(("session_id" = String, Path, format = "uuid"), wire::TimelineQuery),
    responses((status = 200, body = Envelope<wire::Timeline>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    caller: Caller,
    At(session): At<SessionId>,
    asked: Asked,
) -> Answer<wire::Timeline> {
    let after: u64 = match asked.text("after")? {
        None => 0,
        Some(after) => after.parse().map_err(|_| ApiError::invalid("after", "must be the number of an event"))?,
    };
    let limit = asked.limit(USUAL, MOST)?;
    let kinds = if asked.given("kinds")?.is_some() { asked.all("kinds") } else { Vec::new() };
    if kinds.iter().any(|kind| !KINDS.contains(kind)) {
        return Err(ApiError::invalid("kinds", format_args!("must be of {}", KINDS.join(", "))));
    }
    let until = asked.text("at")?.map(read_moment).transpose()?;
    let row = sessions::find(&store, &caller, &session).await?;
    let mut events = Vec::new();
    while (events.len() as u32) < limit {
        let from = after + events.len() as u64;
        let wanted = (limit - events.len() as u32).min(MAX_EVENTS);
        let part = store.events(&session, from, wanted).await?;
        let is_last = part.len() < wanted as usize;
        events.extend(part);
        if is_last {
            break;
        }
    }
    let state = match until {
        Some(until) => state_at(&store, &session, until).await?,
        None => None,
    };
    let read_to = events.last().map_or(after, |event| event.seq);
    let last_seq = row.summary.seq.max(read_to);
    let is_asked = |event: &&Event| kinds.is_empty() || groups(&event.body).iter().any(|group| kinds.contains(group));
    let with_text = kinds.contains(&"chat");
    data(wire::Timeline {
        session_id: session.to_string(),
        last_seq,
        complete: row.summary.ended_at.is_some(),
        next: (read_to < last_seq).then_some(read_to),
        events: events.iter().filter(is_asked).map(|event| to_wire(event, with_text)).collect(),
        state,
    })
}

/// Up to where a record is folded.
#[derive(Clone, Copy)]
enum Until {
    Seq(u64),
    Time(Timestamp),
}

fn read_moment(text: &str) -> Result<Until, ApiError> {
    let malformed = || ApiError::invalid("at", "must be in ISO 8601 date format, or the number of an event");
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Until::Seq).map_err(|_| malformed());
    }
    moment(text).map(Until::Time).ok_or_else(malformed)
}

/// How the session stood then; `None` before it began.
async fn state_at(store: &Store, session: &SessionId, until: Until) -> Result<Option<People>, ApiError> {
    let is_by_then = |event: &Event| match until {
        Until::Seq(seq) => event.seq <= seq,
        Until::Time(at) => event.at <= at,
    };
    let record = store.record_while(session, is_by_then).await?;
    let Some(record) = record else { return Ok(None) };
    let at = match until {
        Until::Seq(_) => record.updated_at,
        // Of what is over nothing grows any more.
        Until::Time(at) => record.ended.map_or(at, |ended| ended.at.min(at)).max(record.updated_at),
    };
    Ok(Some(people(&record, at, record.summary().minutes_consumed(at))))
}

fn actor(by: &Actor) -> String {
    match by {
        Actor::Peer(peer) => peer.to_string(),
        Actor::Api => "api".to_owned(),
    }
}

/// What an event is asked for by.
fn groups(body: &EventBody) -> &'static [&'static str] {
    use EventBody::*;
    match body {
        SessionStarted(_) | SessionEnded { .. } => &["people", "node"],
        PeerJoined(_) | PeerDisconnected { .. } | PeerReconnected { .. } | PeerRenamed { .. } => &["people"],
        PeerLeft { reason: LeaveReason::Kicked | LeaveReason::Deleted, .. } => &["people", "moderation"],
        PeerLeft { .. } => &["people"],
        TrackPaused { peer, by, .. } if !matches!(by, Actor::Peer(by) if by == peer) => &["tracks", "moderation"],
        TrackPublished { .. } | TrackPaused { .. } | TrackUnpublished { .. } => &["tracks"],
        Silenced { .. } => &["tracks", "moderation"],
        UnmuteForbidden { .. } | ParticipantAdmitted { .. } | ParticipantDismissed { .. } => &["moderation"],
        PermissionsChanged { .. } | PeerPinned { .. } => &["moderation"],
        ChatSent(_) | ChatKept(_) | ChatEdited { .. } | ChatPinned { .. } | ChatDeleted { .. } => &["chat"],
        PollCreated(_) | PollVoted { .. } => &["polls"],
        StageChanged { .. } | StageWished { .. } => &["stage"],
        StoreSet { .. } | StoreDeleted { .. } => &[],
        RecordingInvoked(_) | RecordingBegan { .. } | RecordingPaused { .. } | RecordingResumed { .. } => &["recordings"],
        RecordingStopping { .. } | RecordingStopped { .. } => &["recordings"],
        HeldOpen { .. } | MeetingDeleted { .. } => &["node"],
    }
}

fn to_wire(event: &Event, with_text: bool) -> wire::TimelineEvent {
    let (kind, peer, by, more) = words(&event.body, with_text);
    let more = match more {
        Value::Object(more) => more.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => BTreeMap::new(),
    };
    wire::TimelineEvent {
        seq: event.seq,
        at: rfc3339(event.at),
        kind: kind.to_owned(),
        peer_id: peer.map(PeerId::to_string),
        by,
        more,
    }
}

/// Its kind, whom it is about, who did it, and what else there is to say.
fn words(body: &EventBody, with_text: bool) -> (&'static str, Option<&PeerId>, Option<String>, Value) {
    use EventBody::*;
    let none = Value::Null;
    match body {
        SessionStarted(started) => ("session_started", None, None, json!({ "started_at": rfc3339(started.started_at) })),
        PeerJoined(who) => {
            let more = json!({
                "participant_id": who.participant.as_str(),
                "custom_participant_id": who.custom_participant_id,
                "display_name": who.name,
                "preset_name": who.preset_name,
                "hidden": who.hidden,
            });
            ("peer_joined", Some(&who.peer), None, more)
        }
        PeerDisconnected { peer, seen } => ("peer_disconnected", Some(peer), None, json!({ "last_seen_at": rfc3339(*seen) })),
        PeerReconnected { peer } => ("peer_reconnected", Some(peer), None, none),
        PeerLeft { peer, left_at, reason } => {
            let reason = left_because(*reason);
            ("peer_left", Some(peer), None, json!({ "left_at": rfc3339(*left_at), "reason": reason }))
        }
        PeerRenamed { peer, name, by_other } => {
            ("peer_renamed", Some(peer), None, json!({ "display_name": name, "by_other": by_other }))
        }
        TrackPublished { peer, track } => {
            let more = json!({
                "track_id": track.id.as_str(),
                "source": source(Source::of(track.kind, track.screen_share)),
                "media": media(track.kind),
                "paused": track.paused,
                "mime_type": track.mime_type,
            });
            ("track_published", Some(peer), None, more)
        }
        TrackPaused { peer, track, paused, by } => {
            let kind = if *paused { "track_paused" } else { "track_resumed" };
            (kind, Some(peer), Some(actor(by)), json!({ "track_id": track.as_str() }))
        }
        TrackUnpublished { peer, track } => ("track_unpublished", Some(peer), None, json!({ "track_id": track.as_str() })),
        Silenced { peer, source: what, by } => ("silenced", Some(peer), Some(actor(by)), json!({ "source": source(*what) })),
        UnmuteForbidden { forbidden } => ("unmute_forbidden", None, None, json!({ "forbidden": forbidden })),
        ParticipantAdmitted { participant } => {
            ("participant_admitted", None, None, json!({ "participant_id": participant.as_str() }))
        }
        ParticipantDismissed { participant } => {
            ("participant_dismissed", None, None, json!({ "participant_id": participant.as_str() }))
        }
        ChatSent(sent) if !sent.parties.is_empty() => ("chat_sent", None, None, json!({ "private": true })),
        ChatSent(sent) => {
            let mut more = json!({ "message_id": sent.message.as_str(), "participant_id": sent.author.as_str() });
            add_text(&mut more, &sent.content, with_text);
            ("chat_sent", Some(&sent.peer), None, more)
        }
        ChatKept(kept) if !kept.sent.parties.is_empty() => ("chat_kept", None, None, json!({ "private": true })),
        ChatKept(kept) => {
            let sent = &kept.sent;
            let mut more = json!({
                "message_id": sent.message.as_str(),
                "participant_id": sent.author.as_str(),
                "said_at": rfc3339(kept.said_at),
            });
            add_text(&mut more, &sent.content, with_text);
            ("chat_kept", None, None, more)
        }
        // By whom is not said: it may be a private one, whose parties nobody else knows of.
        ChatEdited { message, .. } => ("chat_edited", None, None, json!({ "message_id": message.as_str() })),
        ChatPinned { message, pinned, .. } => {
            let kind = if *pinned { "chat_pinned" } else { "chat_unpinned" };
            (kind, None, None, json!({ "message_id": message.as_str() }))
        }
        ChatDeleted { message, .. } => ("chat_deleted", None, None, json!({ "message_id": message.as_str() })),
        PollCreated(asked) => {
            let more = json!({ "poll_id": asked.poll.as_str(), "question": asked.question, "options": asked.options.len() });
            ("poll_created", None, None, more)
        }
        // Who chose what is told nowhere: a poll may be anonymous.
        PollVoted { poll, .. } => ("poll_voted", None, None, json!({ "poll_id": poll.as_str() })),
        StoreSet { store, author, items } => ("store_set", Some(author), None, json!({ "store": store, "keys": items.len() })),
        StoreDeleted { store, .. } => ("store_deleted", None, None, json!({ "store": store })),
        PeerPinned { peer: Some(peer) } => ("peer_pinned", Some(peer), None, none),
        PeerPinned { peer: None } => ("peer_unpinned", None, None, none),
        StageChanged { peer, on_stage } => {
            let kind = if *on_stage { "stage_joined" } else { "stage_left" };
            (kind, Some(peer), None, none)
        }
        StageWished { peer, wish } => {
            let wish = match wish {
                Some(StageWish::Asks) => "asks",
                Some(StageWish::CalledUp) => "called_up",
                None => "none",
            };
            ("stage_wished", Some(peer), None, json!({ "wish": wish }))
        }
        PermissionsChanged { participant, by, .. } => {
            ("permissions_changed", None, Some(by.to_string()), json!({ "participant_id": participant.as_str() }))
        }
        RecordingInvoked(asked) => {
            let kind = match asked.kind {
                RecordingKind::Composite => "composite",
                RecordingKind::Track => "track",
                RecordingKind::Livestream => "livestream",
            };
            let more = json!({ "recording_id": asked.recording.as_str(), "recording_type": kind });
            ("recording_invoked", None, Some(recorded_by(&asked.by)), more)
        }
        RecordingBegan { recording } => ("recording_began", None, None, json!({ "recording_id": recording.as_str() })),
        RecordingPaused { recording } => ("recording_paused", None, None, json!({ "recording_id": recording.as_str() })),
        RecordingResumed { recording } => ("recording_resumed", None, None, json!({ "recording_id": recording.as_str() })),
        RecordingStopping { recording, why } => {
            let (by, reason) = stopped_because(why);
            ("recording_stopping", None, by, json!({ "recording_id": recording.as_str(), "reason": reason }))
        }
        RecordingStopped { recording, why, error } => {
            let (by, reason) = stopped_because(why);
            let more = json!({ "recording_id": recording.as_str(), "reason": reason, "error": error });
            ("recording_stopped", None, by, more)
        }
        HeldOpen { held } => ("held_open", None, None, json!({ "held": held })),
        MeetingDeleted { leave_by } => ("meeting_deleted", None, None, json!({ "leave_by": rfc3339(*leave_by) })),
        SessionEnded { ended_at, reason } => {
            let reason = ended_because(*reason);
            ("session_ended", None, None, json!({ "ended_at": rfc3339(*ended_at), "reason": reason }))
        }
    }
}

fn recorded_by(by: &RecordedBy) -> String {
    match by {
        RecordedBy::Api => "api".to_owned(),
        RecordedBy::Meeting => "meeting".to_owned(),
        RecordedBy::Participant(participant) => participant.to_string(),
    }
}

/// Who had a recording stop, if somebody did, and why it did.
fn stopped_because(why: &RecordingEnd) -> (Option<String>, &'static str) {
    match why {
        RecordingEnd::Asked(by) => (Some(recorded_by(by)), "asked"),
        RecordingEnd::TimeIsUp => (None, "max_seconds"),
        RecordingEnd::SessionOver => (None, "session_over"),
        RecordingEnd::Failed => (None, "failed"),
    }
}

fn add_text(more: &mut Value, content: &ChatContent, with_text: bool) {
    more["length"] = content.payload.chars().count().into();
    if with_text {
        more["text"] = content.payload.clone().into();
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Microphone => "microphone",
        Source::Camera => "camera",
        Source::Screen => "screen",
    }
}

fn media(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Audio => "audio",
        TrackKind::Video => "video",
    }
}
