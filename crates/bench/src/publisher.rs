//! A camera and a microphone: packets in the rhythm of a browser, stamped with the moment they leave.
//! Invariant: the number of packets follows from the time that passed, whatever the thread slept.
//! Next: `stamp.rs`, what is in the packets.

use std::time::{Duration, Instant};

use salon_peer::rtcp::{self, Heard};
use salon_peer::rtp::{self, Outgoing};
use salon_peer::sdp::PLACEHOLDERS;
use salon_peer::wall_clock;
use salon_peer::{Arrived, Connection, Role};
use tokio::sync::oneshot;

use crate::plan::Rates;
use crate::stamp::{Picture, write_payload};
use crate::totals::Totals;

/// A sleep longer than this is not made up for: a burst of old packets would be no camera.
const MOST_BEHIND: Duration = Duration::from_millis(200);

pub struct Publisher {
    seed: u32,
    rates: Rates,
    /// Comes when the server knows of the tracks.
    start: Option<oneshot::Receiver<()>>,
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
    /// Publishes video, and sound if there is a rate for it, on the first sections behind the placeholders.
    pub fn new(seed: u32, rates: Rates, start: oneshot::Receiver<()>) -> Self {
        let packet = Vec::with_capacity(1_500);
        Self { seed, rates, start: Some(start), video: None, audio: None, transport_sequence: 0, packet }
    }

    fn begin(&mut self, now: Instant) {
        let track = |at: usize, ssrc: u32, after: Duration| Track {
            mid: (PLACEHOLDERS + at).to_string(),
            ssrc,
            count: 1,
            next: now + after,
            started: now,
            picture: 0,
            key_wanted: true,
            owed: 0.0,
        };
        // Neither all cameras at once, nor a voice always behind a picture.
        let spread = Duration::from_micros(u64::from(self.seed % 32) * 1_031);
        let ssrc = 0x1000_0000 + self.seed * 2;
        self.video = Some(track(0, ssrc, spread));
        self.audio = (self.rates.audio_pps > 0.0).then(|| track(1, ssrc + 1, spread + Duration::from_micros(7_300)));
    }

    /// Sends what is due.
    fn send(&mut self, now: Instant, connection: &Connection, totals: &mut Totals) {
        let Self { rates, video, audio, transport_sequence, packet, .. } = self;
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
}

impl Role for Publisher {
    type Tally = Totals;

    fn due(&self) -> Option<Instant> {
        let video = self.video.as_ref().filter(|track| self.rates.video_pps > 0.0 || track.key_wanted);
        let audio = self.audio.as_ref().filter(|_| self.rates.audio_pps > 0.0);
        video.into_iter().chain(audio).map(|track| track.next).min()
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, totals: &mut Totals) {
        if self.start.as_mut().is_some_and(|start| start.try_recv().is_ok()) {
            self.start = None;
            self.begin(now);
        }
        self.send(now, connection, totals);
    }

    fn take(&mut self, _: &Arrived, _: &Connection, _: &mut [u8], _: &mut Totals) {}

    /// A wish for a key frame is met at once, as by an encoder that was waiting for it.
    fn hear(&mut self, now: Instant, report: &[u8], totals: &mut Totals) {
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
        write_payload(packet, picture, size, wall_clock(), self.count as u32);
        connection.send_rtp(packet, header, self.ssrc, self.count);
        self.count += 1;
    }

    fn advance(&mut self, now: Instant, per_second: f64) {
        self.next += Duration::from_secs_f64(1.0 / per_second);
        if now.saturating_duration_since(self.next) > MOST_BEHIND {
            self.next = now;
        }
    }
}
