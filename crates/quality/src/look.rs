//! A look at a peer's lines becomes figures of a bucket. Pure.
//! Owns what counters were at the last look: buckets hold what was added since.
//! Next: `block.rs`.

use std::collections::BTreeMap;
use std::time::Duration;

use salon_core::{PeerId, Timestamp};
use salon_sfu::{ConsumerQuality, Kind, LayerQuality, LineQuality, ProducerQuality};

use crate::block::{Block, Columns, Figure, TrackBlock};
use crate::role::Role;
use crate::why::Why;

/// Counters of tracks as they were at the last look.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    tracks: BTreeMap<(Role, String), BTreeMap<Figure, u64>>,
}

impl Counters {
    /// What was added since the last look. A counter that begins anew, or is modulo 2^32, begins at 0.
    fn added(&mut self, role: Role, track: &str, figure: Figure, total: u64) -> u32 {
        let of = self.tracks.entry((role, track.to_owned())).or_default();
        let before = of.insert(figure, total).unwrap_or(0);
        u32::try_from(total.checked_sub(before).unwrap_or(total)).unwrap_or(u32::MAX)
    }
}

/// Puts a look into the bucket at `place` of a block.
pub(crate) fn look(
    block: &mut Block,
    place: usize,
    counters: &mut Counters,
    now: Timestamp,
    lines: &[LineQuality],
    publisher: impl Fn(&str) -> Option<PeerId>,
) {
    block.line.note(place, Figure::Looks, 1);
    // A line that only publishes is not told how far it is; the peer's other one goes the same way.
    let rtt = lines.iter().find_map(|line| line.rtt);
    rtt.into_iter().for_each(|rtt| block.line.note(place, Figure::Rtt, ms(rtt)));
    for line in lines {
        line.estimate.into_iter().for_each(|bits| block.line.note(place, Figure::Carries, whole(bits as f64 / 1_000.0)));
        line.loss.into_iter().for_each(|loss| block.line.note(place, Figure::Loss, per_mille(loss)));
        line.producers.iter().for_each(|track| publishes(block, place, counters, track));
        for track in &line.consumers {
            receives(block, place, counters, now, track, || publisher(track.producer.as_str()));
        }
    }
    let is_here = |(role, track): &(Role, String)| {
        lines.iter().any(|line| match role.produces() {
            true => line.producers.iter().any(|known| known.producer.as_str() == track),
            false => line.consumers.iter().any(|known| known.producer.as_str() == track),
        })
    };
    counters.tracks.retain(|track, _| is_here(track));
}

fn publishes(block: &mut Block, place: usize, counters: &mut Counters, track: &ProducerQuality) {
    let (role, id) = (Role::of(true, track.kind, track.screen_share), track.producer.as_str());
    let new = || TrackBlock {
        track: id.to_owned(),
        role,
        peer: None,
        mid: String::new(),
        first_sent_ms: None,
        columns: Columns::default(),
    };
    let mut added = |figure, total| counters.added(role, id, figure, total);
    let packets = added(Figure::Packets, track.layers.iter().map(|l| l.packets).sum());
    let lost = added(Figure::Lost, track.layers.iter().map(|l| l.lost).sum());
    let bytes = added(Figure::Bytes, track.layers.iter().map(|l| l.bytes).sum());
    let key_frames = added(Figure::KeyFrames, track.key_frame_requests.into());
    let spoken = track.voice.map(|voice| added(Figure::Spoken, voice.spoken.as_millis() as u64));
    let Some(of) = block.track(new, id, role) else { return };
    let mut note = |figure, value| of.columns.note(place, figure, value);
    note(Figure::Looks, 1);
    note(Figure::Packets, packets);
    note(Figure::Lost, lost);
    note(Figure::Bytes, bytes);
    spoken.into_iter().for_each(|spoken| note(Figure::Spoken, spoken));
    if track.paused {
        note(Figure::Paused, 1);
        return;
    }
    if let Some(voice) = track.voice {
        note(Figure::Level, u32::try_from(i32::from(voice.level_dbov) + 127).unwrap_or(0));
    }
    let pixels = |layer: &&LayerQuality| layer.size.map(|(width, height)| u32::from(width) * u32::from(height));
    let Some(layer) = track.layers.iter().filter(|layer| layer.alive).max_by_key(pixels) else { return };
    note(Figure::Flowing, 1);
    note(Figure::Loss, per_mille(layer.loss));
    note(Figure::Jitter, whole(layer.jitter.as_secs_f64() * 10_000.0));
    if let Some(score) = track.score {
        scored(&mut note, score);
    }
    if track.kind == Kind::Video {
        note(Figure::KeyFrames, key_frames);
        note(Figure::Frames, whole(layer.frames_per_second.into()));
        sized(&mut note, layer.size);
        if layer.refusal.is_some() {
            note(Figure::Why, Why::NotAllowed as u32);
        }
    }
}

