//! A track going out: its current layer, the layer it goes to, and its numbers on the wire.
//! Invariant: video starts, and goes to another layer, only at the first packet of a key frame; otherwise
//! receivers decode garbage although they report frames as decoded.
//! Next: `rewrite.rs` and `vp8.rs` keep the numbers continuous.

use std::sync::Arc;
use std::time::Instant;

use str0m::media::{ExtensionValues, Pt, Rid};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc, Vp8Descriptor};

use super::layers::{Candidate, choose};
use super::producer::ProducerKey;
use super::rewrite::{Report, Sequence, Timeline};
use super::transport::Outgoing;
use super::vp8::Pictures;
use crate::sdp::Kind;

/// First sequence numbers are below this, so that the first 16-bit wrap is some way off (RFC 3711 section 3.3.1).
const FIRST_NUMBER_BELOW: u16 = 0x4000;

#[derive(Debug)]
pub(crate) struct Consumer {
    pub producer: ProducerKey,
    pub kind: Kind,
    pub ssrc: Ssrc,
    pub rtx: Option<Ssrc>,
    /// The client has answered the offer of this track.
    pub negotiated: bool,
    /// The layer the subscriber prefers.
    pub wanted: Option<Rid>,

    pt: Pt,
    /// What is being sent. None before the first key frame and after a pause.
    current: Option<Current>,
    target: Option<usize>,
    sequence: Sequence,
    timeline: Timeline,
    pictures: Pictures,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Current {
    layer: usize,
    ssrc: Ssrc,
}

/// One incoming packet, looked at once for all consumers.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    pub rtp: &'a RtpPacket,
    pub layer: usize,
    pub report: Option<Report>,
    pub descriptor: Option<Vp8Descriptor>,
    pub starts_key_frame: bool,
}

impl<'a> Packet<'a> {
    pub(crate) fn new(rtp: &'a RtpPacket, kind: Kind, layer: usize, report: Option<Report>) -> Self {
        let descriptor = match kind {
            Kind::Video => Vp8Descriptor::parse(&rtp.payload).ok(),
            Kind::Audio => None,
        };
        let starts_key_frame = descriptor.is_some_and(|d| d.starts_keyframe(&rtp.payload));
        Self { rtp, layer, report, descriptor, starts_key_frame }
    }
}

/// What to do with a packet.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "used up at once; boxing would allocate per packet and subscriber")]
pub(crate) enum Verdict {
    Send {
        write: RtpWrite,
        switched: bool,
    },
    Drop,
    /// It is of the layer this consumer waits for, but no key frame.
    NeedsKeyFrame,
}

impl Consumer {
    pub(crate) fn new(producer: ProducerKey, kind: Kind, line: &Outgoing, wanted: Option<Rid>) -> Self {
        let clock_rate = match kind {
            Kind::Audio => 48_000,
            Kind::Video => 90_000,
        };
        Self {
            producer,
            kind,
            ssrc: line.ssrc,
            rtx: line.rtx,
            negotiated: false,
            wanted,
            pt: line.pt,
            current: None,
            target: None,
            sequence: Sequence::new(1 + (*line.ssrc as u16) % FIRST_NUMBER_BELOW),
            timeline: Timeline::new(clock_rate),
            pictures: Pictures::default(),
        }
    }

    /// Chooses a layer anew. Some layer if a key frame of it is needed to get there.
    pub(crate) fn choose(&mut self, layers: &[Candidate]) -> Option<usize> {
        // With all layers dead, stay: the first that comes back chooses again.
        if let Some(choice) = choose(layers, self.wanted) {
            self.target = Some(choice);
        }
        self.awaited_layer()
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
    pub(crate) fn forward(&mut self, now: Instant, packet: &Packet<'_>) -> Verdict {
        let header = &packet.rtp.header;
        let source = Current { layer: packet.layer, ssrc: header.ssrc };
        let mut switched = false;
        if self.current != Some(source) {
            if self.kind == Kind::Video {
                let same_layer = self.current.is_some_and(|c| c.layer == packet.layer);
                if self.target != Some(packet.layer) && !same_layer {
                    return Verdict::Drop;
                }
                if !packet.starts_key_frame {
                    return Verdict::NeedsKeyFrame;
                }
            }
            switched = self.current.is_some_and(|c| c.layer != packet.layer);
            self.current = Some(source);
            self.sequence.switch(*packet.rtp.seq_no);
            self.timeline.switch(now, header.timestamp, packet.report);
            if let Some(descriptor) = &packet.descriptor {
                self.pictures.switch(descriptor);
            }
        }
        // Publishers without RTX probe with empty packets on the media stream.
        if packet.rtp.payload.is_empty() && self.sequence.skip(*packet.rtp.seq_no) {
            return Verdict::Drop;
        }
        let Some(number) = self.sequence.map(*packet.rtp.seq_no) else { return Verdict::Drop };
        let timestamp = self.timeline.map(now, header.timestamp, packet.report);
        let extensions = ExtensionValues {
            audio_level: header.ext_vals.audio_level,
            voice_activity: header.ext_vals.voice_activity,
            video_orientation: header.ext_vals.video_orientation,
            ..ExtensionValues::default()
        };
        let mut write = RtpWrite::new(self.pt, number.into(), timestamp, now, Arc::clone(&packet.rtp.payload))
            .marker(header.marker)
            .ext_vals(extensions)
            .nackable(self.kind == Kind::Video);
        if let Some(patch) = packet.descriptor.as_ref().and_then(|d| self.pictures.patch(d)) {
            write = write.vp8_patch(patch);
        }
        Verdict::Send { write, switched }
    }
}
