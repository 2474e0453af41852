//! A track going out: its current layer, the layer it goes to, and its numbers on the wire.
//! Invariant: video starts, and goes to another layer, only at the first packet of a key frame; otherwise receivers
//! decode garbage although they report frames as decoded. Only to a smaller layer of one stream it goes at any picture.
//! Next: `rewrite.rs` and `payload/pictures.rs` keep the numbers continuous, `egress.rs` sends.

use std::time::{Duration, Instant};

use str0m::media::Rid;

use super::egress::{Rtx, Stream};
use super::key::ProducerKey;
use super::layers::{Candidate, Grant, choose};
use super::lines::Sending;
use super::packet::{Numbers, Packet};
use super::payload::ids::{ALL_LAYERS, Ids};
use super::payload::pictures::Pictures;
use super::quality::outgoing::Outgoing as Quality;
use super::replays::Replay;
use super::rewrite::{Sequence, Timeline};
use super::words::StreamWords;
use crate::sdp::Kind;

/// First sequence numbers are below this, so that the first 16-bit wrap is some way off (RFC 3711 section 3.3.1).
const FIRST_NUMBER_BELOW: u16 = 0x4000;

/// That there is something in the word for times and pictures.
const BEGUN: u64 = 1;

#[derive(Debug)]
pub(crate) struct Consumer {
    pub producer: ProducerKey,
    pub kind: Kind,
    /// The client has answered the offer of this track.
    pub negotiated: bool,
    /// The layer the subscriber prefers.
    pub wanted: Option<Rid>,
    /// How it leaves; `forward` says with which numbers.
    pub stream: Stream,
    pub quality: Quality,
    /// It is given what came before it, and has not caught up yet.
    pub replay: Option<Replay>,

    /// What is being sent. None before the first key frame and after a pause.
    current: Option<Current>,
    target: Option<Target>,
    limit: Limit,
    grant: Grant,
    sequence: Sequence,
    timeline: Timeline,
    pictures: Pictures,
    /// What is in the word for it.
    noted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Current {
    layer: usize,
    stream: usize,
    ssrc: u32,
}

#[derive(Clone, Copy, Debug)]
struct Target {
    layer: usize,
    stream: usize,
    /// The highest spatial layer it has, `ALL_LAYERS` for the best layer of its stream.
    spatial: u8,
}

/// Which spatial layers of the current stream are sent.
#[derive(Clone, Copy, Debug)]
struct Limit {
    /// The highest of them.
    now: u8,
    /// The highest before the packet `since`, for packets that come late: the end of a picture must not be missing.
    before: u8,
    since: u64,
    /// The timestamp of the newest picture.
    picture: u32,
}

impl Limit {
    fn at(&self, index: u64) -> u8 {
        if index < self.since { self.before } else { self.now }
    }
}

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Send {
        numbers: Numbers,
        switched: bool,
    },
    Drop,
    /// It is of the layer this consumer waits for, but no key frame.
    NeedsKeyFrame,
}

impl Consumer {
    /// Numbers go on after those in `words`.
    pub(crate) fn new(producer: ProducerKey, kind: Kind, line: &Sending, wanted: Option<Rid>, words: StreamWords) -> Self {
        let rtx = line.rtx.map(|(ssrc, pt)| Rtx::new(ssrc, pt, words.again));
        let sequence = match words.number.get() {
            0 => Sequence::new(1 + (line.ssrc as u16) % FIRST_NUMBER_BELOW),
            sent => Sequence::after(sent),
        };
        Self {
            producer,
            kind,
            negotiated: false,
            wanted,
            stream: Stream::new(kind, line.ssrc, line.pt, rtx, line.name.clone(), words),
            quality: Quality::default(),
            replay: None,
            current: None,
            target: None,
            limit: Limit { now: ALL_LAYERS, before: ALL_LAYERS, since: 0, picture: 0 },
            grant: Grant::Any,
            sequence,
            noted: 0,
            timeline: Timeline::new(kind.clock_rate()),
            pictures: Pictures::default(),
        }
    }

