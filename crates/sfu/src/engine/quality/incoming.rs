//! What is known of one layer of a track as it comes in: rate, loss, jitter, frames, the size of its pictures, and whether
//! that is more than the publisher may send. Pure: told of each packet, O(1) for each.
//! Invariant: a picture that is too large is known by its first packet, so no packet of it passes.

use std::time::{Duration, Instant};

use crate::cap::{Beyond, Cap};

/// Rates are measured over this time.
const TICK: Duration = Duration::from_secs(1);
/// So many times in a row a layer must be too fast before it is refused: a scene change is no offence.
const TICKS_BEYOND: u8 = 3;
/// A layer that was refused for its rate is let in again below this share of what is allowed.
const AGAIN_PERCENT: u64 = 80;

/// One packet, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    /// Extended sequence number.
    pub index: u64,
    pub timestamp: u32,
    pub bytes: usize,
    /// It ends a frame.
    pub ends_frame: bool,
    /// It begins a key frame of this size.
    pub size: Option<(u16, u16)>,
}

#[derive(Debug)]
pub(crate) struct Incoming {
    clock_rate: u32,
    began: Instant,
    pub packets: u64,
    pub bytes: u64,
    pub frames: u32,
    pub size: Option<(u16, u16)>,
    pub key_frame_requests: u32,
    /// First and highest number since the stream's numbers last began anew, and how many were lost before that.
    first: u64,
    highest: u64,
    packets_before: u64,
    lost_before: u64,
    /// Time from sending to arrival, with an unknown offset, in ticks.
    transit: Option<u32>,
    /// In sixteenths of a tick, as RFC 3550 appendix A.8 keeps it.
    jitter: u32,

    // Once a second.
    tick: Tick,
    pub bitrate: u64,
    pub frames_per_second: f32,
    pub loss: f32,
    ticks_beyond: u8,
    beyond: Option<Beyond>,
}

#[derive(Clone, Copy, Debug)]
struct Tick {
    at: Instant,
    packets: u64,
    bytes: u64,
    frames: u32,
    highest: u64,
}

impl Incoming {
    pub(crate) fn new(now: Instant, clock_rate: u32) -> Self {
        Self {
            clock_rate,
            began: now,
            packets: 0,
            bytes: 0,
            frames: 0,
            size: None,
            key_frame_requests: 0,
            first: 0,
            highest: 0,
            packets_before: 0,
            lost_before: 0,
            transit: None,
            jitter: 0,
            tick: Tick { at: now, packets: 0, bytes: 0, frames: 0, highest: 0 },
            bitrate: 0,
            frames_per_second: 0.0,
            loss: 0.0,
            ticks_beyond: 0,
            beyond: None,
        }
    }

    /// The stream's numbers begin anew with the next packet.
    pub(crate) fn begin_anew(&mut self) {
        self.lost_before = self.lost();
        self.packets_before = self.packets;
        (self.first, self.highest) = (0, 0);
        self.tick.highest = 0;
        self.transit = None;
    }

    /// Notes a packet. True if the layer is refused from now on, or no longer.
    pub(crate) fn count(&mut self, now: Instant, packet: Arrival, cap: &Cap) -> bool {
        if self.packets == self.packets_before {
            self.first = packet.index;
            self.highest = packet.index;
            self.tick.highest = packet.index.saturating_sub(1);
        }
        self.highest = self.highest.max(packet.index);
        self.first = self.first.min(packet.index);
        self.packets += 1;
        self.bytes += packet.bytes as u64;
        self.frames = self.frames.wrapping_add(u32::from(packet.ends_frame));
        self.time(now, packet.timestamp);
        let before = self.beyond.is_some();
        if let Some(size) = packet.size
            && self.size != Some(size)
        {
            self.size = Some(size);
            if self.beyond.is_none_or(|beyond| matches!(beyond, Beyond::Size { .. })) {
                self.beyond = cap.size_beyond(size);
            }
        }
        let passed = now.saturating_duration_since(self.tick.at);
        if passed >= TICK {
            self.end_tick(now, passed, cap);
        }
        self.beyond.is_some() != before
    }

