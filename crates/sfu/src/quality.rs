//! What people get of each other, in numbers: the picture of a room that others may take, and sums over all rooms.
//! Plain data; what each figure means and where it comes from is said at its field, the formulas are in
//! `engine/quality/score.rs`.

mod reason;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::reason::{Because, Goes, Reason};
use crate::{Kind, ProducerId, Role, TransportId};

/// One connection of a peer and what goes over it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LineQuality {
    pub transport: TransportId,
    pub role: Role,
    /// There and back, smoothed. Of a connection that subscribes by its receiver reports (RFC 3550 section 6.4.1, LSR and
    /// DLSR); of one that publishes only if the client answers extended reports (RFC 3611 section 4.5), which browsers do
    /// not.
    pub rtt: Option<Duration>,
    /// What the line to a subscriber carries, in bit/s. None until it reports arrivals.
    pub estimate: Option<u64>,
    /// Packets that did not arrive at a subscriber the first time, as a share of the last ones.
    pub loss: Option<f32>,
    pub producers: Vec<ProducerQuality>,
    pub consumers: Vec<ConsumerQuality>,
}

/// A track as it comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProducerQuality {
    pub producer: ProducerId,
    pub kind: Kind,
    pub screen_share: bool,
    pub paused: bool,
    /// From 1 to 5, of the best layer that comes. None while nothing comes.
    pub score: Option<f32>,
    /// Key frames asked of the publisher.
    pub key_frame_requests: u32,
    /// What the publisher was told to send at most on this connection, in bit/s, because nobody takes more.
    pub held_to: Option<u64>,
    /// Of a microphone whose packets say how loud they are (RFC 6464).
    pub voice: Option<VoiceQuality>,
    pub layers: Vec<LayerQuality>,
}

/// What a microphone's packets say of what is in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoiceQuality {
    /// How long there was a voice in it, in all.
    pub spoken: Duration,
    /// In dBov as it is now, smoothed: 0 is the loudest, -127 digital silence.
    pub level_dbov: i8,
}

/// One quality of a track as it comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerQuality {
    /// None for a track without simulcast.
    pub rid: Option<String>,
    /// Packets came not long ago.
    pub alive: bool,
    /// Payload, in bit/s, over about the last second.
    pub bitrate: u64,
    pub packets: u64,
    pub bytes: u64,
    /// Packets that never came, after what the publisher sent again.
    pub lost: u64,
    /// The share of them over the last seconds.
    pub loss: f32,
    /// RFC 3550 section 6.4.1, by our clock.
    pub jitter: Duration,
    pub frames: u32,
    pub frames_per_second: f32,
    /// Of the last key frame.
    pub size: Option<(u16, u16)>,
    /// Why it goes to nobody.
    pub refusal: Option<String>,
}

/// A track as it goes out to one subscriber.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConsumerQuality {
    pub producer: ProducerId,
    pub mid: String,
    pub kind: Kind,
    pub screen_share: bool,
    pub paused: bool,
    /// Something is being forwarded.
    pub flowing: bool,
    /// How long ago the first of it went out. None if nothing ever did.
    pub first_sent_ago: Option<Duration>,
    /// The layer that is forwarded. None without simulcast, or while nothing is.
    pub rid: Option<String>,
    /// The layer that was asked for.
    pub wanted: Option<String>,
    /// Of the layer that is forwarded.
    pub size: Option<(u16, u16)>,
    /// Why this layer.
    pub reason: Reason,
    /// Payload sent, in bit/s, over about the last second; what is sent again is not in it.
    pub bitrate: u64,
    pub packets: u64,
    pub bytes: u64,
    pub frames_per_second: f32,
    /// Packets that did not arrive the first time, as the subscriber counts (RFC 3550 section 6.4.1). None until it reports.
    pub lost: Option<u64>,
    /// The share of them in the last reports.
    pub loss: Option<f32>,
    pub rtt: Option<Duration>,
    /// As the subscriber measures it.
    pub jitter: Option<Duration>,
    /// Times in which it got nothing it could show although the publisher sent.
    pub freezes: u32,
    /// How long all of them took.
    pub frozen: Duration,
    /// Key frames this subscriber asked for.
    pub key_frame_requests: u32,
    /// Packets sent again to it.
    pub resent: u32,
    /// From 1 to 5. None while nothing is forwarded or the subscriber has not reported.
    pub score: Option<f32>,
}

