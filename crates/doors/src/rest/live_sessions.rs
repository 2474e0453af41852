//! The live sessions of an app, now and from now on: Salon's own beside the contract.
//! Invariant: the store says which there are, and those that run here tell how they stand; no number is a count of its own.
//! Next: `watching/board.rs`, the stream.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use salon_core::{SessionId, Timestamp};
use salon_quality::{Quality, Word};
use salon_store::{LiveFilter, SessionRow, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::live_sessions as wire;

use crate::people::{Marks, live_session};
use crate::rest::auth::Caller;
use crate::rest::beside::{self, Beside};
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::query::{Asked, MAX_SEARCH_CHARS};
use crate::rest::reply::{Answer, data};
use crate::rest::watching::{Watching, cursor};

/// Sessions in one answer, and at most.
const SESSIONS: u32 = 100;
const MAX_SESSIONS: u32 = 1_000;

/// The live sessions of the app, newest first.
#[utoipa::path(get, path = "/active-sessions", tag = "active_session",
    description = "Salon's own; not in the contract.", params(wire::LiveSessionsQuery),
    responses((status = 200, body = Envelope<wire::LiveSessions>), (status = 400, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    State(teller): State<Teller>,
    State(quality): State<Quality>,
    caller: Caller,
    asked: Asked,
) -> Answer<wire::LiveSessions> {
    let limit = asked.limit(SESSIONS, MAX_SESSIONS)?;
    let after = asked
        .named("after")?
        .map(|text| place(text).ok_or_else(|| ApiError::invalid("after", "must be a \"next_after\" that this list gave")));
    let filter = LiveFilter {
        search: asked.text("search")?.map(str::to_owned),
        meeting: asked.id("meeting_id")?,
        node: asked.named("node")?.map(str::to_owned),
        people_min: asked
            .named("min_people")?
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| ApiError::invalid("min_people", "must be an integer"))?,
    };
    if filter.search.as_ref().is_some_and(|search| search.chars().count() > MAX_SEARCH_CHARS) {
        return Err(ApiError::invalid("search", format_args!("must not be longer than {MAX_SEARCH_CHARS} characters")));
    }
    let after = after.transpose()?;
    let sort = asked.one_of::<wire::LiveSort>("sort_by")?.unwrap_or_default();
    let word = asked.named("worst")?;
    let word = word.map(|word| {
        Word::named(word)
            .ok_or_else(|| ApiError::invalid("worst", format_args!("must be one of {}", Word::ALL.map(Word::name).join(", "))))
    });
    let word = word.transpose()?;
    let is_whole = sort == wire::LiveSort::StartedAt && word.is_none();
    if after.is_some() && !is_whole {
        return Err(ApiError::invalid("after", "goes with neither \"worst\" nor another order than started_at"));
    }
    let recorded = store.recorded_sessions(&caller.app).await?;
    if is_whole {
        let total_count = store.count_live_sessions(&caller.app, &filter).await?;
        let rows = store.live_sessions(&caller.app, &filter, after, limit).await?;
        let last = rows.last().filter(|_| rows.len() as u32 == limit);
        let next_after = last.map(|row| format!("{}-{}", row.summary.created_at.0, row.summary.session));
        let beside = beside(&quality, &teller, &rows).await;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in &rows {
            sessions.extend(current(&store, &teller, row, marks(&recorded, &beside, row)).await?);
        }
        return data(wire::LiveSessions { sessions, total_count, next_after });
    }
    // How calls are is in no index, so all are looked at; told are as many as on any page.
    let mut rows = store.all_live_sessions(&caller.app, &filter).await?;
    let beside = beside(&quality, &teller, &rows).await;
    let of = |row: &SessionRow| beside.get(&row.summary.session)?.worst;
    if let Some(word) = word {
        rows.retain(|row| of(row).is_some_and(|worst| [worst.sound, worst.picture].contains(&Some(word))));
    }
    match sort {
        wire::LiveSort::StartedAt => {}
        wire::LiveSort::People => rows.sort_by_key(|row| Reverse(row.summary.live)),
        wire::LiveSort::Worst => rows.sort_by_key(|row| Reverse(of(row).map(|worst| (worst.people, worst.sound, worst.picture)))),
    }
    let total_count = rows.len() as u64;
    let mut sessions = Vec::new();
    for row in rows.iter().take(limit as usize) {
        sessions.extend(current(&store, &teller, row, marks(&recorded, &beside, row)).await?);
    }
    data(wire::LiveSessions { sessions, total_count, next_after: None })
}

/// What is known beside the record of those of them that run here, and of the others as their nodes tell it.
async fn beside(quality: &Quality, teller: &Teller, rows: &[SessionRow]) -> HashMap<SessionId, Beside> {
    let mut known = beside::elsewhere(teller, rows).await;
    let here = rows.iter().filter(|row| row.owner_node == teller.hub.name());
    let began = here.map(|row| (row.summary.session.clone(), row.summary.started_at)).collect();
    for (id, worst) in quality.worst(&began, teller.clock.now()) {
        known.insert(id, Beside { waiting: None, worst: Some(worst) });
    }
    known
}

fn marks(recorded: &HashSet<SessionId>, beside: &HashMap<SessionId, Beside>, row: &SessionRow) -> Marks {
    let Beside { waiting, worst } = beside.get(&row.summary.session).copied().unwrap_or_default();
    Marks { recording: recorded.contains(&row.summary.session), waiting, worst }
}

/// The same as a stream of how they stand.
#[utoipa::path(get, path = "/active-sessions/stream", tag = "active_session",
    description = "Salon's own; not in the contract. `text/event-stream`: `begin`, `sessions`, `end`, `gone`, `bye`, and those of \
                   the stream of people.", params(wire::LiveSessionsStreamQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn watch(
    State(watching): State<Watching>,
    caller: Caller,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let also: Option<SessionId> = asked.id("also")?;
    watching.sessions(&caller, also.as_ref(), cursor(&asked, &headers)?).await
}

/// A session that was live when the store was asked, as it stands now; none if it is over by now.
async fn current(store: &Store, teller: &Teller, row: &SessionRow, marks: Marks) -> Result<Option<wire::LiveSession>, ApiError> {
    let now = teller.clock.now();
    let (hub, stored) = (&teller.hub, &row.summary);
    if let Some(here) = hub.summary(stored.meeting.as_str(), now)?.filter(|here| *here.session() == stored.session) {
        let told = teller.told(here.at(now))?;
        let marks = Marks { waiting: Some(here.waiting()), ..marks };
        return Ok(Some(live_session(here.summary(&told), hub.name(), marks)));
    }
    match hub.elsewhere(row) {
        Ok(at) => {
            teller.told(at)?;
            Ok(Some(live_session(stored, &row.owner_node, marks)))
        }
        // It may have ended since.
        Err(unavailable) => match store.session_row(&stored.app, &stored.session).await? {
            Some(row) if row.summary.ended_at.is_none() => Err(unavailable.into()),
            _ => Ok(None),
        },
    }
}

/// A place in the list.
fn place(text: &str) -> Option<(Timestamp, SessionId)> {
    let (at, session) = text.split_once('-')?;
    Some((Timestamp(at.parse().ok()?), SessionId::parse(session).ok()?))
}