    /// Interarrival jitter: RFC 3550 appendix A.8.
    fn time(&mut self, now: Instant, timestamp: u32) {
        let since = now.saturating_duration_since(self.began);
        let rate = u64::from(self.clock_rate);
        let ticks = since.as_secs() * rate + u64::from(since.subsec_nanos()) * rate / 1_000_000_000;
        let transit = (ticks as u32).wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let apart = (transit.wrapping_sub(before) as i32).unsigned_abs();
            // A jump of more than a second is another clock, not the line.
            if apart < self.clock_rate {
                self.jitter = self.jitter.wrapping_add(apart).wrapping_sub((self.jitter + 8) >> 4);
            }
        }
    }

    fn end_tick(&mut self, now: Instant, passed: Duration, cap: &Cap) {
        let seconds = passed.as_secs_f32();
        let before = self.tick;
        let bits = ((self.bytes - before.bytes) as f64 * 8.0 / f64::from(seconds)) as u64;
        // A layer that comes back after a while says nothing about the time between.
        let fresh = passed < 2 * TICK;
        self.bitrate = if fresh && self.bitrate > 0 { u64::midpoint(self.bitrate, bits) } else { bits };
        self.frames_per_second = self.frames.wrapping_sub(before.frames) as f32 / seconds;
        let expected = self.highest.saturating_sub(before.highest);
        let came = self.packets - before.packets;
        if expected > 0 {
            let share = expected.saturating_sub(came) as f32 / expected as f32;
            self.loss += (share - self.loss) / 4.0;
        }
        self.tick = Tick { at: now, packets: self.packets, bytes: self.bytes, frames: self.frames, highest: self.highest };
        self.judge(cap);
    }

    /// Whether it comes too fast. What is too large is judged by its key frames.
    fn judge(&mut self, cap: &Cap) {
        if matches!(self.beyond, Some(Beyond::Size { .. })) {
            return;
        }
        let beyond = cap.bits_beyond(self.bitrate).or_else(|| cap.frames_beyond(self.frames_per_second));
        match (beyond, self.beyond) {
            (Some(beyond), None) => {
                self.ticks_beyond += 1;
                if self.ticks_beyond >= TICKS_BEYOND {
                    self.beyond = Some(beyond);
                }
            }
            (Some(beyond), Some(_)) => self.beyond = Some(beyond),
            (None, Some(Beyond::Bits { most, .. })) if self.bitrate > most * AGAIN_PERCENT / 100 => {}
            (None, _) => {
                self.ticks_beyond = 0;
                self.beyond = self.size.and_then(|size| cap.size_beyond(size));
            }
        }
    }

    /// Why it goes to nobody.
    pub(crate) fn beyond(&self) -> Option<Beyond> {
        self.beyond
    }

    /// Packets that never came.
    pub(crate) fn lost(&self) -> u64 {
        let came = self.packets - self.packets_before;
        if came == 0 {
            return self.lost_before;
        }
        self.lost_before + (self.highest - self.first + 1).saturating_sub(came)
    }

    pub(crate) fn jitter(&self) -> Duration {
        Duration::from_secs_f64(f64::from(self.jitter >> 4) / f64::from(self.clock_rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Script {
        start: Instant,
        layer: Incoming,
        cap: Cap,
        next: u64,
        ms: u64,
    }

    impl Script {
        fn new(cap: Cap) -> Self {
            let start = Instant::now();
            Self { start, layer: Incoming::new(start, 90_000), cap, next: 65_000, ms: 0 }
        }

        fn packet(&mut self, bytes: usize, size: Option<(u16, u16)>, late_ms: u64) -> bool {
            let arrival = Arrival { index: self.next, timestamp: (self.ms * 90) as u32, bytes, ends_frame: true, size };
            self.next += 1;
            let at = self.start + Duration::from_millis(self.ms + late_ms);
            self.layer.count(at, arrival, &self.cap)
        }

        /// Thirty packets a second.
        fn seconds(&mut self, seconds: u64, bytes: usize) {
            for _ in 0..seconds * 30 {
                self.packet(bytes, None, 0);
                self.ms += 33;
            }
        }
    }

    #[test]
    fn rate_frames_and_loss_are_of_the_last_seconds() {
        let mut script = Script::new(Cap::default());
        script.seconds(5, 1_000);
        assert!((230_000..250_000).contains(&script.layer.bitrate), "{}", script.layer.bitrate);
        assert!((29.0..31.5).contains(&script.layer.frames_per_second), "{}", script.layer.frames_per_second);
        assert_eq!((script.layer.lost(), script.layer.loss), (0, 0.0));
        for _ in 0..150 {
            script.packet(1_000, None, 0);
            script.next += 1;
            script.ms += 33;
        }
        assert_eq!(script.layer.lost(), 149, "the last one may still come");
        assert!((0.3..0.5).contains(&script.layer.loss), "{}", script.layer.loss);
    }

    #[test]
    fn packets_out_of_order_are_not_lost() {
        let mut script = Script::new(Cap::default());
        for index in [10, 12, 11, 9, 13] {
            script.next = index;
            script.packet(1, None, 0);
        }
        assert_eq!(script.layer.lost(), 0);
    }

    #[test]
    fn numbers_that_begin_anew_are_no_loss() {
        let mut script = Script::new(Cap::default());
        script.packet(1, None, 0);
        script.next += 4;
        script.packet(1, None, 0);
        assert_eq!(script.layer.lost(), 4);
        script.layer.begin_anew();
        script.next = 9;
        script.packet(1, None, 0);
        script.packet(1, None, 0);
        assert_eq!(script.layer.lost(), 4);
    }

    #[test]
    fn jitter_is_what_arrival_differs_from_sending() {
        let mut script = Script::new(Cap::default());
        for n in 0..500 {
            script.packet(1, None, if n % 2 == 0 { 0 } else { 8 });
            script.ms += 20;
        }
        let jitter = script.layer.jitter();
        assert!((7..9).contains(&jitter.as_millis()), "{jitter:?}");
    }

    #[test]
    fn a_picture_too_large_is_refused_by_its_first_packet_and_let_in_when_it_shrinks() {
        let mut script = Script::new(Cap { size: Some((320, 240)), ..Cap::default() });
        assert!(!script.packet(1, Some((320, 240)), 0));
        assert!(script.packet(1, Some((640, 480)), 0));
        assert!(script.layer.beyond().is_some());
        script.seconds(5, 1_000);
        assert!(script.layer.beyond().is_some());
        assert!(script.packet(1, Some((320, 180)), 0));
        assert_eq!(script.layer.beyond(), None);
    }

    #[test]
    fn a_layer_that_is_too_fast_for_seconds_is_refused_until_it_is_clearly_slower() {
        let mut script = Script::new(Cap { bits_per_second: Some(200_000), ..Cap::default() });
        script.seconds(2, 1_000);
        assert_eq!(script.layer.beyond(), None, "a scene change");
        script.seconds(4, 1_000);
        assert!(matches!(script.layer.beyond(), Some(Beyond::Bits { most: 200_000, .. })));
        script.seconds(8, 750);
        assert!(script.layer.beyond().is_some(), "within, but barely");
        script.seconds(8, 400);
        assert_eq!(script.layer.beyond(), None);
    }
}
