//! What an app was used for, by day. By the hour, and in any time zone: `hours.rs`.
//! Invariant: the days add up to what the list of sessions adds up to, at the same moment: what is over is a sum that is kept,
//! what is live is told exactly as the list tells it.

use std::collections::BTreeMap;

use axum::extract::State;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use salon_core::{AppId, Timestamp};
use salon_store::{DAY_MS, LiveFilter, RecordingDay, SessionRow, Store, day_of};
use salon_wire::rest::analytics as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody};

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions::current;
use crate::rfc3339::rfc3339;

/// Days of an answer that names no first one, today among them.
const USUAL_DAYS: i64 = 30;

/// How often the two halves of the answer are read until nothing ended between them.
const MAX_TRIES: u32 = 8;

/// Most days of one answer: ten years.
const MAX_DAYS: i64 = 3_660;

/// Sessions and minutes by the day (UTC) on which the session was made.
#[utoipa::path(get, path = "/analytics/daywise", tag = "analytics", params(wire::DaywiseQuery),
    responses((status = 200, body = Envelope<wire::OrgAnalytics>), (status = 400, body = ErrorBody)))]
pub async fn daywise(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    asked: Asked,
) -> Answer<wire::OrgAnalytics> {
    let now = teller.clock.now();
    let day = |name: &str| Ok::<_, ApiError>(asked.instant(name)?.map(day_of));
    let last = day("end_date")?.unwrap_or(day_of(now));
    let first = day("start_date")?.unwrap_or(last - USUAL_DAYS + 1);
    if first > last {
        return Err(ApiError::invalid("start_date", "must not be after \"end_date\""));
    }
    if last - first >= MAX_DAYS {
        return Err(ApiError::invalid("start_date", format_args!("must be at most {MAX_DAYS} days before \"end_date\"")));
    }
    let (over, live) = halves(&store, &caller.app, || store.session_days(&caller.app, first, last).boxed()).await?;
    let mut days: BTreeMap<i64, (u64, f64)> = BTreeMap::new();
    for day in over {
        days.insert(day.day, (day.sessions, day.settled_ms as f64 / 60_000.0));
    }
    let live: Vec<_> = live.iter().filter(|row| (first..=last).contains(&day_of(row.summary.created_at))).collect();
    for (row, told) in live.iter().zip(current(&teller, &live, now).await?) {
        let day = days.entry(day_of(row.summary.created_at)).or_default();
        *day = (day.0 + 1, day.1 + told.session.minutes_consumed);
    }
    let day_stats = days.iter().map(|(day, (sessions, minutes))| wire::SessionDayStats {
        day: rfc3339(Timestamp(day * DAY_MS)),
        total_sessions: *sessions,
        total_session_minutes: *minutes,
    });
    data(wire::OrgAnalytics {
        session_stats: wire::SessionStats {
            sessions_count: days.values().map(|(sessions, _)| sessions).sum(),
            sessions_minutes_consumed: days.values().map(|(_, minutes)| minutes).sum(),
            day_stats: day_stats.collect(),
        },
        recording_stats: recordings(&store.recording_days(&caller.app, first, last, now).await?),
    })
}

/// Sums of sessions that are over, and all that are live, so that none is missing that ended meanwhile.
pub async fn halves<'s, T: PartialEq>(
    store: &Store,
    app: &AppId,
    sums: impl Fn() -> BoxFuture<'s, salon_store::Result<T>>,
) -> Result<(T, Vec<SessionRow>), ApiError> {
    let mut tries = 1;
    loop {
        let over = sums().await?;
        let live = store.all_live_sessions(app, &LiveFilter::default()).await?;
        // One that ended between the two is in neither; then the sums have changed.
        if tries == MAX_TRIES || over == sums().await? {
            return Ok((over, live));
        }
        tries += 1;
    }
}

/// Recordings by the day (UTC) on which they began, those that run up to now.
fn recordings(days: &[RecordingDay]) -> wire::RecordingStats {
    let minutes = |ms: i64| ms as f64 / 60_000.0;
    let day_stats = days.iter().map(|day| wire::RecordingDayStats {
        day: rfc3339(Timestamp(day.day * DAY_MS)),
        total_recordings: day.recordings,
        total_recording_minutes: minutes(day.recorded_ms) as u64,
    });
    wire::RecordingStats {
        recording_count: days.iter().map(|day| day.recordings).sum(),
        recording_minutes_consumed: days.iter().map(|day| minutes(day.recorded_ms)).sum(),
        day_stats: day_stats.collect(),
    }
}
