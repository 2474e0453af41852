//! Where a voice is cut into pieces: in silence, and at the latest after a while. Pure.
//! Times are microseconds since 1970, sound is 16 kHz and one channel. Invariant: a piece is no longer than `LONGEST`, what was
//! loud is in exactly one, and silence of any length costs nothing.
//! Next: `voices.rs`, which writes what comes of it.

use std::collections::VecDeque;

/// Samples a second.
pub const RATE: u32 = 16_000;

/// Samples of what is judged at once: 20 ms.
const FRAME: usize = 320;
const FRAME_US: i64 = 20_000;

/// Silence after which a piece ends, and that which is enough once it is `LONG`: in microseconds. Lower is told sooner, and cuts
/// sentences where people think.
const PAUSE: i64 = 500_000;
const SHORT_PAUSE: i64 = 100_000;
const LONG: i64 = 12_000_000;

/// A piece that has no pause is cut here all the same.
const LONGEST: i64 = 20_000_000;

/// What was before the first sound and is in the piece too, in frames: words begin softly.
const BEFORE: usize = 10;

/// A piece with less sound than this, in frames, is a click.
const LEAST: usize = 5;

/// A frame is loud from here on: the root of the mean square of samples, about -48 dB.
const LOUD: f32 = 0.004;

/// Sound this close to the end of what came before follows it, and sound of so long before has been heard already.
const SAME: i64 = 20_000;
const EARLIER: i64 = -40_000;

/// What is to be done with a voice.
#[derive(Clone, Debug, PartialEq)]
pub enum Cut {
    /// A piece begins with the next sound, at this moment.
    Begins(i64),
    Sound(Vec<f32>),
    /// It is whole, or a click that is to be forgotten.
    Ends {
        is_kept: bool,
    },
}

/// One voice.
#[derive(Debug, Default)]
pub struct Cutter {
    /// Where the next sample belongs, once there was one.
    end: Option<i64>,
    /// Samples of a frame that is not whole.
    rest: Vec<f32>,
    before: VecDeque<Vec<f32>>,
    open: Option<Open>,
}

/// The piece that grows.
#[derive(Debug)]
struct Open {
    length: i64,
    /// Silence at its end.
    silent: i64,
    loud: usize,
}

impl Cutter {
    /// Takes sound that was made at this moment.
    pub fn take(&mut self, made: i64, samples: &[f32]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        let end = *self.end.get_or_insert(made);
        let gap = made - end;
        if gap <= EARLIER {
            return cuts;
        }
        if gap > PAUSE {
            cuts = self.end();
            self.end = Some(made);
        } else if gap > SAME {
            let missing = (gap * i64::from(RATE) / 1_000_000) as usize;
            self.rest.extend(std::iter::repeat_n(0.0, missing));
            self.end = Some(made);
        }
        self.rest.extend(samples);
        self.end = self.end.map(|end| end + (samples.len() as i64 * 1_000_000) / i64::from(RATE));
        let whole = self.rest.len() / FRAME * FRAME;
        let frames: Vec<f32> = self.rest.drain(..whole).collect();
        let rest = (self.rest.len() as i64 * 1_000_000) / i64::from(RATE);
        let began = self.end.unwrap_or(made) - rest - (whole / FRAME) as i64 * FRAME_US;
        for (n, frame) in frames.chunks_exact(FRAME).enumerate() {
            self.frame(began + n as i64 * FRAME_US, frame, &mut cuts);
        }
        cuts
    }

    /// Nothing has come up to this moment.
    pub fn quiet(&mut self, now: i64) -> Vec<Cut> {
        match self.end {
            Some(end) if now - end > PAUSE => self.end(),
            _ => Vec::new(),
        }
    }

    /// Nothing more comes, or nothing that follows.
    pub fn end(&mut self) -> Vec<Cut> {
        self.end = None;
        self.rest.clear();
        self.before.clear();
        self.open.take().map(|open| Cut::Ends { is_kept: open.loud >= LEAST }).into_iter().collect()
    }

    fn frame(&mut self, at: i64, frame: &[f32], cuts: &mut Vec<Cut>) {
        let is_loud = level(frame) > LOUD;
        if self.open.is_none() {
            if !is_loud {
                if self.before.len() >= BEFORE {
                    self.before.pop_front();
                }
                self.before.push_back(frame.to_vec());
                return;
            }
            cuts.push(Cut::Begins(at - self.before.len() as i64 * FRAME_US));
            let length = self.before.len() as i64 * FRAME_US;
            cuts.extend(self.before.drain(..).map(Cut::Sound));
            self.open = Some(Open { length, silent: 0, loud: 0 });
        }
        let Some(open) = &mut self.open else { return };
        cuts.push(Cut::Sound(frame.to_vec()));
        open.length += FRAME_US;
        open.silent = if is_loud { 0 } else { open.silent + FRAME_US };
        open.loud += usize::from(is_loud);
        let pause = if open.length >= LONG { SHORT_PAUSE } else { PAUSE };
        if open.silent >= pause || open.length >= LONGEST {
            cuts.push(Cut::Ends { is_kept: open.loud >= LEAST });
            self.open = None;
        }
    }
}

