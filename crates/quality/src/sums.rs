//! What a peer's call adds up to: for each kind of track, how often it was how good, and some samples over the whole time.
//! Pure. Invariant: its size does not grow with the length of the call: when the samples are full, every second one goes,
//! and from then on half as many are taken.

use std::collections::BTreeMap;
use std::time::Duration;

use salon_core::{PeerId, Timestamp};
use salon_sfu::{ConsumerQuality, Kind, LayerQuality, LineQuality, ProducerQuality};
use serde::{Deserialize, Serialize};

/// Samples kept of each kind of track.
const SAMPLES: usize = 24;

/// A kind of track, by the name the contract has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    AudioProducer,
    VideoProducer,
    ScreenshareAudioProducer,
    ScreenshareVideoProducer,
    AudioConsumer,
    VideoConsumer,
    ScreenshareAudioConsumer,
    ScreenshareVideoConsumer,
}

impl Role {
    fn of(produces: bool, kind: Kind, screen: bool) -> Self {
        match (produces, kind, screen) {
            (true, Kind::Audio, false) => Self::AudioProducer,
            (true, Kind::Video, false) => Self::VideoProducer,
            (true, Kind::Audio, true) => Self::ScreenshareAudioProducer,
            (true, Kind::Video, true) => Self::ScreenshareVideoProducer,
            (false, Kind::Audio, false) => Self::AudioConsumer,
            (false, Kind::Video, false) => Self::VideoConsumer,
            (false, Kind::Audio, true) => Self::ScreenshareAudioConsumer,
            (false, Kind::Video, true) => Self::ScreenshareVideoConsumer,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::AudioProducer => "audio_producer",
            Self::VideoProducer => "video_producer",
            Self::ScreenshareAudioProducer => "screenshare_audio_producer",
            Self::ScreenshareVideoProducer => "screenshare_video_producer",
            Self::AudioConsumer => "audio_consumer",
            Self::VideoConsumer => "video_consumer",
            Self::ScreenshareAudioConsumer => "screenshare_audio_consumer",
            Self::ScreenshareVideoConsumer => "screenshare_video_consumer",
        }
    }

    pub fn produces(self) -> bool {
        matches!(
            self,
            Self::AudioProducer | Self::VideoProducer | Self::ScreenshareAudioProducer | Self::ScreenshareVideoProducer
        )
    }

    pub fn is_video(self) -> bool {
        matches!(
            self,
            Self::VideoProducer | Self::ScreenshareVideoProducer | Self::VideoConsumer | Self::ScreenshareVideoConsumer
        )
    }
}

/// All of a peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums(pub BTreeMap<Role, Sum>);

/// One kind of track of a peer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    pub samples: Vec<Sample>,
    /// One in so many is kept.
    every: u32,
    seen: u32,
    /// Percent.
    pub loss: Values,
    /// Milliseconds.
    pub rtt: Values,
    /// Tenths.
    pub score: Values,
    pub frames_per_second: Values,
    pub width: Values,
    /// Looks at which it should have shown something, and those with nothing to show, with a smaller layer than was
    /// wanted or allowed, and with a freeze.
    pub looks: u32,
    pub nothing: u32,
    pub poor: u32,
    pub lagging: u32,
    /// Freezes of each track at the last look.
    #[serde(skip)]
    freezes: BTreeMap<String, u32>,
}

/// How often each whole value was seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Values(BTreeMap<u16, u32>);

