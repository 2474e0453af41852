//! A track going out: its current layer, the layer it goes to, and its numbers on the wire.
//! Invariant: video starts, and goes to another layer, only at the first packet of a key frame; otherwise
//! receivers decode garbage although they report frames as decoded.
//! Next: `rewrite.rs` and `vp8.rs` keep the numbers continuous, `egress.rs` sends.

use std::sync::Arc;
use std::time::Instant;

use str0m::media::Rid;
use str0m::rtp::RtpPacket;

use super::egress::{Rtx, Stream};
use super::layers::{Candidate, choose};
use super::producer::ProducerKey;
use super::quality::outgoing::Outgoing as Quality;
use super::rewrite::{Report, Sequence, Timeline};
use super::transport::Outgoing;
use super::vp8::{Descriptor, Ids, Pictures};
use crate::sdp::Kind;

/// First sequence numbers are below this, so that the first 16-bit wrap is some way off (RFC 3711 section 3.3.1).
const FIRST_NUMBER_BELOW: u16 = 0x4000;

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

    /// What is being sent. None before the first key frame and after a pause.
    current: Option<Current>,
    target: Option<usize>,
    grant: Grant,
    sequence: Sequence,
    timeline: Timeline,
    pictures: Pictures,
}

/// What the subscriber's line allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// Nothing is known of the line.
    Any,
    /// No better than this layer.
    UpTo(usize),
    /// Not even the smallest.
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Current {
    layer: usize,
    ssrc: u32,
}

/// One incoming packet, looked at once for all consumers.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// When it came.
    pub at: Instant,
    pub layer: usize,
    pub ssrc: u32,
    /// Its extended sequence number as it came.
    pub index: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    /// The audio level as it stands in the header extension (RFC 6464 section 3).
    pub level: Option<u8>,
    /// The rotation as it stands in the header extension (3GPP TS 26.114 section 7.4.5).
    pub orientation: Option<u8>,
    pub report: Option<Report>,
    pub descriptor: Option<Descriptor>,
}

impl Packet {
    pub(crate) fn new(at: Instant, rtp: &RtpPacket, kind: Kind, layer: usize, report: Option<Report>) -> Self {
        let extensions = &rtp.header.ext_vals;
        let voice = u8::from(extensions.voice_activity == Some(true)) << 7;
        Self {
            at,
            layer,
            ssrc: *rtp.header.ssrc,
            index: *rtp.seq_no,
            timestamp: rtp.header.timestamp,
            marker: rtp.header.marker,
            payload: Arc::clone(&rtp.payload),
            level: extensions.audio_level.map(|level| voice | level.unsigned_abs().min(127)),
            orientation: extensions.video_orientation.map(|orientation| orientation as u8),
            report,
            descriptor: match kind {
                Kind::Video => Descriptor::parse(&rtp.payload),
                Kind::Audio => None,
            },
        }
    }

    pub(crate) fn starts_key_frame(&self) -> bool {
        self.descriptor.is_some_and(|d| d.starts_key_frame)
    }
}

/// What a packet is called on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The extended sequence number.
    pub index: u64,
    pub timestamp: u32,
    pub ids: Ids,
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
    pub(crate) fn new(producer: ProducerKey, kind: Kind, line: &Outgoing, wanted: Option<Rid>) -> Self {
        let rtx = line.rtx.map(|(ssrc, pt)| Rtx::new(ssrc, pt));
        Self {
            producer,
            kind,
            negotiated: false,
            wanted,
            stream: Stream::new(kind, line.ssrc, line.pt, rtx, line.name.clone()),
            quality: Quality::default(),
            current: None,
            target: None,
            grant: Grant::Any,
            sequence: Sequence::new(1 + (line.ssrc as u16) % FIRST_NUMBER_BELOW),
            timeline: Timeline::new(kind.clock_rate()),
            pictures: Pictures::default(),
        }
    }

    /// Chooses a layer anew. Some layer if a key frame of it is needed to get there.
    pub(crate) fn choose(&mut self, layers: &[Candidate]) -> Option<usize> {
        // With all layers dead, stay: the first that comes back chooses again.
        if let Some(choice) = choose(layers, self.wanted) {
            self.target = match self.grant {
                Grant::Nothing => None,
                Grant::UpTo(most) if layers.get(most).is_some_and(|l| l.alive && l.rank > layers[choice].rank) => Some(most),
                Grant::Any | Grant::UpTo(_) => Some(choice),
            };
        }
        self.awaited_layer()
    }

    /// The line allows something else from now on. Some layer if a key frame of it is needed.
    pub(crate) fn grant(&mut self, grant: Grant, layers: &[Candidate]) -> Option<usize> {
        self.grant = grant;
        if grant == Grant::Nothing {
            self.current = None;
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
        (self.current.map(|c| c.layer) != Some(target)).then_some(target)
    }

    /// The layer to ask a key frame of when the subscriber cannot decode.
    pub(crate) fn layer_to_refresh(&self) -> Option<usize> {
        self.awaited_layer().or(self.current.map(|c| c.layer))
    }

    /// After a pause the decoder needs a key frame before anything else.
    pub(crate) fn restart(&mut self) {
        self.current = None;
    }

    /// The hot path: whether and with which numbers a packet goes to this subscriber.
    pub(crate) fn forward(&mut self, packet: &Packet) -> Verdict {
        let source = Current { layer: packet.layer, ssrc: packet.ssrc };
        let mut switched = false;
        if self.current != Some(source) {
            if self.kind == Kind::Video {
                let same_layer = self.current.is_some_and(|c| c.layer == packet.layer);
                if self.target != Some(packet.layer) && !same_layer {
                    return Verdict::Drop;
                }
                if !packet.starts_key_frame() {
                    return Verdict::NeedsKeyFrame;
                }
            }
            switched = self.current.is_some_and(|c| c.layer != packet.layer);
            self.current = Some(source);
            self.sequence.switch(packet.index);
            self.timeline.switch(packet.at, packet.timestamp, packet.report);
            if let Some(descriptor) = &packet.descriptor {
                self.pictures.switch(descriptor);
            }
        }
        // Publishers without RTX probe with empty packets on the media stream.
        if packet.payload.is_empty() && self.sequence.skip(packet.index) {
            return Verdict::Drop;
        }
        let Some(index) = self.sequence.map(packet.index) else { return Verdict::Drop };
        let timestamp = self.timeline.map(packet.at, packet.timestamp, packet.report);
        let ids = packet.descriptor.as_ref().map_or_else(Ids::default, |d| self.pictures.map(d));
        Verdict::Send { numbers: Numbers { index, timestamp, ids }, switched }
    }
}
