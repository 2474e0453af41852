//! What the clients of a media thread have seen. Pure.

use std::ops::AddAssign;

use salon_peer::media::Taken;

use crate::histogram::Histogram;

/// Counts since they were last taken.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    // Publishers.
    pub sent_video: u64,
    pub sent_audio: u64,
    pub key_frames_wanted: u64,

    // Subscribers.
    pub video: u64,
    pub audio: u64,
    /// Retransmissions.
    pub resent: u64,
    pub bytes: u64,
    /// Packets that should have come, by their numbers.
    pub expected: u64,
    /// Packets of those that came, other than as a retransmission.
    pub came: u64,
    /// Came as a retransmission after all.
    pub recovered: u64,
    pub reordered: u64,
    pub duplicates: u64,
    /// Opened with the keys of the handshake, which proves that they are whole.
    pub good: u64,
    /// Did not open.
    pub bad: u64,
    /// Lost by the line that was asked for.
    pub lost_by_line: u64,
    pub video_latency: Histogram,
    pub audio_latency: Histogram,

    /// Connections that are gone.
    pub ended: u64,
}

impl Totals {
    /// What the roles of a thread counted, and the thread itself.
    pub fn of(taken: Taken<Self>) -> Self {
        let Taken { mut tally, lost_by_line, bad_reports, ended, .. } = taken;
        tally.lost_by_line += lost_by_line;
        tally.bad += bad_reports;
        tally.ended = ended;
        tally
    }

    /// Packets that the server has forwarded.
    pub fn forwarded(&self) -> u64 {
        self.video + self.audio + self.resent
    }

    /// Share of packets that never came, not even as a retransmission. What the line lost on purpose counts.
    pub fn loss(&self) -> f64 {
        if self.expected == 0 {
            return 0.0;
        }
        self.expected.saturating_sub(self.came + self.recovered) as f64 / self.expected as f64
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.sent_video += other.sent_video;
        self.sent_audio += other.sent_audio;
        self.key_frames_wanted += other.key_frames_wanted;
        self.video += other.video;
        self.audio += other.audio;
        self.resent += other.resent;
        self.bytes += other.bytes;
        self.expected += other.expected;
        self.came += other.came;
        self.recovered += other.recovered;
        self.reordered += other.reordered;
        self.duplicates += other.duplicates;
        self.good += other.good;
        self.bad += other.bad;
        self.lost_by_line += other.lost_by_line;
        self.video_latency.add(&other.video_latency);
        self.audio_latency.add(&other.audio_latency);
        self.ended += other.ended;
    }
}
