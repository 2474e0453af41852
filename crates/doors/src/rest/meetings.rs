//! Meetings over REST: make, find, change.
//! Invariant: what is stored has been read as the wire's type and is within the bounds of the configuration.
//! A live session keeps what it started with; the next one takes what is stored then.
//! Next: `participants.rs`, `active_session.rs`.

use std::sync::Arc;

use axum::extract::State;
use salon_cluster::Nodes;
use salon_core::session::ConnectedNews;
use salon_core::{MeetingId, Timestamp};
use salon_store::acting;
use salon_store::{Meeting, MeetingFilter, Store};
use salon_wire::rest::ai_config::AiConfig;
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::meetings as wire;
use salon_wire::rest::nodes as between;
use salon_wire::rest::recording_config::{RecordingConfig, RecordingConfigBody};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::ids::fresh_id;
use crate::rest::auth::Caller;
use crate::rest::body::{Body, JsonObject, read};
use crate::rest::check::{MAX_TITLE_CHARS, merge, name_if_any, text, url};
use crate::rest::edits::Edits;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, created, data, page};
use crate::rest::settings::KeepAlive;
use crate::rfc3339::rfc3339;
use salon_live::Clock;
use salon_live::{Hub, Place, Remote};

/// The largest `recording_config` or `ai_config`, as JSON.
const MAX_CONFIG_BYTES: usize = 32 * 1024;

/// The meetings of an app, newest first.
#[utoipa::path(get, path = "/meetings", tag = "meetings", params(wire::MeetingsQuery),
    responses((status = 200, body = Page<Vec<wire::Meeting>>), (status = 400, body = ErrorBody)))]
pub async fn list(State(store): State<Store>, caller: Caller, asked: Asked) -> Listed<Vec<wire::Meeting>> {
    let filter = MeetingFilter {
        page: asked.page()?,
        active: asked.one_of::<wire::MeetingStatus>("status")?.map(|status| status == wire::MeetingStatus::Active),
        from: asked.instant("start_time")?,
        to: asked.instant("end_time")?,
    };
    let found = store.meetings(&caller.app, &filter).await?;
    let items = found.items.into_iter().map(|meeting| Ok(wire::Meeting { ai_config: None, ..to_wire(meeting)? }));
    let items = items.collect::<Result<Vec<_>, ApiError>>()?;
    let paging = paging(&filter.page, items.len(), found.total);
    page(items, paging)
}

/// Makes a meeting.
#[utoipa::path(post, path = "/meetings", tag = "meetings", request_body = wire::MeetingBody,
    responses((status = 201, body = Envelope<wire::Meeting>), (status = 400, body = ErrorBody)))]
pub async fn create(
    State(store): State<Store>,
    State(clock): State<Clock>,
    State(keep_alive): State<KeepAlive>,
    caller: Caller,
    Body(body): Body<wire::MeetingBody>,
) -> Answer<wire::Meeting> {
    let blank = Meeting::blank(fresh_id(), caller.app, clock.now());
    let meeting = filled(blank, body, &keep_alive)?;
    acting::about("meeting", meeting.id.as_str());
    store.create_meeting(&meeting).await?;
    created(to_wire(meeting)?)
}

/// One meeting.
#[utoipa::path(get, path = "/meetings/{meeting_id}", tag = "meetings",
    params(("meeting_id" = String, Path, format = "uuid"), wire::MeetingQuery),
    responses((status = 200, body = Envelope<wire::Meeting>), (status = 404, body = ErrorBody)))]
pub async fn show(State(store): State<Store>, caller: Caller, At(id): At<MeetingId>) -> Answer<wire::Meeting> {
    data(to_wire(find(&store, &caller, &id).await?)?)
}

