//! A track coming in: which of its layers are alive, and when a key frame may be asked for again.
//! Owns its layers and the list of consumers it feeds; the packets themselves pass through `forwarding.rs`.
//! Invariant: a layer keeps its index until the client sends the track anew.

use std::cmp::Reverse;
use std::time::Instant;

use str0m::media::{Mid, Rid};
use str0m::rtp::RtpPacket;

use super::kept::Kept;
use super::key::Key;
use super::layers::{Candidate, Known, Rank, choose};
use super::loudness::Loudness;
use super::moments::{Moments, Settling, micros};
use super::packet::Packet;
use super::payload::descriptor::Descriptor;
use super::payload::ids::ALL_LAYERS;
use super::payload::{self, Structures};
use super::quality::incoming::{Arrival, Incoming};
use super::quality::picture_size;
use crate::limits::{KEY_FRAME_EVERY, LAYER_CHECK_EVERY, LAYER_DEAD_AFTER, LAYERS_PER_PRODUCER, METER_EVERY};
use crate::quality::LayerQuality;
use crate::sdp::{Format, Kind};
use crate::{Cap, ProducerId, RoomId};

#[derive(Debug)]
pub(crate) struct Producer {
    pub id: ProducerId,
    pub room: RoomId,
    pub kind: Kind,
    /// What its payloads are.
    pub format: Format,
    pub origin: Origin,
    pub screen_share: bool,
    /// The best that may come.
    pub cap: Cap,
    /// Paused by the server: packets are not forwarded.
    pub paused: bool,
    /// Names the media stream; sound and picture of one stream are kept in step by the browser.
    pub stream: String,
    /// Where it goes out.
    pub consumers: Vec<(Key, Mid)>,
    /// The threads it is consumed on besides this one.
    pub mirrors: Vec<Mirror>,
    /// What came in and waits to go out, in the order it came.
    pub waiting: Vec<Packet>,

    // Written as packets come in.
    pub loudness: Loudness,
    layers: Vec<Layer>,
    structures: Structures,
    checked_at: Option<Instant>,
}

/// Where a producer's packets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its client, on a transport of this thread.
    Client { transport: Key, mid: Mid },
    /// The thread that has its client, or knows its node: this one is a mirror. `serial` and `since` are of the last time it was shared.
    Thread { home: usize, serial: u64, since: Instant },
}

/// That another thread has a mirror of a producer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mirror {
    pub on: usize,
    pub serial: u64,
}

#[derive(Debug)]
struct Layer {
    rid: Option<Rid>,
    rank: Rank,
    spatial: u8,
    heard_at: Instant,
    alive: bool,
    meter: Meter,
    /// The layer that stands for the stream: itself, unless the stream has several spatial layers.
    stream: usize,

    // Used in the layer that stands for the stream only.
    /// The highest spatial layer that was seen.
    top: u8,
    ssrc: u32,
    incoming: Incoming,
    /// The stream's own clock, and what it showed at first.
    moments: Moments,
    first_timestamp: Option<u32>,
    /// From when it goes by its publisher's clock.
    settling: Option<Settling>,
    asked_at: Option<Instant>,
    /// Someone asked while it was too soon to ask the client.
    asked_again: bool,
    /// The last packets of video.
    kept: Kept,
}

/// What a packet tells about its layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    /// The stream is more than the publisher may send.
    pub refused: bool,
    /// A layer came to life or died, or is refused or not any more: consumers should choose anew.
    pub changed: bool,
}

impl Producer {
    pub(crate) fn new(id: ProducerId, room: RoomId, format: Format, origin: Origin, paused: bool) -> Self {
        Self {
            id,
            room,
            kind: format.kind(),
            format,
            origin,
            screen_share: false,
            cap: Cap::default(),
            paused,
            stream: String::new(),
            consumers: Vec::new(),
            mirrors: Vec::new(),
            waiting: Vec::new(),
            loudness: Loudness::new(),
            layers: Vec::new(),
            structures: Structures::default(),
            checked_at: None,
        }
    }

    /// Other streams come from now on.
    pub(crate) fn begin_anew(&mut self) {
        self.layers.clear();
        self.structures.clear();
        self.waiting.clear();
    }

