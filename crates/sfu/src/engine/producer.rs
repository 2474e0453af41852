//! A track coming in: which of its layers are alive, and when a key frame may be asked for again.
//! Owns its layers and the list of consumers it feeds; the packets themselves pass through `room.rs`.
//! Invariant: a layer keeps its index for the life of the producer.

use std::cmp::Reverse;
use std::time::Instant;

use str0m::media::{Mid, Rid};
use str0m::rtp::{RtpPacket, Ssrc};

use super::Key;
use super::consumer::Consumer;
use super::consumer::Packet;
use super::layers::{Candidate, Rank, choose};
use super::loudness::Loudness;
use super::quality::incoming::{Arrival, Incoming};
use super::quality::{picture_size, reason::Known};
use super::rewrite::Report;
use crate::limits::{
    KEY_FRAME_EVERY, LAYER_CHECK_EVERY, LAYER_DEAD_AFTER, LAYERS_PER_PRODUCER, METER_EVERY, RESEND_AGE, RESEND_PACKETS,
};
use crate::quality::LayerQuality;
use crate::sdp::Kind;
use crate::{Cap, ProducerId, RoomId};

/// A producer inside the engine; unlike its id it is cheap to hash and never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ProducerKey(pub u64);

#[derive(Debug)]
pub(crate) struct Producer {
    pub id: ProducerId,
    pub room: RoomId,
    pub kind: Kind,
    /// Where it comes in.
    pub transport: Key,
    pub mid: Mid,
    pub screen_share: bool,
    /// The best that may come.
    pub cap: Cap,
    /// Paused by the server: packets are not forwarded.
    pub paused: bool,
    /// Names the media stream; sound and picture of one stream are kept in step by the browser.
    pub stream: String,
    /// Where it goes out.
    pub consumers: Vec<(Key, Mid)>,
    /// What came in and waits to go out, in the order it came.
    pub waiting: Vec<Packet>,

    // Written as packets come in.
    pub loudness: Loudness,
    layers: Vec<Layer>,
    checked_at: Option<Instant>,
}

#[derive(Debug)]
struct Layer {
    rid: Option<Rid>,
    rank: Rank,
    ssrc: Ssrc,
    heard_at: Instant,
    alive: bool,
    report: Option<Report>,
    meter: Meter,
    incoming: Incoming,
    asked_at: Option<Instant>,
    /// Someone asked while it was too soon to ask the client.
    asked_again: bool,
    /// The last packets of video by the lower part of their number, to send again.
    kept: Vec<Option<Packet>>,
}

/// What a packet tells about its layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub layer: usize,
    pub report: Option<Report>,
    /// The layer is more than the publisher may send.
    pub refused: bool,
    /// A layer came to life or died, or is refused or not any more: consumers should choose anew.
    pub changed: bool,
}

impl Producer {
    pub(crate) fn new(id: ProducerId, room: RoomId, kind: Kind, transport: Key, mid: Mid, paused: bool) -> Self {
        Self {
            id,
            room,
            kind,
            transport,
            mid,
            screen_share: false,
            cap: Cap::default(),
            paused,
            stream: String::new(),
            consumers: Vec::new(),
            waiting: Vec::new(),
            loudness: Loudness::new(),
            layers: Vec::new(),
            checked_at: None,
        }
    }

    /// Notes that a packet came. None if the producer has too many layers already.
    pub(crate) fn see(&mut self, now: Instant, packet: &RtpPacket, rid: Option<Rid>) -> Option<Seen> {
        let ssrc = packet.header.ssrc;
        let report = packet.last_sender_info.as_ref().filter(|info| info.ssrc == ssrc);
        let report = report.map(|info| Report { at: info.ntp_time, rtp: info.rtp_time.numer() as u32 });
        let mut changed = false;
        let index = match self.layers.iter().position(|l| l.rid == rid) {
            Some(index) => index,
            None if self.layers.len() < LAYERS_PER_PRODUCER => {
                self.layers.push(Layer::new(now, rid, ssrc, self.kind));
                self.layers.len() - 1
            }
            None => return None,
        };
        let layer = &mut self.layers[index];
        layer.heard_at = now;
        if std::mem::replace(&mut layer.ssrc, ssrc) != ssrc {
            // Numbers begin anew: what is kept would be taken for something else.
            layer.kept.clear();
            layer.incoming.begin_anew();
        }
        layer.report = report;
        layer.meter.count(now, packet.payload.len());
        let arrival = Arrival {
            index: *packet.seq_no,
            timestamp: packet.header.timestamp,
            bytes: packet.payload.len(),
            ends_frame: packet.header.marker && self.kind == Kind::Video,
            size: (self.kind == Kind::Video).then(|| picture_size::vp8(&packet.payload)).flatten(),
        };
        changed |= layer.incoming.count(now, arrival, &self.cap);
        let refused = layer.incoming.beyond().is_some();
        changed |= !std::mem::replace(&mut layer.alive, true);
        if self.checked_at.is_none_or(|at| now.saturating_duration_since(at) >= LAYER_CHECK_EVERY) {
            self.checked_at = Some(now);
            for layer in &mut self.layers {
                let dead = now.saturating_duration_since(layer.heard_at) > LAYER_DEAD_AFTER;
                changed |= layer.alive && dead;
                layer.alive &= !dead;
            }
        }
        Some(Seen { layer: index, report, refused, changed })
    }

