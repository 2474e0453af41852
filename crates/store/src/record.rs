//! How a session's events are kept: a kind and a JSON object, under names that never change.
//! Invariant: what was written once can be read for ever. A kind or field keeps its name and meaning; a new field is
//! optional; what core renames is renamed here alone.
//! What cannot be read is `None`, never a panic and never a guess.

use salon_core::event::{
    Actor, ChatContent, ChatKept, ChatKind, ChatSent, EndReason, EventBody, LeaveReason, Parent, PeerJoined, PollCreated,
    RecordedBy, RecordingEnd, RecordingInvoked, RecordingKind, SessionStarted, StageWish, StoreItem, Track, TrackKind,
};
use salon_core::permission::{Changes, Flag, Source};
use salon_core::preset::{CanProduce, Entry, Recorder};
use salon_core::{AppId, ChatId, MeetingId, ParticipantId, PeerId, PollId, PresetId, RecordingId, SessionId, Timestamp, TrackId};
use serde_json::{Map, Value, json};

/// The kind of an event, and its JSON.
pub(crate) fn encode(body: &EventBody) -> (&'static str, String) {
    let (kind, json) = match body {
        EventBody::SessionStarted(started) => ("session_started", encode_started(started)),
        EventBody::PeerJoined(joined) => ("peer_joined", encode_joined(joined)),
        EventBody::PeerDisconnected { peer, seen } => ("peer_disconnected", json!({ "peer": peer.as_str(), "seen_ms": seen.0 })),
        EventBody::PeerReconnected { peer } => ("peer_reconnected", json!({ "peer": peer.as_str() })),
        EventBody::PeerLeft { peer, left_at, reason } => {
            ("peer_left", json!({ "peer": peer.as_str(), "left_ms": left_at.0, "reason": LEAVE_REASONS.name(*reason) }))
        }
        EventBody::PeerRenamed { peer, name, by_other } => {
            (if *by_other { "peer_renamed_by_other" } else { "peer_renamed" }, json!({ "peer": peer.as_str(), "name": name }))
        }
        EventBody::TrackPublished { peer, track } => {
            ("track_published", json!({ "peer": peer.as_str(), "track": encode_track(track) }))
        }
        EventBody::TrackPaused { peer, track, paused, by } => (
            "track_paused",
            json!({
                "peer": peer.as_str(), "track": track.as_str(), "paused": paused,
                "by_peer": encode_actor(by),
            }),
        ),
        EventBody::Silenced { peer, source, by } => {
            ("silenced", json!({ "peer": peer.as_str(), "source": source.path(), "by_peer": encode_actor(by) }))
        }
        EventBody::TrackUnpublished { peer, track } => {
            ("track_unpublished", json!({ "peer": peer.as_str(), "track": track.as_str() }))
        }
        EventBody::UnmuteForbidden { forbidden } => ("unmute_forbidden", json!({ "forbidden": forbidden })),
        EventBody::ParticipantAdmitted { participant } => {
            ("participant_admitted", json!({ "participant": participant.as_str() }))
        }
        EventBody::ParticipantDismissed { participant } => {
            ("participant_dismissed", json!({ "participant": participant.as_str() }))
        }
        EventBody::ChatSent(sent) => ("chat_sent", encode_chat(sent)),
        EventBody::ChatKept(kept) => ("chat_kept", encode_kept(kept)),
        EventBody::ChatEdited { message, content } => {
            ("chat_edited", json!({ "message": message.as_str(), "content": encode_content(content) }))
        }
        EventBody::ChatPinned { message, pinned, by } => {
            ("chat_pinned", json!({ "message": message.as_str(), "pinned": pinned, "by_peer": by.as_str() }))
        }
        EventBody::ChatDeleted { message, by } => {
            ("chat_deleted", json!({ "message": message.as_str(), "by_peer": by.as_str() }))
        }
        EventBody::PollCreated(asked) => ("poll_created", encode_poll(asked)),
        EventBody::PollVoted { poll, participant, name, option } => {
            ("poll_voted", json!({ "poll": poll.as_str(), "participant": participant.as_str(), "name": name, "option": option }))
        }
        EventBody::StoreSet { store, author, items } => {
            let items: Vec<_> = items.iter().map(|item| json!({ "key": item.key, "payload": item.payload })).collect();
            ("store_set", json!({ "store": store, "by_peer": author.as_str(), "items": items }))
        }
        // Null is the whole store.
        EventBody::StoreDeleted { store, keys } => ("store_deleted", json!({ "store": store, "keys": keys })),
        EventBody::PeerPinned { peer } => ("peer_pinned", json!({ "peer": peer.as_ref().map(PeerId::as_str) })),
        EventBody::StageChanged { peer, on_stage } => ("stage_changed", json!({ "peer": peer.as_str(), "on_stage": on_stage })),
        // Null is neither.
        EventBody::StageWished { peer, wish } => {
            ("stage_wished", json!({ "peer": peer.as_str(), "wish": wish.map(|wish| STAGE_WISHES.name(wish)) }))
        }
        EventBody::PermissionsChanged { participant, by, changes } => (
            "permissions_changed",
            json!({ "participant": participant.as_str(), "by_peer": by.as_str(), "changes": encode_changes(changes) }),
        ),
        EventBody::HeldOpen { held } => ("held_open", json!({ "held": held })),
        EventBody::RecordingInvoked(asked) => (
            "recording_invoked",
            json!({
                "recording": asked.recording.as_str(), "kind": RECORDING_KINDS.name(asked.kind),
                "by": encode_recorded_by(&asked.by), "max_ms": asked.max_ms,
            }),
        ),
        EventBody::RecordingBegan { recording } => ("recording_began", json!({ "recording": recording.as_str() })),
        EventBody::RecordingPaused { recording } => ("recording_paused", json!({ "recording": recording.as_str() })),
        EventBody::RecordingResumed { recording } => ("recording_resumed", json!({ "recording": recording.as_str() })),
        EventBody::RecordingStopping { recording, why } => {
            ("recording_stopping", json!({ "recording": recording.as_str(), "why": encode_recording_end(why) }))
        }
        EventBody::RecordingStopped { recording, why, error } => {
            ("recording_stopped", json!({ "recording": recording.as_str(), "why": encode_recording_end(why), "error": error }))
        }
        EventBody::MeetingDeleted { leave_by } => ("meeting_deleted", json!({ "leave_by_ms": leave_by.0 })),
        EventBody::SessionEnded { ended_at, reason } => {
            ("session_ended", json!({ "ended_ms": ended_at.0, "reason": END_REASONS.name(*reason) }))
        }
    };
    (kind, json.to_string())
}