    /// What a packet says about its picture.
    pub(crate) fn read(&mut self, packet: &RtpPacket, rid: Option<Rid>) -> Option<Descriptor> {
        if self.format != Format::Av1 {
            return payload::read(self.format, packet, None);
        }
        self.structures.read(rid, |structure| payload::read(self.format, packet, structure))
    }

    /// The transport and line it comes in on, if it is not a mirror.
    pub(crate) fn line(&self) -> Option<(Key, Mid)> {
        match self.origin {
            Origin::Client { transport, mid } => Some((transport, mid)),
            Origin::Thread { .. } => None,
        }
    }

    /// Packets of these streams come from another thread.
    pub(crate) fn expect(&mut self, now: Instant, rids: &[Option<Rid>]) {
        let layer =
            |(stream, rid): (usize, &Option<Rid>)| Layer { alive: true, ..Layer::new(now, *rid, 0, 0, stream, self.kind) };
        self.layers = rids.iter().enumerate().map(layer).collect();
    }

    /// The node of its client says which streams come in there, with their bit/s; those that nobody wants here do not come over.
    /// True if one came to life: consumers should choose anew.
    pub(crate) fn are_alive(&mut self, now: Instant, streams: &[(Option<Rid>, u64)]) -> bool {
        let mut changed = false;
        for (rid, rate) in streams {
            let known = self.stream_of(*rid);
            if known.is_none() && self.layers.len() >= LAYERS_PER_PRODUCER {
                continue;
            }
            let stream = known.unwrap_or_else(|| {
                self.layers.push(Layer::new(now, *rid, 0, 0, self.layers.len(), self.kind));
                self.layers.len() - 1
            });
            for layer in self.layers.iter_mut().filter(|layer| layer.stream == stream) {
                changed |= !std::mem::replace(&mut layer.alive, true);
                layer.heard_at = now;
            }
            // Of several layers of one stream this node knows the rates as long as they come.
            if self.layers[stream].top == 0 {
                self.layers[stream].meter.rate = *rate;
            }
        }
        changed
    }

    /// Notes that a packet came, and which layer it is of. None if the producer has too many layers already.
    pub(crate) fn see(&mut self, packet: &mut Packet, rid: Option<Rid>) -> Option<Seen> {
        let now = packet.at;
        let spatial = packet.descriptor.as_ref().map_or(0, |descriptor| descriptor.spatial);
        let mut changed = false;
        let index = match self.layers.iter().position(|l| l.rid == rid && l.spatial == spatial) {
            Some(index) => index,
            None if self.layers.len() < LAYERS_PER_PRODUCER => {
                let index = self.layers.len();
                let stream = self.stream_of(rid).unwrap_or(index);
                self.layers.push(Layer::new(now, rid, packet.ssrc, spatial, stream, self.kind));
                let stream = &mut self.layers[stream];
                stream.top = stream.top.max(spatial);
                index
            }
            None => return None,
        };
        let layer = &mut self.layers[index];
        layer.heard_at = now;
        layer.meter.count(now, packet.payload.len());
        changed |= !std::mem::replace(&mut layer.alive, true);
        let stream = layer.stream;
        let of = &mut self.layers[stream];
        if std::mem::replace(&mut of.ssrc, packet.ssrc) != packet.ssrc {
            // Numbers begin anew: what is kept would be taken for something else.
            of.kept = Kept::default();
            of.incoming.begin_anew();
            (of.moments, of.first_timestamp, of.settling) = (Moments::default(), None, None);
        }
        let arrival = Arrival {
            index: packet.index,
            timestamp: packet.timestamp,
            bytes: packet.payload.len(),
            ends_frame: packet.marker && self.kind == Kind::Video,
            size: (self.format == Format::Vp8).then(|| picture_size::vp8(&packet.payload)).flatten(),
        };
        changed |= of.incoming.count(now, arrival, &self.cap);
        let refused = of.incoming.beyond().is_some();
        let scalable = of.top > 0;
        if self.checked_at.is_none_or(|at| now.saturating_duration_since(at) >= LAYER_CHECK_EVERY) {
            self.checked_at = Some(now);
            for layer in &mut self.layers {
                let dead = now.saturating_duration_since(layer.heard_at) > LAYER_DEAD_AFTER;
                changed |= layer.alive && dead;
                layer.alive &= !dead;
            }
        }
        packet.layer = index;
        packet.stream = stream;
        packet.scalable = scalable;
        Some(Seen { refused, changed })
    }