/// How many values are at most so large, cumulative as Prometheus has it; the last bound is infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// Upper bounds, rising.
    pub bounds: &'static [f64],
    /// One more than bounds.
    pub counts: Vec<u64>,
    pub sum: f64,
}

impl Spread {
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: 0.0 }
    }

    pub(crate) fn add(&mut self, value: f64) {
        let first = self.bounds.iter().position(|bound| value <= *bound).unwrap_or(self.bounds.len());
        for count in &mut self.counts[first..] {
            *count += 1;
        }
        self.sum += value;
    }

    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

/// All tracks that go out of a media thread, added up.
#[derive(Clone, Debug, PartialEq)]
pub struct QualityTotals {
    /// Share of packets lost, of each track with reports.
    pub loss: Spread,
    /// Seconds there and back, of each subscriber.
    pub rtt: Spread,
    /// Seconds, of each track with reports.
    pub jitter: Spread,
    /// Of each track of sound.
    pub audio_score: Spread,
    /// Of each picture.
    pub video_score: Spread,
    /// Bit/s, of each picture.
    pub video_bitrate: Spread,
    /// Pictures going out by layer: the full, half and quarter-size one, other names, the only layer of a track without
    /// simulcast, and nothing for now.
    pub layers: [(&'static str, u64); 6],
    /// Layers coming in that go to nobody because the preset does not allow them.
    pub refused_layers: u64,
    /// Publishers told to send less, because nobody takes more.
    pub held_publishers: u64,
    /// Since the process began.
    pub freezes: u64,
    pub frozen: Duration,
    pub resent: u64,
}

impl Default for QualityTotals {
    fn default() -> Self {
        const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8];
        const SCORES: &[f64] = &[1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5];
        Self {
            loss: Spread::new(&[0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
            rtt: Spread::new(SECONDS),
            jitter: Spread::new(SECONDS),
            audio_score: Spread::new(SCORES),
            video_score: Spread::new(SCORES),
            video_bitrate: Spread::new(&[50e3, 100e3, 200e3, 400e3, 800e3, 1.6e6, 3.2e6, 6.4e6]),
            layers: [("f", 0), ("h", 0), ("q", 0), ("other", 0), ("single", 0), ("nothing", 0)],
            refused_layers: 0,
            held_publishers: 0,
            freezes: 0,
            frozen: Duration::ZERO,
            resent: 0,
        }
    }
}

impl QualityTotals {
    /// Adds what another media thread has.
    pub fn merge(&mut self, other: &Self) {
        let spreads = [
            (&mut self.loss, &other.loss),
            (&mut self.rtt, &other.rtt),
            (&mut self.jitter, &other.jitter),
            (&mut self.audio_score, &other.audio_score),
            (&mut self.video_score, &other.video_score),
            (&mut self.video_bitrate, &other.video_bitrate),
        ];
        for (spread, more) in spreads {
            spread.merge(more);
        }
        for ((_, count), (_, more)) in self.layers.iter_mut().zip(&other.layers) {
            *count += more;
        }
        self.refused_layers += other.refused_layers;
        self.held_publishers += other.held_publishers;
        self.freezes += other.freezes;
        self.frozen += other.frozen;
        self.resent += other.resent;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_two_threads_add_up() {
        let mut one = QualityTotals::default();
        one.loss.add(0.0);
        one.loss.add(0.03);
        one.layers[1].1 = 2;
        let mut other = QualityTotals::default();
        other.loss.add(0.9);
        other.layers[1].1 = 1;
        other.freezes = 4;
        one.merge(&other);
        assert_eq!(one.loss.counts, [1, 1, 1, 1, 2, 2, 2, 2, 3]);
        assert!((one.loss.sum - 0.93).abs() < 1e-9);
        assert_eq!((one.layers[1], one.freezes), (("h", 3), 4));
    }
}