/// Reads an event back; `None` if the kind is unknown or the JSON is not what that kind needs.
pub(crate) fn decode(kind: &str, json: &str) -> Option<EventBody> {
    let Ok(Value::Object(object)) = serde_json::from_str(json) else { return None };
    let fields = Fields(&object);
    Some(match kind {
        "session_started" => EventBody::SessionStarted(decode_started(&fields)?),
        "peer_joined" => EventBody::PeerJoined(decode_joined(&fields)?),
        "peer_disconnected" => EventBody::PeerDisconnected { peer: fields.peer()?, seen: fields.time("seen_ms")? },
        "peer_reconnected" => EventBody::PeerReconnected { peer: fields.peer()? },
        "peer_left" => EventBody::PeerLeft {
            peer: fields.peer()?,
            left_at: fields.time("left_ms")?,
            reason: LEAVE_REASONS.value(fields.text("reason")?)?,
        },
        "peer_renamed" | "peer_renamed_by_other" => EventBody::PeerRenamed {
            peer: fields.peer()?,
            name: fields.string("name")?,
            by_other: kind == "peer_renamed_by_other",
        },
        "track_published" => {
            let Value::Object(track) = object.get("track")? else { return None };
            EventBody::TrackPublished { peer: fields.peer()?, track: decode_track(&Fields(track))? }
        }
        "track_paused" => EventBody::TrackPaused {
            peer: fields.peer()?,
            track: fields.track("track")?,
            paused: fields.flag("paused")?,
            by: decode_actor(object.get("by_peer")?)?,
        },
        "silenced" => EventBody::Silenced {
            peer: fields.peer()?,
            source: source_at(fields.text("source")?)?,
            by: decode_actor(object.get("by_peer")?)?,
        },
        "track_unpublished" => EventBody::TrackUnpublished { peer: fields.peer()?, track: fields.track("track")? },
        "unmute_forbidden" => EventBody::UnmuteForbidden { forbidden: fields.flag("forbidden")? },
        "participant_admitted" => {
            EventBody::ParticipantAdmitted { participant: ParticipantId::parse(fields.text("participant")?).ok()? }
        }
        "participant_dismissed" => {
            EventBody::ParticipantDismissed { participant: ParticipantId::parse(fields.text("participant")?).ok()? }
        }
        "chat_sent" => EventBody::ChatSent(decode_chat(&fields)?),
        "chat_kept" => EventBody::ChatKept(decode_kept(&fields)?),
        "chat_edited" => EventBody::ChatEdited { message: fields.message()?, content: fields.content()? },
        "chat_pinned" => EventBody::ChatPinned {
            message: fields.message()?,
            pinned: fields.flag("pinned")?,
            by: PeerId::parse(fields.text("by_peer")?).ok()?,
        },
        "chat_deleted" => EventBody::ChatDeleted { message: fields.message()?, by: PeerId::parse(fields.text("by_peer")?).ok()? },
        "poll_created" => EventBody::PollCreated(decode_poll(&fields)?),
        "poll_voted" => EventBody::PollVoted {
            poll: PollId::parse(fields.text("poll")?).ok()?,
            participant: ParticipantId::parse(fields.text("participant")?).ok()?,
            name: fields.string("name")?,
            option: usize::try_from(fields.int("option")?).ok()?,
        },
        "store_set" => EventBody::StoreSet {
            store: fields.string("store")?,
            author: PeerId::parse(fields.text("by_peer")?).ok()?,
            items: decode_list(object.get("items")?, |item| {
                let fields = Fields(item.as_object()?);
                Some(StoreItem { key: fields.string("key")?, payload: fields.string("payload")? })
            })?,
        },
        "store_deleted" => EventBody::StoreDeleted {
            store: fields.string("store")?,
            keys: match object.get("keys")? {
                Value::Null => None,
                keys => Some(decode_list(keys, |key| key.as_str().map(str::to_owned))?),
            },
        },
        "peer_pinned" => EventBody::PeerPinned {
            peer: match object.get("peer")? {
                Value::Null => None,
                _ => Some(fields.peer()?),
            },
        },
        "stage_changed" => EventBody::StageChanged { peer: fields.peer()?, on_stage: fields.flag("on_stage")? },
        "stage_wished" => EventBody::StageWished {
            peer: fields.peer()?,
            wish: match object.get("wish")? {
                Value::Null => None,
                Value::String(wish) => Some(STAGE_WISHES.value(wish)?),
                _ => return None,
            },
        },
        "permissions_changed" => EventBody::PermissionsChanged {
            participant: ParticipantId::parse(fields.text("participant")?).ok()?,
            by: PeerId::parse(fields.text("by_peer")?).ok()?,
            changes: decode_changes(object.get("changes")?.as_object()?)?,
        },
        "held_open" => EventBody::HeldOpen { held: fields.flag("held")? },
        "recording_invoked" => EventBody::RecordingInvoked(RecordingInvoked {
            recording: fields.recording()?,
            kind: RECORDING_KINDS.value(fields.text("kind")?)?,
            by: decode_recorded_by(object.get("by")?)?,
            max_ms: fields.int("max_ms")?,
        }),
        "recording_began" => EventBody::RecordingBegan { recording: fields.recording()? },
        "recording_paused" => EventBody::RecordingPaused { recording: fields.recording()? },
        "recording_resumed" => EventBody::RecordingResumed { recording: fields.recording()? },
        "recording_stopping" => {
            EventBody::RecordingStopping { recording: fields.recording()?, why: decode_recording_end(object.get("why")?)? }
        }
        "recording_stopped" => EventBody::RecordingStopped {
            recording: fields.recording()?,
            why: decode_recording_end(object.get("why")?)?,
            error: match object.get("error")? {
                Value::Null => None,
                Value::String(error) => Some(error.clone()),
                _ => return None,
            },
        },
        "meeting_deleted" => EventBody::MeetingDeleted { leave_by: fields.time("leave_by_ms")? },
        "session_ended" => {
            EventBody::SessionEnded { ended_at: fields.time("ended_ms")?, reason: END_REASONS.value(fields.text("reason")?)? }
        }
        _ => return None,
    })
}