fn receives(
    block: &mut Block,
    place: usize,
    counters: &mut Counters,
    now: Timestamp,
    track: &ConsumerQuality,
    from: impl Fn() -> Option<PeerId>,
) {
    let (role, id) = (Role::of(false, track.kind, track.screen_share), track.producer.as_str());
    let new = || TrackBlock {
        track: id.to_owned(),
        role,
        peer: from().map(|peer| peer.to_string()),
        mid: track.mid.clone(),
        first_sent_ms: None,
        columns: Columns::default(),
    };
    let mut added = |figure, total| counters.added(role, id, figure, total);
    let packets = added(Figure::Packets, track.packets);
    let lost = track.lost.map(|lost| added(Figure::Lost, lost));
    let bytes = added(Figure::Bytes, track.bytes);
    let frozen = added(Figure::Frozen, track.frozen.as_millis() as u64);
    let freezes = added(Figure::Freezes, track.freezes.into());
    let Some(of) = block.track(new, id, role) else { return };
    // How long ago it was is known to the look: the earliest of them is the closest.
    let first = track.first_sent_ago.map(|ago| now.0 - i64::from(ms(ago)));
    of.first_sent_ms = [of.first_sent_ms, first].into_iter().flatten().min();
    let mut note = |figure, value| of.columns.note(place, figure, value);
    note(Figure::Looks, 1);
    note(Figure::Packets, packets);
    note(Figure::Bytes, bytes);
    lost.into_iter().for_each(|lost| note(Figure::Lost, lost));
    note(Figure::Why, Why::from(&track.reason.because) as u32);
    if track.paused {
        note(Figure::Paused, 1);
        return;
    }
    let video = track.kind == Kind::Video;
    if video {
        note(Figure::Frozen, frozen);
        note(Figure::Freezes, freezes);
        note(Figure::Lagging, u32::from(freezes > 0));
    }
    if !track.flowing {
        return;
    }
    note(Figure::Flowing, 1);
    track.loss.into_iter().for_each(|loss| note(Figure::Loss, per_mille(loss)));
    track.jitter.into_iter().for_each(|jitter| note(Figure::Jitter, whole(jitter.as_secs_f64() * 10_000.0)));
    if let Some(score) = track.score {
        scored(&mut note, score);
    }
    if video {
        note(Figure::Poor, u32::from(matches!(track.reason.because, salon_sfu::Because::Line { .. })));
        note(Figure::Frames, whole(track.frames_per_second.into()));
        sized(&mut note, track.size);
    }
}

fn scored(note: &mut impl FnMut(Figure, u32), score: f32) {
    let score = whole(f64::from(score) * 100.0);
    note(Figure::WorstScore, score);
    note(Figure::Scores, score);
    note(Figure::Scored, 1);
}

fn sized(note: &mut impl FnMut(Figure, u32), size: Option<(u16, u16)>) {
    if let Some((width, height)) = size {
        note(Figure::Width, width.into());
        note(Figure::Height, height.into());
    }
}

fn ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

fn per_mille(share: f32) -> u32 {
    whole(f64::from(share) * 1_000.0)
}

fn whole(value: f64) -> u32 {
    value.round() as u32
}
