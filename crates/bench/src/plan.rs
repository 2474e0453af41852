//! What a run is: how many meetings of whom, what they send, over which line, for how long. Pure.
//! Invariant: a plan that passed `check` can be carried out.
//! Next: `run.rs`, which carries it out.

use std::time::Duration;

use serde::Serialize;

use crate::stamp::{MIN_AUDIO, MIN_VIDEO};

/// What one publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rates {
    pub video_pps: f64,
    /// Payload bytes of a video packet.
    pub video_bytes: usize,
    /// Pictures a second; the packets of one leave in a burst.
    pub fps: f64,
    pub audio_pps: f64,
    pub audio_bytes: usize,
}

impl Rates {
    pub fn pps(&self) -> f64 {
        self.video_pps + self.audio_pps
    }

    /// A camera that says nothing: it still answers wishes for key frames.
    pub fn quiet(self) -> Self {
        Self { video_pps: 0.0, audio_pps: 0.0, ..self }
    }
}

/// What the way to subscribers does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Share of packets lost, from 0 to 1.
    pub loss: f64,
    pub delay: Duration,
}

/// Who is in the meetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    pub meetings: usize,
    /// In each meeting, those who send.
    pub publishers: usize,
    /// In each meeting, those who only watch.
    pub subscribers: usize,
    /// Publishers watch each other too.
    pub mutual: bool,
    /// Videos each subscriber takes. More than there are publishers: the others are cameras that send nothing.
    pub streams: usize,
}

impl Shape {
    /// Cameras in each meeting that send nothing.
    pub fn quiet(&self) -> usize {
        self.streams.saturating_sub(self.publishers)
    }

    /// People in each meeting, the quiet cameras' included.
    pub fn people(&self) -> usize {
        self.publishers + self.quiet() + self.subscribers
    }

    /// Those in all meetings who watch.
    pub fn watching(&self) -> usize {
        self.meetings * (self.subscribers + if self.mutual { self.publishers } else { 0 })
    }

    /// Packets a second that the server should forward.
    pub fn forwards_per_second(&self, rates: &Rates) -> f64 {
        let taken = self.publishers.min(self.streams) as f64;
        let by_watchers = self.subscribers as f64 * (taken * rates.video_pps + self.publishers as f64 * rates.audio_pps);
        let others = self.publishers.saturating_sub(1) as f64;
        let by_publishers =
            self.publishers as f64 * (others.min(self.streams as f64) * rates.video_pps + others * rates.audio_pps);
        self.meetings as f64 * (by_watchers + if self.mutual { by_publishers } else { 0.0 })
    }
}

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Plan {
    pub shape: Shape,
    pub rates: Rates,
    pub line: Line,
    pub joins_per_second: f64,
    /// Between the last join and the first moment that counts.
    pub settle: Duration,
    /// What is measured.
    pub window: Duration,
    /// One packet in this many is opened and its latency taken; all are counted.
    pub open_every: u64,
}

impl Plan {
    /// Why it cannot be carried out.
    pub fn check(&self) -> Result<(), String> {
        let Self { shape, rates, line, .. } = self;
        let within = |what: &str, value: f64, from: f64, to: f64| match (from..=to).contains(&value) {
            true => Ok(()),
            false => Err(format!("{what} is {value}, but must be from {from} to {to}")),
        };
        within("--meetings", shape.meetings as f64, 1.0, 10_000.0)?;
        within("--publishers", shape.publishers as f64, 1.0, 1_000.0)?;
        within("--subscribers", shape.subscribers as f64, 0.0, 20_000.0)?;
        within("--streams", shape.streams as f64, 1.0, 100.0)?;
        within("--video-pps", rates.video_pps, 0.0, 100_000.0)?;
        within("--audio-pps", rates.audio_pps, 0.0, 1_000.0)?;
        within("--fps", rates.fps, 1.0, 1_000.0)?;
        within("--video-bytes", rates.video_bytes as f64, MIN_VIDEO as f64, 1_200.0)?;
        within("--audio-bytes", rates.audio_bytes as f64, MIN_AUDIO as f64, 1_200.0)?;
        within("--loss", line.loss * 100.0, 0.0, 90.0)?;
        within("--delay", line.delay.as_millis() as f64, 0.0, 5_000.0)?;
        within("--ramp", self.joins_per_second, 0.1, 10_000.0)?;
        within("--duration", self.window.as_secs_f64(), 0.5, 24.0 * 3_600.0)?;
        within("--verify-every", self.open_every as f64, 1.0, 1_000_000.0)?;
        if shape.mutual && shape.publishers < 2 {
            return Err("who is alone has nobody to watch: --people must be 2 or more".to_owned());
        }
        if shape.watching() == 0 {
            return Err("nobody watches: give --subscribers or --people".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { video_pps: 200.0, video_bytes: 1_200, fps: 30.0, audio_pps: 30.0, audio_bytes: 100 };

    fn shape(publishers: usize, subscribers: usize, mutual: bool, streams: usize) -> Shape {
        Shape { meetings: 2, publishers, subscribers, mutual, streams }
    }

    #[test]
    fn forwards_are_what_each_watcher_takes() {
        for (shape, people, watching, forwards) in [
            (shape(1, 100, false, 1), 101, 200, 46_000.0),
            // Cameras that send nothing add people, not packets.
            (shape(1, 100, false, 30), 130, 200, 46_000.0),
            (shape(4, 0, true, 4), 4, 8, 5_520.0),
            // Two of four videos, all voices.
            (shape(4, 10, false, 2), 14, 20, 10_400.0),
        ] {
            assert_eq!((shape.people(), shape.watching()), (people, watching), "{shape:?}");
            assert_eq!(shape.forwards_per_second(&RATES), forwards, "{shape:?}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let plan = Plan {
            shape: shape(1, 1, false, 1),
            rates: RATES,
            line: Line { loss: 0.0, delay: Duration::ZERO },
            joins_per_second: 50.0,
            settle: Duration::from_secs(1),
            window: Duration::from_secs(5),
            open_every: 16,
        };
        assert_eq!(plan.check(), Ok(()));
        let nobody = Plan { shape: shape(1, 0, false, 1), ..plan };
        assert!(nobody.check().unwrap_err().contains("nobody watches"));
        let tiny = Plan { rates: Rates { video_bytes: 3, ..RATES }, ..plan };
        assert!(tiny.check().unwrap_err().contains("--video-bytes is 3"));
        let lossy = Plan { line: Line { loss: 1.5, delay: Duration::ZERO }, ..plan };
        assert!(lossy.check().unwrap_err().contains("--loss is 150"));
    }
}
