//! Who is in a live session, now and from now on: Salon's own beside the contract.
//! Invariant: both are the fold of the record as of one event, told with the proofs that `active-session` needs.
//! Next: `crate::people`, the words; `watching.rs`, the stream.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use salon_core::{MeetingId, PeerId};
use salon_live::Unavailable;
use salon_media::Owners;
use salon_quality::Quality;
use salon_store::Store;
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::people as wire;

use crate::people;
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::quality as lines;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rest::watching::{Watching, cursor};

/// People in one answer, and at most.
const PEOPLE: u32 = 200;
const MAX_PEOPLE: u32 = 2_000;

/// The people of the live session.
#[utoipa::path(get, path = "/meetings/{meeting_id}/active-session/people", tag = "active_session",
    description = "Salon's own; not in the contract.",
    params(("meeting_id" = String, Path, format = "uuid"), wire::PeopleQuery),
    responses((status = 200, body = Envelope<wire::People>), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    State(teller): State<Teller>,
    State(media): State<Arc<Owners>>,
    State(quality): State<Quality>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    asked: Asked,
) -> Answer<wire::People> {
    let limit = asked.limit(PEOPLE, MAX_PEOPLE)? as usize;
    let after = asked.text("after")?.map(|text| text.parse::<u64>());
    let after = after.transpose().map_err(|_| ApiError::invalid("after", "must be a \"next_after\" that this list gave"))?;
    let only = asked.text("peer_id")?.map(str::to_owned);
    let with_tracks = asked.text("fields")?.is_some();
    if asked.all("fields").iter().any(|field| !["", "tracks"].contains(field)) {
        return Err(ApiError::invalid("fields", "must be tracks"));
    }
    let here = here(&teller, &quality, &caller, &meeting).await?;
    let mut found = match here {
        Some(found) => found,
        None => brought(&store, (&teller, &quality), &caller, &meeting).await?,
    };
    found.people.retain(|person| after.is_none_or(|after| person.order > after));
    found.people.retain(|person| only.as_ref().is_none_or(|only| person.peer_id == *only));
    if found.people.len() > limit {
        found.people.truncate(limit);
        found.next_after = found.people.last().map(|last| last.order);
    }
    if let Some(quality) = &mut found.quality {
        quality.retain(|quality| found.people.iter().any(|person| person.peer_id == quality.peer_id));
    }
    if with_tracks {
        add_tracks(&media, &meeting, &mut found.people).await?;
    }
    data(found)
}

/// The same as a stream of what changes.
#[utoipa::path(get, path = "/meetings/{meeting_id}/active-session/people/stream", tag = "active_session",
    description = "Salon's own; not in the contract. `text/event-stream`: `snapshot`, `change`, `quality`, `door`, `ended`, `none`, `bye`.",
    params(("meeting_id" = String, Path, format = "uuid"), wire::PeopleStreamQuery),
    responses((status = 200, body = String, content_type = "text/event-stream"), (status = 400, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub async fn watch(
    State(watching): State<Watching>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response<Body>, ApiError> {
    let wait = asked.flag("wait")?;
    watching.people(&caller, &meeting, cursor(&asked, &headers)?, wait).await
}

/// Those of a session that is live here; none if it is not.
async fn here(
    teller: &Teller,
    quality: &Quality,
    caller: &Caller,
    meeting: &MeetingId,
) -> Result<Option<wire::People>, ApiError> {
    let Teller { hub, clock, .. } = teller;
    if hub.summary(meeting.as_str(), clock.now())?.is_none() {
        return Ok(None);
    }
    let Some(handle) = hub.find(meeting.as_str()) else { return Ok(None) };
    let asked = handle.call(|session, _| {
        let record = session.record().filter(|record| record.ended.is_none())?;
        let waiting = session.waiting().iter().map(people::waiting).collect();
        let people = wire::People { waiting: Some(waiting), ..people::people(record, record.updated_at, 0.0) };
        let peers: Vec<PeerId> = record.present().map(|peer| peer.who.peer.clone()).collect();
        Some((record.summary(), people, peers))
    });
    let Some((summary, people, peers)) = asked.await? else { return Ok(None) };
    if summary.app != caller.app {
        return Err(ApiError::no_active_session(meeting));
    }
    let now = clock.now();
    let live = hub.summary(meeting.as_str(), now)?.filter(|live| *live.session() == summary.session).ok_or(Unavailable)?;
    let told = teller.told(live.at(now))?;
    let (at, minutes_consumed) = (crate::rfc3339::rfc3339(told.at()), live.minutes(&summary, &told));
    let standings = quality.standings((&summary.session, summary.started_at), told.at(), peers.iter());
    let quality = standings.iter().map(|(peer, standing)| people::quality(peer, standing)).collect();
    Ok(Some(wire::People { at, minutes_consumed, quality: Some(quality), ..people }))
}

/// Those of a session that this node did not know of: left behind by a node that died, or another's.
async fn brought(
    store: &Store,
    (teller, quality): (&Teller, &Quality),
    caller: &Caller,
    meeting: &MeetingId,
) -> Result<wire::People, ApiError> {
    let none = || ApiError::no_active_session(meeting);
    store.live_session_of(meeting).await?.filter(|row| row.summary.app == caller.app).ok_or_else(none)?;
    sessions::bring(teller, meeting).await?;
    here(teller, quality, caller, meeting).await?.ok_or_else(none)
}

/// What goes over the lines of each of them.
async fn add_tracks(media: &Owners, meeting: &MeetingId, people: &mut [wire::Person]) -> Result<(), ApiError> {
    let asked = media.lines(meeting).await;
    let mut known: HashMap<PeerId, _> = asked
        .map_err(|error| ApiError::unavailable("The media server has too much to do; try again").because(error.to_string()))?
        .into_iter()
        .collect();
    let from = |track: &str| media.publisher(track);
    for person in people {
        let Ok(id) = PeerId::parse(&person.peer_id) else { continue };
        let found = lines::peer(&id, &known.remove(&id).unwrap_or_default(), &from);
        person.tracks = Some(wire::Tracks { publishing: found.publishing, receiving: found.receiving });
    }
    Ok(())
}
