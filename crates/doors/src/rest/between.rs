//! Why one person could not hear or see another: Salon's own beside the contract.
//! Gathers what is known; the judging is pure. Next: `salon_quality::between`.

use axum::extract::State;
use salon_core::record::Peer;
use salon_core::{Event, MeetingId, PeerId, Record, SessionId, Timestamp};
use salon_quality::between::{
    Answer as Judged, Evidence, Medium, Names, Question, Rung, Said, Standing, Stretch, between, is_told,
};
use salon_quality::{BUCKET_MS, BUCKETS, Quality, begin_of, bucket_at};
use salon_store::{ClientEvent, SessionRow, Store};
use salon_wire::rest::between as wire;
use salon_wire::rest::envelope::{Envelope, ErrorBody};

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;

/// The longest time that is judged at once.
const MAX_HOURS: i64 = 12;

/// Pairs of devices that are told of, when the two are named by their own ids.
const MAX_PAIRS: usize = 50;

/// Why one person could not hear or see another.
#[utoipa::path(get, path = "/sessions/{session_id}/between", tag = "sessions",
    description = "Salon's own; not in the contract.",
    params(("session_id" = String, Path, format = "uuid"), wire::BetweenQuery),
    responses((status = 200, body = Envelope<wire::Between>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(quality): State<Quality>,
    State(teller): State<Teller>,
    caller: Caller,
    At(session): At<SessionId>,
    asked: Asked,
) -> Answer<wire::Between> {
    let row = sessions::find_here(&store, &teller, &caller, &session).await?;
    judged(&store, &quality, &teller, row, &asked).await
}

/// The same of the live session.
#[utoipa::path(get, path = "/meetings/{meeting_id}/active-session/between", tag = "active_session",
    description = "Salon's own; not in the contract.",
    params(("meeting_id" = String, Path, format = "uuid"), wire::BetweenQuery),
    responses((status = 200, body = Envelope<wire::Between>), (status = 404, body = ErrorBody)))]
pub async fn live(
    State(store): State<Store>,
    State(quality): State<Quality>,
    State(teller): State<Teller>,
    caller: Caller,
    At(meeting): At<MeetingId>,
    asked: Asked,
) -> Answer<wire::Between> {
    let row = store.live_session_of(&meeting).await?.filter(|row| row.summary.app == caller.app);
    let session = row.ok_or_else(|| ApiError::no_active_session(&meeting))?.summary.session;
    let row = sessions::find_here(&store, &teller, &caller, &session).await?;
    judged(&store, &quality, &teller, row, &asked).await
}

/// Whom a parameter names: a peer, or everybody of an id of the caller's.
enum Whom {
    Peer(PeerId),
    Custom(String),
}

impl Whom {
    fn read(asked: &Asked, name: &str) -> Result<Self, ApiError> {
        let own = format!("{name}_custom_participant_id");
        match (asked.text(name)?, asked.text(&own)?) {
            (Some(id), None) => PeerId::parse(id).map(Self::Peer).map_err(|_| ApiError::invalid(name, "must be a peer's id")),
            (None, Some(id)) => Ok(Self::Custom(id.to_owned())),
            (None, None) => Err(ApiError::bad_request(format!("\"{name}\" or \"{own}\" is required"))),
            (Some(_), Some(_)) => Err(ApiError::bad_request(format!("give one of \"{name}\" and \"{own}\""))),
        }
    }

    /// Their devices in this session.
    fn devices<'r>(&self, record: &'r Record) -> Result<Vec<&'r Peer>, ApiError> {
        let session = &record.started.session;
        let found: Vec<&Peer> = match self {
            Self::Peer(id) => record.peers.get(id).into_iter().collect(),
            Self::Custom(id) => record.peers.values().filter(|peer| peer.who.custom_participant_id == *id).collect(),
        };
        match (self, found.is_empty()) {
            (Self::Peer(id), true) => Err(ApiError::not_found(format!("No peer found with id {id} in session {session}"))),
            (Self::Custom(_), true) => {
                Err(ApiError::not_found(format!("Nobody of that custom_participant_id was in session {session}")))
            }
            _ => Ok(found),
        }
    }
}