/// Changes what is sent; `recording_config` and `ai_config` at any depth.
#[utoipa::path(patch, path = "/meetings/{meeting_id}", tag = "meetings", request_body = wire::MeetingPatch,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Meeting>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn update(
    State(store): State<Store>,
    State(hub): State<Hub>,
    State(nodes): State<Option<Nodes>>,
    State(clock): State<Clock>,
    State(edits): State<Edits>,
    State(keep_alive): State<KeepAlive>,
    caller: Caller,
    At(id): At<MeetingId>,
    JsonObject(sent): JsonObject,
) -> Answer<wire::Meeting> {
    // Null would have to mean either nothing or the default: the contract has it on create and replace only.
    if let Some((name, _)) = sent.iter().find(|(name, value)| value.is_null() && FIELDS.contains(&name.as_str())) {
        return Err(ApiError::invalid(name, "must not be null"));
    }
    let patch: wire::MeetingPatch = read(&Value::Object(sent.clone()))?;
    let _turn = edits.turn(id.as_str()).await;
    find(&store, &caller, &id).await?;
    let now = clock.now();
    let change = |meeting| patched(meeting, &patch, &sent, &keep_alive, now);
    let meeting = store.edit_meeting(&caller.app, &id, change).await?;
    tell(&hub, nodes.as_ref(), &meeting).await;
    data(to_wire(meeting)?)
}

/// The meeting with what is sent changed.
fn patched(
    mut meeting: Meeting,
    patch: &wire::MeetingPatch,
    sent: &Map<String, Value>,
    keep_alive: &KeepAlive,
    now: Timestamp,
) -> Result<Meeting, ApiError> {
    if let Some(title) = &patch.title {
        meeting.title = checked_title(Some(title.clone()))?;
    }
    meeting.active = patch.status.map_or(meeting.active, |status| status == wire::MeetingStatus::Active);
    meeting.record_on_start = patch.record_on_start.unwrap_or(meeting.record_on_start);
    meeting.live_stream_on_start = patch.live_stream_on_start.unwrap_or(meeting.live_stream_on_start);
    meeting.persist_chat = patch.persist_chat.unwrap_or(meeting.persist_chat);
    meeting.transcribe_on_end = patch.transcribe_on_end.unwrap_or(meeting.transcribe_on_end);
    meeting.summarize_on_end = patch.summarize_on_end.unwrap_or(meeting.summarize_on_end);
    if let Some(secs) = patch.session_keep_alive_time_in_secs {
        meeting.keep_alive_secs = secs.into();
        check_keep_alive(secs, keep_alive)?;
    }
    for (name, stored) in [("recording_config", &mut meeting.recording_config), ("ai_config", &mut meeting.ai_config)] {
        if let Some(sent) = sent.get(name) {
            merge(stored.get_or_insert(Value::Null), sent.clone());
        }
    }
    // Read and written once more, so that nothing is kept that nobody reads.
    meeting.recording_config = tidied::<RecordingConfigBody>("recording_config", meeting.recording_config)?;
    meeting.ai_config = tidied::<AiConfig>("ai_config", meeting.ai_config)?;
    check(&meeting)?;
    meeting.updated_at = now.max(meeting.updated_at);
    Ok(meeting)
}

/// Replaces a meeting: what is left out returns to its default. The status, which no body can say here, stays.
#[utoipa::path(put, path = "/meetings/{meeting_id}", tag = "meetings", request_body = wire::MeetingBody,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Meeting>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn replace(
    State(store): State<Store>,
    State(hub): State<Hub>,
    State(nodes): State<Option<Nodes>>,
    State(clock): State<Clock>,
    State(edits): State<Edits>,
    State(keep_alive): State<KeepAlive>,
    caller: Caller,
    At(id): At<MeetingId>,
    Body(body): Body<wire::MeetingBody>,
) -> Answer<wire::Meeting> {
    let _turn = edits.turn(id.as_str()).await;
    find(&store, &caller, &id).await?;
    let now = clock.now();
    let change = |meeting: Meeting| {
        let updated_at = now.max(meeting.updated_at);
        Ok::<_, ApiError>(Meeting { updated_at, ..filled(meeting, body.clone(), &keep_alive)? })
    };
    let meeting = store.edit_meeting(&caller.app, &id, change).await?;
    tell(&hub, nodes.as_ref(), &meeting).await;
    data(to_wire(meeting)?)
}

