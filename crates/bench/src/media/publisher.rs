//! A camera and a microphone: packets in the rhythm of a browser, stamped with the moment they leave.
//! Invariant: the number of packets follows from the time that passed, whatever the thread slept.
//! Next: `rtp.rs`, what the packets look like.

use std::time::{Duration, Instant};

use super::connection::Connection;
use super::rtcp::{self, Heard};
use super::rtp::{self, Outgoing, Picture};
use super::sockets::wall_clock;
use super::totals::Totals;
use crate::plan::Rates;

/// A sleep longer than this is not made up for: a burst of old packets would be no camera.
const MOST_BEHIND: Duration = Duration::from_millis(200);

/// Lines on which a publisher sends.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    pub video: Option<String>,
    pub audio: Option<String>,
}

pub struct Publisher {
    rates: Rates,
    video: Option<Track>,
    audio: Option<Track>,
    transport_sequence: u16,
    packet: Vec<u8>,
}

struct Track {
    mid: String,
    ssrc: u32,
    /// Packets sent; the sequence number is its lower half.
    count: u64,
    next: Instant,
    started: Instant,
    // Video only.
    picture: u16,
    key_wanted: bool,
    /// Packets owed to the rhythm, a fraction of one.
    owed: f64,
}

impl Publisher {
    pub fn new(now: Instant, seed: u32, lines: &Lines, rates: Rates) -> Self {
        let track = |mid: &Option<String>, ssrc: u32, after: Duration| {
            mid.clone().map(|mid| Track {
                mid,
                ssrc,
                count: 1,
                next: now + after,
                started: now,
                picture: 0,
                key_wanted: true,
                owed: 0.0,
            })
        };
        // Neither all cameras at once, nor a voice always behind a picture.
        let spread = Duration::from_micros(u64::from(seed % 32) * 1_031);
        let ssrc = 0x1000_0000 + seed * 2;
        Self {
            rates,
            video: track(&lines.video, ssrc, spread),
            audio: track(&lines.audio, ssrc + 1, spread + Duration::from_micros(7_300)),
            transport_sequence: 0,
            packet: Vec::with_capacity(1_500),
        }
    }

    /// When something is to be sent.
    pub fn next(&self) -> Option<Instant> {
        let video = self.video.as_ref().filter(|track| self.rates.video_pps > 0.0 || track.key_wanted);
        let audio = self.audio.as_ref().filter(|_| self.rates.audio_pps > 0.0);
        video.into_iter().chain(audio).map(|track| track.next).min()
    }

    /// Sends what is due.
    pub fn send(&mut self, now: Instant, connection: &mut Connection, totals: &mut Totals) {
        let Self { rates, video, audio, transport_sequence, packet } = self;
        if let Some(track) = video {
            while track.next <= now && (rates.video_pps > 0.0 || track.key_wanted) {
                let key = std::mem::take(&mut track.key_wanted);
                track.owed += rates.video_pps / rates.fps;
                let packets = (track.owed as u64).max(u64::from(key || rates.video_pps > 0.0));
                track.owed -= packets as f64;
                for at in 0..packets {
                    let picture = Picture { number: track.picture, key, begins: at == 0 };
                    track.send(connection, packet, transport_sequence, Some(picture), at + 1 == packets, rates.video_bytes);
                }
                track.picture = track.picture.wrapping_add(1);
                totals.sent_video += packets;
                track.advance(now, rates.fps);
            }
        }
        if let Some(track) = audio {
            while track.next <= now && rates.audio_pps > 0.0 {
                track.send(connection, packet, transport_sequence, None, false, rates.audio_bytes);
                totals.sent_audio += 1;
                track.advance(now, rates.audio_pps);
            }
        }
    }

    /// Hears what the server wants. A wish for a key frame is met at once, as by an encoder that was waiting for it.
    pub fn hear(&mut self, now: Instant, report: &[u8], totals: &mut Totals) {
        rtcp::read(report, |heard| {
            if let (Heard::KeyFrameWanted(ssrc), Some(track)) = (heard, &mut self.video)
                && ssrc == track.ssrc
            {
                totals.key_frames_wanted += 1;
                track.key_wanted = true;
                track.next = now;
            }
        });
    }
}

impl Track {
    fn send(
        &mut self,
        connection: &Connection,
        packet: &mut Vec<u8>,
        transport_sequence: &mut u16,
        picture: Option<Picture>,
        marker: bool,
        size: usize,
    ) {
        let Some(session) = &connection.session else { return };
        let video = picture.is_some();
        let since = self.next.saturating_duration_since(self.started);
        let clock = if video { 90_000.0 } else { 48_000.0 };
        packet.clear();
        let of = Outgoing {
            video,
            marker,
            sequence: self.count as u16,
            timestamp: (since.as_secs_f64() * clock) as u32,
            ssrc: self.ssrc,
            mid: &self.mid,
            transport_sequence: *transport_sequence,
        };
        *transport_sequence = transport_sequence.wrapping_add(1);
        rtp::write_header(packet, of);
        let header = packet.len();
        rtp::write_payload(packet, picture, size, wall_clock(), self.count as u32);
        session.sending.seal_rtp(packet, header, self.ssrc, self.count);
        connection.send(packet);
        self.count += 1;
    }

    fn advance(&mut self, now: Instant, per_second: f64) {
        self.next += Duration::from_secs_f64(1.0 / per_second);
        if now.saturating_duration_since(self.next) > MOST_BEHIND {
            self.next = now;
        }
    }
}