impl Values {
    fn add(&mut self, value: f64) {
        *self.0.entry(value.clamp(0.0, f64::from(u16::MAX)).round() as u16).or_default() += 1;
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

/// A track at one moment.
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
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// None if an older version wrote something else.
    pub fn from_json(json: &serde_json::Value) -> Option<Self> {
        serde_json::from_value(json.clone()).ok()
    }

    /// Adds what a peer's lines are like at this moment.
    pub fn add(&mut self, now: Timestamp, lines: &[LineQuality], publisher: impl Fn(&str) -> Option<PeerId>) {
        // A line that only publishes is not told how far it is; the peer's other one goes the same way.
        let rtt = lines.iter().find_map(|line| line.rtt);
        for track in lines.iter().flat_map(|line| &line.producers).filter(|track| !track.paused) {
            let sum = self.0.entry(Role::of(true, track.kind, track.screen_share)).or_default();
            sum.publishes(now, track, rtt);
        }
        for track in lines.iter().flat_map(|line| &line.consumers).filter(|track| !track.paused) {
            let sum = self.0.entry(Role::of(false, track.kind, track.screen_share)).or_default();
            sum.receives(now, track, publisher(track.producer.as_str()));
        }
    }
}

impl Sum {
    fn publishes(&mut self, now: Timestamp, track: &ProducerQuality, rtt: Option<Duration>) {
        self.looks += 1;
        let pixels = |layer: &&LayerQuality| layer.size.map(|(width, height)| u32::from(width) * u32::from(height));
        let Some(layer) = track.layers.iter().filter(|layer| layer.alive).max_by_key(pixels) else {
            self.nothing += 1;
            return;
        };
        self.poor += u32::from(layer.refusal.is_some());
        let video = track.kind == Kind::Video;
        self.judge(Some(layer.loss), rtt, track.score, layer.size.filter(|_| video), video.then_some(layer.frames_per_second));
        self.sample(|| Sample {
            at_ms: now.0,
            track: track.producer.to_string(),
            mid: layer.rid.clone().unwrap_or_default(),
            peer: None,
            bytes: track.layers.iter().map(|l| l.bytes).sum(),
            packets: track.layers.iter().map(|l| l.packets + l.lost).sum(),
            lost: track.layers.iter().map(|l| l.lost).sum(),
            jitter_us: Some(layer.jitter.as_micros() as u32),
            rtt_us: rtt.map(|rtt| rtt.as_micros() as u32),
            score: track.score.map(|score| (score * 100.0) as u16),
            frames_per_second: video.then_some(layer.frames_per_second as u16),
            size: layer.size,
            key_frame_requests: track.key_frame_requests,
        });
    }

    fn receives(&mut self, now: Timestamp, track: &ConsumerQuality, from: Option<PeerId>) {
        self.looks += 1;
        let before = self.freezes.insert(track.producer.to_string(), track.freezes).unwrap_or(0);
        self.lagging += u32::from(track.freezes > before);
        if self.freezes.len() > 256 {
            // Tracks that are long gone; those that are not are back with the next look.
            self.freezes.clear();
        }
        if !track.flowing {
            self.nothing += 1;
            return;
        }
        self.poor += u32::from(track.wanted.is_some() && track.rid.is_some() && track.rid != track.wanted);
        let video = track.kind == Kind::Video;
        self.judge(track.loss, track.rtt, track.score, track.size.filter(|_| video), video.then_some(track.frames_per_second));
        self.sample(|| Sample {
            at_ms: now.0,
            track: track.producer.to_string(),
            mid: track.mid.clone(),
            peer: from.map(|peer| peer.to_string()),
            bytes: track.bytes,
            packets: track.packets.saturating_sub(track.lost.unwrap_or(0)),
            lost: track.lost.unwrap_or(0),
            jitter_us: track.jitter.map(|jitter| jitter.as_micros() as u32),
            rtt_us: track.rtt.map(|rtt| rtt.as_micros() as u32),
            score: track.score.map(|score| (score * 100.0) as u16),
            frames_per_second: video.then_some(track.frames_per_second as u16),
            size: track.size,
            key_frame_requests: track.key_frame_requests,
        });
    }

    fn judge(
        &mut self,
        loss: Option<f32>,
        rtt: Option<Duration>,
        score: Option<f32>,
        size: Option<(u16, u16)>,
        frames_per_second: Option<f32>,
    ) {
        loss.into_iter().for_each(|loss| self.loss.add(f64::from(loss) * 100.0));
        rtt.into_iter().for_each(|rtt| self.rtt.add(rtt.as_secs_f64() * 1_000.0));
        score.into_iter().for_each(|score| self.score.add(f64::from(score) * 10.0));
        size.into_iter().for_each(|(width, _)| self.width.add(f64::from(width)));
        frames_per_second.into_iter().for_each(|frames| self.frames_per_second.add(f64::from(frames)));
    }