/// Tells people in connected meetings what this one is called now.
async fn tell(hub: &Hub, nodes: Option<&Nodes>, meeting: &Meeting) {
    if let Some(nodes) = nodes {
        tell_elsewhere(hub, nodes, meeting).await;
    }
    let Some(parent) = meeting.parent.as_ref().or(hub.has_family(meeting.id.as_str()).then_some(&meeting.id)) else { return };
    let titles = vec![(meeting.id.clone(), meeting.title.clone().unwrap_or_default())];
    if meeting.parent.is_none() {
        // The word for one of the others would make clients list the parent among them.
        hub.family_changed(parent);
    } else if hub.tell_family(parent, ConnectedNews::Changed(Arc::new(titles))).await.is_err() {
        // It is changed all the same, and whoever asks is told.
        tracing::warn!(meeting.id = %meeting.id, "a meeting's new title could not be told");
    }
}

/// Has another node tell them, if the family's sessions are there. A family is on one node.
async fn tell_elsewhere(hub: &Hub, nodes: &Nodes, meeting: &Meeting) {
    let parent = meeting.parent.as_ref().unwrap_or(&meeting.id);
    for of_family in [parent, &meeting.id] {
        let Ok(Some(Place::There(Remote { address: Some(address), .. }))) = hub.place(of_family).await else { continue };
        let changed = serde_json::to_vec(&between::Changed { parent: parent.to_string() }).expect("an id is plain data");
        if let Err(error) = nodes.ask(&address, between::FAMILY, changed.into()).await {
            tracing::warn!(meeting.id = %meeting.id, %error, "a meeting's new title could not be told");
        }
        return;
    }
}

/// The meeting of this id, if it is of the caller's app.
pub async fn find(store: &Store, caller: &Caller, id: &MeetingId) -> Result<Meeting, ApiError> {
    let found = store.meeting(&caller.app, id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("No meeting found with id {id}")))
}

/// What a meeting can be told.
pub const FIELDS: [&str; 10] = [
    "title",
    "status",
    "record_on_start",
    "live_stream_on_start",
    "persist_chat",
    "transcribe_on_end",
    "summarize_on_end",
    "session_keep_alive_time_in_secs",
    "recording_config",
    "ai_config",
];

/// The meeting with everything a body can say, what it does not say at its default.
pub fn filled(meeting: Meeting, body: wire::MeetingBody, keep_alive: &KeepAlive) -> Result<Meeting, ApiError> {
    let secs = body.session_keep_alive_time_in_secs;
    if let Some(secs) = secs {
        check_keep_alive(secs, keep_alive)?;
    }
    let json = |value: Result<Value, serde_json::Error>| value.expect("a configuration is plain data");
    let meeting = Meeting {
        title: checked_title(body.title)?,
        record_on_start: body.record_on_start.unwrap_or_default(),
        live_stream_on_start: body.live_stream_on_start.unwrap_or_default(),
        persist_chat: body.persist_chat.unwrap_or_default(),
        transcribe_on_end: body.transcribe_on_end.unwrap_or_default(),
        summarize_on_end: body.summarize_on_end.unwrap_or_default(),
        keep_alive_secs: secs.unwrap_or(keep_alive.default_secs).into(),
        recording_config: body.recording_config.map(|config| json(serde_json::to_value(config))),
        ai_config: body.ai_config.map(|config| json(serde_json::to_value(config))),
        ..meeting
    };
    check(&meeting)?;
    Ok(meeting)
}

pub fn checked_title(title: Option<String>) -> Result<Option<String>, ApiError> {
    name_if_any("title", title, MAX_TITLE_CHARS)
}

fn check_keep_alive(secs: u32, keep_alive: &KeepAlive) -> Result<(), ApiError> {
    let (min, max) = (keep_alive.min_secs, keep_alive.max_secs);
    if (min..=max).contains(&secs) {
        return Ok(());
    }
    Err(ApiError::invalid("session_keep_alive_time_in_secs", format_args!("must be between {min} and {max}")))
}