    /// The layers to choose from; the choice is an index of this.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let alive = |l: &Layer| l.alive && l.incoming.beyond().is_none();
        self.layers.iter().map(|l| Candidate { rid: l.rid, rank: l.rank, alive: alive(l) }).collect()
    }

    /// The layers that a consumer with this wish may have, from the smallest to the one it wants, with their bit/s.
    pub(crate) fn options(&self, wanted: Option<Rid>) -> Vec<(usize, u64)> {
        let candidates = self.candidates();
        let Some(best) = choose(&candidates, wanted) else { return Vec::new() };
        let alive = candidates.iter().enumerate().filter(|(_, l)| l.alive && l.rank >= candidates[best].rank);
        let mut options: Vec<(usize, Rank)> = alive.map(|(index, l)| (index, l.rank)).collect();
        options.sort_by_key(|(_, rank)| Reverse(*rank));
        options.into_iter().map(|(index, _)| (index, self.layers[index].meter.rate)).collect()
    }

    /// What comes in of all layers together, in bit/s.
    pub(crate) fn rate(&self) -> u64 {
        self.layers.iter().map(|l| l.meter.rate).sum()
    }

    /// Someone needs a key frame of a layer. Some rid if the client is to be asked now.
    pub(crate) fn want_key_frame(&mut self, now: Instant, layer: usize) -> Option<Option<Rid>> {
        let layer = self.layers.get_mut(layer)?;
        if !layer.may_ask(now) {
            layer.asked_again = true;
            return None;
        }
        layer.asked_at = Some(now);
        layer.incoming.key_frame_requests = layer.incoming.key_frame_requests.saturating_add(1);
        layer.asked_again = false;
        Some(layer.rid)
    }

    /// A packet of the layer came in: a key frame settles what was asked. True if a request that came too soon is due
    /// by now; `want_key_frame` then makes it.
    pub(crate) fn is_key_frame_due(&mut self, now: Instant, layer: usize, is_key_frame: bool) -> bool {
        let Some(layer) = self.layers.get_mut(layer) else { return false };
        layer.asked_again &= !is_key_frame;
        layer.asked_again && layer.may_ask(now)
    }

    /// Keeps a packet of video for those who will miss it.
    pub(crate) fn keep(&mut self, packet: &Packet) {
        if self.kind == Kind::Audio {
            return;
        }
        let Some(layer) = self.layers.get_mut(packet.layer) else { return };
        if layer.kept.is_empty() {
            layer.kept.resize(RESEND_PACKETS, None);
        }
        layer.kept[packet.index as usize % RESEND_PACKETS] = Some(packet.clone());
    }

    /// A packet that came not long ago, by the lower part of its number.
    pub(crate) fn kept(&self, now: Instant, layer: u8, index: u32) -> Option<&Packet> {
        let kept = self.layers.get(usize::from(layer))?.kept.get(index as usize % RESEND_PACKETS)?.as_ref()?;
        let fresh = now.saturating_duration_since(kept.at) <= RESEND_AGE;
        (fresh && kept.index as u32 == index).then_some(kept)
    }

    /// Of the last key frame of a layer.
    pub(crate) fn size_of(&self, layer: usize) -> Option<(u16, u16)> {
        self.layers.get(layer)?.incoming.size
    }

    /// The layers, as the reason for a choice needs them.
    pub(crate) fn known_layers(&self) -> Vec<Known> {
        let known = |l: &Layer| Known { rid: l.rid, rank: l.rank, sent: l.alive, beyond: l.incoming.beyond() };
        self.layers.iter().map(known).collect()
    }

    /// How many layers that come are better than what this consumer gets, and not better than it wants.
    pub(crate) fn steps_below_wanted(&self, consumer: &Consumer) -> u8 {
        let Some(current) = consumer.current_layer().and_then(|layer| self.layers.get(layer)) else { return 0 };
        let wanted = consumer.wanted.map_or(Rank(0), |rid| Rank::of(&rid));
        self.layers.iter().filter(|l| l.alive && l.rank < current.rank && l.rank >= wanted).count() as u8
    }

    /// Key frames asked of the publisher, of all layers.
    pub(crate) fn key_frame_requests(&self) -> u32 {
        self.layers.iter().map(|l| l.incoming.key_frame_requests).sum()
    }

    pub(crate) fn layers_quality(&self, now: Instant) -> Vec<LayerQuality> {
        (0..self.layers.len()).filter_map(|layer| self.layer_quality(now, layer)).collect()
    }

    /// The figures of a layer; what comes no more has no rates.
    pub(crate) fn layer_quality(&self, now: Instant, layer: usize) -> Option<LayerQuality> {
        let Layer { rid, heard_at, incoming, .. } = self.layers.get(layer)?;
        let alive = now.saturating_duration_since(*heard_at) <= LAYER_DEAD_AFTER;
        Some(LayerQuality {
            rid: rid.map(|rid| rid.to_string()),
            alive,
            bitrate: if alive { incoming.bitrate } else { 0 },
            packets: incoming.packets,
            bytes: incoming.bytes,
            lost: incoming.lost(),
            loss: if alive { incoming.loss } else { 0.0 },
            jitter: incoming.jitter(),
            frames: incoming.frames,
            frames_per_second: if alive { incoming.frames_per_second } else { 0.0 },
            size: incoming.size,
            refusal: incoming.beyond().map(|beyond| beyond.to_string()),
        })
    }

    /// The rids that packets came with.
    pub(crate) fn rids(&self) -> Vec<Option<Rid>> {
        self.layers.iter().map(|l| l.rid).collect()
    }
}