fn encode_started(started: &SessionStarted) -> Value {
    let mut json = json!({
        "session": started.session.as_str(),
        "meeting": started.meeting.as_str(),
        "app": started.app.as_str(),
        "title": started.title,
        "keep_alive_ms": started.keep_alive_ms,
        "started_ms": started.started_at.0,
    });
    if let Some(parent) = &started.parent {
        json["parent_meeting"] = parent.meeting.as_str().into();
        json["parent_session"] = parent.session.as_ref().map(SessionId::as_str).into();
    }
    json
}

fn decode_started(fields: &Fields) -> Option<SessionStarted> {
    Some(SessionStarted {
        session: SessionId::parse(fields.text("session")?).ok()?,
        meeting: MeetingId::parse(fields.text("meeting")?).ok()?,
        app: AppId::parse(fields.text("app")?).ok()?,
        title: fields.string("title")?,
        keep_alive_ms: fields.int("keep_alive_ms")?,
        started_at: fields.time("started_ms")?,
        parent: match fields.maybe("parent_meeting")? {
            None => None,
            Some(meeting) => Some(Parent {
                meeting: MeetingId::parse(meeting).ok()?,
                session: fields.maybe("parent_session")?.map(SessionId::parse).transpose().ok()?,
            }),
        },
    })
}

