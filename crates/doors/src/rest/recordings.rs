//! Recordings over REST: start, pause, stop, find. The client SDK asks the same with a participant's token.
//! Invariant: a recording of another app does not exist, and a participant can do here what the session lets them do, in
//! their own meeting and nothing else.
//! Next: `flows/recordings.rs`, what is to be recorded; `salon_recordings`, which does; `recording_files.rs`.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use salon_core::event::{RecordedBy, RecordingEnd, RecordingKind};
use salon_core::notice::RecordingStatus;
use salon_core::{AppId, MeetingId, RecordingId, Timestamp};
use salon_live::{Clock, Hub};
use salon_recordings::{Recordings, Wish};
use salon_store::{Meeting, Recording, RecordingFileKind, RecordingFilter, Store, acting};
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::recording_config::RecordingConfigBody;
use salon_wire::rest::recordings as wire;
use serde_json::Value;

use crate::flows::live_task::live_task;
use crate::flows::presets::permissions;
use crate::flows::recordings::{self as flow, Impossible, Wanted};
use crate::recording_links::Links;
use crate::rest::auth::{Asker, Caller};
use crate::rest::body::{Body, read};
use crate::rest::check::merge;
use crate::rest::error::ApiError;
use crate::rest::here::Here;
use crate::rest::meetings::{self, check_recording};
use crate::rest::path::{At, PathId};
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rfc3339::rfc3339;
use crate::tokens::Tokens;

/// People whose tracks may be named.
const MAX_USERS: usize = 100;
const MAX_USER_CHARS: usize = 256;

/// Longest beginning of a file name, in characters.
const MAX_PREFIX_CHARS: usize = 48;

/// The one layer that tracks have.
const LAYER: &str = "default";

/// What recordings are asked for with.
#[derive(Clone)]
pub struct RecordingDesk {
    pub store: Store,
    pub hub: Hub,
    pub clock: Clock,
    pub tokens: Tokens,
    pub recordings: Recordings,
}

/// The recordings of an app, newest first.
#[utoipa::path(get, path = "/recordings", tag = "recordings", params(wire::RecordingsQuery),
    responses((status = 200, body = Page<Vec<wire::Recording>>), (status = 400, body = ErrorBody)))]
pub async fn list(
    State(desk): State<RecordingDesk>,
    caller: Caller,
    Here(here): Here,
    asked: Asked,
) -> Listed<Vec<wire::Recording>> {
    asked.one_of::<wire::RecordingSortBy>("sort_by")?;
    let now = desk.clock.now();
    let filter = RecordingFilter {
        page: asked.page()?,
        meeting: asked.id("meeting_id")?,
        statuses: asked.all("status").into_iter().map(status_from_wire).collect::<Result<_, _>>()?,
        expired: asked.given("expired")?.map(|_| asked.flag("expired")).transpose()?,
        from: asked.instant("start_time")?,
        to: asked.instant("end_time")?,
        now,
    };
    let found = desk.store.recordings(&caller.app, &filter).await?;
    let links = desk.links(here);
    let mut known: HashMap<MeetingId, Option<Meeting>> = HashMap::new();
    let mut items = Vec::with_capacity(found.items.len());
    for recording in &found.items {
        if !known.contains_key(&recording.meeting) {
            known.insert(recording.meeting.clone(), desk.store.meeting(&caller.app, &recording.meeting).await?);
        }
        let meeting = known.get(&recording.meeting).cloned().flatten().map(meetings::to_wire).transpose()?;
        let meeting = meeting.map(|meeting| salon_wire::rest::meetings::Meeting { ai_config: None, ..meeting });
        let storage_config = Some(flow::shown_storage(recording));
        items.push(wire::Recording { meeting, storage_config, ..to_wire(recording, &links, now) });
    }
    let paging = paging(&filter.page, items.len(), found.total);
    page(items, paging)
}

