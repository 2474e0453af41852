//! A stream of one's own that is played to the server: its packets, and the reports that tie its clock to everybody's.
//! Invariant: no number of a packet is used twice.

use std::time::Duration;

use crate::connection::Connection;
use crate::rtp::{self, Outgoing};
use crate::sdp::Kind;

/// Bytes of a picture in one packet.
const PART: usize = 1_100;

/// The first byte of a VP8 payload descriptor where a picture begins (RFC 7741 section 4.2).
const PICTURE_BEGINS: u8 = 0x10;

/// Seconds from 1900, where reports count from, to 1970.
pub const NTP_BEFORE_UNIX: u64 = 2_208_988_800;

/// Sound in Opus or pictures in VP8, one frame after the other.
pub struct Stream {
    kind: Kind,
    ssrc: u32,
    mid: String,
    sent: u64,
    packet: Vec<u8>,
}

impl Stream {
    /// `mid` is that of its section in the session description.
    pub fn new(kind: Kind, ssrc: u32, mid: usize) -> Self {
        Self { kind, ssrc, mid: mid.to_string(), sent: 0, packet: Vec::new() }
    }

    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Sends one frame, in as many packets as it takes. `transport_sequence` is counted over all streams of the connection.
    pub fn send(&mut self, connection: &Connection, timestamp: u32, frame: &[u8], transport_sequence: &mut u16) {
        let video = self.kind == Kind::Video;
        let count = if video { frame.len().div_ceil(PART) } else { 1 };
        for at in 0..count {
            self.packet.clear();
            let of = Outgoing {
                video,
                marker: video && at + 1 == count,
                sequence: self.sent as u16,
                timestamp,
                ssrc: self.ssrc,
                mid: &self.mid,
                transport_sequence: *transport_sequence,
            };
            *transport_sequence = transport_sequence.wrapping_add(1);
            rtp::write_header(&mut self.packet, of);
            let header = self.packet.len();
            match video {
                true => {
                    self.packet.push(if at == 0 { PICTURE_BEGINS } else { 0 });
                    self.packet.extend_from_slice(&frame[at * PART..frame.len().min((at + 1) * PART)]);
                }
                false => self.packet.extend_from_slice(frame),
            }
            connection.send_rtp(&mut self.packet, header, self.ssrc, self.sent);
            self.sent += 1;
        }
    }

    /// A sender report (RFC 3550 section 6.4.1): what the stream's clock shows at a moment, in time since 1970.
    pub fn report(&self, connection: &mut Connection, at: Duration, timestamp: u32) {
        let mut out = vec![0x80, 200, 0, 6];
        let seconds = (at.as_secs() + NTP_BEFORE_UNIX) as u32;
        let fraction = ((u64::from(at.subsec_nanos()) << 32) / 1_000_000_000) as u32;
        for word in [self.ssrc, seconds, fraction, timestamp, self.sent as u32, 0] {
            out.extend(word.to_be_bytes());
        }
        connection.send_rtcp(&mut out, self.ssrc);
    }
}
