//! Livestreams over REST: start, stop, find, add up. The client SDK asks the same with a participant's token.
//! Invariant: a livestream of another app does not exist, and stopping one that is over is no mistake: clients that are refused
//! never get out of stopping (seen in web SDK 2.0.2).
//! Next: `salon_recordings::Livestreams`, which makes them; `playlists.rs`, where they are watched.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use salon_core::event::RecordedBy;
use salon_core::notice::LivestreamStatus;
use salon_core::{AppId, MeetingId, RecordingId, Session, SessionId, Timestamp};
use salon_live::{Clock, Hub};
use salon_recordings::Livestreams;
use salon_store::{DAY_MS, Livestream, LivestreamDay, LivestreamFilter, Meeting, Store, acting};
use salon_wire::rest::SortOrder;
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::livestreams as wire;
use salon_wire::rest::recording_config::LiveStreamingConfig;
use serde_json::json;

use crate::flows::failed::Failed;
use crate::flows::live_task::live_task;
use crate::flows::livestreams as flow;
use crate::rest::auth::{Asker, Caller};
use crate::rest::body::Body;
use crate::rest::error::ApiError;
use crate::rest::here::Here;
use crate::rest::path::{At, LivestreamAt, LivestreamSessionAt};
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{self, Answer, Listed, created, data, page};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;

/// Longest name, in characters.
const MAX_NAME_CHARS: usize = 128;

/// The latest moment that can be asked for, in Unix seconds: beyond it no calendar goes.
const MAX_SECONDS: i64 = 253_402_300_799;

/// What livestreams are asked for with.
#[derive(Clone)]
pub struct LivestreamDesk {
    pub store: Store,
    pub hub: Hub,
    pub clock: Clock,
    pub livestreams: Livestreams,
}

/// Streams the live session of a meeting to whoever watches.
#[utoipa::path(post, path = "/meetings/{meeting_id}/livestreams", tag = "livestreams", request_body = wire::LivestreamStartBody,
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 201, body = Envelope<wire::Livestream>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn start(
    State(desk): State<LivestreamDesk>,
    asker: Asker,
    At(id): At<MeetingId>,
    Here(here): Here,
    Body(body): Body<wire::LivestreamStartBody>,
) -> Answer<wire::Livestream> {
    let meeting = desk.meeting(asker.app(), &id).await?;
    let name = named(body.name.flatten())?;
    let is_manual = body.manual_ingest == Some(true);
    let receiver = body.rtmp_out_config.as_ref().and_then(LiveStreamingConfig::address);
    if let Some(url) = receiver {
        desk.livestreams.may_stream_to(url).map_err(|why| ApiError::unprocessable(format!("\"rtmp_url\" {why}")))?;
    }
    let size = body.video_config.map_or((None, None), |video| (video.width, video.height));
    for (name, side) in [("video_config.width", size.0), ("video_config.height", size.1)] {
        if side.is_some_and(|side| !(1..=1_920).contains(&side)) {
            return Err(ApiError::invalid(name, "must be between 1 and 1920"));
        }
    }
    if is_manual {
        desk.livestreams.ingest_server().map_err(ApiError::unprocessable)?;
        if receiver.is_some() {
            return Err(ApiError::unprocessable("What comes from elsewhere is not streamed on; leave \"rtmp_out_config\" out"));
        }
    } else {
        desk.livestreams.can().map_err(ApiError::unprocessable)?;
    }
    let none = || ApiError::no_active_session(&meeting.id);
    let handle = live_task(&desk.hub, &meeting.id).await?.ok_or_else(none)?;
    let mut wanted = flow::livestream(&desk.livestreams, &meeting, (name, size), (asker.by(), here), desk.clock.now());
    receiver.into_iter().for_each(|url| wanted.stream_to(url));
    wanted.key = is_manual.then(flow::fresh_key);
    acting::about("livestream", wanted.id.as_str());
    let livestream = desk.livestreams.start(&handle, wanted).await.map_err(Failed::from)?;
    created(desk.shown(&livestream, true))
}

