//! Blocks read as one course of time: of the line and each track, what each step of so many buckets was like. Pure.
//! Next: `sums.rs` adds up what is read here.

use std::collections::BTreeMap;

use salon_core::Timestamp;

use crate::block::{BUCKET_MS, BUCKETS, Block, Bucket, Columns, Figure, note};
use crate::role::Role;

/// Blocks of a peer by their number.
pub type Blocks = BTreeMap<u64, Block>;

/// A peer's call from one bucket to another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series {
    /// Number of the first bucket, how many buckets a step has, and how many steps there are.
    pub first: u64,
    pub per: u64,
    pub steps: usize,
    /// Each step in which something is known.
    pub line: BTreeMap<usize, Bucket>,
    pub tracks: Vec<TrackSeries>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TrackSeries {
    pub track: String,
    pub role: Role,
    pub peer: Option<String>,
    pub mid: String,
    pub first_sent_at: Option<Timestamp>,
    pub steps: BTreeMap<usize, Bucket>,
}

/// The bucket in which a moment of a session is that began then.
pub fn bucket_at(began: Timestamp, at: Timestamp) -> u64 {
    (at.since(began) / BUCKET_MS) as u64
}

/// When a bucket of that session begins.
pub fn begin_of(began: Timestamp, bucket: u64) -> Timestamp {
    began.plus_ms(i64::try_from(bucket).unwrap_or(i64::MAX).saturating_mul(BUCKET_MS))
}

impl Series {
    /// `buckets` buckets from `first` on, `per` of them to a step. Blocks that are not there are times of which nothing is known.
    pub fn of(blocks: &Blocks, first: u64, buckets: u64, per: u64) -> Self {
        let per = per.max(1);
        let mut series = Series { first, per, steps: buckets.div_ceil(per) as usize, ..Series::default() };
        let mut places: BTreeMap<(Role, &str), usize> = BTreeMap::new();
        for (number, block) in blocks {
            let begin = number.saturating_mul(BUCKETS);
            let within = |steps: &mut BTreeMap<usize, Bucket>, columns: &Columns| {
                for place in 0..BUCKETS {
                    let Some(after) = (begin + place).checked_sub(first).filter(|after| *after < buckets) else { continue };
                    let known = columns.bucket(place as usize);
                    if !known.is_empty() {
                        let step = steps.entry((after / per) as usize).or_default();
                        known.into_iter().for_each(|(figure, value)| note(step, figure, value));
                    }
                }
            };
            within(&mut series.line, &block.line);
            for track in &block.tracks {
                let place = *places.entry((track.role, &track.track)).or_insert_with(|| {
                    series.tracks.push(TrackSeries {
                        track: track.track.clone(),
                        role: track.role,
                        peer: track.peer.clone(),
                        mid: track.mid.clone(),
                        first_sent_at: None,
                        steps: BTreeMap::new(),
                    });
                    series.tracks.len() - 1
                });
                let of = &mut series.tracks[place];
                let first_sent_at = track.first_sent_ms.map(Timestamp);
                of.first_sent_at = [of.first_sent_at, first_sent_at].into_iter().flatten().min();
                within(&mut of.steps, &track.columns);
            }
        }
        series.tracks.retain(|track| !track.steps.is_empty());
        series
    }

    /// When a step begins, in a session that began then.
    pub fn begin_of(&self, began: Timestamp, step: usize) -> Timestamp {
        begin_of(began, self.first + step as u64 * self.per)
    }
}

/// A figure of a bucket, if it is known.
pub fn known(bucket: &Bucket, figure: Figure) -> Option<u32> {
    bucket.get(&figure).copied()
}

/// The mean score in a bucket, hundredths.
pub fn mean_score(bucket: &Bucket) -> Option<u32> {
    Some(known(bucket, Figure::Scores)? / known(bucket, Figure::Scored).filter(|looks| *looks > 0)?)
}

/// Frames a second while it flowed.
pub fn frames_per_second(bucket: &Bucket) -> Option<u32> {
    let looks = known(bucket, Figure::Flowing).filter(|looks| *looks > 0)?;
    known(bucket, Figure::Frames).map(|frames| (frames + looks / 2) / looks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::TrackBlock;

    fn blocks(values: &[(u64, u32)]) -> Blocks {
        let mut blocks = Blocks::new();
        for (bucket, lost) in values {
            let block = blocks.entry(bucket / BUCKETS).or_default();
            let new = || TrackBlock {
                track: "t".into(),
                role: Role::AudioConsumer,
                peer: Some("ben".into()),
                mid: String::new(),
                first_sent_ms: Some(7_000 + *bucket as i64),
                columns: Columns::default(),
            };
            let track = block.track(new, "t", Role::AudioConsumer).expect("a place");
            track.columns.note((bucket % BUCKETS) as usize, Figure::Lost, *lost);
        }
        blocks
    }

    fn lost(series: &Series) -> Vec<Option<u32>> {
        (0..series.steps).map(|step| known(series.tracks[0].steps.get(&step)?, Figure::Lost)).collect()
    }

    #[test]
    fn buckets_are_put_together_over_the_edge_of_blocks_and_what_is_not_known_stays_so() {
        let blocks = blocks(&[(18, 1), (19, 2), (20, 4), (23, 8)]);
        let all = Series::of(&blocks, 18, 6, 1);
        assert_eq!(lost(&all), [Some(1), Some(2), Some(4), None, None, Some(8)]);
        assert_eq!(all.tracks[0].first_sent_at, Some(Timestamp(7_018)));
        let coarse = Series::of(&blocks, 19, 4, 2);
        assert_eq!(lost(&coarse), [Some(6), None], "what is before and after is not in it");
        assert_eq!(coarse.begin_of(Timestamp(1_000), 1), Timestamp(1_000 + 21 * 15_000));
        assert_eq!(Series::of(&blocks, 40, 4, 1).tracks, []);
    }

    #[test]
    fn each_moment_has_its_bucket() {
        let began = Timestamp(1_000);
        let cases = [(0, 0), (1_000, 0), (15_999, 0), (16_000, 1), (301_000, 20)];
        for (at, bucket) in cases {
            assert_eq!(bucket_at(began, Timestamp(at)), bucket, "{at}");
        }
        assert_eq!(begin_of(began, 20), Timestamp(301_000));
    }
}
