//! Livestreams over REST: start, stop, find, add up. The client SDK asks the same with a participant's token.
//! Invariant: a livestream of another app does not exist, and stopping one that is over is no mistake: clients that are refused
//! never get out of stopping (seen in web SDK 2.0.2).
//! Next: `salon_recordings::Livestreams`, which makes them; `playlists.rs`, where they are watched.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use salon_core::event::RecordedBy;
use salon_core::notice::LivestreamStatus;
use salon_core::{AppId, MeetingId, RecordingId, SessionId, Timestamp};
use salon_live::{Clock, Hub};
use salon_recordings::Livestreams;
use salon_store::{DAY_MS, Livestream, LivestreamDay, LivestreamFilter, Meeting, Page, Store, acting};
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
    let name = body.name.flatten();
    let plain = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if name.as_ref().is_some_and(|name| !plain(name) || name.len() > MAX_NAME_CHARS) {
        let rule = format_args!("must be at most {MAX_NAME_CHARS} letters, digits, '-' and '_'");
        return Err(ApiError::invalid("name", rule));
    }
    if body.manual_ingest == Some(true) {
        return Err(ApiError::unprocessable("This server streams what happens in the meeting; leave \"manual_ingest\" out"));
    }
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
    desk.livestreams.can().map_err(ApiError::unprocessable)?;
    let none = || ApiError::no_active_session(&meeting.id);
    let handle = live_task(&desk.hub, &meeting.id).await?.ok_or_else(none)?;
    let mut wanted = flow::livestream(&desk.livestreams, &meeting, (name, size), (asker.by(), here), desk.clock.now());
    receiver.into_iter().for_each(|url| wanted.stream_to(url));
    acting::about("livestream", wanted.id.as_str());
    let livestream = desk.livestreams.start(&handle, wanted).await.map_err(Failed::from)?;
    created(to_wire(&livestream))
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
    // Whoever waits to be let in, or was put out, is not told where the others can be watched.
    if let (RecordedBy::Participant(participant), true) = (asker.by(), found.is_some()) {
        let handle = live_task(&desk.hub, &meeting.id).await?;
        let is_in = match handle {
            Some(handle) => handle.call(move |session, _| session.may_watch(&participant)).await?,
            None => false,
        };
        found = found.filter(|_| is_in);
    }
    // Clients expect it so.
    let data = found.map_or(json!({}), |found| json!(to_wire(&found)));
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
    page(wire::MeetingLivestreams { livestreams: found.items.iter().map(to_wire).collect() }, paging)
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
        ..LivestreamFilter::default()
    };
    // All there are come from meetings.
    let (items, total) = match asked.flag("exclude_meetings")? {
        true => (Vec::new(), 0),
        false => {
            let found = desk.store.livestreams(&caller.app, &filter).await?;
            (found.items.iter().map(to_wire).collect(), found.total)
        }
    };
    let paging = paging(&filter.page, items.len(), total);
    data(wire::LivestreamList { first: items.first().cloned(), livestreams: items, paging })
}

/// One livestream, and its session.
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
    let paging = paging(&Page { offset: 0, ..asked.page()? }, 1, 1);
    data(wire::LivestreamDetail { livestream: to_wire(&found), session: session(&found), paging })
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
    data(wire::ActiveLivestreamSession { livestream: to_wire(&found), session })
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

/// Livestreams that belong to no meeting, and their keys: refused in words.
pub async fn independent() -> ApiError {
    ApiError::unprocessable("This server streams meetings: it takes no streams from elsewhere, and gives no stream keys")
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

    async fn days(&self, app: &AppId, asked: &Asked) -> Result<Vec<LivestreamDay>, ApiError> {
        let (from, to) = (seconds(asked, "start_time")?, seconds(asked, "end_time")?);
        let from = from.map_or(Timestamp(0), |at| Timestamp(at * 1_000));
        let to = to.map_or(Timestamp(MAX_SECONDS * 1_000), |at| Timestamp(at * 1_000 + 999));
        Ok(self.store.livestream_days(app, from, to).await?)
    }
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
        meeting_id: livestream.meeting.to_string(),
        status: match livestream.status {
            LivestreamStatus::Invoked => wire::LivestreamStatus::Invoked,
            LivestreamStatus::Live => wire::LivestreamStatus::Live,
            LivestreamStatus::Idle => wire::LivestreamStatus::Idle,
            LivestreamStatus::Errored => wire::LivestreamStatus::Errored,
        },
        playback_url: livestream.playback_url(),
        manual_ingest: false,
        created_at: rfc3339(livestream.created_at),
        updated_at: rfc3339(livestream.updated_at),
    }
}

fn session(livestream: &Livestream) -> wire::LivestreamSession {
    wire::LivestreamSession {
        id: livestream.run.clone(),
        livestream_id: livestream.id.to_string(),
        err_message: livestream.error.clone(),
        invoked_time: rfc3339(livestream.created_at),
        started_time: livestream.started_at.map(rfc3339),
        stopped_time: livestream.stopped_at.map(rfc3339),
        created_at: rfc3339(livestream.created_at),
        updated_at: rfc3339(livestream.updated_at),
        ingest_seconds: wire::Seconds::Number(livestream.ingest_ms / 1_000),
        viewer_seconds: wire::Seconds::Number(livestream.viewer_ms / 1_000),
    }
}