    fn sample(&mut self, sample: impl FnOnce() -> Sample) {
        self.every = self.every.max(1);
        if self.seen.is_multiple_of(self.every) {
            if self.samples.len() == SAMPLES {
                let mut place = 0;
                self.samples.retain(|_| {
                    place += 1;
                    place % 2 == 1
                });
                self.every *= 2;
            }
            self.samples.push(sample());
        }
        self.seen = self.seen.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watched(freezes: u32, rid: &str, flowing: bool) -> LineQuality {
        let track = ConsumerQuality {
            producer: "camera".into(),
            mid: "c0".into(),
            kind: Kind::Video,
            screen_share: false,
            paused: false,
            flowing,
            rid: Some(rid.into()),
            wanted: Some("f".into()),
            size: Some((640, 360)),
            reason: String::new(),
            bitrate: 1,
            packets: 100,
            bytes: 1_000,
            frames_per_second: 29.6,
            lost: Some(10),
            loss: Some(0.06),
            rtt: Some(Duration::from_millis(120)),
            jitter: Some(Duration::from_millis(3)),
            freezes,
            frozen: Duration::ZERO,
            key_frame_requests: 0,
            resent: 0,
            score: Some(4.26),
        };
        LineQuality {
            transport: "t".into(),
            role: salon_sfu::Role::Receive,
            rtt: None,
            estimate: None,
            loss: None,
            producers: vec![],
            consumers: vec![track],
        }
    }

    fn add(sums: &mut Sums, at: i64, line: LineQuality) {
        sums.add(Timestamp(at), &[line], |_| PeerId::parse("ada").ok());
    }

    #[test]
    fn looks_add_up_to_averages_shares_and_percentiles() {
        let mut sums = Sums::default();
        add(&mut sums, 1, watched(0, "f", true));
        add(&mut sums, 2, watched(1, "h", true));
        add(&mut sums, 3, watched(1, "f", true));
        add(&mut sums, 4, watched(1, "f", false));
        let sum = &sums.0[&Role::VideoConsumer];
        assert_eq!((sum.looks, sum.nothing, sum.poor, sum.lagging), (4, 1, 1, 1));
        assert_eq!((sum.loss.average(), sum.loss.share_from(5), sum.loss.share_from(10)), (Some(6.0), Some(1.0), Some(0.0)));
        assert_eq!((sum.rtt.average(), sum.rtt.share_from(100)), (Some(120.0), Some(1.0)));
        assert_eq!((sum.score.percentile(50), sum.score.percentile(90)), (Some(43.0), Some(43.0)));
        assert_eq!((sum.width.average(), sum.frames_per_second.average()), (Some(640.0), Some(30.0)));
        assert_eq!(sum.samples.len(), 3);
        assert_eq!((sum.samples[0].packets, sum.samples[0].peer.as_deref()), (90, Some("ada")));
    }

    #[test]
    fn percentiles_are_of_the_values_seen() {
        let mut values = Values::default();
        assert_eq!((values.average(), values.percentile(50), values.share_from(0)), (None, None, None));
        (1..=100).for_each(|value| values.add(f64::from(value)));
        assert_eq!([50, 75, 90].map(|p| values.percentile(p)), [Some(50.0), Some(75.0), Some(90.0)]);
    }

    #[test]
    fn a_long_call_has_as_many_samples_as_a_short_one_over_its_whole_time() {
        let mut sums = Sums::default();
        for at in 0..5_000 {
            add(&mut sums, at, watched(0, "f", true));
        }
        let samples = &sums.0[&Role::VideoConsumer].samples;
        assert!((SAMPLES / 2..=SAMPLES).contains(&samples.len()), "{}", samples.len());
        let (first, last) = (samples[0].at_ms, samples[samples.len() - 1].at_ms);
        assert!(first == 0 && last > 4_400, "from {first} to {last}");
        let steps: Vec<_> = samples.windows(2).map(|two| two[1].at_ms - two[0].at_ms).collect();
        assert!(steps.iter().all(|step| *step == steps[0]), "{steps:?}");
    }

    #[test]
    fn what_was_saved_goes_on_where_it_was() {
        let mut sums = Sums::default();
        for at in 0..40 {
            add(&mut sums, at, watched(0, "f", true));
        }
        let mut read = Sums::from_json(&sums.to_json()).expect("it is what was written");
        for sums in [&mut sums, &mut read] {
            add(sums, 41, watched(0, "f", true));
        }
        assert_eq!(read, sums);
        assert_eq!(Sums::from_json(&serde_json::json!({ "audio_producer": 3 })), None);
    }
}
