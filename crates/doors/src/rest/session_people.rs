//! The people of a session over REST: one entry per peer, from the index of the records; from the record itself where more
//! is asked than the index has, or while it has not the session yet.
//! Invariant: the list holds the peers that count, so that their durations add up to the session's minutes; hidden
//! people and robots are found by id only. Next: `salon_store::PeerRow`, one row, however it was come by.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::extract::State;
use salon_core::record::Peer;
use salon_core::{AppId, PeerId, PresetId, Record, SessionId, Timestamp};
use salon_store::{PeerRow, PeerSort, SessionRow, Store};
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::presets::ViewType;
use salon_wire::rest::sessions::{self as wire, PeerViewType};

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::{At, PeerOrParticipant};
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rest::{peer_report, sessions};
use crate::rfc3339::rfc3339;
use salon_live::Unavailable;
use salon_quality::Quality;

/// The peers of a session, last come first.
#[utoipa::path(get, path = "/sessions/{session_id}/participants", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid"), wire::SessionParticipantsQuery),
    responses((status = 200, body = Page<wire::SessionParticipantList>), (status = 404, body = ErrorBody)))]
pub async fn list(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    At(id): At<SessionId>,
    asked: Asked,
) -> Listed<wire::SessionParticipantList> {
    let wanted = asked.page()?;
    let by = match asked.one_of::<wire::SessionParticipantSortBy>("sort_by")? {
        Some(wire::SessionParticipantSortBy::Duration) => PeerSort::Duration,
        Some(wire::SessionParticipantSortBy::JoinedAt) | None => PeerSort::JoinedAt,
    };
    let view = asked.one_of::<wire::SessionParticipantView>("view")?;
    let with_events = asked.flag("include_peer_events")?;
    let row = sessions::find_here(&store, &teller, &caller, &id).await?;
    let consolidated = view == Some(wire::SessionParticipantView::Consolidated);
    if !consolidated && !with_events {
        let at = moment(&teller, &row)?;
        if let Some(found) = store.session_peers(&id, &wanted, by, at).await? {
            let participants: Vec<_> = found.items.iter().map(|peer| stay(peer, at)).collect();
            let paging = paging(&wanted, participants.len(), found.total);
            return page(wire::SessionParticipantList { participants, paging: Some(paging) }, paging);
        }
    }
    let (record, at) = read(&teller, &store, &row).await?;
    let away = if consolidated { time_in_breakouts(&teller, &store, &row, &record).await? } else { HashMap::new() };
    let whole_ms = |peer: &PeerRow| peer.duration_ms(at) + away.get(&peer.peer).unwrap_or(&0);

    let search = wanted.search.as_deref().unwrap_or_default().to_lowercase();
    let rows = record.peers.values().filter(|peer| peer.counts()).map(|peer| PeerRow::of(&record, peer));
    let mut peers: Vec<PeerRow> = rows.filter(|peer| matches(peer, &search)).collect();
    match by {
        PeerSort::Duration => peers.sort_by_key(|peer| (whole_ms(peer), peer.order)),
        PeerSort::JoinedAt => peers.sort_by_key(|peer| peer.order),
    }
    if wanted.newest_first {
        peers.reverse();
    }
    let total = peers.len() as u64;
    let from = usize::try_from(wanted.offset).unwrap_or(usize::MAX);
    let shown: Vec<PeerRow> = peers.into_iter().skip(from).take(wanted.limit as usize).collect();
    let views = views(&store, &record.started.app, shown.iter().filter(|_| with_events)).await?;
    let participants = shown.iter().map(|peer| wire::SessionParticipant {
        duration: whole_ms(peer) as f64 / 60_000.0,
        peer_events: with_events.then(|| events(&record, peer, &views)),
        ..stay(peer, at)
    });
    let participants: Vec<_> = participants.collect();
    let paging = paging(&wanted, participants.len(), total);
    page(wire::SessionParticipantList { participants, paging: Some(paging) }, paging)
}

/// How long people of a session were in meetings connected with it, in milliseconds, each stay with the peer that went
/// there: the last of the same person to have come before. People who never were in the session are not counted.
async fn time_in_breakouts(
    teller: &Teller,
    store: &Store,
    row: &SessionRow,
    record: &Record,
) -> Result<HashMap<PeerId, i64>, ApiError> {
    let mut away = HashMap::new();
    for breakout in store.breakouts(&row.summary.meeting, &row.summary.session, row.summary.ended_at.is_none()).await? {
        let (there, at) = read(teller, store, &breakout).await?;
        for stay in there.peers.values().filter(|peer| peer.counts()) {
            let person = stay.who.origin.as_ref().unwrap_or(&stay.who.participant);
            let is_same = |peer: &&Peer| peer.who.participant == *person || peer.who.origin.as_ref() == Some(person);
            let same = || record.peers.values().filter(|peer| peer.counts()).filter(is_same);
            let before = same().filter(|peer| peer.first_joined_at <= stay.first_joined_at).max_by_key(|peer| peer.order);
            if let Some(peer) = before.or_else(|| same().min_by_key(|peer| peer.order)) {
                *away.entry(peer.who.peer.clone()).or_default() += stay.duration_ms(at);
            }
        }
    }
    Ok(away)
}