fn encode_joined(joined: &PeerJoined) -> Value {
    let mut json = json!({
        "peer": joined.peer.as_str(),
        "participant": joined.participant.as_str(),
        "custom_participant_id": joined.custom_participant_id,
        "name": joined.name,
        "picture": joined.picture,
        "preset": joined.preset.as_str(),
        "preset_name": joined.preset_name,
        "hidden": joined.hidden,
        "recorder": RECORDERS.name(joined.recorder),
        "on_stage": joined.on_stage,
    });
    if let Some(origin) = &joined.origin {
        json["origin"] = origin.as_str().into();
    }
    json
}

fn decode_joined(fields: &Fields) -> Option<PeerJoined> {
    Some(PeerJoined {
        peer: fields.peer()?,
        participant: ParticipantId::parse(fields.text("participant")?).ok()?,
        custom_participant_id: fields.string("custom_participant_id")?,
        name: fields.string("name")?,
        picture: match fields.0.get("picture")? {
            Value::Null => None,
            Value::String(picture) => Some(picture.clone()),
            _ => return None,
        },
        preset: PresetId::parse(fields.text("preset")?).ok()?,
        preset_name: fields.string("preset_name")?,
        hidden: fields.flag("hidden")?,
        recorder: RECORDERS.value(fields.text("recorder")?)?,
        on_stage: fields.flag("on_stage")?,
        origin: fields.maybe("origin")?.map(ParticipantId::parse).transpose().ok()?,
    })
}

fn encode_track(track: &Track) -> Value {
    json!({
        "id": track.id.as_str(),
        "kind": TRACK_KINDS.name(track.kind),
        "screen_share": track.screen_share,
        "paused": track.paused,
        "mime_type": track.mime_type,
        "app_data": track.app_data,
        "transport": track.transport,
    })
}

fn decode_track(fields: &Fields) -> Option<Track> {
    Some(Track {
        id: fields.track("id")?,
        kind: TRACK_KINDS.value(fields.text("kind")?)?,
        screen_share: fields.flag("screen_share")?,
        paused: fields.flag("paused")?,
        mime_type: fields.string("mime_type")?,
        app_data: fields.string("app_data")?,
        transport: fields.string("transport")?,
    })
}

fn encode_chat(sent: &ChatSent) -> Value {
    json!({
        "message": sent.message.as_str(),
        "peer": sent.peer.as_str(),
        "author": sent.author.as_str(),
        "name": sent.name,
        "parties": sent.parties.iter().map(ParticipantId::as_str).collect::<Vec<_>>(),
        "content": encode_content(&sent.content),
    })
}

fn decode_chat(fields: &Fields) -> Option<ChatSent> {
    let parties = fields.0.get("parties")?.as_array()?;
    Some(ChatSent {
        message: fields.message()?,
        peer: fields.peer()?,
        author: ParticipantId::parse(fields.text("author")?).ok()?,
        name: fields.string("name")?,
        parties: parties.iter().map(|party| ParticipantId::parse(party.as_str()?).ok()).collect::<Option<_>>()?,
        content: fields.content()?,
    })
}

/// The message as `chat_sent` has it, and what has become of it.
fn encode_kept(kept: &ChatKept) -> Value {
    json!({
        "sent": encode_chat(&kept.sent),
        "session": kept.said_in.as_str(),
        "said_ms": kept.said_at.0,
        "pinned": kept.pinned,
        "edited": kept.edited,
    })
}

fn decode_kept(fields: &Fields) -> Option<ChatKept> {
    Some(ChatKept {
        sent: decode_chat(&Fields(fields.0.get("sent")?.as_object()?))?,
        said_in: SessionId::parse(fields.text("session")?).ok()?,
        said_at: fields.time("said_ms")?,
        pinned: fields.flag("pinned")?,
        edited: fields.flag("edited")?,
    })
}