/// Bit/s as they come in.
#[derive(Debug)]
struct Meter {
    rate: u64,
    bytes: usize,
    since: Instant,
}

impl Meter {
    fn new(now: Instant) -> Self {
        Self { rate: 0, bytes: 0, since: now }
    }

    fn count(&mut self, now: Instant, bytes: usize) {
        let passed = now.saturating_duration_since(self.since);
        if passed >= METER_EVERY {
            let rate = (self.bytes as f64 * 8.0 / passed.as_secs_f64()) as u64;
            // Key frames are many times larger than others: half of the past evens them out.
            self.rate = if self.rate == 0 { rate } else { u64::midpoint(self.rate, rate) };
            (self.bytes, self.since) = (0, now);
        }
        self.bytes += bytes;
    }
}

impl Layer {
    fn new(now: Instant, rid: Option<Rid>, ssrc: Ssrc, kind: Kind) -> Self {
        Self {
            rid,
            rank: rid.map_or(Rank(0), |rid| Rank::of(&rid)),
            ssrc,
            heard_at: now,
            alive: false,
            report: None,
            meter: Meter::new(now),
            incoming: Incoming::new(now, kind.clock_rate()),
            asked_at: None,
            asked_again: false,
            kept: Vec::new(),
        }
    }

    fn may_ask(&self, now: Instant) -> bool {
        self.asked_at.is_none_or(|at| now.saturating_duration_since(at) >= KEY_FRAME_EVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn producer(now: Instant) -> Producer {
        let mut producer = Producer::new("p".into(), "r".into(), Kind::Video, Key(1), Mid::from("2"), false);
        producer.layers.push(Layer::new(now, None, 1.into(), Kind::Video));
        producer
    }

    #[test]
    fn the_first_key_frame_request_goes_out_at_once_and_the_next_when_due() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut producer = producer(start);
        assert!(producer.want_key_frame(at(0), 0).is_some());
        assert!(producer.want_key_frame(at(10), 0).is_none());
        assert!(!producer.is_key_frame_due(at(300), 0, false));
        assert!(producer.is_key_frame_due(at(500), 0, false));
        assert!(producer.want_key_frame(at(500), 0).is_some());
        assert!(!producer.is_key_frame_due(at(1_100), 0, false), "asked once, not for ever");
    }

    #[test]
    fn a_key_frame_settles_what_was_asked() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut producer = producer(start);
        producer.want_key_frame(at(0), 0);
        producer.want_key_frame(at(10), 0);
        assert!(!producer.is_key_frame_due(at(600), 0, true));
        assert!(!producer.is_key_frame_due(at(700), 0, false));
    }
}
