//! How good a peer's call was over time, during it and after: Salon's own beside the contract.
//! Next: `salon_quality::Series`, which is told here.

use std::collections::HashMap;
use std::ops::ControlFlow;

use axum::extract::State;
use salon_core::{Event, EventBody, PeerId, SessionId, Timestamp};
use salon_quality::{BUCKET_MS, BUCKETS, Bucket, Figure, Quality, Series, TrackSeries, Why, Word, bucket_at, known};
use salon_quality::{frames_per_second, mean_score};
use salon_store::Store;
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::peer_quality as wire;
use salon_wire::rest::quality::MediaKind;

use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::live::Teller;
use crate::rest::path::At;
use crate::rest::query::Asked;
use crate::rest::reply::{Answer, data};
use crate::rest::sessions;
use crate::rfc3339::rfc3339;

/// Most steps of one answer: twelve hours of the finest.
const MAX_STEPS: u64 = 2_880;

/// A peer's call from one moment to another, in steps.
#[utoipa::path(get, path = "/sessions/{session_id}/peers/{peer_id}/quality", tag = "sessions",
    description = "Salon's own; not in the contract.",
    params(("session_id" = String, Path, format = "uuid"), ("peer_id" = String, Path), wire::QualityOverTimeQuery),
    responses((status = 200, body = Envelope<wire::QualityOverTime>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(quality): State<Quality>,
    State(teller): State<Teller>,
    caller: Caller,
    At(session): At<SessionId>,
    At(peer): At<PeerId>,
    asked: Asked,
) -> Answer<wire::QualityOverTime> {
    let step = match asked.text("step")? {
        None | Some("15") => 15,
        Some("60") => 60,
        Some("300") => 300,
        Some(_) => return Err(ApiError::invalid("step", "must be 15, 60 or 300")),
    };
    let (from, to) = (asked.instant("from")?, asked.instant("to")?);
    let row = sessions::find_here(&store, &teller, &caller, &session).await?;
    let began = row.summary.started_at;
    let story = Story::read(&store, &session, &peer).await?;
    let joined_at = story.joined_at.ok_or_else(|| ApiError::not_found(format!("No peer found with id {peer}")))?;

    let per = u64::from(step) / (BUCKET_MS as u64 / 1_000);
    let last_at = row.summary.ended_at.unwrap_or_else(|| teller.clock.now());
    let to = to.unwrap_or(last_at).min(last_at);
    // Steps begin where the session's begin, so that two answers about one time agree.
    let first = bucket_at(began, from.unwrap_or(began)) / per * per;
    let buckets = if to < began { 0 } else { (bucket_at(began, to) + 1).saturating_sub(first) };
    if buckets.div_ceil(per) > MAX_STEPS {
        let most = MAX_STEPS * u64::from(step) / 3_600;
        return Err(ApiError::invalid("from", format_args!("and \"to\" must be at most {most} hours apart for this step")));
    }
    let blocks = (first / BUCKETS, (first + buckets) / BUCKETS);
    let series = Series::of(&quality.blocks(&store, &session, &peer, blocks).await?, first, buckets, per);

    let after = |video: bool| {
        let received = series.tracks.iter().filter(|track| !track.role.produces() && track.role.is_video() == video);
        let waited = received.filter_map(|track| {
            let offered_at = story.offered_at.get(&track.track).copied().unwrap_or(joined_at);
            Some((track.first_sent_at?, track.first_sent_at?.since(joined_at.max(offered_at))))
        });
        waited.min().map(|(_, waited_ms)| waited_ms)
    };
    let tracks = |published: bool| {
        let of_kind = series.tracks.iter().filter(|track| track.role.produces() == published);
        of_kind.map(|track| to_wire(&series, track)).collect()
    };
    data(wire::QualityOverTime {
        session_id: session.to_string(),
        peer_id: peer.to_string(),
        from: rfc3339(series.begin_of(began, 0)),
        to: rfc3339(series.begin_of(began, series.steps)),
        step,
        steps: series.steps as u32,
        first_sound_after_ms: after(false),
        first_picture_after_ms: after(true),
        line: wire::LineOverTime {
            rtt_ms: column(&series, &series.line, |line| known(line, Figure::Rtt)),
            available_bitrate: column(&series, &series.line, |line| Some(u64::from(known(line, Figure::Carries)?) * 1_000)),
            packet_loss: column(&series, &series.line, |line| per_mille(line, Figure::Loss)),
        },
        publishing: tracks(true),
        receiving: tracks(false),
    })
}

/// What the record says that quality alone does not.
#[derive(Default)]
struct Story {
    joined_at: Option<Timestamp>,
    /// When each track was first there and on.
    offered_at: HashMap<String, Timestamp>,
}

impl Story {
    async fn read(store: &Store, session: &SessionId, peer: &PeerId) -> Result<Self, ApiError> {
        let mut story = Self::default();
        let look = |event: Event| {
            match &event.body {
                EventBody::PeerJoined(who) if who.peer == *peer => {
                    story.joined_at.get_or_insert(event.at);
                }
                EventBody::TrackPublished { track, .. } if !track.paused => {
                    story.offered_at.entry(track.id.to_string()).or_insert(event.at);
                }
                EventBody::TrackPaused { track, paused: false, .. } => {
                    story.offered_at.entry(track.to_string()).or_insert(event.at);
                }
                _ => {}
            }
            Ok(ControlFlow::Continue(()))
        };
        store.each_event(session, look).await?;
        Ok(story)
    }
}

fn to_wire(series: &Series, track: &TrackSeries) -> wire::TrackOverTime {
    let video = track.role.is_video();
    let step_ms = series.per as i64 * BUCKET_MS;
    let of = |figure| column(series, &track.steps, move |bucket| known(bucket, figure));
    let hundredths = |value: u32| f64::from(value) / 100.0;
    let share = |figure| column(series, &track.steps, move |bucket| per_mille(bucket, figure));
    wire::TrackOverTime {
        track_id: track.track.clone(),
        from_peer_id: track.peer.clone(),
        kind: if video { MediaKind::Video } else { MediaKind::Audio },
        screen_share: track.role.is_screen(),
        first_sent_at: track.first_sent_at.map(rfc3339),
        word: column(series, &track.steps, |bucket| Some(Word::of(bucket, video, step_ms)?.name().to_owned())),
        because: column(series, &track.steps, |bucket| Some(Why::read(known(bucket, Figure::Why)?)?.name().to_owned())),
        score: column(series, &track.steps, |bucket| mean_score(bucket).map(hundredths)),
        worst_score: column(series, &track.steps, |bucket| known(bucket, Figure::WorstScore).map(hundredths)),
        bitrate: column(series, &track.steps, |bucket| Some(u64::from(known(bucket, Figure::Bytes)?) * 8_000 / step_ms as u64)),
        packets: of(Figure::Packets),
        packets_lost: of(Figure::Lost),
        packet_loss: share(Figure::Loss),
        jitter_ms: column(series, &track.steps, |bucket| Some(f64::from(known(bucket, Figure::Jitter)?) / 10.0)),
        frames_per_second: column(series, &track.steps, frames_per_second),
        width: of(Figure::Width),
        height: of(Figure::Height),
        frozen_ms: of(Figure::Frozen),
        voice: column(series, &track.steps, |bucket| {
            let share = f64::from(known(bucket, Figure::Spoken)?) / step_ms as f64;
            Some((share.min(1.0) * 1_000.0).round() / 1_000.0)
        }),
        level_dbov: column(series, &track.steps, |bucket| Some(known(bucket, Figure::Level)? as i32 - 127)),
    }
}

/// A value for each step, or nothing if none is known.
fn column<T>(
    series: &Series,
    steps: &std::collections::BTreeMap<usize, Bucket>,
    read: impl Fn(&Bucket) -> Option<T>,
) -> Option<Vec<Option<T>>> {
    let values: Vec<Option<T>> = (0..series.steps).map(|step| read(steps.get(&step)?)).collect();
    values.iter().any(Option::is_some).then_some(values)
}

fn per_mille(bucket: &Bucket, figure: Figure) -> Option<f64> {
    known(bucket, figure).map(|value| f64::from(value) / 1_000.0)
}
