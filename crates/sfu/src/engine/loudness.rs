//! How loud a microphone is, from the audio level each packet carries (RFC 6464), smoothed and rarely told.
//! Pure: told the time, returns what to say. Never touches sound itself.
//! Next: the server ranks speakers from the events.

use std::time::{Duration, Instant};

use crate::VoiceQuality;
use crate::limits::LEVEL_EVERY;

/// Louder than this is speech, in dBov; softer than `SILENT_BELOW` ends it. Apart, so that it does not flicker.
const SPEAKING_ABOVE: f32 = -45.0;
const SILENT_BELOW: f32 = -52.0;

/// Speech goes on this long after the level sank: words have gaps.
const HOLD: Duration = Duration::from_millis(400);

/// Share of a new louder or softer packet in the smoothed level; packets come every 20 ms. Loud counts at once,
/// silence slowly.
const ATTACK: f32 = 0.4;
const RELEASE: f32 = 0.1;

/// What RFC 6464 calls digital silence.
const QUIETEST: f32 = -127.0;

/// Payloads shorter than this hold no voice, whatever level their sender claims: 20 ms of the thinnest speech that Opus
/// makes (6 kbit/s) take 15 bytes, silence 1 to 3. Higher silences thin voices, lower believes more.
const LEAST_VOICE_BYTES: usize = 8;

/// Something to tell about a producer's loudness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub level_dbov: i8,
    pub speaking: bool,
}

#[derive(Debug)]
pub(crate) struct Loudness {
    smoothed: f32,
    speaking: bool,
    loud_at: Option<Instant>,
    told: Option<(Instant, bool)>,
    heard_at: Option<Instant>,
    /// How long there was a voice, in all.
    spoken: Duration,
}

impl Loudness {
    pub(crate) fn new() -> Self {
        Self { smoothed: QUIETEST, speaking: false, loud_at: None, told: None, heard_at: None, spoken: Duration::ZERO }
    }

    /// Takes one packet's level (0 is loudest, -127 silence) and how much sound it carries. Some at most every
    /// `LEVEL_EVERY`, while someone speaks or when speech has just ended.
    pub(crate) fn hear(&mut self, now: Instant, level_dbov: i8, payload_bytes: usize) -> Option<Heard> {
        let since = self.heard_at.replace(now).map_or(Duration::ZERO, |before| now.saturating_duration_since(before));
        if self.speaking {
            // A longer gap is none between words: nothing came.
            self.spoken += since.min(HOLD);
        }
        let claimed = f32::from(level_dbov).clamp(QUIETEST, 0.0);
        let level = if payload_bytes < LEAST_VOICE_BYTES { QUIETEST } else { claimed };
        let share = if level > self.smoothed { ATTACK } else { RELEASE };
        self.smoothed += (level - self.smoothed) * share;
        if self.smoothed > SPEAKING_ABOVE {
            self.speaking = true;
            self.loud_at = Some(now);
        } else if self.smoothed < SILENT_BELOW && self.loud_at.is_none_or(|at| now.saturating_duration_since(at) > HOLD) {
            self.speaking = false;
        }
        self.tell(now)
    }

    /// The microphone was muted or closed: speech ends now.
    pub(crate) fn hush(&mut self, now: Instant) -> Option<Heard> {
        self.smoothed = QUIETEST;
        let spoke = std::mem::take(&mut self.speaking);
        spoke.then(|| {
            self.told = Some((now, false));
            self.heard()
        })
    }

    /// None of a track whose packets do not say how loud they are.
    pub(crate) fn voice(&self) -> Option<VoiceQuality> {
        self.heard_at.map(|_| VoiceQuality { spoken: self.spoken, level_dbov: self.smoothed.round() as i8 })
    }

    fn tell(&mut self, now: Instant) -> Option<Heard> {
        let (due, changed) = match self.told {
            None => (true, self.speaking),
            Some((at, told)) => (now.saturating_duration_since(at) >= LEVEL_EVERY, told != self.speaking),
        };
        if !due || !(self.speaking || changed) {
            return None;
        }
        self.told = Some((now, self.speaking));
        Some(self.heard())
    }

    fn heard(&self) -> Heard {
        Heard { level_dbov: self.smoothed.round() as i8, speaking: self.speaking }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds (packets, level) runs of 20 ms packets; returns when something was told, in ms, and whether speaking.
    fn told(runs: &[(u64, i8)]) -> Vec<(u64, bool)> {
        told_in_packets_of(60, runs)
    }

    fn told_in_packets_of(payload_bytes: usize, runs: &[(u64, i8)]) -> Vec<(u64, bool)> {
        let start = Instant::now();
        let mut loudness = Loudness::new();
        let mut ms = 0;
        let mut told = Vec::new();
        for (packets, level) in runs {
            for _ in 0..*packets {
                if let Some(heard) = loudness.hear(start + Duration::from_millis(ms), *level, payload_bytes) {
                    told.push((ms, heard.speaking));
                }
                ms += 20;
            }
        }
        told
    }

    #[test]
    fn silence_says_nothing() {
        assert_eq!(told(&[(200, -127), (200, -70)]), []);
    }

    #[test]
    fn packets_with_nothing_in_them_are_silent_whatever_they_claim() {
        assert_eq!(told_in_packets_of(3, &[(200, 0)]), []);
        assert!(!told_in_packets_of(LEAST_VOICE_BYTES, &[(200, 0)]).is_empty());
    }

    #[test]
    fn speech_is_told_soon_and_then_every_200_ms() {
        let told = told(&[(10, -127), (30, -25)]);
        assert!(told[0].0 <= 300 && told[0].1, "{told:?}");
        assert!(told.windows(2).all(|w| w[1].0 - w[0].0 == 200), "{told:?}");
    }

    #[test]
    fn how_long_somebody_spoke_adds_up_and_silence_adds_nothing() {
        let start = Instant::now();
        let mut loudness = Loudness::new();
        assert_eq!(loudness.voice(), None, "nothing was heard yet");
        let mut ms = 0;
        for (packets, level) in [(100, -127), (100, -25), (100, -127)] {
            for _ in 0..packets {
                loudness.hear(start + Duration::from_millis(ms), level, 60);
                ms += 20;
            }
        }
        let voice = loudness.voice().expect("it was heard");
        // Two seconds of speech, and what it takes to be sure that it is over.
        assert!((1_900..3_000).contains(&voice.spoken.as_millis()), "{:?}", voice.spoken);
        assert!(voice.level_dbov < -110, "{}", voice.level_dbov);
    }

    #[test]
    fn the_end_of_speech_is_told_once() {
        let told = told(&[(50, -25), (200, -127)]);
        assert_eq!(told.iter().filter(|(_, speaking)| !speaking).count(), 1, "{told:?}");
        assert!(!told[told.len() - 1].1);
    }

    #[test]
    fn a_gap_between_words_is_still_speech() {
        let told = told(&[(50, -25), (15, -90), (50, -25)]);
        assert!(told.iter().all(|(_, speaking)| *speaking), "{told:?}");
    }

    #[test]
    fn muting_ends_speech_at_once() {
        let start = Instant::now();
        let mut loudness = Loudness::new();
        for n in 0..20 {
            loudness.hear(start + Duration::from_millis(n * 20), -20, 60);
        }
        assert_eq!(loudness.hush(start + Duration::from_millis(400)), Some(Heard { level_dbov: -127, speaking: false }));
        assert_eq!(loudness.hush(start + Duration::from_millis(420)), None);
    }
}
