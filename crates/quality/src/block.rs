//! Five minutes of a peer's call: for each of its tracks, and for its line, what each quarter of a minute was like.
//! Pure. Time is the session's: bucket n begins n times 15 s after the session did, and a block has twenty of them.
//! Invariant: of one bucket it does not matter in which order or how often it was looked at, nor does it of buckets that
//! are put together for a longer step: both go by `Figure::join`. Next: `look.rs` fills blocks, `series.rs` reads them.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use crate::role::Role;

/// How long a bucket is. A stored promise, as is the next.
pub const BUCKET_MS: i64 = 15_000;

/// Buckets in a block.
pub const BUCKETS: u64 = 20;

/// Tracks one block tells apart. More are seen in it only if somebody comes and goes all the time.
const TRACKS: usize = 128;

/// The largest block that is read: many times what 128 tracks come to.
const MAX_BYTES: u64 = 1 << 20;

/// The first byte of a stored block: JSON, deflated.
const FORMAT: u8 = 1;

/// What is known of a track or a line in each bucket. The names are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// How often it was looked at; how often it was paused then, and how often something of it flowed.
    Looks,
    Paused,
    Flowing,
    /// With a smaller layer because of the line; and with a freeze since the last look.
    Poor,
    Lagging,
    /// What came of it or was sent, and how many packets were lost, in this bucket.
    Packets,
    Lost,
    Bytes,
    /// The most, per mille.
    Loss,
    /// The most, tenths of a millisecond.
    Jitter,
    /// The most, milliseconds.
    Rtt,
    /// The least the line was thought to carry, kbit/s.
    Carries,
    /// Hundredths: the least, the sum over looks, and how many looks that were.
    WorstScore,
    Scores,
    Scored,
    /// Frames a second, summed over the looks at which it flowed.
    Frames,
    /// Of the largest picture.
    Width,
    Height,
    /// Milliseconds in which a picture stood still, and how often that began.
    Frozen,
    Freezes,
    KeyFrames,
    /// Milliseconds in which there was a voice, and the loudest level, 127 above silence (RFC 6464).
    Spoken,
    Level,
    /// The most telling reason why a track was as it was: a [`crate::Why`].
    Why,
}

impl Figure {
    /// What two values come to.
    fn join(self, one: u32, other: u32) -> u32 {
        use Figure::*;
        match self {
            Looks | Paused | Flowing | Poor | Lagging | Packets | Lost | Bytes | Scores | Scored | Frames | Frozen | Freezes
            | KeyFrames | Spoken => one.saturating_add(other),
            Loss | Jitter | Rtt | Width | Height | Level | Why => one.max(other),
            Carries | WorstScore => one.min(other),
        }
    }
}

/// The figures of one bucket.
pub type Bucket = BTreeMap<Figure, u32>;

/// Puts a figure beside what is known already.
pub fn note(bucket: &mut Bucket, figure: Figure, value: u32) {
    bucket.entry(figure).and_modify(|known| *known = figure.join(*known, value)).or_insert(value);
}

/// A figure in each bucket of a block, from its first one on.
type Column = Vec<Option<u32>>;

/// Figures of a block, each with its column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Columns(BTreeMap<Figure, Column>);

impl Columns {
    pub(crate) fn note(&mut self, place: usize, figure: Figure, value: u32) {
        let column = self.0.entry(figure).or_default();
        if column.len() <= place {
            column.resize(place + 1, None);
        }
        let known = &mut column[place];
        *known = Some(known.map_or(value, |known| figure.join(known, value)));
    }

    /// What is known of one bucket.
    pub fn bucket(&self, place: usize) -> Bucket {
        self.0.iter().filter_map(|(figure, column)| Some((*figure, (*column.get(place)?)?))).collect()
    }
}

/// One track of a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackBlock {
    pub track: String,
    pub role: Role,
    /// Of what is received: whose it is, and the line of the description it comes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mid: String,
    /// Of what is received: when the first of it was sent, in milliseconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sent_ms: Option<i64>,
    pub columns: Columns,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Of all connections of the peer together.
    pub line: Columns,
    pub tracks: Vec<TrackBlock>,
    /// Looks at tracks that had no place any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Block {
    /// The part about a track; `None` if there is no place for one more.
    pub(crate) fn track(&mut self, new: impl FnOnce() -> TrackBlock, track: &str, role: Role) -> Option<&mut TrackBlock> {
        let place = self.tracks.iter().position(|known| known.track == track && known.role == role);
        let place = match place {
            Some(place) => place,
            None if self.tracks.len() < TRACKS => {
                self.tracks.push(new());
                self.tracks.len() - 1
            }
            None => {
                self.left_out += 1;
                return None;
            }
        };
        self.tracks.get_mut(place)
    }

    /// As it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let mut deflated = DeflateEncoder::new(vec![FORMAT], Compression::best());
        let written = serde_json::to_vec(self).map_err(std::io::Error::from).and_then(|json| deflated.write_all(&json));
        written.and_then(|()| deflated.finish()).unwrap_or_default()
    }

    /// None if it was not stored by [`Block::encode`].
    pub fn decode(stored: &[u8]) -> Option<Self> {
        let (&FORMAT, deflated) = stored.split_first()? else { return None };
        let mut json = Vec::new();
        DeflateDecoder::new(deflated).take(MAX_BYTES).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_as_it_was_stored_and_nothing_else_is() {
        let mut block = Block::default();
        block.line.note(0, Figure::Rtt, 80);
        block.line.note(19, Figure::Rtt, 40);
        let new = || TrackBlock {
            track: "t".into(),
            role: Role::VideoConsumer,
            peer: Some("ben".into()),
            mid: "c0".into(),
            first_sent_ms: Some(1_750_000_000_123),
            columns: Columns::default(),
        };
        block.track(new, "t", Role::VideoConsumer).expect("a place").columns.note(3, Figure::Loss, 120);
        let stored = block.encode();
        assert_eq!(Block::decode(&stored), Some(block));
        assert_eq!(Block::decode(&stored[..stored.len() / 2]), None);
        assert_eq!(Block::decode(&[]), None);
        assert_eq!(Block::decode(b"\x02{}"), None);
    }

    #[test]
    fn the_worst_of_a_bucket_is_kept_and_sums_are_sums() {
        let mut columns = Columns::default();
        for (loss, packets, score) in [(10, 100, 430), (120, 90, 310), (0, 100, 440)] {
            columns.note(2, Figure::Loss, loss);
            columns.note(2, Figure::Packets, packets);
            columns.note(2, Figure::WorstScore, score);
        }
        let expected = [(Figure::Packets, 290), (Figure::Loss, 120), (Figure::WorstScore, 310)];
        assert_eq!(columns.bucket(2), Bucket::from(expected));
        assert_eq!(columns.bucket(1), Bucket::new(), "nothing is known of it, and that is not 0");
        assert_eq!(columns.bucket(7), Bucket::new());
    }

    #[test]
    fn tracks_without_end_do_not_make_a_block_without_end() {
        let mut block = Block::default();
        for n in 0..TRACKS + 5 {
            let track = n.to_string();
            let new = || TrackBlock {
                track: track.clone(),
                role: Role::AudioConsumer,
                peer: None,
                mid: String::new(),
                first_sent_ms: None,
                columns: Columns::default(),
            };
            block.track(new, &track, Role::AudioConsumer);
        }
        assert_eq!((block.tracks.len(), block.left_out), (TRACKS, 5));
    }
}
