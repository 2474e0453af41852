//! What a peer's call adds up to: for each kind of track, how often it was how good, and samples of each of its tracks.
//! Pure. Invariant: as many samples as `SAMPLES` of a kind, however long the call and however many its tracks: what is
//! too fine is put together, for all tracks alike. Next: `series.rs`, from which it is read.

use std::collections::BTreeMap;

use salon_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::block::{BUCKETS, Bucket, Figure};
use crate::role::Role;
use crate::series::{Blocks, Series, frames_per_second, known, mean_score};

/// Most samples of a kind of track: more make the answer larger, fewer make the steps of long calls coarser.
const SAMPLES: usize = 480;

/// All of a peer.
///
/// Those that earlier versions stored are read as they are; they are of looks each five seconds, as these are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums(pub BTreeMap<Role, Sum>);

/// One kind of track of a peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    pub samples: Vec<Sample>,
    /// Percent.
    pub loss: Values,
    /// Milliseconds.
    pub rtt: Values,
    /// Tenths.
    pub score: Values,
    pub frames_per_second: Values,
    pub width: Values,
    /// Looks at which it should have shown something, and those with nothing to show, with a smaller layer because of the
    /// line, and with a freeze.
    pub looks: u32,
    pub nothing: u32,
    pub poor: u32,
    pub lagging: u32,
}

/// How often each whole value was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Values(BTreeMap<u16, u32>);

impl Values {
    fn add(&mut self, value: f64, times: u32) {
        *self.0.entry(value.clamp(0.0, f64::from(u16::MAX)).round() as u16).or_default() += times;
    }

    fn merge(&mut self, other: &Self) {
        for (value, times) in &other.0 {
            *self.0.entry(*value).or_default() += times;
        }
    }

    pub fn count(&self) -> u32 {
        self.0.values().sum()
    }

    pub fn average(&self) -> Option<f64> {
        let sum: f64 = self.0.iter().map(|(value, count)| f64::from(*value) * f64::from(*count)).sum();
        (self.count() > 0).then(|| sum / f64::from(self.count()))
    }

    /// The value that so many percent do not exceed.
    pub fn percentile(&self, percent: u32) -> Option<f64> {
        let wanted = (f64::from(self.count()) * f64::from(percent) / 100.0).ceil() as u32;
        let mut passed = 0;
        let reaches = |count: &u32| {
            passed += *count;
            passed >= wanted.max(1)
        };
        let mut reaches = reaches;
        self.0.iter().find(|(_, count)| reaches(count)).map(|(value, _)| f64::from(*value))
    }

    /// The share of values of so much or more.
    pub fn share_from(&self, least: u16) -> Option<f64> {
        let above: u32 = self.0.range(least..).map(|(_, count)| *count).sum();
        (self.count() > 0).then(|| f64::from(above) / f64::from(self.count()))
    }
}

/// A track at one moment; counters are since its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub at_ms: i64,
    pub track: String,
    pub mid: String,
    /// Of what is received: whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    pub bytes: u64,
    pub packets: u64,
    pub lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_us: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u32>,
    /// Hundredths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<(u16, u16)>,
    /// Key frames that were asked for.
    pub key_frame_requests: u32,
}

