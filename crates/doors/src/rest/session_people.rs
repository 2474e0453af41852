//! The people of a session over REST: one entry per peer, folded from the session's record.
//! Invariant: the list holds the peers that count, so that their durations add up to the session's minutes; hidden
//! people and robots are found by id only.
//! Next: `salon_core::record`, the fold.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::extract::State;
use salon_core::record::{Peer, Presence};
use salon_core::{PeerId, PresetId, Record, SessionId, Timestamp};
use salon_store::{Page as Part, SessionFilter, SessionRow, Store};
use salon_wire::rest::SortOrder;
use salon_wire::rest::envelope::{Envelope, ErrorBody, Page};
use salon_wire::rest::presets::ViewType;
use salon_wire::rest::sessions::{self as wire, PeerViewType};

use serde_json::Value;

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::{At, PeerOrParticipant};
use crate::rest::query::{Asked, paging};
use crate::rest::reply::{Answer, Listed, data, page};
use crate::rest::{peer_report, sessions};
use crate::rfc3339::rfc3339;
use salon_quality::Quality;

/// Sessions looked through, from the newest, for a peer that is asked for without its session.
const MAX_SESSIONS_SEARCHED: u32 = 100;

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
    let by = asked.one_of::<wire::SessionParticipantSortBy>("sort_by")?;
    let rising = asked.one_of::<SortOrder>("sort_order")? == Some(SortOrder::Asc);
    let view = asked.one_of::<wire::SessionParticipantView>("view")?;
    let with_events = asked.flag("include_peer_events")?;
    let row = sessions::find(&store, &caller, &id).await?;
    let (record, at) = read(&teller, &store, &row).await?;
    let away = match view {
        Some(wire::SessionParticipantView::Consolidated) => time_in_breakouts(&teller, &store, &row, &record).await?,
        _ => HashMap::new(),
    };
    let whole_ms = |peer: &Peer| peer.duration_ms(at) + away.get(&peer.who.peer).unwrap_or(&0);

    let search = wanted.search.as_deref().unwrap_or_default().to_lowercase();
    let mut peers: Vec<&Peer> = record.peers.values().filter(|peer| peer.counts() && matches(peer, &search)).collect();
    match by {
        Some(wire::SessionParticipantSortBy::Duration) => peers.sort_by_key(|peer| (whole_ms(peer), peer.order)),
        Some(wire::SessionParticipantSortBy::JoinedAt) | None => peers.sort_by_key(|peer| peer.order),
    }
    if !rising {
        peers.reverse();
    }
    let total = peers.len() as u64;
    let from = usize::try_from(wanted.offset).unwrap_or(usize::MAX);
    let shown: Vec<&Peer> = peers.into_iter().skip(from).take(wanted.limit as usize).collect();
    let views = views(&store, &record, shown.iter().copied().filter(|_| with_events)).await?;
    let shown = shown.into_iter();
    let participants = shown.map(|peer| wire::SessionParticipant {
        duration: whole_ms(peer) as f64 / 60_000.0,
        ..to_wire(&record, peer, at, with_events.then_some(&views))
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
    let (record, at) = read(&teller, &store, &sessions::find(&store, &caller, &id).await?).await?;
    let of_participant = record.peers.values().filter(|peer| peer.who.participant.as_str() == wanted.0);
    let peer = record.peers.get(wanted.0.as_str()).or_else(|| of_participant.max_by_key(|peer| peer.order));
    let peer = peer.ok_or_else(|| ApiError::not_found(format!("No participant found with id {}", wanted.0)))?;
    let views = views(&store, &record, std::iter::once(peer)).await?;
    data(wire::SessionParticipantDetails { participant: to_wire(&record, peer, at, with_events.then_some(&views)) })
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
    let page = Part { limit: MAX_SESSIONS_SEARCHED, ..Part::default() };
    let newest = store.sessions(&caller.app, &SessionFilter { page, ..SessionFilter::default() }).await?;
    for row in &newest.items {
        let (record, at) = read(&teller, &store, row).await?;
        if let Some(peer) = record.peers.get(&wanted) {
            let filters = asked.all("filters");
            let sums = match filters.is_empty() || filters.contains(&"quality_stats") {
                true => quality.of(&store, (&record.started.session, record.started.started_at), &wanted).await?,
                false => None,
            };
            let quality = sums.as_ref().map(peer_report::quality);
            let views = views(&store, &record, std::iter::once(peer)).await?;
            let participant = to_report(
                to_wire(&record, peer, at, with_events.then_some(&views)),
                &record,
                peer,
                &views,
                quality,
                filters.is_empty(),
            );
            return data(wire::PeerReportDetails { participant });
        }
    }
    Err(ApiError::not_found(format!("No peer found with id {wanted}")))
}

/// A session's record, and the moment up to which its minutes count, told.
async fn read(teller: &Teller, store: &Store, row: &SessionRow) -> Result<(Record, Timestamp), ApiError> {
    let id = &row.summary.session;
    let record = store.record(id).await?;
    let record = record.ok_or_else(|| ApiError::internal(format_args!("session {id} has a row and no record")))?;
    let now = teller.clock.now();
    if record.ended.is_some() {
        let at = now.max(record.updated_at);
        return Ok((record, at));
    }
    let at = match teller.hub.summary(row.summary.meeting.as_str(), now)? {
        Some(here) if *here.session() == *id => here.at(now),
        _ => teller.hub.elsewhere(row)?,
    };
    let at = teller.told(at)?.at().max(record.updated_at);
    Ok((record, at))
}

fn matches(peer: &Peer, search: &str) -> bool {
    let who = &peer.who;
    let fields = [who.participant.as_str(), &who.custom_participant_id, &who.name];
    search.is_empty() || fields.iter().any(|field| field.to_lowercase().contains(search))
}

/// The view types of presets, by their ids.
type Views = HashMap<PresetId, PeerViewType>;

/// Those of the presets with which these peers came in, as the presets are now; a preset that is gone has none.
async fn views(store: &Store, record: &Record, peers: impl Iterator<Item = &Peer>) -> Result<Views, ApiError> {
    let presets: BTreeSet<&PresetId> = peers.map(|peer| &peer.who.preset).collect();
    let mut views = Views::new();
    for id in presets {
        let Some(preset) = store.preset(&record.started.app, id).await? else { continue };
        let view: Option<ViewType> = serde_json::from_value(preset.body["config"]["view_type"].clone()).ok();
        views.extend(view.map(|view| (id.clone(), view.into())));
    }
    Ok(views)
}

fn to_wire(record: &Record, peer: &Peer, now: Timestamp, with_events: Option<&Views>) -> wire::SessionParticipant {
    let who = &peer.who;
    let last = peer.stays.last().map_or(peer.first_joined_at, |(joined, left)| left.unwrap_or(*joined));
    wire::SessionParticipant {
        id: who.peer.to_string(),
        user_id: who.participant.to_string(),
        custom_participant_id: Some(who.custom_participant_id.clone()),
        display_name: Some(who.name.clone()),
        preset_name: Some(who.preset_name.clone()),
        joined_at: Some(rfc3339(peer.first_joined_at)),
        left_at: peer.left_at().map(rfc3339),
        duration: peer.duration_ms(now) as f64 / 60_000.0,
        created_at: rfc3339(peer.first_joined_at),
        updated_at: rfc3339(match peer.presence {
            Presence::Disconnected { noticed, .. } => noticed,
            _ => last,
        }),
        peer_events: with_events.map(|views| events(record, peer, views)),
    }
}

fn to_report(
    peer: wire::SessionParticipant,
    record: &Record,
    who: &Peer,
    views: &Views,
    quality: Option<BTreeMap<String, Value>>,
    is_whole: bool,
) -> wire::ReportedParticipant {
    let view = views.get(&who.who.preset).and_then(|view| serde_json::to_value(view).ok());
    let view = view.map(|view| BTreeMap::from([("room_view_type".to_owned(), view)]));
    wire::ReportedParticipant {
        id: peer.id,
        user_id: peer.user_id,
        session_id: Some(record.started.session.to_string()),
        custom_participant_id: peer.custom_participant_id,
        display_name: peer.display_name,
        role: Some(who.who.preset_name.clone()),
        joined_at: peer.joined_at,
        left_at: peer.left_at,
        duration: peer.duration,
        created_at: peer.created_at,
        updated_at: peer.updated_at,
        peer_events: peer.peer_events,
        peer_report: Some(wire::PeerReport { metadata: view.filter(|_| is_whole), quality }),
    }
}

/// A peer's comings and goings, in order.
fn events(record: &Record, peer: &Peer, views: &Views) -> Vec<wire::PeerEvent> {
    let mut events = Vec::new();
    let mut consumed_ms = 0;
    let mut add = |event_name, at: Timestamp, consumed_ms: i64| {
        events.push(wire::PeerEvent {
            // The record has no ids for these; their place in the peer's story never changes.
            id: format!("{}-{}", peer.who.peer, events.len()),
            event_name,
            minutes_consumed: consumed_ms as f64 / 60_000.0,
            participant_id: Some(peer.who.participant.to_string()),
            peer_id: peer.who.peer.to_string(),
            preset_view_type: views.get(&peer.who.preset).copied(),
            session_id: Some(record.started.session.to_string()),
            socket_session_id: None,
            created_at: rfc3339(at),
            updated_at: rfc3339(at),
        });
    };
    add(wire::PeerEventName::PeerCreated, peer.first_joined_at, 0);
    for (joined, left) in &peer.stays {
        add(wire::PeerEventName::PeerJoining, *joined, consumed_ms);
        if let Some(left) = left {
            consumed_ms += left.since(*joined);
            add(wire::PeerEventName::PeerLeaving, *left, consumed_ms);
        }
    }
    events
}
