//! A packet of media between its publisher and its subscribers, and what it is called on its way to one of them.
//! Next: `producer.rs` finds its layer, `consumer.rs` its numbers.

use std::sync::Arc;
use std::time::Instant;

use str0m::rtp::RtpPacket;

use super::payload::descriptor::Descriptor;
use super::payload::ids::Ids;
use super::rewrite::Report;

/// One incoming packet, looked at once for all consumers.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// When the kernel had it.
    pub at: Instant,
    /// When it would have come had nothing held it up, by its publisher's clock: the same for sound and pictures that belong
    /// together.
    pub moment: Instant,
    /// The layer it belongs to, and the one that stands for its stream: the same unless one stream has several layers.
    pub layer: usize,
    pub stream: usize,
    /// Its stream has several layers.
    pub scalable: bool,
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
    /// Its layer is for `Producer::see` to find, and its moment for `Engine::take`.
    pub(crate) fn new(rtp: &RtpPacket, descriptor: Option<Descriptor>) -> Self {
        let extensions = &rtp.header.ext_vals;
        let report = rtp.last_sender_info.as_ref().filter(|info| info.ssrc == rtp.header.ssrc);
        let voice = u8::from(extensions.voice_activity == Some(true)) << 7;
        Self {
            at: rtp.timestamp,
            moment: rtp.timestamp,
            layer: 0,
            stream: 0,
            scalable: false,
            ssrc: *rtp.header.ssrc,
            index: *rtp.seq_no,
            timestamp: rtp.header.timestamp,
            marker: rtp.header.marker,
            payload: Arc::clone(&rtp.payload),
            level: extensions.audio_level.map(|level| voice | level.unsigned_abs().min(127)),
            orientation: extensions.video_orientation.map(|orientation| orientation as u8),
            report: report.map(|info| Report { at: info.ntp_time, rtp: info.rtp_time.numer() as u32 }),
            descriptor,
        }
    }

    pub(crate) fn starts_key_frame(&self) -> bool {
        self.descriptor.as_ref().is_some_and(|d| d.starts_key_frame)
    }

    pub(crate) fn ends_frame(&self) -> bool {
        self.descriptor.as_ref().is_some_and(|d| d.ends_frame)
    }

    pub(crate) fn spatial(&self) -> u8 {
        self.descriptor.as_ref().map_or(0, |d| d.spatial)
    }
}

/// What a packet is called on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// The extended sequence number.
    pub index: u64,
    pub timestamp: u32,
    pub ids: Ids,
    /// The last packet of a picture, as far as this subscriber gets it.
    pub marker: bool,
    /// It goes without its payload: the subscriber shall not have that, but the number must not be missing.
    pub empty: bool,
}