/// One peer, by its own id or by its participant's; of several peers of a participant the last come.
#[utoipa::path(get, path = "/sessions/{session_id}/participants/{participant_id}", tag = "sessions",
    params(("session_id" = String, Path, format = "uuid"), ("participant_id" = String, Path), wire::SessionParticipantQuery),
    responses((status = 200, body = Envelope<wire::SessionParticipantDetails>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(teller): State<Teller>,
    caller: Caller,
    At(id): At<SessionId>,
    At(wanted): At<PeerOrParticipant>,
    asked: Asked,
) -> Answer<wire::SessionParticipantDetails> {
    let with_events = asked.flag("include_peer_events")?;
    let row = sessions::find_here(&store, &teller, &caller, &id).await?;
    let at = moment(&teller, &row)?;
    if !with_events && let Some(peer) = store.session_peer(&id, &wanted.0).await? {
        return data(wire::SessionParticipantDetails { participant: stay(&peer, at) });
    }
    let (record, at) = read(&teller, &store, &row).await?;
    let of_participant = record.peers.values().filter(|peer| peer.who.participant.as_str() == wanted.0);
    let peer = record.peers.get(wanted.0.as_str()).or_else(|| of_participant.max_by_key(|peer| peer.order));
    let peer = peer.ok_or_else(|| ApiError::not_found(format!("No participant found with id {}", wanted.0)))?;
    let peer = PeerRow::of(&record, peer);
    let views = views(&store, &caller.app, std::iter::once(&peer)).await?;
    let peer_events = with_events.then(|| events(&record, &peer, &views));
    data(wire::SessionParticipantDetails { participant: wire::SessionParticipant { peer_events, ..stay(&peer, at) } })
}

/// A peer's stay and the quality of its call, without its session being named.
#[utoipa::path(get, path = "/sessions/peer-report/{peer_id}", tag = "sessions",
    params(("peer_id" = String, Path), wire::PeerReportQuery),
    responses((status = 200, body = Envelope<wire::PeerReportDetails>), (status = 404, body = ErrorBody)))]
pub async fn report(
    State(store): State<Store>,
    State(teller): State<Teller>,
    State(quality): State<Quality>,
    caller: Caller,
    At(wanted): At<PeerId>,
    asked: Asked,
) -> Answer<wire::PeerReportDetails> {
    let with_events = asked.flag("include_peer_events")?;
    let known = ["device_info", "ip_information", "precall_network_information", "events", "quality_stats"];
    if asked.all("filters").iter().any(|filter| !known.contains(filter)) {
        return Err(ApiError::invalid("filters", format_args!("must be one of {}", known.join(", "))));
    }
    let found = store.peer_anywhere(&caller.app, &wanted).await?;
    let (row, peer) = found.ok_or_else(|| ApiError::not_found(format!("No peer found with id {wanted}")))?;
    let (row, peer) = match row.summary.ended_at {
        Some(_) => (row, peer),
        None => {
            sessions::bring(&teller, &row.summary.meeting).await?;
            // They may be out now.
            store.peer_anywhere(&caller.app, &wanted).await?.unwrap_or((row, peer))
        }
    };
    let session = &row.summary;
    let filters = asked.all("filters");
    let sums = match filters.is_empty() || filters.contains(&"quality_stats") {
        true => quality.of(&store, (&session.session, session.started_at), &wanted).await?,
        false => None,
    };
    let views = views(&store, &caller.app, std::iter::once(&peer)).await?;
    let peer_events = match with_events {
        true => Some(events(&read(&teller, &store, &row).await?.0, &peer, &views)),
        false => None,
    };
    let whole = wire::SessionParticipant { peer_events, ..stay(&peer, moment(&teller, &row)?) };
    let view = views.get(&peer.preset).filter(|_| filters.is_empty()).and_then(|view| serde_json::to_value(view).ok());
    let metadata = view.map(|view| BTreeMap::from([("room_view_type".to_owned(), view)]));
    let report = wire::PeerReport { metadata, quality: sums.as_ref().map(peer_report::quality) };
    data(wire::PeerReportDetails { participant: to_report(whole, &session.session, report) })
}

