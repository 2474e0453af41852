//! Sessions over REST, live and ended: lists and details. The people in them: `session_people.rs`.
//! Invariant: a live session reads the same here and at `active-session` at the same moment: both are its summary.

use axum::extract::State;
use salon_core::{MeetingId, SessionId, Summary, Timestamp};
use salon_store::{SessionFilter, SessionRow, SessionSort, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::sessions as wire;

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rfc3339::rfc3339;

/// The sessions of an app, newest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(wire::SessionsQuery),
    responses((status = 200, body = Page<wire::SessionList>), (status = 400, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    asked: Asked,
) -> Listed<wire::SessionList> {
    let (participants_min, participants_max) = range(&asked, "participants")?;
    let now = teller.clock.now();
    let filter = SessionFilter {
        page: asked.page()?,
        sort: match asked.one_of::<wire::SessionSortBy>("sort_by")? {
            Some(wire::SessionSortBy::MinutesConsumed) => SessionSort::MinutesConsumed,
            Some(wire::SessionSortBy::CreatedAt) | None => SessionSort::CreatedAt,
        },
        live: asked.one_of::<wire::SessionStatus>("status")?.map(|status| status == wire::SessionStatus::Live),
        meeting: asked.id("associated_id")?,
        from: asked.instant("start_time")?,
        to: asked.instant("end_time")?,
        participants_min,
        participants_max,
        now,
    };
    let found = store.sessions(&caller.app, &filter).await?;
    let sessions = found.items.iter().map(|row| current(&teller, row, now)).collect::<Result<Vec<_>, _>>()?;
    let paging = paging(&filter.page, sessions.len(), found.total);
    page(wire::SessionList { sessions }, paging)
}

/// One session.
#[utoipa::path(get, path = "/sessions/{session_id}", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid"), wire::SessionQuery),
    responses((status = 200, body = Envelope<wire::Session>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    At(id): At<SessionId>,
    asked: Asked,
) -> Answer<wire::Session> {
    let row = find(&store, &caller, &id).await?;
    let now = teller.clock.now();
    let mut session = current(&teller, &row, now)?;
    if asked.flag("include_breakout_rooms")? {
        let of = &row.summary;
        session.breakout_rooms = breakouts(&teller, &store, (&of.meeting, &of.session), of.ended_at.is_none(), now).await?;
    }
    data(session)
}

/// The sessions of meetings connected with that of a session, as far as they belong to it, each as of now; `None` if there
/// are none.
pub async fn breakouts(
    teller: &Teller,
    store: &Store,
    (meeting, session): (&MeetingId, &SessionId),
    is_live: bool,
    now: Timestamp,
) -> Result<Option<Vec<wire::Session>>, ApiError> {
    let rows = store.breakouts(meeting, session, is_live).await?;
    let sessions = rows.iter().map(|row| current(teller, row, now)).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(sessions).filter(|sessions| !sessions.is_empty()))
}

/// The session of this id, if it is of the caller's app.
pub async fn find(store: &Store, caller: &Caller, id: &SessionId) -> Result<SessionRow, ApiError> {
    let found = store.session_row(&caller.app, id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("No session found with id {id}")))
}

/// A stored session as of now.
pub fn current(teller: &Teller, row: &SessionRow, now: Timestamp) -> Result<wire::Session, ApiError> {
    let stored = &row.summary;
    if stored.ended_at.is_some() {
        return Ok(to_wire(stored, stored.minutes_consumed(now)));
    }
    // The copy that is live here may be an event ahead of the row.
    let here = teller.hub.summary(stored.meeting.as_str(), now)?.filter(|here| *here.session() == stored.session);
    match here {
        Some(here) => {
            let (summary, minutes) = here.tell(&teller.told(here.at(now))?);
            Ok(to_wire(summary, minutes))
        }
        None => {
            let told = teller.told(teller.hub.elsewhere(row)?)?;
            Ok(to_wire(stored, stored.minutes_consumed(told.at())))
        }
    }
}

/// A summary as the wire has it, with the minutes at the moment that is told.
pub fn to_wire(summary: &Summary, minutes_consumed: f64) -> wire::Session {
    wire::Session {
        id: summary.session.to_string(),
        associated_id: summary.meeting.to_string(),
        meeting_display_name: summary.title.clone(),
        session_type: wire::SessionType::Meeting,
        status: if summary.ended_at.is_some() { wire::SessionStatus::Ended } else { wire::SessionStatus::Live },
        live_participants: summary.live.into(),
        max_concurrent_participants: summary.max_concurrent.into(),
        minutes_consumed,
        organization_id: summary.app.to_string(),
        started_at: rfc3339(summary.started_at),
        ended_at: summary.ended_at.map(rfc3339),
        created_at: rfc3339(summary.created_at),
        updated_at: rfc3339(summary.updated_at),
        breakout_rooms: None,
        meta: None,
    }
}

/// Reads `min:max`, where either side may be missing; a single number is both.
fn range(asked: &Asked, name: &str) -> Result<(Option<u32>, Option<u32>), ApiError> {
    let Some(text) = asked.given(name)? else { return Ok((None, None)) };
    let malformed = || ApiError::invalid(name, "must be of the form min:max");
    let bound = |text: &str| text.trim().parse().map_err(|_| malformed());
    let side = |text: &str| if text.trim().is_empty() { Ok(None) } else { bound(text).map(Some) };
    match text.split_once(':') {
        Some((min, max)) => Ok((side(min)?, side(max)?)),
        None => bound(text).map(|both| (Some(both), Some(both))),
    }
}