/// Ends the livestream of a meeting. It is no mistake if there is none.
#[utoipa::path(post, path = "/meetings/{meeting_id}/active-livestream/stop", tag = "livestreams",
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::LivestreamStopped>), (status = 404, body = ErrorBody)))]
pub async fn stop(State(desk): State<LivestreamDesk>, asker: Asker, At(id): At<MeetingId>) -> Answer<wire::LivestreamStopped> {
    let meeting = desk.meeting(asker.app(), &id).await?;
    let by = asker.by();
    match live_task(&desk.hub, &meeting.id).await? {
        Some(handle) => desk.livestreams.stop(&handle, by).await.map_err(Failed::from)?,
        // Whoever is not in has nothing to stop.
        None if matches!(by, RecordedBy::Participant(_)) => return Err(ApiError::no_active_session(&meeting.id)),
        None => {}
    }
    data(wire::LivestreamStopped { message: "livestream stopped".to_owned() })
}

/// The livestream of a meeting that goes on; `data` is empty if none does, or for participants who are not in.
#[utoipa::path(get, path = "/meetings/{meeting_id}/active-livestream", tag = "livestreams",
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Livestream>), (status = 404, body = ErrorBody)))]
pub async fn active(State(desk): State<LivestreamDesk>, asker: Asker, At(id): At<MeetingId>) -> Result<Response, ApiError> {
    let meeting = desk.meeting(asker.app(), &id).await?;
    let mut found = desk.store.active_livestream(&meeting.id).await?;
    let mut may_stream = matches!(&asker, Asker::Key(caller) if caller.may_manage);
    // Whoever waits to be let in, or was put out, is not told where the others can be watched.
    if let (RecordedBy::Participant(participant), true) = (asker.by(), found.is_some()) {
        let handle = live_task(&desk.hub, &meeting.id).await?;
        let may = move |session: &mut Session, _| (session.may_watch(&participant), session.may_stream(&participant));
        let (is_in, may) = match handle {
            Some(handle) => handle.call(may).await?,
            None => (false, false),
        };
        (found, may_stream) = (found.filter(|_| is_in), may);
    }
    // Clients expect it so.
    let data = found.map_or(json!({}), |found| json!(desk.shown(&found, may_stream).in_words()));
    Ok(reply::json(StatusCode::OK, &json!({ "success": true, "data": data })))
}

/// The livestreams of a meeting, newest first.
#[utoipa::path(get, path = "/meetings/{meeting_id}/livestream", tag = "livestreams",
    params(("meeting_id" = String, Path, format = "uuid"), wire::LivestreamPageQuery),
    responses((status = 200, body = salon_wire::rest::envelope::Page<wire::MeetingLivestreams>), (status = 404, body = ErrorBody)))]
pub async fn of_meeting(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(id): At<MeetingId>,
    asked: Asked,
) -> Listed<wire::MeetingLivestreams> {
    let meeting = desk.meeting(&caller.app, &id).await?;
    let filter = LivestreamFilter { page: asked.page()?, meeting: Some(meeting.id), ..LivestreamFilter::default() };
    let found = desk.store.livestreams(&caller.app, &filter).await?;
    let paging = paging(&filter.page, found.items.len(), found.total);
    let livestreams = found.items.iter().map(|found| desk.shown(found, caller.may_manage)).collect();
    page(wire::MeetingLivestreams { livestreams }, paging)
}

/// The livestreams of an app, newest first.
#[utoipa::path(get, path = "/livestreams", tag = "livestreams", params(wire::LivestreamsQuery),
    responses((status = 200, body = Envelope<wire::LivestreamList>), (status = 400, body = ErrorBody)))]
pub async fn list(State(desk): State<LivestreamDesk>, caller: Caller, asked: Asked) -> Answer<wire::LivestreamList> {
    let order = asked.one_of::<wire::LivestreamOrder>("sort_order")?.map(|order| match order {
        wire::LivestreamOrder::Asc => SortOrder::Asc,
        wire::LivestreamOrder::Dsc => SortOrder::Desc,
    });
    let status = asked.one_of::<wire::LivestreamStatus>("status")?;
    let filter = LivestreamFilter {
        page: asked.page_in(order)?,
        status: status.map(|status| match status {
            wire::LivestreamStatus::Live => LivestreamStatus::Live,
            wire::LivestreamStatus::Idle => LivestreamStatus::Idle,
            wire::LivestreamStatus::Errored => LivestreamStatus::Errored,
            wire::LivestreamStatus::Invoked => LivestreamStatus::Invoked,
        }),
        from: asked.instant("start_time")?,
        to: asked.instant("end_time")?,
        of_none: asked.flag("exclude_meetings")?,
        ..LivestreamFilter::default()
    };
    let found = desk.store.livestreams(&caller.app, &filter).await?;
    let items: Vec<_> = found.items.iter().map(|found| desk.shown(found, caller.may_manage).in_words()).collect();
    let paging = paging(&filter.page, items.len(), found.total);
    data(wire::LivestreamList { first: items.first().cloned(), livestreams: items, paging })
}