/// How many milliseconds two were in at once, within a time.
fn together_ms(one: &Peer, other: &Peer, (from, to): (Timestamp, Timestamp)) -> i64 {
    let within = |(came, left): (Timestamp, Option<Timestamp>)| (came.max(from), left.unwrap_or(to).min(to));
    let both = one.stays.iter().flat_map(|mine| other.stays.iter().map(move |theirs| (within(*mine), within(*theirs))));
    both.map(|(mine, theirs)| mine.1.min(theirs.1).since(mine.0.max(theirs.0)).max(0)).sum()
}

/// The pairs of devices that are meant: those first that were in together for the longest.
fn pairs(
    record: &Record,
    (listener, speaker): (&Whom, &Whom),
    time: (Timestamp, Timestamp),
) -> Result<Vec<(PeerId, PeerId, i64)>, ApiError> {
    let (hear, speak) = (listener.devices(record)?, speaker.devices(record)?);
    let all = hear.iter().flat_map(|hears| speak.iter().map(move |speaks| (*hears, *speaks)));
    let mut pairs: Vec<(PeerId, PeerId, i64)> = all
        .filter(|(hears, speaks)| hears.who.peer != speaks.who.peer)
        .map(|(hears, speaks)| (hears.who.peer.clone(), speaks.who.peer.clone(), together_ms(hears, speaks, time)))
        .collect();
    // Of those alike the ones that came first.
    pairs.sort_by_key(|(_, _, together)| std::cmp::Reverse(*together));
    if pairs.is_empty() { Err(same_peer()) } else { Ok(pairs) }
}

fn same_peer() -> ApiError {
    ApiError::invalid("speaker", "must be another peer than \"listener\"")
}

async fn judged(store: &Store, quality: &Quality, teller: &Teller, row: SessionRow, asked: &Asked) -> Answer<wire::Between> {
    let (listener, speaker) = (Whom::read(asked, "listener")?, Whom::read(asked, "speaker")?);
    let kind = asked.one_of::<wire::BetweenKind>("kind")?.unwrap_or_default();
    let (from, to) = (asked.instant("from")?, asked.instant("to")?);
    let session = row.summary.session.clone();
    let began = row.summary.started_at;
    let last_at = row.summary.ended_at.unwrap_or_else(|| teller.clock.now()).max(began.plus_ms(1));
    let from = from.unwrap_or(began).max(began).min(last_at.plus_ms(-1));
    let to = to.unwrap_or(last_at).min(last_at);
    if to <= from {
        return Err(ApiError::invalid("to", "must be after \"from\", and in the time of the session"));
    }
    if to.since(from) > MAX_HOURS * 3_600_000 {
        return Err(ApiError::invalid("from", format_args!("and \"to\" must be at most {MAX_HOURS} hours apart")));
    }
    let (listener, speaker, all) = match (listener, speaker) {
        (Whom::Peer(listener), Whom::Peer(speaker)) if listener == speaker => return Err(same_peer()),
        (Whom::Peer(listener), Whom::Peer(speaker)) => (listener, speaker, None),
        (listener, speaker) => {
            let whole = store.record(&session).await?;
            let whole = whole.ok_or_else(|| ApiError::internal(format_args!("session {session} has no record")))?;
            let all = pairs(&whole, (&listener, &speaker), (from, to))?;
            (all[0].0.clone(), all[0].1.clone(), Some(all))
        }
    };
    let (record, events) = read(store, &session, (&speaker, &listener)).await?;
    let whom = |id: &PeerId| {
        let found = record.peers.get(id);
        found.ok_or_else(|| ApiError::not_found(format!("No peer found with id {id} in session {session}")))
    };
    let (hears, speaks) = (whom(&listener)?, whom(&speaker)?);
    let (first, last) = (bucket_at(began, from), bucket_at(began, to));
    let blocks = (first / BUCKETS, last / BUCKETS);
    let upstream = quality.blocks(store, &session, &speaker, blocks).await?;
    let downstream = quality.blocks(store, &session, &listener, blocks).await?;
    let medium = match kind {
        wire::BetweenKind::Sound => Medium::Sound,
        wire::BetweenKind::Picture => Medium::Picture,
    };
    let spoken = store.client_events(&session, &speaker).await?;
    let heard = store.client_events(&session, &listener).await?;
    let own = spoken.iter().filter_map(|event| Some((event.at, of_speaker(event, medium)?)));
    let others = heard.iter().filter_map(|event| Some((event.at, of_listener(event, medium)?)));
    let said: Vec<(Timestamp, Said)> = own.chain(others).collect();
    let question = Question { medium, speaker: &speaker, listener: &listener, began, from, to };
    let evidence = Evidence { events: &events, upstream: &upstream, downstream: &downstream, said: &said };
    let judged = between(&question, &evidence);
    let of = |peer: &PeerId| record.peers.get(peer).map_or_else(|| peer.to_string(), |peer| peer.who.name.clone());
    let names = Names { speaker: &speaks.who.name, listener: &hears.who.name, of: &of };
    let held = |held: &Stretch| wire::BetweenHeld {
        rung: held.rung.name().to_owned(),
        text: held.sentence(medium, &names),
        from: rfc3339(held.from),
        to: rfc3339(held.to),
        share: (held.share * 10_000.0).round() / 10_000.0,
    };
    let verdict = judged.held.first().ok_or_else(|| ApiError::internal("a time without a step"))?;
    data(wire::Between {
        session_id: session.to_string(),
        speaker: to_wire(speaks),
        listener: to_wire(hears),
        kind,
        from: rfc3339(from),
        to: rfc3339(to),
        verdict: held(verdict),
        rungs: rungs(&judged, held),
        step: (BUCKET_MS / 1_000) as u32,
        steps_from: rfc3339(begin_of(began, first)),
        steps: judged.steps.iter().map(|(_, rung)| rung.name().to_owned()).collect(),
        pairs: all.map(|all| {
            let pair = |(listener, speaker, together): (PeerId, PeerId, i64)| wire::BetweenPair {
                listener_peer_id: listener.to_string(),
                speaker_peer_id: speaker.to_string(),
                together_ms: together,
            };
            all.into_iter().take(MAX_PAIRS).map(pair).collect()
        }),
    })
}