fn level(frame: &[f32]) -> f32 {
    (frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len().max(1) as f32).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000_000;

    /// A piece: when it began, how long it is in milliseconds, whether it is kept.
    type Piece = (i64, usize, bool);

    #[derive(Default)]
    struct Bed {
        cutter: Cutter,
        open: Option<(i64, usize)>,
        pieces: Vec<Piece>,
    }

    impl Bed {
        fn note(&mut self, cuts: Vec<Cut>) {
            for cut in cuts {
                match cut {
                    Cut::Begins(at) => assert_eq!(self.open.replace(((at - NOW) / 1_000, 0)), None),
                    Cut::Sound(samples) => self.open.as_mut().expect("a piece").1 += samples.len(),
                    Cut::Ends { is_kept } => {
                        let (at, samples) = self.open.take().expect("a piece");
                        self.pieces.push((at, samples / 16, is_kept));
                    }
                }
            }
        }

        /// Packets of 20 ms from one moment to another, loud or not.
        fn plays(&mut self, from_ms: i64, to_ms: i64, loud: bool) {
            for ms in (from_ms..to_ms).step_by(20) {
                let packet = [if loud { 0.1 } else { 0.0 }; FRAME];
                let cuts = self.cutter.take(NOW + ms * 1_000, &packet);
                self.note(cuts);
            }
        }

        fn ends(mut self) -> Vec<Piece> {
            let cuts = self.cutter.end();
            self.note(cuts);
            self.pieces
        }
    }

    #[test]
    fn a_voice_is_cut_where_it_is_silent() {
        let mut bed = Bed::default();
        bed.plays(0, 1_000, false);
        bed.plays(1_000, 3_000, true);
        bed.plays(3_000, 3_300, false);
        bed.plays(3_300, 4_000, true);
        bed.plays(4_000, 9_000, false);
        bed.plays(9_000, 9_060, true);
        bed.plays(9_060, 11_000, false);
        // A beginning of 200 ms before the first sound, and the pause at the end; a pause of 300 ms cuts nothing; 60 ms are a click.
        assert_eq!(bed.ends(), [(800, 3_700, true), (8_800, 760, false)]);
    }

    #[test]
    fn nothing_is_longer_than_it_may_be_and_a_short_pause_is_taken_when_it_is_long() {
        let mut bed = Bed::default();
        bed.plays(0, 30_000, true);
        bed.plays(30_000, 30_120, false);
        bed.plays(30_120, 43_000, true);
        bed.plays(43_000, 43_120, false);
        bed.plays(43_120, 44_000, true);
        // The second is not long yet at the first short pause, and is at the next.
        assert_eq!(bed.ends(), [(0, 20_000, true), (20_000, 20_000, true), (40_000, 4_000, true)]);
    }

    #[test]
    fn who_is_switched_off_has_ended_and_what_is_lost_is_silence() {
        let mut bed = Bed::default();
        bed.plays(0, 1_000, true);
        bed.plays(1_060, 2_000, true);
        let cuts = bed.cutter.quiet(NOW + 2_400_000);
        assert_eq!(cuts, []);
        let cuts = bed.cutter.quiet(NOW + 2_600_000);
        bed.note(cuts);
        assert_eq!(bed.pieces, [(0, 2_000, true)]);
        bed.plays(60_000, 61_000, true);
        bed.plays(60_500, 60_900, true);
        assert_eq!(bed.ends(), [(0, 2_000, true), (60_000, 1_000, true)], "what comes twice is heard once");
    }

    #[test]
    fn packets_of_any_length_and_time_are_taken() {
        let mut bed = Bed::default();
        for (n, length) in [40, 1, 1_920, 0, 321, 960, 7].into_iter().cycle().take(700).enumerate() {
            let made = NOW + [0, i64::MAX / 4, 5_000, -1_000_000][n % 4] + n as i64 * 10_000;
            let cuts = bed.cutter.take(made, &vec![0.2; length]);
            bed.note(cuts);
        }
        let longest = bed.ends().iter().map(|(_, ms, _)| *ms).max();
        assert!(longest.is_some_and(|ms| ms <= 20_000), "{longest:?}");
    }
}