    /// Goes on with times and pictures that another process sent. `wall` is the time since 1970.
    pub(crate) fn go_on(&mut self, now: Instant, wall: Duration) {
        let look = self.stream.words.look.get();
        let Some((at, out)) = self.stream.noted_clock(now, wall).filter(|_| look & BEGUN != 0) else { return };
        self.timeline.go_on((look >> 32) as u32, at, out);
        self.pictures.go_on(Ids { picture: (look >> 16) as u16, tl0: (look >> 8) as u8 });
    }

    /// Notes with which numbers a packet is about to leave.
    fn note(&mut self) {
        let words = &self.stream.words;
        words.number.set(self.sequence.highest());
        let Ids { picture, tl0 } = self.pictures.last().unwrap_or_default();
        let look = u64::from(self.timeline.offset()) << 32 | u64::from(picture) << 16 | u64::from(tl0) << 8 | BEGUN;
        if look != self.noted {
            self.noted = look;
            words.look.set(look);
        }
    }

    /// Chooses a layer anew. Some layer if a key frame of it is needed to get there.
    pub(crate) fn choose(&mut self, layers: &[Candidate]) -> Option<usize> {
        // With all layers dead, stay: the first that comes back chooses again.
        if let Some(choice) = choose(layers, self.wanted) {
            let granted = match self.grant {
                Grant::Nothing => None,
                Grant::UpTo(most) if layers.get(most).is_some_and(|l| l.alive && l.rank > layers[choice].rank) => Some(most),
                Grant::Any | Grant::UpTo(_) => Some(choice),
            };
            let target = |layer: usize| Target { layer, stream: layers[layer].stream, spatial: layers[layer].spatial };
            self.target = granted.map(target);
            if let (Some(target), Some(current)) = (self.target, &mut self.current)
                && (target.stream, target.spatial) == (current.stream, self.limit.now)
            {
                current.layer = target.layer;
            }
        }
        self.awaited_layer()
    }

    /// The line allows something else from now on. Some layer if a key frame of it is needed.
    pub(crate) fn grant(&mut self, grant: Grant, layers: &[Candidate]) -> Option<usize> {
        self.grant = grant;
        if grant == Grant::Nothing {
            self.restart();
        }
        self.choose(layers)
    }

    /// What the line allows, as far as it is known.
    pub(crate) fn granted(&self) -> Grant {
        self.grant
    }

    /// The layer that is sent now.
    pub(crate) fn current_layer(&self) -> Option<usize> {
        self.current.map(|c| c.layer)
    }

    /// The layer whose key frame this consumer waits for.
    pub(crate) fn awaited_layer(&self) -> Option<usize> {
        let target = self.target.filter(|_| self.kind == Kind::Video)?;
        let there = self.current.is_some_and(|c| c.stream == target.stream && target.spatial <= self.limit.now);
        // Its key frame is here and only waits for its turn.
        let soon = self.replay.is_some_and(|replay| !replay.begun() && replay.stream == target.stream);
        (!there && !soon).then_some(target.layer)
    }

    /// The layer to ask a key frame of when the subscriber cannot decode.
    pub(crate) fn layer_to_refresh(&self) -> Option<usize> {
        self.awaited_layer().or(self.current.map(|c| c.layer))
    }

    /// After a pause the decoder needs a key frame before anything else.
    pub(crate) fn restart(&mut self) {
        self.current = None;
        self.replay = None;
    }

    /// Other streams of the same track follow. What was sent of the earlier ones cannot be sent again: their numbers come
    /// once more.
    pub(crate) fn begin_anew(&mut self) {
        self.restart();
        self.target = None;
        self.stream.forget_history();
    }

    /// Whether nothing of the track was ever sent.
    pub(crate) fn is_new(&self) -> bool {
        self.kind == Kind::Video && self.current.is_none() && !self.timeline.has_begun()
    }