/// A session's record, and the moment up to which its minutes count, told.
async fn read(teller: &Teller, store: &Store, row: &SessionRow) -> Result<(Record, Timestamp), ApiError> {
    let id = &row.summary.session;
    let record = store.record(id).await?;
    let record = record.ok_or_else(|| ApiError::internal(format_args!("session {id} has a row and no record")))?;
    let at = match record.ended {
        Some(ended) => ended.at,
        None => {
            sessions::bring(teller, &row.summary.meeting).await?;
            moment(teller, row)?.max(record.updated_at)
        }
    };
    Ok((record, at))
}

/// The moment up to which the minutes of a session count that is over or live here, told; of one that is over any moment
/// will do.
fn moment(teller: &Teller, row: &SessionRow) -> Result<Timestamp, ApiError> {
    let session = &row.summary;
    if let Some(ended_at) = session.ended_at {
        return Ok(ended_at);
    }
    let now = teller.clock.now();
    let at = match teller.hub.summary(session.meeting.as_str(), now)? {
        Some(here) if *here.session() == session.session => here.at(now),
        _ => return Err(Unavailable.into()),
    };
    Ok(teller.told(at)?.at().max(session.updated_at))
}

fn matches(peer: &PeerRow, search: &str) -> bool {
    let fields = [peer.participant.as_str(), &peer.custom_participant_id, &peer.name];
    search.is_empty() || fields.iter().any(|field| field.to_lowercase().contains(search))
}

/// The view types of presets, by their ids.
type Views = HashMap<PresetId, PeerViewType>;

/// Those of the presets with which these peers came in, as the presets are now; a preset that is gone has none.
async fn views(store: &Store, app: &AppId, peers: impl Iterator<Item = &PeerRow>) -> Result<Views, ApiError> {
    let presets: BTreeSet<&PresetId> = peers.map(|peer| &peer.preset).collect();
    let mut views = Views::new();
    for id in presets {
        let Some(preset) = store.preset(app, id).await? else { continue };
        let view: Option<ViewType> = serde_json::from_value(preset.body["config"]["view_type"].clone()).ok();
        views.extend(view.map(|view| (id.clone(), view.into())));
    }
    Ok(views)
}

/// A peer's stay up to that moment.
pub fn stay(peer: &PeerRow, now: Timestamp) -> wire::SessionParticipant {
    wire::SessionParticipant {
        id: peer.peer.to_string(),
        user_id: peer.participant.to_string(),
        custom_participant_id: Some(peer.custom_participant_id.clone()),
        display_name: Some(peer.name.clone()),
        preset_name: Some(peer.preset_name.clone()),
        joined_at: Some(rfc3339(peer.first_joined_at)),
        left_at: peer.left_at.map(rfc3339),
        duration: peer.duration_ms(now) as f64 / 60_000.0,
        created_at: rfc3339(peer.first_joined_at),
        updated_at: rfc3339(peer.changed_at),
        peer_events: None,
    }
}

fn to_report(peer: wire::SessionParticipant, session: &SessionId, report: wire::PeerReport) -> wire::ReportedParticipant {
    wire::ReportedParticipant {
        id: peer.id,
        user_id: peer.user_id,
        session_id: Some(session.to_string()),
        custom_participant_id: peer.custom_participant_id,
        display_name: peer.display_name,
        role: peer.preset_name,
        joined_at: peer.joined_at,
        left_at: peer.left_at,
        duration: peer.duration,
        created_at: peer.created_at,
        updated_at: peer.updated_at,
        peer_events: peer.peer_events,
        peer_report: Some(report),
    }
}

/// A peer's comings and goings, in order.
fn events(record: &Record, peer: &PeerRow, views: &Views) -> Vec<wire::PeerEvent> {
    let mut events = Vec::new();
    let mut consumed_ms = 0;
    let mut add = |event_name, at: Timestamp, consumed_ms: i64| {
        events.push(wire::PeerEvent {
            // The record has no ids for these; their place in the peer's story never changes.
            id: format!("{}-{}", peer.peer, events.len()),
            event_name,
            minutes_consumed: consumed_ms as f64 / 60_000.0,
            participant_id: Some(peer.participant.to_string()),
            peer_id: peer.peer.to_string(),
            preset_view_type: views.get(&peer.preset).copied(),
            session_id: Some(peer.session.to_string()),
            socket_session_id: None,
            created_at: rfc3339(at),
            updated_at: rfc3339(at),
        });
    };
    add(wire::PeerEventName::PeerCreated, peer.first_joined_at, 0);
    for (joined, left) in record.peers.get(&peer.peer).into_iter().flat_map(|peer| &peer.stays) {
        add(wire::PeerEventName::PeerJoining, *joined, consumed_ms);
        if let Some(left) = left {
            consumed_ms += left.since(*joined);
            add(wire::PeerEventName::PeerLeaving, *left, consumed_ms);
        }
    }
    events
}