fn rungs(judged: &Judged, held: impl Fn(&Stretch) -> wire::BetweenHeld) -> Vec<wire::BetweenRung> {
    let rung = |name: &&str| wire::BetweenRung {
        rung: (*name).to_owned(),
        holds: match judged.standing(name) {
            Standing::Held => wire::BetweenHolds::Held,
            Standing::RuledOut => wire::BetweenHolds::RuledOut,
            Standing::NotKnown => wire::BetweenHolds::NotKnown,
        },
        held: judged.held.iter().filter(|held| held.rung.name() == *name).map(&held).collect(),
    };
    Rung::NAMES.iter().map(rung).collect()
}

fn to_wire(peer: &Peer) -> wire::BetweenWhom {
    wire::BetweenWhom {
        peer_id: peer.who.peer.to_string(),
        participant_id: peer.who.participant.to_string(),
        display_name: peer.who.name.clone(),
    }
}

/// The record, and those of its events that say something of the two.
async fn read(
    store: &Store,
    session: &SessionId,
    (speaker, listener): (&PeerId, &PeerId),
) -> Result<(Record, Vec<Event>), ApiError> {
    let mut told = Vec::new();
    let look = |event: &Event| {
        if is_told(&event.body, speaker, listener) {
            told.push(event.clone());
        }
        true
    };
    let record = store.record_while(session, look).await?;
    let record = record.ok_or_else(|| ApiError::internal(format_args!("session {session} has no record")))?;
    Ok((record, told))
}

/// What a speaker's client said that explains why nothing came, in the words of web SDK 2.0.2.
fn of_speaker(event: &ClientEvent, medium: Medium) -> Option<Said> {
    let (device, muted) = match medium {
        Medium::Sound => ("audio", "audio_track_muted"),
        Medium::Picture => ("video", "video_track_muted"),
    };
    let refused = event.event == "media_permission"
        && event.device.eq_ignore_ascii_case(device)
        && !["ACCEPTED", "NOT_REQUESTED", "INIT", ""].contains(&event.state.as_str());
    match event.event.as_str() {
        _ if refused => Some(Said::NotPermitted),
        known if known == muted => Some(Said::MutedInSystem),
        _ => None,
    }
}

/// What a listener's client said that explains why nothing was played.
fn of_listener(event: &ClientEvent, medium: Medium) -> Option<Said> {
    let failed = match medium {
        Medium::Sound => "audio_play_failed",
        Medium::Picture => "video_play_failed",
    };
    (event.event == failed).then_some(Said::PlayBlocked)
}
