//! How somebody's call is now: of the last whole bucket, the worst of what they get and of what comes from them. Pure.
//! Next: `words.rs`, which judges.

use crate::block::{BUCKET_MS, Block, Bucket, Figure};
use crate::series::{known, mean_score};
use crate::why::Why;
use crate::words::Word;

/// How a peer's call is. What is not known, or not there, is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    pub sound_in: Option<Judged>,
    pub sound_out: Option<Judged>,
    pub picture_in: Option<Judged>,
    pub picture_out: Option<Judged>,
    /// To the server and back, in milliseconds.
    pub rtt_ms: Option<u32>,
    /// The share of packets to the peer that did not arrive the first time, per mille.
    pub loss: Option<u32>,
    /// What the line to the peer is thought to carry, in kbit/s.
    pub carries: Option<u32>,
}

/// The worst of some tracks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    pub word: Word,
    /// In hundredths.
    pub score: Option<u32>,
    pub why: Option<Why>,
}

/// How the worst calls of some peers are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Worst {
    pub sound: Option<Word>,
    pub picture: Option<Word>,
    /// How many of them have something to complain of.
    pub people: u32,
}

impl Worst {
    pub(crate) fn add(&mut self, standing: &Standing) {
        let [sound_in, sound_out, picture_in, picture_out] = standing.words();
        self.sound = self.sound.max(sound_in).max(sound_out);
        self.picture = self.picture.max(picture_in).max(picture_out);
        self.people += u32::from(standing.words().into_iter().flatten().any(Word::is_bad));
    }
}

impl Standing {
    /// As one bucket of a block has it.
    pub(crate) fn of(block: &Block, place: usize) -> Self {
        let line = block.line.bucket(place);
        let mut standing = Self {
            rtt_ms: known(&line, Figure::Rtt),
            loss: known(&line, Figure::Loss),
            carries: known(&line, Figure::Carries),
            ..Self::default()
        };
        for track in &block.tracks {
            let (role, bucket) = (track.role, track.columns.bucket(place));
            let Some(judged) = judge(&bucket, role.is_video(), role.produces()) else { continue };
            let worst = match (role.produces(), role.is_video()) {
                (true, false) => &mut standing.sound_out,
                (true, true) => &mut standing.picture_out,
                (false, false) => &mut standing.sound_in,
                (false, true) => &mut standing.picture_in,
            };
            if worst.is_none_or(|worst| worst.word < judged.word) {
                *worst = Some(judged);
            }
        }
        standing
    }

    /// The words alone, by which it is told apart from another: figures are never twice the same.
    pub fn words(&self) -> [Option<Word>; 4] {
        [self.sound_in, self.sound_out, self.picture_in, self.picture_out].map(|judged| judged.map(|judged| judged.word))
    }
}

/// What was switched off is not judged, nor what a client does not take: it may not have asked for it.
fn judge(bucket: &Bucket, is_video: bool, produces: bool) -> Option<Judged> {
    let word = Word::of(bucket, is_video, BUCKET_MS)?;
    let is_told = word != Word::Off && (produces || word != Word::Nothing);
    let why = known(bucket, Figure::Why).and_then(Why::read).filter(|_| is_video);
    is_told.then(|| Judged { word, score: mean_score(bucket), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::{Columns, TrackBlock};
    use crate::role::Role;

    fn track(role: Role, figures: &[(Figure, u32)]) -> TrackBlock {
        let mut columns = Columns::default();
        figures.iter().for_each(|(figure, value)| columns.note(2, *figure, *value));
        TrackBlock { track: format!("{role:?}{figures:?}"), role, peer: None, mid: String::new(), first_sent_ms: None, columns }
    }

    #[test]
    fn the_worst_leads_and_what_is_off_is_no_fault() {
        let scored = |score: u32| [(Figure::Looks, 3), (Figure::Flowing, 3), (Figure::Scores, score * 3), (Figure::Scored, 3)];
        let mut block = Block {
            tracks: vec![
                track(Role::AudioConsumer, &scored(430)),
                track(Role::AudioConsumer, &scored(330)),
                track(Role::AudioConsumer, &[(Figure::Looks, 3)]),
                track(Role::AudioProducer, &[(Figure::Looks, 3), (Figure::Paused, 3)]),
                track(Role::VideoProducer, &[(Figure::Looks, 3)]),
            ],
            ..Block::default()
        };
        block.line.note(2, Figure::Rtt, 80);
        let standing = Standing::of(&block, 2);
        assert_eq!(standing.words(), [Some(Word::HardToFollow), None, None, Some(Word::Nothing)]);
        assert_eq!((standing.sound_in.unwrap().score, standing.rtt_ms, standing.loss), (Some(330), Some(80), None));
        assert_eq!(Standing::of(&block, 1), Standing::default(), "nothing is known of another time");
        let mut worst = Worst::default();
        worst.add(&Standing::default());
        assert_eq!(worst, Worst::default());
        worst.add(&standing);
        let clear = Judged { word: Word::Clear, score: None, why: None };
        worst.add(&Standing { sound_out: Some(clear), ..Standing::default() });
        assert_eq!(worst, Worst { sound: Some(Word::HardToFollow), picture: Some(Word::Nothing), people: 1 });
    }
}