fn encode_content(content: &ChatContent) -> Value {
    json!({ "kind": CHAT_KINDS.name(content.kind), "payload": content.payload })
}

fn encode_poll(asked: &PollCreated) -> Value {
    json!({
        "poll": asked.poll.as_str(),
        "question": asked.question,
        "options": asked.options,
        "anonymous": asked.anonymous,
        "hide_votes": asked.hide_votes,
        "by_name": asked.by_name,
        // Null is the API.
        "by_participant": asked.by.as_ref().map(ParticipantId::as_str),
    })
}

fn decode_poll(fields: &Fields) -> Option<PollCreated> {
    Some(PollCreated {
        poll: PollId::parse(fields.text("poll")?).ok()?,
        question: fields.string("question")?,
        options: decode_list(fields.0.get("options")?, |option| option.as_str().map(str::to_owned))?,
        anonymous: fields.flag("anonymous")?,
        hide_votes: fields.flag("hide_votes")?,
        by_name: fields.string("by_name")?,
        by: match fields.0.get("by_participant")? {
            Value::Null => None,
            Value::String(participant) => Some(ParticipantId::parse(participant).ok()?),
            _ => return None,
        },
    })
}

/// Changed permissions under their names in presets.
fn encode_changes(changes: &Changes) -> Value {
    let flags = changes.flags.iter().map(|(flag, value)| (flag.path(), json!(value)));
    let media = changes.media.iter().map(|(source, value)| (source.path(), json!(CAN_PRODUCE.name(*value))));
    let entry = changes.entry.iter().map(|entry| (ENTRY, json!(ENTRIES.name(*entry))));
    Value::Object(flags.chain(media).chain(entry).map(|(name, value)| (name.to_owned(), value)).collect())
}

fn decode_changes(named: &Map<String, Value>) -> Option<Changes> {
    let mut changes = Changes::default();
    for (name, value) in named {
        if let Some(flag) = Flag::ALL.iter().find(|flag| flag.path() == name) {
            changes.flags.insert(*flag, value.as_bool()?);
        } else if let Some(source) = source_at(name) {
            changes.media.insert(source, CAN_PRODUCE.value(value.as_str()?)?);
        } else if name == ENTRY {
            changes.entry = Some(ENTRIES.value(value.as_str()?)?);
        } else {
            return None;
        }
    }
    Some(changes)
}

fn source_at(name: &str) -> Option<Source> {
    Source::ALL.iter().copied().find(|source| source.path() == name)
}

/// Null is the API: a peer's id could be any word.
fn encode_actor(by: &Actor) -> Option<&str> {
    match by {
        Actor::Peer(peer) => Some(peer.as_str()),
        Actor::Api => None,
    }
}

fn decode_actor(by: &Value) -> Option<Actor> {
    match by {
        Value::Null => Some(Actor::Api),
        Value::String(peer) => Some(Actor::Peer(PeerId::parse(peer).ok()?)),
        _ => None,
    }
}

/// A participant as an object: its id could be any word.
pub(crate) fn encode_recorded_by(by: &RecordedBy) -> Value {
    match by {
        RecordedBy::Api => "api".into(),
        RecordedBy::Meeting => "meeting".into(),
        RecordedBy::Participant(participant) => json!({ "participant": participant.as_str() }),
    }
}

pub(crate) fn decode_recorded_by(by: &Value) -> Option<RecordedBy> {
    match by {
        Value::String(word) if word == "api" => Some(RecordedBy::Api),
        Value::String(word) if word == "meeting" => Some(RecordedBy::Meeting),
        Value::Object(by) => Some(RecordedBy::Participant(ParticipantId::parse(Fields(by).text("participant")?).ok()?)),
        _ => None,
    }
}

/// One that was asked for is an object that says by whom.
pub(crate) fn encode_recording_end(why: &RecordingEnd) -> Value {
    match why {
        RecordingEnd::Asked(by) => json!({ "asked": encode_recorded_by(by) }),
        RecordingEnd::TimeIsUp => "time".into(),
        RecordingEnd::SessionOver => "session".into(),
        RecordingEnd::Failed => "failed".into(),
    }
}

pub(crate) fn decode_recording_end(why: &Value) -> Option<RecordingEnd> {
    match why {
        Value::String(word) => match word.as_str() {
            "time" => Some(RecordingEnd::TimeIsUp),
            "session" => Some(RecordingEnd::SessionOver),
            "failed" => Some(RecordingEnd::Failed),
            _ => None,
        },
        Value::Object(why) => Some(RecordingEnd::Asked(decode_recorded_by(why.get("asked")?)?)),
        _ => None,
    }
}