impl Sums {
    /// None if it is not what an earlier version wrote.
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(json.clone()).ok()
    }

    /// All that the blocks of a peer hold, in a session that began then.
    pub fn of(blocks: &Blocks, began: Timestamp) -> Self {
        let mut sums = Sums::default();
        let (Some((first, _)), Some((last, _))) = (blocks.first_key_value(), blocks.last_key_value()) else { return sums };
        let (first, buckets) = (first * BUCKETS, (last + 1 - first) * BUCKETS);
        let series = Series::of(blocks, first, buckets, 1);
        for track in &series.tracks {
            let sum = sums.0.entry(track.role).or_default();
            for (step, bucket) in &track.steps {
                // A line that only publishes is not told how far it is, so it is the line of the whole peer.
                let rtt = series.line.get(step).and_then(|line| known(line, Figure::Rtt));
                sum.add(track.role, bucket, rtt);
            }
        }
        for (role, sum) in &mut sums.0 {
            sum.samples = samples(blocks, (first, buckets), *role, began);
        }
        sums
    }

    /// Adds what is of an earlier time.
    pub fn follow(&mut self, earlier: Self) {
        for (role, earlier) in earlier.0 {
            let sum = self.0.entry(role).or_default();
            sum.samples.splice(0..0, earlier.samples);
            let spreads = [
                (&mut sum.loss, &earlier.loss),
                (&mut sum.rtt, &earlier.rtt),
                (&mut sum.score, &earlier.score),
                (&mut sum.frames_per_second, &earlier.frames_per_second),
                (&mut sum.width, &earlier.width),
            ];
            spreads.into_iter().for_each(|(sum, earlier)| sum.merge(earlier));
            sum.looks += earlier.looks;
            sum.nothing += earlier.nothing;
            sum.poor += earlier.poor;
            sum.lagging += earlier.lagging;
        }
    }
}

impl Sum {
    /// Each look counts once; what a bucket knows holds for all looks at which something flowed.
    fn add(&mut self, role: Role, bucket: &Bucket, rtt: Option<u32>) {
        let count = |figure| known(bucket, figure).unwrap_or(0);
        let wanted = count(Figure::Looks).saturating_sub(count(Figure::Paused));
        let flowing = count(Figure::Flowing);
        self.looks += wanted;
        self.nothing += wanted.saturating_sub(flowing);
        self.poor += count(Figure::Poor);
        self.lagging += count(Figure::Lagging);
        if flowing == 0 {
            return;
        }
        let put = |values: &mut Values, value: Option<u32>, per: f64| {
            value.into_iter().for_each(|value| values.add(f64::from(value) / per, flowing));
        };
        put(&mut self.loss, known(bucket, Figure::Loss), 10.0);
        put(&mut self.score, mean_score(bucket), 10.0);
        put(&mut self.width, known(bucket, Figure::Width), 1.0);
        put(&mut self.frames_per_second, frames_per_second(bucket), 1.0);
        if role.produces() {
            put(&mut self.rtt, rtt, 1.0);
        }
    }
}