/// Records the live session of a meeting: a picture of everybody, and their sound.
#[utoipa::path(post, path = "/recordings", tag = "recordings", request_body = wire::RecordingStartBody,
    responses((status = 200, body = Envelope<wire::Recording>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn start(
    State(desk): State<RecordingDesk>,
    asker: Asker,
    Here(here): Here,
    Body(body): Body<wire::RecordingStartBody>,
) -> Answer<wire::Recording> {
    let meeting = desk.meeting(&asker, &body.meeting_id).await?;
    prefix("file_name_prefix", body.file_name_prefix.as_deref())?;
    if body.url.is_some() {
        return Err(ApiError::unprocessable("This server records no pages; leave \"url\" out"));
    }
    if body.interactive_config.as_ref().is_some_and(|config| config.interactive_type.is_some()) {
        return Err(ApiError::unprocessable("This server makes no interactive recordings; leave \"interactive_config\" out"));
    }
    let beside_others = body.allow_multiple_recordings.unwrap_or(false);
    let config = configured(&meeting, body)?;
    let wanted = flow::composite(&desk.recordings, &meeting, (config, beside_others), asker.by(), desk.clock.now())?;
    desk.begin(&meeting, wanted, here).await
}

/// Records the sound of each person in the live session of a meeting in a file of its own.
#[utoipa::path(post, path = "/recordings/track", tag = "recordings", request_body = wire::TrackStartBody,
    responses((status = 200, body = Envelope<wire::TrackStarted>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn start_tracks(
    State(desk): State<RecordingDesk>,
    asker: Asker,
    Here(here): Here,
    Body(body): Body<wire::TrackStartBody>,
) -> Answer<wire::TrackStarted> {
    let meeting = desk.meeting(&asker, &body.meeting_id).await?;
    let users = body.user_ids.unwrap_or_default();
    if users.len() > MAX_USERS {
        return Err(ApiError::invalid("user_ids", format_args!("must contain at most {MAX_USERS} items")));
    }
    if users.iter().any(|user| user.is_empty() || user.chars().count() > MAX_USER_CHARS) {
        return Err(ApiError::invalid("user_ids", format_args!("must have 1 to {MAX_USER_CHARS} characters each")));
    }
    let mut layers = body.layers.unwrap_or_default();
    let layer = layers.remove(LAYER);
    if let Some((name, _)) = layers.first_key_value() {
        let name: String = name.chars().take(64).collect();
        return Err(ApiError::unprocessable(format!("There is no layer {name:?}: the one there is is called {LAYER:?}")));
    }
    let given = layer.and_then(|layer| layer.file_name_prefix);
    prefix("layers.default.file_name_prefix", given.as_deref())?;
    let given = given.filter(|given| !given.is_empty());
    desk.recordings.can(RecordingKind::Track).map_err(ApiError::unprocessable)?;
    let wanted = flow::tracks(
        &desk.recordings,
        &meeting,
        // None at all are everybody.
        (given.as_deref(), (!users.is_empty()).then_some(users)),
        asker.by(),
        desk.clock.now(),
    );
    let salon_wire::rest::envelope::Envelope { data: recording, .. } = desk.begun(&meeting, wanted, here).await?;
    data(wire::TrackStarted { recording })
}

/// One recording. A participant has those of the meeting it is of, if they may record it.
#[utoipa::path(get, path = "/recordings/{recording_id}", tag = "recordings",
    params(("recording_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Recording>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(desk): State<RecordingDesk>,
    asker: Asker,
    At(id): At<RecordingId>,
    Here(here): Here,
) -> Answer<wire::Recording> {
    let recording = desk.find(asker.app(), &id).await?;
    asker.may_act_in(&recording.meeting)?;
    asker.may_have_files()?;
    data(desk.detail(&recording, here).await?)
}

/// Stops, pauses or resumes a recording.
#[utoipa::path(put, path = "/recordings/{recording_id}", tag = "recordings", request_body = wire::RecordingActionBody,
    params(("recording_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Recording>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub async fn act(
    State(desk): State<RecordingDesk>,
    asker: Asker,
    At(id): At<RecordingId>,
    Here(here): Here,
    Body(body): Body<wire::RecordingActionBody>,
) -> Answer<wire::Recording> {
    let recording = desk.find(asker.app(), &id).await?;
    asker.may_act_in(&recording.meeting)?;
    let by = asker.by();
    let is_over = matches!(recording.status, RecordingStatus::Uploading | RecordingStatus::Uploaded | RecordingStatus::Errored);
    if is_over {
        // What is told of it now has its files in it.
        asker.may_have_files()?;
        return match body.action {
            wire::RecordingAction::Stop => data(desk.detail(&recording, here).await?),
            _ => Err(ApiError::conflict("The recording is over")),
        };
    }
    let over = || ApiError::conflict("The recording is about to be over");
    let handle = live_task(&desk.hub, &recording.meeting).await?.ok_or_else(over)?;
    match body.action {
        wire::RecordingAction::Stop => {
            let of = id.clone();
            handle.call(move |session, now| session.stop_recording(now, &by, &of)).await??;
            desk.stopped(&id).await?;
        }
        action => {
            let pause = action == wire::RecordingAction::Pause;
            let of = id.clone();
            handle.call(move |session, now| session.may_pause_recording(now, &by, &of)).await??;
            // Whatever is so now: the recorder may have yet to do what it was told before.
            let wish = if pause { Wish::Pause } else { Wish::Resume };
            if !desk.recordings.wish(&id, wish).await {
                return Err(ApiError::unavailable("The recorder does not answer right now; try again"));
            }
        }
    }
    let recording = desk.find(asker.app(), &id).await?;
    data(desk.detail(&recording, here).await?)
}

/// What is being recorded of a meeting.
#[utoipa::path(get, path = "/recordings/active-recording/{meeting_id}", tag = "recordings",
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Recording>), (status = 404, body = ErrorBody)))]
pub async fn active(
    State(desk): State<RecordingDesk>,
    asker: Asker,
    At(id): At<MeetingId>,
    Here(here): Here,
) -> Answer<wire::Recording> {
    let none = || ApiError::not_found(format!("No active recording found for meeting_id {id}"));
    let found = desk.store.active_recording(&id).await?.filter(|found| found.app == *asker.app()).ok_or_else(none)?;
    data(to_wire(&found, &desk.links(here), desk.clock.now()))
}

impl RecordingDesk {
    /// The meeting that is to be recorded, if whoever asks may have it recorded as far as that is known without its session.
    async fn meeting(&self, asker: &Asker, id: &str) -> Result<Meeting, ApiError> {
        let id = MeetingId::read(id).ok_or_else(|| ApiError::invalid("meeting_id", "must be a valid GUID"))?;
        asker.may_act_in(&id)?;
        let found = self.store.meeting(asker.app(), &id).await?;
        found.ok_or_else(|| ApiError::not_found(format!("No meeting found with id {id}")))
    }

    async fn begin(&self, meeting: &Meeting, wanted: Wanted, here: String) -> Answer<wire::Recording> {
        data(self.begun(meeting, wanted, here).await?.data)
    }

    async fn begun(&self, meeting: &Meeting, wanted: Wanted, here: String) -> Result<Envelope<wire::Recording>, ApiError> {
        let Wanted { recording, max_ms, beside_others } = wanted;
        let none = || ApiError::no_active_session(&meeting.id);
        let handle = live_task(&self.hub, &meeting.id).await?.ok_or_else(none)?;
        acting::about("recording", recording.id.as_str());
        acting::about("meeting", meeting.id.as_str());
        let started = self.recordings.start(&handle, recording, (max_ms, beside_others)).await;
        let recording = started.map_err(crate::flows::failed::Failed::from)?;
        Ok(Envelope { success: true, data: self.detail(&recording, here).await? })
    }

    async fn find(&self, app: &AppId, id: &RecordingId) -> Result<Recording, ApiError> {
        let found = self.store.recording(id).await?.filter(|found| found.app == *app);
        found.ok_or_else(|| ApiError::not_found(format!("No recording found with id {id}")))
    }

    /// Waits a moment for a recording that was told to stop, so that the answer says so.
    async fn stopped(&self, id: &RecordingId) -> Result<(), ApiError> {
        for _ in 0..20 {
            let found = self.store.recording(id).await?;
            if found.is_none_or(|found| found.stopped_by.is_some()) {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn detail(&self, recording: &Recording, here: String) -> Result<wire::Recording, ApiError> {
        let start_reason = wire::StartReason {
            caller: self.caller(&recording.meeting, &recording.started_by).await?,
            reason: Some(match recording.started_by {
                RecordedBy::Meeting => wire::StartedBecause::RecordOnStart,
                _ => wire::StartedBecause::ApiCall,
            }),
        };
        let stop_reason = match &recording.stopped_by {
            None => None,
            Some(why) => Some(wire::StopReason {
                caller: match why {
                    RecordingEnd::Asked(by) => self.caller(&recording.meeting, by).await?,
                    _ => None,
                },
                reason: match why {
                    RecordingEnd::Asked(_) => Some(wire::StoppedBecause::ApiCall),
                    RecordingEnd::SessionOver => Some(wire::StoppedBecause::AllPeersLeft),
                    RecordingEnd::Failed => Some(wire::StoppedBecause::InternalError),
                    RecordingEnd::TimeIsUp => None,
                },
            }),
        };
        Ok(wire::Recording {
            start_reason: Some(start_reason),
            stop_reason,
            storage_config: Some(flow::shown_storage(recording)),
            ..to_wire(recording, &self.links(here), self.clock.now())
        })
    }

    async fn caller(&self, meeting: &MeetingId, by: &RecordedBy) -> Result<Option<wire::RecordingCaller>, ApiError> {
        Ok(match by {
            RecordedBy::Meeting => None,
            RecordedBy::Api => {
                Some(wire::RecordingCaller { name: None, caller_type: Some(wire::CallerType::Organization), user_id: None })
            }
            RecordedBy::Participant(participant) => Some(wire::RecordingCaller {
                // Whoever was deleted has no name any more.
                name: self.store.participant(meeting, participant).await?.and_then(|row| row.participant.name),
                caller_type: Some(wire::CallerType::User),
                user_id: Some(participant.to_string()),
            }),
        })
    }

    fn links(&self, here: String) -> Links {
        Links { tokens: self.tokens.clone(), here: here.into() }
    }
}

impl Asker {
    /// Refuses participants who could not have made them.
    fn may_have_files(&self) -> Result<(), ApiError> {
        match self {
            Self::Guest(guest) if !permissions(&guest.0.preset)?.can_record => {
                Err(ApiError::not_allowed("Only who may record may have recordings"))
            }
            _ => Ok(()),
        }
    }

    pub fn by(&self) -> RecordedBy {
        match self {
            Self::Key(_) => RecordedBy::Api,
            Self::Guest(guest) => RecordedBy::Participant(guest.0.participant.id.clone()),
        }
    }
}

/// What the call says, over what the meeting says.
fn configured(meeting: &Meeting, body: wire::RecordingStartBody) -> Result<RecordingConfigBody, ApiError> {
    let own = RecordingConfigBody {
        audio_config: body.audio_config,
        file_name_prefix: body.file_name_prefix,
        live_streaming_config: body.rtmp_out_config,
        max_seconds: body.max_seconds,
        realtimekit_bucket_config: body.realtimekit_bucket_config,
        storage_config: body.storage_config,
        video_config: body.video_config,
    };
    check_recording(&own, "")?;
    let mut whole = meeting.recording_config.clone().unwrap_or(Value::Null);
    let own = serde_json::to_value(own).map_err(ApiError::internal)?;
    // Storage is one thing: half of it from here and half from there would be nobody's.
    if let (Some(whole), Some(_)) = (whole.as_object_mut(), own.get("storage_config")) {
        whole.remove("storage_config");
    }
    merge(&mut whole, own);
    read(&whole)
}

/// The beginning of a file name, as a call says it.
fn prefix(name: &str, prefix: Option<&str>) -> Result<(), ApiError> {
    let Some(prefix) = prefix else { return Ok(()) };
    let plain = prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match plain && prefix.len() <= MAX_PREFIX_CHARS {
        true => Ok(()),
        false => Err(ApiError::invalid(name, format_args!("must be at most {MAX_PREFIX_CHARS} letters, digits and underscores"))),
    }
}

fn status_from_wire(word: &str) -> Result<RecordingStatus, ApiError> {
    Ok(match word {
        "INVOKED" => RecordingStatus::Invoked,
        "RECORDING" => RecordingStatus::Recording,
        "PAUSED" => RecordingStatus::Paused,
        "UPLOADING" => RecordingStatus::Uploading,
        "UPLOADED" => RecordingStatus::Uploaded,
        "ERRORED" => RecordingStatus::Errored,
        _ => {
            let why = "must be one of INVOKED, RECORDING, UPLOADING, UPLOADED, ERRORED, PAUSED";
            return Err(ApiError::invalid("status", why));
        }
    })
}

pub fn status_to_wire(status: RecordingStatus) -> wire::RecordingStatus {
    match status {
        RecordingStatus::Invoked => wire::RecordingStatus::Invoked,
        RecordingStatus::Recording => wire::RecordingStatus::Recording,
        RecordingStatus::Paused => wire::RecordingStatus::Paused,
        RecordingStatus::Uploading => wire::RecordingStatus::Uploading,
        RecordingStatus::Uploaded => wire::RecordingStatus::Uploaded,
        RecordingStatus::Errored => wire::RecordingStatus::Errored,
    }
}

/// What every answer has of it.
fn to_wire(recording: &Recording, links: &Links, now: Timestamp) -> wire::Recording {
    let files = recording.downloads(now);
    let link = |name: &str| links.to(&recording.id, name, recording.expires_at);
    let first = |kind: RecordingFileKind| files.iter().find(|file| file.kind == kind).map(|file| link(&file.name));
    let is_track = recording.kind == RecordingKind::Track;
    let download_url = match is_track {
        true if files.is_empty() => None,
        true => {
            let one = |name: &String| (name.clone(), wire::TrackFile { download_url: link(name) });
            let download_urls: BTreeMap<_, _> = files.iter().map(|file| one(&file.name)).collect();
            Some(wire::DownloadUrl::Layers(vec![wire::LayerFiles { layer_name: LAYER.to_owned(), download_urls }]))
        }
        false => first(RecordingFileKind::Video).map(wire::DownloadUrl::One),
    };
    wire::Recording {
        id: recording.id.to_string(),
        audio_download_url: first(RecordingFileKind::Audio),
        download_url,
        download_url_expiry: recording.expires_at.filter(|_| !files.is_empty()).map(rfc3339),
        file_size: recording.bytes(),
        invoked_time: rfc3339(recording.invoked_at),
        output_file_name: recording.name.clone(),
        session_id: Some(recording.session.to_string()),
        started_time: recording.started_at.map(rfc3339),
        status: status_to_wire(recording.status),
        stopped_time: recording.stopped_at.map(rfc3339),
        recording_duration: recording.started_at.map(|_| recording.recorded_ms(now) / 1_000),
        recording_type: is_track.then_some(wire::RecordingType::Track),
        meeting_id: is_track.then(|| recording.meeting.to_string()),
        err_message: recording.error.clone(),
        start_reason: None,
        stop_reason: None,
        storage_config: None,
        meeting: None,
    }
}

impl From<Impossible> for ApiError {
    fn from(Impossible(why): Impossible) -> Self {
        Self::unprocessable(why)
    }
}