    /// Whether it goes to a layer of this stream.
    pub(crate) fn awaits(&self, stream: usize) -> bool {
        self.target.is_some_and(|target| target.stream == stream)
    }

    /// Whether it gets a layer of this stream.
    pub(crate) fn gets(&self, stream: usize) -> bool {
        self.current.is_some_and(|current| current.stream == stream)
    }

    /// What came until this packet goes out all at once.
    pub(crate) fn squeeze(&mut self, newest: &Packet) {
        self.timeline.squeeze(newest.at, newest.timestamp);
    }

    /// The hot path: whether and with which numbers a packet goes to this subscriber.
    pub(crate) fn forward(&mut self, packet: &Packet) -> Verdict {
        let mut switched = false;
        let mut marker = packet.marker;
        let mut empty = false;
        if !self.current.is_some_and(|c| c.stream == packet.stream && c.ssrc == packet.ssrc) {
            let target = self.target.filter(|t| t.stream == packet.stream);
            if self.kind == Kind::Video {
                let same_stream = self.current.is_some_and(|c| c.stream == packet.stream);
                if target.is_none() && !same_stream {
                    return Verdict::Drop;
                }
                if !packet.starts_key_frame() {
                    return Verdict::NeedsKeyFrame;
                }
            }
            switched = self.current.is_some_and(|c| c.stream != packet.stream);
            let layer = target.map_or(packet.layer, |t| t.layer);
            let spatial = target.map_or(self.limit.now, |t| t.spatial);
            self.current = Some(Current { layer, stream: packet.stream, ssrc: packet.ssrc });
            self.limit = Limit { now: spatial, before: spatial, since: packet.index, picture: packet.timestamp };
            self.sequence.switch(packet.index);
            self.timeline.switch(packet.at, packet.timestamp, packet.report);
            if let Some(descriptor) = &packet.descriptor {
                self.pictures.switch(descriptor);
            }
        } else if packet.scalable {
            switched = self.move_limit(packet);
            if packet.spatial() > self.limit.at(packet.index) {
                let wanted = self.target.is_some_and(|t| t.stream == packet.stream && packet.spatial() <= t.spatial);
                if self.sequence.skip(packet.index) {
                    return if wanted { Verdict::NeedsKeyFrame } else { Verdict::Drop };
                }
                empty = true;
            }
        }
        if packet.scalable && !empty {
            marker |= packet.ends_frame() && packet.spatial() == self.limit.at(packet.index);
        }
        // Publishers without RTX probe with empty packets on the media stream.
        if packet.payload.is_empty() && self.sequence.skip(packet.index) {
            return Verdict::Drop;
        }
        let Some(index) = self.sequence.map(packet.index) else { return Verdict::Drop };
        let timestamp = self.timeline.map(packet.at, packet.timestamp, packet.report);
        let mut ids = match &packet.descriptor {
            Some(descriptor) if !empty => self.pictures.map(descriptor),
            _ => Ids::default(),
        };
        if packet.scalable && packet.descriptor.as_ref().is_some_and(|d| d.frame.is_some()) {
            ids.limit_to(self.limit.at(packet.index));
        }
        if self.stream.words.last() {
            self.note();
        }
        Verdict::Send { numbers: Numbers { index, timestamp, ids, marker, empty }, switched }
    }

    /// Goes to another spatial layer of the same stream where that is possible: down with any new picture, up with a key
    /// frame. True if it did.
    fn move_limit(&mut self, packet: &Packet) -> bool {
        if packet.timestamp == self.limit.picture || !self.sequence.is_newest(packet.index) {
            return false;
        }
        self.limit.picture = packet.timestamp;
        let (Some(target), Some(current)) = (self.target, &mut self.current) else { return false };
        let down = target.spatial < self.limit.now;
        let up = target.spatial > self.limit.now && packet.starts_key_frame();
        if target.stream != current.stream || !(down || up) {
            return false;
        }
        self.limit = Limit { now: target.spatial, before: self.limit.now, since: packet.index, ..self.limit };
        current.layer = target.layer;
        true
    }
}