/// The samples of a kind of track, in the order of time: each of its tracks in each step in which something of it flowed.
fn samples(blocks: &Blocks, (first, buckets): (u64, u64), role: Role, began: Timestamp) -> Vec<Sample> {
    let mut per = 1;
    loop {
        let series = Series::of(blocks, first, buckets, per);
        let tracks = series.tracks.iter().filter(|track| track.role == role);
        let flows = |bucket: &Bucket| known(bucket, Figure::Flowing).is_some();
        let count: usize = tracks.clone().map(|track| track.steps.values().filter(|bucket| flows(bucket)).count()).sum();
        if count > SAMPLES && series.steps > 1 {
            per *= 2;
            continue;
        }
        let mut samples = Vec::new();
        for track in tracks {
            let (mut bytes, mut packets, mut lost, mut asked) = (0, 0, 0, 0);
            for (step, bucket) in &track.steps {
                let count = |figure| known(bucket, figure).unwrap_or(0);
                bytes += u64::from(count(Figure::Bytes));
                packets += u64::from(count(Figure::Packets));
                lost += u64::from(count(Figure::Lost));
                asked += count(Figure::KeyFrames);
                if !flows(bucket) {
                    continue;
                }
                let rtt = series.line.get(step).and_then(|line| known(line, Figure::Rtt));
                let short = |value: Option<u32>| value.map(|value| u16::try_from(value).unwrap_or(u16::MAX));
                samples.push(Sample {
                    at_ms: series.begin_of(began, *step).0,
                    track: track.track.clone(),
                    mid: track.mid.clone(),
                    peer: track.peer.clone(),
                    bytes,
                    packets: if role.produces() { packets + lost } else { packets.saturating_sub(lost) },
                    lost,
                    jitter_us: known(bucket, Figure::Jitter).map(|tenths| tenths.saturating_mul(100)),
                    rtt_us: rtt.map(|rtt| rtt.saturating_mul(1_000)),
                    score: short(mean_score(bucket)),
                    frames_per_second: short(frames_per_second(bucket)),
                    size: short(known(bucket, Figure::Width)).zip(short(known(bucket, Figure::Height))),
                    key_frame_requests: asked,
                });
            }
        }
        samples.sort_by_key(|sample| sample.at_ms);
        return samples;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use salon_core::PeerId;
    use salon_sfu::{Because, ConsumerQuality, Goes, Kind, LineQuality, Reason};

    use super::*;
    use crate::block::BUCKET_MS;
    use crate::look::{Counters, look};

    const LOOK_MS: i64 = 5_000;

    /// A track as it is after so many looks.
    fn watched(track: &str, looks: u64, freezes: u32, because: Because, flowing: bool) -> ConsumerQuality {
        ConsumerQuality {
            producer: track.into(),
            mid: format!("m-{track}"),
            kind: Kind::Video,
            screen_share: false,
            paused: false,
            flowing,
            first_sent_ago: None,
            rid: Some("h".into()),
            wanted: Some("f".into()),
            size: Some((640, 360)),
            reason: Reason { because, goes: Goes::Nothing },
            bitrate: 1,
            packets: looks * 100,
            bytes: looks * 1_000,
            frames_per_second: 29.6,
            lost: Some(looks * 10),
            loss: Some(0.06),
            rtt: Some(Duration::from_millis(120)),
            jitter: Some(Duration::from_millis(3)),
            freezes,
            frozen: Duration::ZERO,
            key_frame_requests: 0,
            resent: 0,
            score: Some(4.26),
        }
    }

    #[derive(Default)]
    struct Call {
        blocks: Blocks,
        counters: Counters,
        looks: u64,
    }

    impl Call {
        fn look(&mut self, consumers: Vec<ConsumerQuality>) {
            let now = Timestamp(self.looks as i64 * LOOK_MS);
            let bucket = (now.0 / BUCKET_MS) as u64;
            let line = LineQuality {
                transport: "t".into(),
                role: salon_sfu::Role::Receive,
                rtt: Some(Duration::from_millis(120)),
                estimate: None,
                loss: None,
                producers: vec![],
                consumers,
            };
            let block = self.blocks.entry(bucket / BUCKETS).or_default();
            let publisher = |_: &str| PeerId::parse("ada").ok();
            look(block, (bucket % BUCKETS) as usize, &mut self.counters, now, &[line], publisher);
            self.looks += 1;
        }

        fn sum(&self) -> Sum {
            Sums::of(&self.blocks, Timestamp(0)).0[&Role::VideoConsumer].clone()
        }
    }

    #[test]
    fn looks_add_up_to_averages_shares_and_percentiles() {
        let mut call = Call::default();
        let line = || Because::Line { carries: None };
        call.look(vec![watched("a", 1, 0, Because::AskedFor("f".into()), true)]);
        call.look(vec![watched("a", 2, 1, line(), true)]);
        call.look(vec![watched("a", 3, 1, Because::NotSent("f".into()), true)]);
        call.look(vec![watched("a", 4, 1, line(), false)]);
        let sum = call.sum();
        assert_eq!((sum.looks, sum.nothing, sum.poor, sum.lagging), (4, 1, 1, 1), "only the line makes a small picture poor");
        assert_eq!((sum.loss.average(), sum.loss.share_from(5), sum.loss.share_from(10)), (Some(6.0), Some(1.0), Some(0.0)));
        assert_eq!((sum.score.percentile(50), sum.score.percentile(90)), (Some(43.0), Some(43.0)));
        assert_eq!((sum.width.average(), sum.frames_per_second.average()), (Some(640.0), Some(30.0)));
        assert_eq!(sum.samples.len(), 1, "of the second bucket nothing flowed");
        assert_eq!((sum.samples[0].packets, sum.samples[0].peer.as_deref()), (270, Some("ada")));
    }

    #[test]
    fn percentiles_are_of_the_values_seen() {
        let mut values = Values::default();
        assert_eq!((values.average(), values.percentile(50), values.share_from(0)), (None, None, None));
        (1..=100).for_each(|value| values.add(f64::from(value), 1));
        assert_eq!([50, 75, 90].map(|p| values.percentile(p)), [Some(50.0), Some(75.0), Some(90.0)]);
    }

    #[test]
    fn samples_are_of_every_track_and_as_far_apart_at_the_end_as_at_the_beginning() {
        for tracks in [1, 2, 4, 7, 25] {
            let mut call = Call::default();
            for n in 1..=720 {
                call.look((0..tracks).map(|t| watched(&t.to_string(), n, 0, Because::Best, true)).collect());
            }
            let samples = call.sum().samples;
            assert!(samples.len() <= SAMPLES && samples.len() > SAMPLES / 4, "{} of {tracks} tracks", samples.len());
            for track in 0..tracks {
                let own: Vec<_> = samples.iter().filter(|sample| sample.track == track.to_string()).collect();
                assert_eq!((own[0].at_ms, own.len()), (0, samples.len() / tracks), "of {tracks} tracks");
                let step = own[1].at_ms - own[0].at_ms;
                assert!(own.windows(2).all(|two| two[1].at_ms - two[0].at_ms == step), "of {tracks} tracks");
                let (first, last) = (own[0], own[own.len() - 1]);
                assert!(last.at_ms + step >= 3_600_000 && last.bytes == 720_000 && first.bytes < 720_000 / 4);
            }
        }
    }

    #[test]
    fn what_earlier_versions_stored_is_read_and_goes_before() {
        let old = serde_json::json!({ "video_consumer": {
            "samples": [{
                "at_ms": 5, "track": "old", "mid": "c0", "bytes": 9, "packets": 8, "lost": 1, "key_frame_requests": 0
            }],
            "every": 1, "seen": 3, "loss": { "2": 3 }, "rtt": {}, "score": { "40": 3 }, "frames_per_second": {}, "width": {},
            "looks": 3, "nothing": 0, "poor": 2, "lagging": 0,
        } });
        let old = Sums::from_json(&old).expect("it is what was written");
        let mut call = Call::default();
        (1..=3).for_each(|n| call.look(vec![watched("new", n, 0, Because::Best, true)]));
        let mut sums = Sums::of(&call.blocks, Timestamp(0));
        sums.follow(old);
        let sum = &sums.0[&Role::VideoConsumer];
        assert_eq!((sum.looks, sum.poor, sum.loss.average()), (6, 2, Some(4.0)));
        assert_eq!(sum.samples.iter().map(|sample| sample.track.as_str()).collect::<Vec<_>>(), ["old", "new"]);
        assert_eq!(Sums::from_json(&serde_json::json!({ "audio_producer": 3 })), None);
    }

    /// Prints what a block of a call of four people takes: `cargo test -p salon-quality -- --ignored --nocapture`.
    #[test]
    #[ignore = "not a test: prints figures"]
    fn bytes_of_a_block() {
        let noise = |n: u64, most: u64| n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(most) >> 33;
        for others in [1_u64, 3, 24] {
            let mut call = Call::default();
            for n in 1..=60_u64 {
                let tracks = (0..others).flat_map(|other| {
                    let seed = n * 31 + other;
                    let mut track = watched(&format!("0b5d7a7e-62a1-4a9f-9b1c-{other:012}"), n, 0, Because::Best, true);
                    track.packets = n * 450 + noise(seed, 9) % 100;
                    track.bytes = n * 500_000 + noise(seed, 8) % 90_000;
                    track.loss = Some((noise(seed, 7) % 30) as f32 / 1_000.0);
                    track.jitter = Some(Duration::from_micros(2_000 + noise(seed, 6) % 9_000));
                    track.score = Some(4.0 + (noise(seed, 5) % 50) as f32 / 100.0);
                    let voice = ConsumerQuality { kind: Kind::Audio, producer: format!("v-{other}").into(), ..track.clone() };
                    [track, voice]
                });
                call.look(tracks.collect());
            }
            let block = &call.blocks[&0];
            let json = serde_json::to_vec(block).expect("plain data").len();
            println!("{others} others, picture and voice each: {} bytes stored, {json} as JSON", block.encode().len());
        }
    }
}