/// The bounds that the types do not hold.
fn check(meeting: &Meeting) -> Result<(), ApiError> {
    if let Some(config) = &meeting.recording_config {
        check_size("recording_config", config)?;
        check_recording(&read(config)?, "recording_config.")?;
    }
    if let Some(config) = &meeting.ai_config {
        check_size("ai_config", config)?;
        let config: AiConfig = read(config)?;
        let words = config.summarization.and_then(|summary| summary.word_limit);
        within("ai_config.summarization.word_limit", words, 150, 1_000)?;
    }
    Ok(())
}

/// A merged configuration as its type has it. Its errors name the field, as those of a whole body do.
fn tidied<T: DeserializeOwned + Serialize>(name: &str, config: Option<Value>) -> Result<Option<Value>, ApiError> {
    let Some(config) = config else { return Ok(None) };
    let config: T = read(&config).map_err(|error| error.under(name))?;
    Ok(Some(serde_json::to_value(config).expect("a configuration is plain data")))
}

fn check_size(name: &str, config: &Value) -> Result<(), ApiError> {
    match config.to_string().len() <= MAX_CONFIG_BYTES {
        true => Ok(()),
        false => Err(ApiError::invalid(name, format_args!("must not be larger than {MAX_CONFIG_BYTES} bytes"))),
    }
}

/// The bounds of a recording configuration that its types do not hold; `at` is where it is.
pub fn check_recording(config: &RecordingConfigBody, at: &str) -> Result<(), ApiError> {
    within(&format!("{at}max_seconds"), config.max_seconds, 60, 86_400)?;
    if let Some(prefix) = &config.file_name_prefix {
        text(&format!("{at}file_name_prefix"), prefix, 0, 256)?;
    }
    let Some(video) = &config.video_config else { return Ok(()) };
    within(&format!("{at}video_config.width"), video.width, 1, 1_920)?;
    within(&format!("{at}video_config.height"), video.height, 1, 1_920)?;
    let Some(watermark) = &video.watermark else { return Ok(()) };
    if let Some(address) = &watermark.url {
        url(&format!("{at}video_config.watermark.url"), address)?;
    }
    let Some(size) = &watermark.size else { return Ok(()) };
    within(&format!("{at}video_config.watermark.size.width"), size.width, 1, u32::MAX)?;
    within(&format!("{at}video_config.watermark.size.height"), size.height, 1, u32::MAX)
}

fn within(name: &str, value: Option<u32>, min: u32, max: u32) -> Result<(), ApiError> {
    match value {
        Some(value) if value < min => Err(ApiError::invalid(name, format_args!("must be greater than or equal to {min}"))),
        Some(value) if value > max => Err(ApiError::invalid(name, format_args!("must be less than or equal to {max}"))),
        _ => Ok(()),
    }
}

/// What is told of it.
pub fn to_wire(meeting: Meeting) -> Result<wire::Meeting, ApiError> {
    let unreadable = |error| ApiError::internal(format_args!("a meeting's configuration cannot be read: {error}"));
    // Read as what may be shown: storage credentials stay behind.
    let recording_config: Option<RecordingConfig> =
        meeting.recording_config.map(serde_json::from_value).transpose().map_err(unreadable)?;
    let ai_config: Option<AiConfig> = meeting.ai_config.map(serde_json::from_value).transpose().map_err(unreadable)?;
    Ok(wire::Meeting {
        id: meeting.id.to_string(),
        title: meeting.title,
        status: Some(if meeting.active { wire::MeetingStatus::Active } else { wire::MeetingStatus::Inactive }),
        record_on_start: Some(meeting.record_on_start),
        live_stream_on_start: Some(meeting.live_stream_on_start),
        persist_chat: Some(meeting.persist_chat),
        transcribe_on_end: Some(meeting.transcribe_on_end),
        summarize_on_end: Some(meeting.summarize_on_end),
        session_keep_alive_time_in_secs: u32::try_from(meeting.keep_alive_secs).ok(),
        recording_config,
        ai_config,
        created_at: rfc3339(meeting.created_at),
        updated_at: rfc3339(meeting.updated_at),
    })
}