    /// When a packet would have come had nothing held it up. By its publisher's clock, which sound and pictures share; before
    /// there is a report of that, by the stream's own.
    pub(crate) fn moment(&mut self, packet: &Packet, publisher: &mut Moments) -> Instant {
        let (at, rate) = (packet.at, self.kind.clock_rate());
        let Some(layer) = self.layers.get_mut(packet.stream) else { return at };
        let first = *layer.first_timestamp.get_or_insert(packet.timestamp);
        let own = layer.moments.of(at, micros(packet.timestamp.wrapping_sub(first) as i32, rate));
        let Some(report) = packet.report else { return own };
        let shared = publisher.of(own, report.wall_at(packet.timestamp, rate));
        layer.settling.get_or_insert_with(|| Settling::new(at, own, shared)).of(at, shared)
    }

    /// The next who needs a key frame has not had the last one.
    pub(crate) fn may_be_asked(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.asked_at = None);
    }

    /// Whether a stream has several layers, as far as is known by now.
    pub(crate) fn is_scalable(&self, stream: usize) -> bool {
        self.layers.get(stream).is_some_and(|layer| layer.top > 0)
    }

    /// The layer that stands for the stream of this name.
    pub(crate) fn stream_of(&self, rid: Option<Rid>) -> Option<usize> {
        self.layers.iter().position(|l| l.rid == rid)
    }

    /// The layer that stands for the stream that this one is of.
    pub(crate) fn stream_with(&self, layer: usize) -> Option<usize> {
        self.layers.get(layer).map(|l| l.stream)
    }

    /// The name of the stream that a layer is of.
    pub(crate) fn rid_of(&self, layer: usize) -> Option<Option<Rid>> {
        self.layers.get(layer).map(|layer| layer.rid)
    }

    /// The layers to choose from; the choice is an index of this.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let alive = |l: &Layer| l.alive && self.layers[l.stream].incoming.beyond().is_none();
        let candidate = |l: &Layer| match self.layers[l.stream].top {
            0 => Candidate { rid: l.rid, rank: l.rank, alive: alive(l), stream: l.stream, spatial: ALL_LAYERS },
            // The best of a stream counts as full, the next as half, whatever the stream is called.
            top => Candidate {
                rid: None,
                rank: Rank(top - l.spatial),
                alive: alive(l),
                stream: l.stream,
                spatial: if l.spatial == top { ALL_LAYERS } else { l.spatial },
            },
        };
        self.layers.iter().map(candidate).collect()
    }

    /// The layers that a consumer with this wish may have, from the smallest to the one it wants, with their bit/s.
    pub(crate) fn options(&self, wanted: Option<Rid>) -> Vec<(usize, u64)> {
        let candidates = self.candidates();
        let Some(best) = choose(&candidates, wanted) else { return Vec::new() };
        let alive = candidates.iter().enumerate().filter(|(_, l)| l.alive && l.rank >= candidates[best].rank);
        let mut options: Vec<(usize, Rank)> = alive.map(|(index, l)| (index, l.rank)).collect();
        options.sort_by_key(|(_, rank)| Reverse(*rank));
        options.into_iter().map(|(index, _)| (index, self.rate_of(index))).collect()
    }

    /// The bit/s of a layer and all that it needs.
    fn rate_of(&self, index: usize) -> u64 {
        let of = &self.layers[index];
        let needed = self.layers.iter().filter(|l| l.stream == of.stream && l.spatial <= of.spatial);
        needed.map(|l| l.meter.rate).sum()
    }

    /// What comes in of all layers together, in bit/s.
    pub(crate) fn rate(&self) -> u64 {
        self.layers.iter().map(|l| l.meter.rate).sum()
    }

    /// Someone needs a key frame of a layer. Some rid if the client is to be asked now.
    pub(crate) fn want_key_frame(&mut self, now: Instant, layer: usize) -> Option<Option<Rid>> {
        let stream = self.layers.get(layer)?.stream;
        let layer = &mut self.layers[stream];
        if !layer.may_ask(now) {
            layer.asked_again = true;
            return None;
        }
        layer.asked_at = Some(now);
        layer.incoming.key_frame_requests = layer.incoming.key_frame_requests.saturating_add(1);
        layer.asked_again = false;
        Some(layer.rid)
    }

    /// A packet of the stream came in: a key frame settles what was asked. True if a request that came too soon is due
    /// by now; `want_key_frame` then makes it.
    pub(crate) fn is_key_frame_due(&mut self, now: Instant, stream: usize, is_key_frame: bool) -> bool {
        let Some(layer) = self.layers.get_mut(stream) else { return false };
        layer.asked_again &= !is_key_frame;
        layer.asked_again && layer.may_ask(now)
    }

    /// Keeps a packet of video for those who will miss it.
    pub(crate) fn keep(&mut self, packet: &Packet) {
        if self.kind == Kind::Audio {
            return;
        }
        if let Some(layer) = self.layers.get_mut(packet.stream) {
            layer.kept.keep(packet);
        }
    }

    /// What came of a stream not long ago.
    pub(crate) fn kept(&self, stream: usize) -> Option<&Kept> {
        self.layers.get(stream).map(|layer| &layer.kept)
    }

    /// Nobody can begin with what came of its streams until now.
    pub(crate) fn forget_key_frames(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.kept.forget_key_frame());
    }

    /// What another thread needs so that people there can begin at once, with the names of its streams.
    pub(crate) fn past(&self) -> impl Iterator<Item = (Option<Rid>, &Packet)> {
        self.layers.iter().flat_map(|layer| {
            // Whether it is too old is judged when somebody comes.
            let since = layer.kept.newest().and_then(|newest| layer.kept.since_key_frame(newest.at));
            let numbers = since.into_iter().flat_map(|since| since.first..=since.newest);
            numbers.filter_map(|index| Some((layer.rid, layer.kept.get(index)?)))
        })
    }

    /// Of the last key frame of a layer.
    pub(crate) fn size_of(&self, layer: usize) -> Option<(u16, u16)> {
        self.layers[self.stream_with(layer)?].incoming.size
    }

    /// The layers, as the reason for a choice needs them.
    pub(crate) fn known_layers(&self) -> Vec<Known> {
        let known = |(l, candidate): (&Layer, Candidate)| Known {
            rid: l.rid,
            rank: candidate.rank,
            sent: l.alive,
            beyond: self.layers[l.stream].incoming.beyond(),
        };
        self.layers.iter().zip(self.candidates()).map(known).collect()
    }

    /// How many layers that come are better than the one a consumer gets, and not better than it wants.
    pub(crate) fn steps_below_wanted(&self, current: Option<usize>, wanted: Option<Rid>) -> u8 {
        let layers = self.known_layers();
        let Some(current) = current.and_then(|layer| layers.get(layer)) else { return 0 };
        let wanted = wanted.map_or(Rank(0), |rid| Rank::of(&rid));
        layers.iter().filter(|l| l.sent && l.rank < current.rank && l.rank >= wanted).count() as u8
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
        let Layer { rid, heard_at, stream, meter, .. } = self.layers.get(layer)?;
        let Layer { incoming, top, .. } = self.layers.get(*stream)?;
        // Of the layers of one stream only the rate is known apart.
        let bitrate = if *top == 0 { incoming.bitrate } else { meter.rate };
        let alive = now.saturating_duration_since(*heard_at) <= LAYER_DEAD_AFTER;
        Some(LayerQuality {
            rid: rid.map(|rid| rid.to_string()),
            alive,
            bitrate: if alive { bitrate } else { 0 },
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
        self.layers.iter().enumerate().filter(|(index, l)| l.stream == *index).map(|(_, l)| l.rid).collect()
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
    fn new(now: Instant, rid: Option<Rid>, ssrc: u32, spatial: u8, stream: usize, kind: Kind) -> Self {
        Self {
            rid,
            rank: rid.map_or(Rank(0), |rid| Rank::of(&rid)),
            spatial,
            heard_at: now,
            alive: false,
            meter: Meter::new(now),
            stream,
            top: 0,
            ssrc,
            incoming: Incoming::new(now, kind.clock_rate()),
            moments: Moments::default(),
            first_timestamp: None,
            settling: None,
            asked_at: None,
            asked_again: false,
            kept: Kept::default(),
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
        let origin = Origin::Client { transport: Key(1), mid: Mid::from("2") };
        let mut producer = Producer::new("p".into(), "r".into(), Format::Vp8, origin, false);
        producer.layers.push(Layer::new(now, None, 1, 0, 0, Kind::Video));
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
