//! Sessions over REST, live and ended: lists and details. The people in them: `session_people.rs`.
//! Invariant: a live session reads the same here and at `active-session` at the same moment: both are its summary.

use std::collections::{BTreeMap, HashMap};

use axum::extract::State;
use futures_util::future::join_all;
use salon_cluster::Nodes;
use salon_core::{MeetingId, SessionId, Summary, Timestamp};
use salon_store::{SessionFilter, SessionRow, SessionSort, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::nodes as between;
use salon_wire::rest::sessions as wire;

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rfc3339::rfc3339;
use salon_live::{Place, Unavailable};

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
    let told = current(&teller, &found.items.iter().collect::<Vec<_>>(), now).await?;
    let sessions: Vec<_> = told.into_iter().map(|current| current.session).collect();
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
    let row = find_here(&store, &teller, &caller, &id).await?;
    let now = teller.clock.now();
    let mut session = one(&teller, &row, now)?.session;
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
    let told = current(teller, &rows.iter().collect::<Vec<_>>(), now).await?;
    let sessions: Vec<_> = told.into_iter().map(|current| current.session).collect();
    Ok(Some(sessions).filter(|sessions| !sessions.is_empty()))
}

/// The session of this id, if it is of the caller's app.
pub async fn find(store: &Store, caller: &Caller, id: &SessionId) -> Result<SessionRow, ApiError> {
    let found = store.session_row(&caller.app, id).await?;
    found.ok_or_else(|| ApiError::not_found(format!("No session found with id {id}")))
}

/// The same, if it is over or this node may tell of it.
///
/// # Errors
/// `Elsewhere` if another node runs it.
pub async fn find_here(store: &Store, teller: &Teller, caller: &Caller, id: &SessionId) -> Result<SessionRow, ApiError> {
    let row = find(store, caller, id).await?;
    if is_told_here(teller, &row)? {
        return Ok(row);
    }
    bring(teller, &row.summary.meeting).await?;
    // It may be over now.
    find(store, caller, id).await
}

/// Whether a session is over, or runs here.
fn is_told_here(teller: &Teller, row: &SessionRow) -> Result<bool, ApiError> {
    if row.summary.ended_at.is_some() {
        return Ok(true);
    }
    let live = teller.hub.summary(row.summary.meeting.as_str(), teller.clock.now())?;
    Ok(live.is_some_and(|live| *live.session() == row.summary.session))
}

/// Makes sure that a meeting's live session is this node's to tell of: one without a living owner is taken over.
///
/// # Errors
/// `Elsewhere` if another node runs it.
pub async fn bring(teller: &Teller, meeting: &MeetingId) -> Result<(), ApiError> {
    match teller.hub.place(meeting).await? {
        Some(Place::There(remote)) => Err(ApiError::elsewhere(remote)),
        Some(Place::Here(_)) | None => Ok(()),
    }
}

/// A session as it is told.
pub struct Current {
    pub session: wire::Session,
    /// The moment up to which its minutes count; of one that is over any will do.
    pub until: Timestamp,
}

/// Stored sessions as of now, each as the node that runs it tells it.
pub async fn current(teller: &Teller, rows: &[&SessionRow], now: Timestamp) -> Result<Vec<Current>, ApiError> {
    let (mut told, mut others) = (Vec::with_capacity(rows.len()), BTreeMap::<_, Vec<_>>::new());
    for row in rows {
        match is_told_here(teller, row)? || teller.nodes.is_none() {
            true => told.push(Some(one(teller, row, now)?)),
            false => {
                others.entry(row.owner_address.clone()).or_default().push((told.len(), *row));
                told.push(None);
            }
        }
    }
    // At once, so that one which stands still costs its own time only.
    let asked = others.into_iter().map(|(address, rows)| async move {
        let answer = match (&address, &teller.nodes) {
            (Some(address), Some(nodes)) => ask(nodes, address, rows.iter().map(|(_, row)| *row), false).await,
            _ => Vec::new(),
        };
        (rows, answer)
    });
    for (rows, answer) in join_all(asked).await {
        let answer = answer
            .into_iter()
            .map(|told| (told.session.id.clone(), Current { session: told.session, until: Timestamp(told.until_ms) }));
        let mut sessions: HashMap<_, _> = answer.collect();
        for (at, row) in rows {
            let current = match sessions.remove(row.summary.session.as_str()) {
                Some(current) => current,
                None => {
                    // It was moved, or its node is gone.
                    bring(teller, &row.summary.meeting).await?;
                    one(teller, row, now)?
                }
            };
            told[at] = Some(current);
        }
    }
    Ok(told.into_iter().flatten().collect())
}

/// What another node tells of its sessions, and with `calls` how calls in them are; nothing of those it does not run, or while
/// it does not answer.
pub async fn ask(
    nodes: &Nodes,
    address: &str,
    rows: impl Iterator<Item = &SessionRow>,
    calls: bool,
) -> Vec<between::ToldSession> {
    let meetings: Vec<String> = rows.map(|row| row.summary.meeting.to_string()).collect();
    let mut told = Vec::with_capacity(meetings.len());
    for meetings in meetings.chunks(between::MAX_MEETINGS) {
        let meetings = meetings.to_vec();
        let question = serde_json::to_vec(&between::Asked { meetings, calls }).expect("ids are plain data");
        let answer = match nodes.ask(address, between::SESSIONS, question.into()).await {
            Ok(answer) => serde_json::from_slice::<between::Sessions>(&answer).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(answer) => told.extend(answer.sessions),
            Err(error) => {
                tracing::warn!(error, "another node does not tell what its sessions are");
                break;
            }
        }
    }
    told
}

/// The session that is live here in a meeting.
pub fn here(teller: &Teller, meeting: &str, now: Timestamp) -> Result<Option<Current>, ApiError> {
    let Some(here) = teller.hub.summary(meeting, now)? else { return Ok(None) };
    let told = teller.told(here.at(now))?;
    let (summary, minutes) = here.tell(&told);
    Ok(Some(Current { session: to_wire(summary, minutes), until: told.at().max(summary.updated_at) }))
}

/// A stored session that is over or live here.
fn one(teller: &Teller, row: &SessionRow, now: Timestamp) -> Result<Current, ApiError> {
    let stored = &row.summary;
    if let Some(ended_at) = stored.ended_at {
        return Ok(Current { session: to_wire(stored, stored.minutes_consumed(now)), until: ended_at });
    }
    // The copy that is live here may be an event ahead of the row.
    match here(teller, stored.meeting.as_str(), now)? {
        Some(current) if current.session.id == stored.session.as_str() => Ok(current),
        _ => Err(Unavailable.into()),
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