/// Makes a livestream of no meeting, which is streamed to this server by RTMP with its key, whenever somebody does.
#[utoipa::path(post, path = "/livestreams", tag = "livestreams", request_body = wire::LivestreamCreateBody,
    responses((status = 201, body = Envelope<wire::Livestream>), (status = 400, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn create(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    Here(here): Here,
    Body(body): Body<wire::LivestreamCreateBody>,
) -> Answer<wire::Livestream> {
    let name = named(body.name.flatten())?;
    desk.livestreams.ingest_server().map_err(ApiError::unprocessable)?;
    let by = (RecordedBy::Api, here);
    let mut livestream = flow::independent(&desk.livestreams, &caller.app, name, by, desk.clock.now());
    livestream.key = Some(flow::fresh_key());
    acting::about("livestream", livestream.id.as_str());
    desk.store.create_livestream(&livestream).await?;
    created(desk.shown(&livestream, true))
}

/// Lets a livestream of no meeting be streamed again, with the key that it had.
#[utoipa::path(put, path = "/livestreams/{livestream_id}/enable", tag = "livestreams",
    params(("livestream_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Livestream>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn enable(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(LivestreamAt(id)): At<LivestreamAt>,
) -> Answer<wire::Livestream> {
    desk.change(&caller, &id, |livestream| livestream.is_disabled = false).await
}

/// Lets nobody stream it any more; whoever does is ended.
#[utoipa::path(put, path = "/livestreams/{livestream_id}/disable", tag = "livestreams",
    params(("livestream_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Livestream>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn disable(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(LivestreamAt(id)): At<LivestreamAt>,
) -> Answer<wire::Livestream> {
    desk.change(&caller, &id, |livestream| livestream.is_disabled = true).await
}

/// Gives it another stream key; whoever streams with the one before is ended.
#[utoipa::path(post, path = "/livestreams/{livestream_id}/reset-stream-key", tag = "livestreams",
    params(("livestream_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::Livestream>), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub async fn reset_stream_key(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(LivestreamAt(id)): At<LivestreamAt>,
) -> Answer<wire::Livestream> {
    let key = flow::fresh_key();
    desk.change(&caller, &id, move |livestream| livestream.key = Some(key.clone())).await
}

/// One livestream, and its sessions.
#[utoipa::path(get, path = "/livestreams/{livestream_id}", tag = "livestreams",
    params(("livestream_id" = String, Path, format = "uuid"), wire::LivestreamPageQuery),
    responses((status = 200, body = Envelope<wire::LivestreamDetail>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(LivestreamAt(id)): At<LivestreamAt>,
    asked: Asked,
) -> Answer<wire::LivestreamDetail> {
    let found = desk.find(&caller.app, &id).await?;
    let page = asked.page()?;
    let runs = desk.store.livestream_runs(&found, &page).await?;
    let paging = paging(&page, runs.items.len(), runs.total);
    let sessions: Vec<_> = runs.items.iter().map(session).collect();
    let livestream = desk.shown(&found, caller.may_manage).in_words();
    data(wire::LivestreamDetail { livestream, session: sessions.first().cloned(), sessions, paging })
}

/// A livestream that goes on, and its session.
#[utoipa::path(get, path = "/livestreams/{livestream_id}/active-livestream-session", tag = "livestreams",
    params(("livestream_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::ActiveLivestreamSession>), (status = 404, body = ErrorBody)))]
pub async fn active_session(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(LivestreamAt(id)): At<LivestreamAt>,
) -> Answer<wire::ActiveLivestreamSession> {
    let found = desk.find(&caller.app, &id).await?;
    if !found.is_active() {
        return Err(ApiError::not_found(format!("No active session found for livestream {id}")));
    }
    let text = |seconds: u64| wire::Seconds::Text(seconds.to_string());
    let session = wire::LivestreamSession {
        // Here alone they are text.
        ingest_seconds: text(found.ingest_ms / 1_000),
        viewer_seconds: text(found.viewer_ms / 1_000),
        ..session(&found)
    };
    data(wire::ActiveLivestreamSession { livestream: desk.shown(&found, caller.may_manage).in_words(), session })
}

/// The session of a livestream.
#[utoipa::path(get, path = "/livestreams/sessions/{livestream_session_id}", tag = "livestreams",
    params(("livestream_session_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::LivestreamSession>), (status = 404, body = ErrorBody)))]
pub async fn show_session(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(LivestreamSessionAt(id)): At<LivestreamSessionAt>,
) -> Answer<wire::LivestreamSession> {
    let found = desk.store.livestream_of_run(&id).await?.filter(|found| found.app == caller.app);
    data(session(&found.ok_or_else(|| ApiError::not_found(format!("No livestream session found with id {id}")))?))
}

/// The livestreams of a session, newest first.
#[utoipa::path(get, path = "/sessions/{session_id}/livestream-sessions", tag = "livestreams",
    params(("session_id" = String, Path, format = "uuid"), wire::LivestreamPageQuery),
    responses((status = 200, body = Envelope<wire::LivestreamSessions>), (status = 404, body = ErrorBody)))]
pub async fn of_session(
    State(desk): State<LivestreamDesk>,
    caller: Caller,
    At(id): At<SessionId>,
    asked: Asked,
) -> Answer<wire::LivestreamSessions> {
    sessions::find(&desk.store, &caller, &id).await?;
    let filter = LivestreamFilter { page: asked.page()?, session: Some(id), ..LivestreamFilter::default() };
    let found = desk.store.livestreams(&caller.app, &filter).await?;
    let paging = paging(&filter.page, found.items.len(), found.total);
    data(wire::LivestreamSessions { data: found.items.iter().map(session).collect(), paging })
}

/// All livestreams of some time, added up.
#[utoipa::path(get, path = "/analytics/livestreams/overall", tag = "livestreams", params(wire::LivestreamStatsQuery),
    responses((status = 200, body = Envelope<wire::LivestreamStats>), (status = 400, body = ErrorBody)))]
pub async fn overall(State(desk): State<LivestreamDesk>, caller: Caller, asked: Asked) -> Answer<wire::LivestreamStats> {
    let mut sum = LivestreamDay { day: 0, livestreams: 0, ingest_ms: 0, viewer_ms: 0 };
    for day in desk.days(&caller.app, &asked).await? {
        sum.livestreams += day.livestreams;
        sum.ingest_ms += day.ingest_ms;
        sum.viewer_ms += day.viewer_ms;
    }
    data(stats(&sum))
}

/// The same by the day (UTC) on which they were asked for.
#[utoipa::path(get, path = "/analytics/livestreams/daywise", tag = "livestreams", params(wire::LivestreamStatsQuery),
    responses((status = 200, body = Envelope<Vec<wire::LivestreamDayStats>>), (status = 400, body = ErrorBody)))]
pub async fn daywise(State(desk): State<LivestreamDesk>, caller: Caller, asked: Asked) -> Answer<Vec<wire::LivestreamDayStats>> {
    let day = |day: &LivestreamDay| {
        let date = rfc3339(Timestamp(day.day * DAY_MS));
        wire::LivestreamDayStats { date, stats: stats(day) }
    };
    data(desk.days(&caller.app, &asked).await?.iter().map(day).collect())
}

impl LivestreamDesk {
    async fn meeting(&self, app: &AppId, id: &MeetingId) -> Result<Meeting, ApiError> {
        let found = self.store.meeting(app, id).await?;
        found.ok_or_else(|| ApiError::not_found(format!("No meeting found with id {id}")))
    }

    async fn find(&self, app: &AppId, id: &RecordingId) -> Result<Livestream, ApiError> {
        let found = self.store.livestream(id).await?.filter(|found| found.app == *app);
        found.ok_or_else(|| ApiError::not_found(format!("No livestream found with id {id}")))
    }

    /// Changes how it is streamed to us.
    async fn change(&self, caller: &Caller, id: &RecordingId, change: impl Fn(&mut Livestream)) -> Answer<wire::Livestream> {
        let found = self.find(&caller.app, id).await?;
        if found.key.is_none() {
            return Err(ApiError::unprocessable("This livestream comes from its meeting, and has no stream key"));
        }
        acting::about("livestream", id.as_str());
        let now = self.clock.now();
        let edited = self.store.edit_livestream(id, now, |livestream| {
            let before = livestream.clone();
            change(livestream);
            if *livestream != before {
                livestream.updated_at = now;
            }
        });
        let livestream = edited.await?;
        self.livestreams.changed(id);
        data(self.shown(&livestream, true))
    }

    /// As it is told, with its key for those who may stream it.
    fn shown(&self, livestream: &Livestream, with_key: bool) -> wire::Livestream {
        let stream_key = livestream.stream_key().filter(|_| with_key);
        let server = self.livestreams.ingest_server().ok().filter(|_| stream_key.is_some()).map(str::to_owned);
        wire::Livestream { ingest_server: server, stream_key, ..to_wire(livestream) }
    }

    async fn days(&self, app: &AppId, asked: &Asked) -> Result<Vec<LivestreamDay>, ApiError> {
        let (from, to) = (seconds(asked, "start_time")?, seconds(asked, "end_time")?);
        let from = from.map_or(Timestamp(0), |at| Timestamp(at * 1_000));
        let to = to.map_or(Timestamp(MAX_SECONDS * 1_000), |at| Timestamp(at * 1_000 + 999));
        Ok(self.store.livestream_days(app, from, to).await?)
    }
}

/// What it is to be called.
fn named(name: Option<String>) -> Result<Option<String>, ApiError> {
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if name.as_ref().is_some_and(|name| !plain(name) || name.len() > MAX_NAME_CHARS) {
        let rule = format_args!("must be at most {MAX_NAME_CHARS} letters, digits, '-' and '_'");
        return Err(ApiError::invalid("name", rule));
    }
    Ok(name)
}

/// A moment in Unix seconds.
fn seconds(asked: &Asked, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = asked.text(name)? else { return Ok(None) };
    let seconds = text.strip_suffix(".0").unwrap_or(text).parse().ok().filter(|at| (0..=MAX_SECONDS).contains(at));
    seconds.map(Some).ok_or_else(|| ApiError::invalid(name, "must be a moment in Unix seconds"))
}

fn stats(day: &LivestreamDay) -> wire::LivestreamStats {
    wire::LivestreamStats {
        count: day.livestreams,
        total_ingest_seconds: day.ingest_ms / 1_000,
        total_viewer_seconds: day.viewer_ms / 1_000,
    }
}

fn to_wire(livestream: &Livestream) -> wire::Livestream {
    wire::Livestream {
        id: livestream.id.to_string(),
        name: livestream.name.clone(),
        meeting_id: livestream.meeting.as_ref().map(ToString::to_string),
        status: match livestream.status {
            LivestreamStatus::Invoked => wire::LivestreamStatus::Invoked,
            LivestreamStatus::Live => wire::LivestreamStatus::Live,
            LivestreamStatus::Idle => wire::LivestreamStatus::Idle,
            LivestreamStatus::Errored => wire::LivestreamStatus::Errored,
        },
        playback_url: livestream.playback_url(),
        manual_ingest: livestream.key.is_some(),
        ingest_server: None,
        stream_key: None,
        disabled: livestream.key.is_some().then_some(wire::Disabled::Flag(livestream.is_disabled)),
        created_at: rfc3339(livestream.created_at),
        updated_at: rfc3339(livestream.updated_at),
    }
}

fn session(livestream: &Livestream) -> wire::LivestreamSession {
    // A new key is of the livestream, and of none of its sessions.
    let updated_at = match livestream.key {
        Some(_) => livestream.stopped_at.or(livestream.started_at).unwrap_or_else(|| livestream.asked_at()),
        None => livestream.updated_at,
    };
    wire::LivestreamSession {
        id: livestream.run.clone(),
        livestream_id: livestream.id.to_string(),
        err_message: livestream.error.clone(),
        invoked_time: rfc3339(livestream.asked_at()),
        started_time: livestream.started_at.map(rfc3339),
        stopped_time: livestream.stopped_at.map(rfc3339),
        created_at: rfc3339(livestream.asked_at()),
        updated_at: rfc3339(updated_at),
        ingest_seconds: wire::Seconds::Number(livestream.ingest_ms / 1_000),
        viewer_seconds: wire::Seconds::Number(livestream.viewer_ms / 1_000),
    }
}
