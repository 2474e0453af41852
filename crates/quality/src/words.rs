//! What figures mean in words, and where the lines between them are: the one place that judges.
//! Sound: the classes of R of ITU-T G.109 (80, 70, 60), which are 4.0, 3.6 and 3.1 on the scale of G.107 that scores have.
//! Pictures: by what stands still, as Whereby and Daily judge it; a size that was not asked for, or that the preset holds, is
//! no fault. Next: `series.rs`, whose buckets are judged.

use crate::block::{Bucket, Figure};
use crate::series::{frames_per_second, known, mean_score};

/// Scores from which on sound is so, in hundredths.
const CLEAR: u32 = 400;
const SMALL_GAPS: u32 = 360;
const HARD_TO_FOLLOW: u32 = 310;

/// Share of the time that a picture stood still, in percent: from the first on it stops now and then, from the second on it
/// keeps stopping.
const STOPS: u32 = 2;
const KEEPS_STOPPING: u32 = 10;

/// Fewer frames a second than this are uneven to everybody.
const UNEVEN: u32 = 8;

/// How a track was to who received it, or how it reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    Clear,
    SmallGaps,
    HardToFollow,
    Broken,
    Smooth,
    SmallOrUneven,
    StopsNowAndThen,
    KeepsStopping,
    /// Nothing came although it was not switched off.
    Nothing,
    /// It was switched off.
    Off,
}

impl Word {
    pub const ALL: [Self; 10] = [
        Self::Clear,
        Self::SmallGaps,
        Self::HardToFollow,
        Self::Broken,
        Self::Smooth,
        Self::SmallOrUneven,
        Self::StopsNowAndThen,
        Self::KeepsStopping,
        Self::Nothing,
        Self::Off,
    ];

    /// Of a bucket that was so many milliseconds long; None if too little is known to say.
    pub fn of(bucket: &Bucket, is_video: bool, ms: i64) -> Option<Self> {
        let count = |figure| known(bucket, figure).unwrap_or(0);
        let looks = count(Figure::Looks);
        if looks == 0 {
            return None;
        }
        if count(Figure::Flowing) == 0 {
            return Some(if count(Figure::Paused) > 0 { Self::Off } else { Self::Nothing });
        }
        if is_video { Self::of_picture(bucket, ms) } else { mean_score(bucket).map(Self::of_sound) }
    }

    fn of_sound(score: u32) -> Self {
        match score {
            CLEAR.. => Self::Clear,
            SMALL_GAPS.. => Self::SmallGaps,
            HARD_TO_FOLLOW.. => Self::HardToFollow,
            _ => Self::Broken,
        }
    }

    fn of_picture(bucket: &Bucket, ms: i64) -> Option<Self> {
        let frozen = i64::from(known(bucket, Figure::Frozen).unwrap_or(0)) * 100 / ms.max(1);
        let poor = known(bucket, Figure::Poor).unwrap_or(0) * 2 > known(bucket, Figure::Flowing)?;
        Some(match u32::try_from(frozen).unwrap_or(u32::MAX) {
            KEEPS_STOPPING.. => Self::KeepsStopping,
            STOPS.. => Self::StopsNowAndThen,
            _ if poor || frames_per_second(bucket).is_some_and(|frames| frames < UNEVEN) => Self::SmallOrUneven,
            _ => Self::Smooth,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::SmallGaps => "small_gaps",
            Self::HardToFollow => "hard_to_follow",
            Self::Broken => "broken",
            Self::Smooth => "smooth",
            Self::SmallOrUneven => "small_or_uneven",
            Self::StopsNowAndThen => "stops_now_and_then",
            Self::KeepsStopping => "keeps_stopping",
            Self::Nothing => "nothing",
            Self::Off => "off",
        }
    }

    /// The word of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.name() == name)
    }

    /// Somebody would complain.
    pub fn is_bad(self) -> bool {
        matches!(self, Self::HardToFollow | Self::Broken | Self::StopsNowAndThen | Self::KeepsStopping | Self::Nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_begins_where_it_says() {
        let looked = [(Figure::Looks, 3), (Figure::Flowing, 3)];
        let sound = |score: u32| [(Figure::Scores, score * 3), (Figure::Scored, 3)];
        let word = |video: bool, figures: &[(Figure, u32)]| {
            Word::of(&looked.into_iter().chain(figures.iter().copied()).collect(), video, 15_000)
        };
        let cases = [(450, Word::Clear), (400, Word::Clear), (399, Word::SmallGaps), (360, Word::SmallGaps)];
        let more = [(359, Word::HardToFollow), (310, Word::HardToFollow), (309, Word::Broken), (100, Word::Broken)];
        for (score, expected) in cases.into_iter().chain(more) {
            assert_eq!(word(false, &sound(score)), Some(expected), "{score}");
        }
        assert_eq!(word(false, &[]), None, "no score yet");
        let frames = (Figure::Frames, 90);
        assert_eq!(word(true, &[frames, (Figure::Poor, 1)]), Some(Word::Smooth));
        assert_eq!(word(true, &[frames, (Figure::Poor, 2)]), Some(Word::SmallOrUneven));
        assert_eq!(word(true, &[(Figure::Frames, 21)]), Some(Word::SmallOrUneven));
        assert_eq!(word(true, &[frames, (Figure::Frozen, 300)]), Some(Word::StopsNowAndThen));
        assert_eq!(word(true, &[frames, (Figure::Frozen, 1_500)]), Some(Word::KeepsStopping));
    }

    #[test]
    fn what_is_off_is_not_what_does_not_come() {
        let word = |figures: &[(Figure, u32)]| Word::of(&figures.iter().copied().collect(), false, 15_000);
        assert_eq!(word(&[(Figure::Looks, 3), (Figure::Paused, 3)]), Some(Word::Off));
        assert_eq!(word(&[(Figure::Looks, 3)]), Some(Word::Nothing));
        assert_eq!(word(&[]), None);
    }
}
