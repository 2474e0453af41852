//! How good a live session is, for operators: Salon's own beside the contract.
//! Invariant: only the node that runs a session knows; another says so with 503 and never with an empty answer.
//! Next: `salon_sfu::LineQuality`, where each figure comes from; `crate::quality`, what is kept of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use salon_core::{MeetingId, PeerId};
use salon_media::Owners;
use salon_sfu::{ConsumerQuality, Kind, LayerQuality, LineQuality, ProducerQuality};
use salon_wire::rest::envelope::{Envelope, ErrorBody};
use salon_wire::rest::quality as wire;

use crate::rest::active_session::task;
use crate::rest::auth::Caller;
use crate::rest::error::ApiError;
use crate::rest::path::At;
use crate::rest::reply::{Answer, data};
use crate::rfc3339::rfc3339;
use salon_live::Clock;
use salon_live::Hub;
use salon_store::Store;

/// What people of the live session get of each other.
#[utoipa::path(get, path = "/meetings/{meeting_id}/active-session/quality", tag = "active_session",
    description = "Salon's own; not in the contract.",
    params(("meeting_id" = String, Path, format = "uuid")),
    responses((status = 200, body = Envelope<wire::SessionQuality>), (status = 404, body = ErrorBody)))]
pub async fn show(
    State(store): State<Store>,
    State(hub): State<Hub>,
    State(media): State<Arc<Owners>>,
    State(clock): State<Clock>,
    caller: Caller,
    At(meeting): At<MeetingId>,
) -> Answer<wire::SessionQuality> {
    let (meeting, handle) = task(&hub, &store, &caller, &meeting).await?;
    let people = handle
        .call(|session, _| {
            let record = session.record()?;
            let people: Vec<_> = record.present().map(|peer| peer.who.clone()).collect();
            record.ended.is_none().then(|| (record.started.session.clone(), people))
        })
        .await?;
    let (session, people) = people.ok_or_else(|| ApiError::no_active_session(&meeting.id))?;
    let mut lines = media
        .lines(&meeting.id)
        .await
        .map_err(|error| ApiError::unavailable("The media server has too much to do; try again").because(error.to_string()))?;
    let from = |track: &str| media.publisher(track);
    let mut participants: Vec<wire::ParticipantQuality> = Vec::new();
    let mut places = HashMap::new();
    for who in people {
        let place = *places.entry(who.participant.clone()).or_insert_with(|| {
            participants.push(wire::ParticipantQuality {
                id: who.participant.to_string(),
                custom_participant_id: who.custom_participant_id.clone(),
                display_name: who.name.clone(),
                peers: Vec::new(),
            });
            participants.len() - 1
        });
        let lines = lines.remove(&who.peer).unwrap_or_default();
        participants[place].peers.push(peer(&who.peer, &lines, &from));
    }
    data(wire::SessionQuality { session_id: session.to_string(), at: rfc3339(clock.now()), participants })
}

pub(super) fn peer(id: &PeerId, lines: &[LineQuality], from: &impl Fn(&str) -> Option<PeerId>) -> wire::PeerQuality {
    let first = |of: fn(&LineQuality) -> Option<f64>| lines.iter().find_map(of);
    wire::PeerQuality {
        id: id.to_string(),
        rtt_ms: first(|line| line.rtt.map(ms)),
        available_bitrate: lines.iter().find_map(|line| line.estimate),
        packet_loss: first(|line| line.loss.map(share)),
        publishing: lines.iter().flat_map(|line| &line.producers).map(published).collect(),
        receiving: lines.iter().flat_map(|line| &line.consumers).map(|track| received(track, from)).collect(),
    }
}

fn published(track: &ProducerQuality) -> wire::PublishedTrack {
    wire::PublishedTrack {
        track_id: track.producer.to_string(),
        kind: kind(track.kind),
        screen_share: track.screen_share,
        paused: track.paused,
        score: track.score.map(score),
        spoken_ms: track.voice.map(|voice| voice.spoken.as_millis() as u64),
        level_dbov: track.voice.map(|voice| voice.level_dbov),
        key_frame_requests: track.key_frame_requests,
        told_to_send_at_most: track.held_to.filter(|_| track.kind == Kind::Video),
        layers: track.layers.iter().map(|layer| published_layer(layer, track.kind)).collect(),
    }
}

fn published_layer(layer: &LayerQuality, kind: Kind) -> wire::PublishedLayer {
    wire::PublishedLayer {
        rid: layer.rid.clone(),
        active: layer.alive,
        bitrate: layer.bitrate,
        packets: layer.packets,
        packets_lost: layer.lost,
        packet_loss: share(layer.loss),
        jitter_ms: ms(layer.jitter),
        frames_per_second: (kind == Kind::Video).then(|| tenths(layer.frames_per_second)),
        width: layer.size.map(|size| size.0),
        height: layer.size.map(|size| size.1),
        refused: layer.refusal.clone(),
    }
}

fn received(track: &ConsumerQuality, from: &impl Fn(&str) -> Option<PeerId>) -> wire::ReceivedTrack {
    wire::ReceivedTrack {
        track_id: track.producer.to_string(),
        from_peer_id: from(track.producer.as_str()).map(|peer| peer.to_string()),
        kind: kind(track.kind),
        screen_share: track.screen_share,
        paused: track.paused,
        active: track.flowing,
        rid: track.rid.clone(),
        wanted_rid: track.wanted.clone(),
        width: track.size.map(|size| size.0),
        height: track.size.map(|size| size.1),
        reason: track.reason.to_string(),
        because: track.reason.because.name().to_owned(),
        bitrate: track.bitrate,
        packets: track.packets,
        frames_per_second: (track.kind == Kind::Video).then(|| tenths(track.frames_per_second)),
        packets_lost: track.lost,
        packet_loss: track.loss.map(share),
        rtt_ms: track.rtt.map(ms),
        jitter_ms: track.jitter.map(ms),
        freezes: track.freezes,
        frozen_ms: track.frozen.as_millis() as u64,
        key_frame_requests: track.key_frame_requests,
        packets_resent: track.resent,
        score: track.score.map(score),
    }
}

fn kind(kind: Kind) -> wire::MediaKind {
    match kind {
        Kind::Audio => wire::MediaKind::Audio,
        Kind::Video => wire::MediaKind::Video,
    }
}

/// Milliseconds with one decimal.
fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn share(share: f32) -> f64 {
    (f64::from(share) * 10_000.0).round() / 10_000.0
}

fn tenths(value: f32) -> f64 {
    (f64::from(value) * 10.0).round() / 10.0
}

fn score(score: f32) -> f64 {
    (f64::from(score) * 100.0).round() / 100.0
}