/// A list that is never written empty.
fn decode_list<T>(value: &Value, item: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    value.as_array().filter(|list| !list.is_empty())?.iter().map(item).collect()
}

/// The words for the values of a small enum.
pub(crate) struct Words<T: 'static>(pub &'static [(T, &'static str)]);

const LEAVE_REASONS: Words<LeaveReason> = Words(&[
    (LeaveReason::Left, "left"),
    (LeaveReason::Lost, "lost"),
    (LeaveReason::Kicked, "kicked"),
    (LeaveReason::Deleted, "deleted"),
    (LeaveReason::Ended, "ended"),
]);
const END_REASONS: Words<EndReason> = Words(&[(EndReason::AllLeft, "all_left"), (EndReason::Closed, "closed")]);
pub(crate) const RECORDING_KINDS: Words<RecordingKind> =
    Words(&[(RecordingKind::Composite, "composite"), (RecordingKind::Track, "track"), (RecordingKind::Livestream, "livestream")]);
const STAGE_WISHES: Words<StageWish> = Words(&[(StageWish::Asks, "asks"), (StageWish::CalledUp, "called_up")]);
const TRACK_KINDS: Words<TrackKind> = Words(&[(TrackKind::Audio, "audio"), (TrackKind::Video, "video")]);
const CHAT_KINDS: Words<ChatKind> =
    Words(&[(ChatKind::Text, "text"), (ChatKind::Image, "image"), (ChatKind::File, "file"), (ChatKind::Custom, "custom")]);
const RECORDERS: Words<Recorder> = Words(&[
    (Recorder::None, "none"),
    (Recorder::Recorder, "recorder"),
    (Recorder::Livestreamer, "livestreamer"),
    (Recorder::Listener, "listener"),
]);

const CAN_PRODUCE: Words<CanProduce> =
    Words(&[(CanProduce::Allowed, "ALLOWED"), (CanProduce::NotAllowed, "NOT_ALLOWED"), (CanProduce::CanRequest, "CAN_REQUEST")]);
const ENTRIES: Words<Entry> =
    Words(&[(Entry::Skip, "SKIP"), (Entry::OnPrivilegedEntry, "ON_PRIVILEGED_USER_ENTRY"), (Entry::OnAccept, "SKIP_ON_ACCEPT")]);
/// Where the value of [`ENTRIES`] is among changed permissions.
const ENTRY: &str = "waiting_room_type";

/// The word for why somebody left.
pub(crate) fn leave_reason(reason: LeaveReason) -> &'static str {
    LEAVE_REASONS.name(reason)
}

pub(crate) fn read_leave_reason(name: &str) -> Option<LeaveReason> {
    LEAVE_REASONS.value(name)
}

impl<T: Copy + PartialEq> Words<T> {
    pub fn name(&self, value: T) -> &'static str {
        let found = self.0.iter().find(|(known, _)| *known == value);
        found.expect("every value of the enum has a word, which a test checks").1
    }

    pub fn value(&self, name: &str) -> Option<T> {
        self.0.iter().find(|(_, known)| *known == name).map(|(value, _)| *value)
    }
}

/// The fields of a JSON object, each asked for as what it must be.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)?.as_str()
    }

    fn string(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A text that may be null, or missing because it is younger than the event; `None` if it is anything else.
    fn maybe(&self, name: &str) -> Option<Option<&'a str>> {
        match self.0.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => value.as_str().map(Some),
        }
    }

    fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    fn time(&self, name: &str) -> Option<Timestamp> {
        self.int(name).map(Timestamp)
    }

    fn peer(&self) -> Option<PeerId> {
        PeerId::parse(self.text("peer")?).ok()
    }

    fn recording(&self) -> Option<RecordingId> {
        RecordingId::parse(self.text("recording")?).ok()
    }

    fn message(&self) -> Option<ChatId> {
        ChatId::parse(self.text("message")?).ok()
    }

    fn content(&self) -> Option<ChatContent> {
        let Value::Object(content) = self.0.get("content")? else { return None };
        let fields = Fields(content);
        Some(ChatContent { kind: CHAT_KINDS.value(fields.text("kind")?)?, payload: fields.string("payload")? })
    }

    fn track(&self, name: &str) -> Option<TrackId> {
        TrackId::parse(self.text(name)?).ok()
    }
}

#[cfg(test)]
mod tests;
