//! What somebody streams to us, cut into segments that begin with a key frame, as it came: nothing is decoded. Pure.
//! Its clock is the one of whoever streams, made to go on: it may wrap, jump and begin anew, and times of what is cut never fall.
//! Invariant: what waits is of `LONGEST_MS` and `MOST_BYTES` at most; what cannot be taken ends it, and says why.
//! Next: `mux.rs`, how a segment is written; `../ingest.rs`, where it goes.

use std::collections::VecDeque;

use crate::encoder::SEGMENT_SECS;
use crate::ingest::mux::{self, Audio, FRAME, Run, Sample, Video};
use crate::ingest::sps;
use crate::rtmp::Kind;

/// A segment is cut at the first key frame after this long. A little less than said: key frames come every two seconds at best.
const SEGMENT_MS: i64 = SEGMENT_SECS as i64 * 1_000 - 100;

/// Without a key frame for so long there is nothing to cut at.
const LONGEST_MS: i64 = 20_000;

/// Bytes that wait to be cut.
const MOST_BYTES: usize = 48 << 20;

/// Pieces that wait to be cut: far more than there are in so many seconds.
const MOST_SAMPLES: usize = 20_000;

/// Pictures that do not come for so long are none, and sound is cut without them.
const NO_PICTURES_MS: i64 = 4_000;

/// A clock that steps further than this was set anew, and goes on where it was.
const AHEAD_MS: i64 = 10_000;
const BACK_MS: i64 = 3_000;

/// Sound that is this far from where the one before ended, in milliseconds, is not the next to it.
const APART_MS: i64 = 60;

/// Times that the clock may be set, or the format change, in a minute.
const CHANGES: usize = 20;
const MINUTE_MS: i64 = 60_000;

/// The longest description of a format.
const SETUP: usize = 4_096;

/// Why it cannot be taken; words for whoever streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("its pictures are not in H.264")]
    Pictures,
    #[error("its sound is not in AAC")]
    Sound,
    #[error("what it says of its pictures or its sound cannot be read")]
    Setup,
    #[error("it sends no key frame for 20 seconds; have its encoder send one every 2 seconds")]
    NoKeyFrame,
    #[error("it sends too much at once")]
    TooMuch,
    #[error("its clock or its format changes again and again")]
    Unsteady,
}

/// What was made.
#[derive(Debug, PartialEq, Eq)]
pub enum Made {
    /// Players need it before the segments that follow.
    Head { bytes: Vec<u8>, codecs: String },
    Segment {
        bytes: Vec<u8>,
        /// Milliseconds since the first thing that came, and how many of them it is.
        at_ms: i64,
        ms: u64,
    },
}

/// A picture or a piece of sound that waits.
#[derive(Debug)]
struct Waiting {
    at: i64,
    later: i32,
    is_key: bool,
    bytes: Vec<u8>,
}

/// What comes of one who streams.
#[derive(Debug, Default)]
pub struct Intake {
    video: Option<Video>,
    audio: Option<Audio>,
    /// Whether players know of pictures and of sound, if they know of any.
    head: Option<(bool, bool)>,
    fragments: u32,
    pictures: Vec<Waiting>,
    sound: Vec<Waiting>,
    bytes: usize,
    /// Pictures before the first key frame are of no use.
    awaits_key: bool,
    /// The last time that was said, and when that was in milliseconds since the first.
    said: Option<u32>,
    now: i64,
    /// When the last picture was, and the tick at which the last sound ended.
    picture_at: Option<i64>,
    sound_ends: Option<i64>,
    changes: VecDeque<i64>,
}

impl Intake {
    pub fn new() -> Self {
        // What comes second may be of a little before the first.
        Self { awaits_key: true, now: BACK_MS, ..Self::default() }
    }

    /// Milliseconds since the first thing that came, by the clock of whoever streams.
    pub fn now(&self) -> i64 {
        self.now - BACK_MS
    }

    /// Takes a picture or sound, as FLV has it; what is whole by now.
    ///
    /// # Errors
    /// If it cannot be taken, or what follows could not be.
    pub fn take(&mut self, kind: Kind, ms: u32, body: &[u8]) -> Result<Vec<Made>, Unfit> {
        let mut made = Vec::new();
        match kind {
            Kind::Pictures => self.picture(ms, body, &mut made)?,
            Kind::Sound => self.piece(ms, body, &mut made)?,
        }
        if self.bytes > MOST_BYTES || self.pictures.len() + self.sound.len() > MOST_SAMPLES {
            return Err(Unfit::TooMuch);
        }
        let begins = self.begins().unwrap_or(self.now);
        if self.now - begins > LONGEST_MS { Err(Unfit::NoKeyFrame) } else { Ok(made) }
    }

    /// Nothing more comes: what there is.
    pub fn end(&mut self) -> Vec<Made> {
        let mut made = Vec::new();
        self.cut(None, &mut made);
        made
    }

    fn picture(&mut self, ms: u32, body: &[u8], made: &mut Vec<Made>) -> Result<(), Unfit> {
        let Some(first) = body.first() else { return Ok(()) };
        // Later formats have a bit of their own here; five is a word to the player.
        match (first >> 4, first & 15) {
            (5, _) => return Ok(()),
            (1..=4, 7) => {}
            _ => return Err(Unfit::Pictures),
        }
        let &[_, kind, a, b, c, ref bytes @ ..] = body else { return Ok(()) };
        if kind == 0 {
            return self.describe_pictures(bytes, made);
        }
        let is_key = first >> 4 == 1;
        if kind != 1 || bytes.is_empty() || self.video.is_none() {
            return Ok(());
        }
        let at = self.tick(ms)?;
        if self.awaits_key && !is_key {
            return Ok(());
        }
        // Sound alone before the first picture waits for it.
        let may_cut = is_key && (self.head.is_some() || !self.pictures.is_empty());
        if may_cut && self.begins().is_some_and(|begins| at - begins >= SEGMENT_MS) {
            self.cut(Some(at), made);
        }
        self.awaits_key = false;
        let later = (i32::from_be_bytes([a, b, c, 0]) >> 8).clamp(-LONGEST_MS as i32, LONGEST_MS as i32);
        let at = self.picture_at.map_or(at, |before| at.max(before + 1));
        self.picture_at = Some(at);
        self.bytes += bytes.len();
        self.pictures.push(Waiting { at, later, is_key, bytes: bytes.to_vec() });
        Ok(())
    }

    fn piece(&mut self, ms: u32, body: &[u8], made: &mut Vec<Made>) -> Result<(), Unfit> {
        let Some(first) = body.first() else { return Ok(()) };
        if first >> 4 != 10 {
            return Err(Unfit::Sound);
        }
        let &[_, kind, ref bytes @ ..] = body else { return Ok(()) };
        if kind == 0 {
            return self.describe_sound(bytes, made);
        }
        if self.audio.is_none() || bytes.is_empty() {
            return Ok(());
        }
        let at = self.tick(ms)?;
        let has_pictures = self.video.is_some() && self.picture_at.is_some_and(|before| at - before < NO_PICTURES_MS);
        // The first picture is waited for a little.
        let awaits = self.video.is_some() && self.picture_at.is_none() && at < BACK_MS + NO_PICTURES_MS;
        if !has_pictures && !awaits && self.begins().is_some_and(|begins| at - begins >= SEGMENT_MS) {
            self.cut(Some(at), made);
            self.awaits_key = true;
        }
        self.bytes += bytes.len();
        self.sound.push(Waiting { at, later: 0, is_key: true, bytes: bytes.to_vec() });
        Ok(())
    }

    fn describe_pictures(&mut self, setup: &[u8], made: &mut Vec<Made>) -> Result<(), Unfit> {
        let (width, height) = sps::size(setup).filter(|_| setup.len() <= SETUP).ok_or(Unfit::Setup)?;
        let video = Video { setup: setup.to_vec(), width, height };
        if self.video.as_ref() != Some(&video) {
            self.change(made)?;
            self.video = Some(video);
            self.awaits_key = true;
        }
        Ok(())
    }

    fn describe_sound(&mut self, setup: &[u8], made: &mut Vec<Made>) -> Result<(), Unfit> {
        let audio = audio(setup).ok_or(Unfit::Setup)?;
        if self.audio.as_ref() != Some(&audio) {
            self.change(made)?;
            self.audio = Some(audio);
            self.sound_ends = None;
        }
        Ok(())
    }

    /// Something else comes from now on.
    fn change(&mut self, made: &mut Vec<Made>) -> Result<(), Unfit> {
        if self.head.is_some() {
            self.unsteady()?;
        }
        // What waits may have come before this was said.
        if self.head.is_some() || !self.pictures.is_empty() {
            self.cut(None, made);
            self.head = None;
        }
        Ok(())
    }

    fn unsteady(&mut self) -> Result<(), Unfit> {
        while self.changes.front().is_some_and(|at| self.now - at > MINUTE_MS) {
            self.changes.pop_front();
        }
        self.changes.push_back(self.now);
        if self.changes.len() > CHANGES { Err(Unfit::Unsteady) } else { Ok(()) }
    }

    /// When something is that is said to be then.
    fn tick(&mut self, ms: u32) -> Result<i64, Unfit> {
        let Some(said) = self.said.replace(ms) else { return Ok(self.now) };
        let step = i64::from(ms.wrapping_sub(said) as i32);
        if !(-BACK_MS..=AHEAD_MS).contains(&step) {
            self.unsteady()?;
            return Ok(self.now);
        }
        // Sound may be a little before the picture that came before it.
        self.now = (self.now + step).max(0);
        Ok(self.now)
    }

    /// When what waits begins.
    fn begins(&self) -> Option<i64> {
        self.pictures.first().or(self.sound.first()).map(|first| first.at)
    }

    /// Makes a segment of what waits, which ends there.
    fn cut(&mut self, end: Option<i64>, made: &mut Vec<Made>) {
        let Some(begins) = self.begins() else { return };
        let (video, audio) = (self.video.as_ref().filter(|_| self.picture_at.is_some()), self.audio.as_ref());
        let knows = |(pictures, sound): (bool, bool)| (pictures || video.is_none()) && (sound || audio.is_none());
        if !self.head.is_some_and(knows) {
            made.push(Made::Head { bytes: mux::head(video, audio), codecs: mux::codecs(video, audio) });
            self.head = Some((video.is_some(), audio.is_some()));
        }
        let pictures = std::mem::take(&mut self.pictures);
        let last = pictures.last().map(|last| last.at);
        // The last of all is as long as the one before.
        let usual = pictures.windows(2).last().map_or(33, |two| two[1].at - two[0].at);
        let ends = match (end, last) {
            (Some(end), Some(last)) if last < end => end,
            (_, Some(last)) => last + usual,
            (Some(end), None) => end,
            (None, None) => self.now.max(begins) + 1,
        };
        let nexts: Vec<i64> = pictures.iter().skip(1).map(|next| next.at).chain([ends]).collect();
        let from = pictures.first().map_or(0, |first| first.at.max(0) as u64);
        let pictures = pictures.into_iter().zip(nexts).map(|(one, next)| {
            let length = (next - one.at).clamp(1, LONGEST_MS) as u32;
            Sample { length, later: one.later, is_key: one.is_key, bytes: one.bytes }
        });
        let pictures = Run { from, samples: pictures.collect() };
        let sound = self.run_of_sound();
        self.fragments += 1;
        self.bytes = 0;
        let bytes = mux::fragment(self.fragments, &pictures, &sound);
        made.push(Made::Segment { bytes, at_ms: begins - BACK_MS, ms: (ends - begins).max(1) as u64 });
    }

    /// Sound is as long as its samples are, and one follows the other, unless they are apart.
    fn run_of_sound(&mut self) -> Run {
        let rate = self.audio.as_ref().map_or(48_000, |audio| i64::from(audio.rate));
        let mut run = Run::default();
        for one in std::mem::take(&mut self.sound) {
            let said = one.at * rate / 1_000;
            let follows = self.sound_ends.unwrap_or(said);
            let apart = (said - follows) * 1_000 / rate;
            if apart < -APART_MS {
                // It was heard already.
                continue;
            }
            let at = if apart > APART_MS { said } else { follows };
            match run.samples.last_mut() {
                None => run.from = at as u64,
                Some(last) => last.length += (at - follows) as u32,
            }
            self.sound_ends = Some(at + i64::from(FRAME));
            run.samples.push(Sample { length: FRAME, later: 0, is_key: true, bytes: one.bytes });
        }
        run
    }
}

/// What is said of AAC (ISO/IEC 14496-3 section 1.6.2.1).
fn audio(setup: &[u8]) -> Option<Audio> {
    const RATES: [u32; 13] =
        [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];
    let first = u64::from_be_bytes({
        let mut eight = [0; 8];
        let there = setup.len().min(8);
        eight[..there].copy_from_slice(&setup[..there]);
        eight
    });
    let bits = |at: u32, many: u32| first << at >> (64 - many);
    let kind = bits(0, 5) as u8;
    let (rate, at) = match bits(5, 4) {
        15 => (bits(9, 24) as u32, 33),
        index => (*RATES.get(index as usize)?, 9),
    };
    let channels = bits(at, 4) as u16;
    let is_plain = (1..=30).contains(&kind) && (7_350..=96_000).contains(&rate) && channels <= 8;
    let fits = (2..=64).contains(&setup.len());
    // With none it is said in the stream, which is two most of the time.
    let channels = if channels == 0 { 2 } else { channels };
    (is_plain && fits).then(|| Audio { setup: setup.to_vec(), rate, channels, kind })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::boxes::{Boxes, Piece};
    use crate::rtmp::Kind;
    use crate::timing::Timing;

    fn ffmpeg(arguments: &str) -> Option<Vec<u8>> {
        let ran = Command::new("ffmpeg").args(["-v", "error", "-y"]).args(arguments.split_whitespace()).output().ok()?;
        assert!(ran.status.success() && ran.stderr.is_empty(), "{arguments}: {}", String::from_utf8_lossy(&ran.stderr));
        Some(ran.stdout)
    }

    type Tag = (Kind, u32, Vec<u8>);

    /// The pictures and sounds of an FLV.
    fn tags(flv: &[u8]) -> Vec<Tag> {
        let (mut at, mut tags) = (13, Vec::new());
        while let Some(head) = flv.get(at..at + 11) {
            let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
            let ms = u32::from_be_bytes([head[7], head[4], head[5], head[6]]);
            let body = flv[at + 11..at + 11 + length].to_vec();
            match head[0] {
                8 => tags.push((Kind::Sound, ms, body)),
                9 => tags.push((Kind::Pictures, ms, body)),
                _ => {}
            }
            at += length + 15;
        }
        tags
    }

    fn take(intake: &mut Intake, tags: &[Tag]) -> Result<Vec<Made>, Unfit> {
        let mut made = Vec::new();
        for (kind, ms, body) in tags {
            made.extend(intake.take(*kind, *ms, body)?);
        }
        Ok(made)
    }

    fn whole(tags: &[Tag]) -> Vec<Made> {
        let mut intake = Intake::new();
        let mut made = take(&mut intake, tags).expect("it can be taken");
        made.extend(intake.end());
        made
    }

    fn bytes(made: &[Made]) -> Vec<u8> {
        let one = |made: &Made| match made {
            Made::Head { bytes, .. } | Made::Segment { bytes, .. } => bytes.clone(),
        };
        made.iter().flat_map(one).collect()
    }

    fn spans(made: &[Made]) -> Vec<(i64, u64)> {
        let span = |made: &Made| match made {
            Made::Segment { at_ms, ms, .. } => Some((*at_ms, *ms)),
            Made::Head { .. } => None,
        };
        made.iter().filter_map(span).collect()
    }

    fn heads(made: &[Made]) -> Vec<String> {
        let codecs = |made: &Made| match made {
            Made::Head { codecs, .. } => Some(codecs.clone()),
            Made::Segment { .. } => None,
        };
        made.iter().filter_map(codecs).collect()
    }

    /// A stream as encoders make it: reordered pictures, a key frame a second, and sound.
    fn stream(name: &str, what: &str) -> Option<Vec<u8>> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("salon-intake-{}-{count}-{name}.flv", std::process::id()));
        ffmpeg(&format!("{what} -f flv {}", path.display()))?;
        let bytes = fs::read(&path).expect("it was written");
        fs::remove_file(path).expect("removed");
        Some(bytes)
    }

    const PICTURES: &str = "-f lavfi -i testsrc=s=322x180:r=25:d=7";
    const SOUND: &str = "-f lavfi -i sine=d=7:r=44100";
    const H264: &str = "-c:v libx264 -preset veryfast -g 25 -pix_fmt yuv420p";

    fn both() -> Option<Vec<u8>> {
        stream("both", &format!("{PICTURES} {SOUND} {H264} -c:a aac"))
    }

    /// The hashes of what is decoded, with times since the first.
    fn decoded(name: &str, bytes: &[u8], map: &str) -> Vec<(f64, String)> {
        let path = std::env::temp_dir().join(format!("salon-intake-{}-{name}", std::process::id()));
        fs::write(&path, bytes).expect("written");
        let text =
            ffmpeg(&format!("-copyts -i {} -map 0:{map} -fps_mode passthrough -f framemd5 -", path.display())).expect("ffmpeg");
        fs::remove_file(path).expect("removed");
        let text = String::from_utf8(text).expect("text");
        let scale = text.lines().find_map(|line| line.strip_prefix("#tb 0: 1/")).expect("a scale").parse::<f64>().expect("it");
        let line = |line: &str| {
            let words: Vec<&str> = line.split(',').map(str::trim).collect();
            (words[2].parse::<f64>().expect("a time") / scale, words[5].to_owned())
        };
        let all: Vec<_> = text.lines().filter(|text| !text.starts_with('#')).map(line).collect();
        let first = all[0].0;
        all.into_iter().map(|(at, hash)| (at - first, hash)).collect()
    }

    #[test]
    fn pictures_and_sound_are_copied_and_cut_at_key_frames() {
        let Some(flv) = both() else { return eprintln!("skipped: there is no ffmpeg") };
        let made = whole(&tags(&flv));
        assert_eq!(heads(&made), ["avc1.640015,mp4a.40.2"].map(|_| heads(&made)[0].clone()));
        assert!(heads(&made)[0].starts_with("avc1.64") && heads(&made)[0].ends_with(",mp4a.40.2"));
        let spans = spans(&made);
        assert_eq!(spans.iter().map(|(_, ms)| *ms).collect::<Vec<_>>(), [2_000, 2_000, 2_000, 1_000]);
        assert!(spans.windows(2).all(|two| two[0].0 + two[0].1 as i64 == two[1].0), "{spans:?}");
        // Each begins where the reader of our own files finds it, and both find the same picture.
        let mp4 = bytes(&made);
        let pieces = Boxes::default().take(&mp4).expect("an MP4");
        let Piece::Head(head) = &pieces[0] else { panic!("a head comes first") };
        let timing = Timing::of(head).expect("it can be read");
        let read: Vec<_> = pieces[1..].iter().map(|piece| timing.span(piece.bytes()).expect("a span")).collect();
        assert!(
            read.iter().zip(&spans).all(|(read, (at, ms))| read.start / 1_000 - at == 3_000 && read.length == *ms as i64 * 1_000)
        );
        let (one, other) = (decoded("a.flv", &flv, "v"), decoded("a.mp4", &mp4, "v"));
        assert_eq!(one.len(), 175);
        assert!(one.iter().zip(&other).all(|(a, b)| a.1 == b.1 && (a.0 - b.0).abs() < 0.002) && other.len() == 175);
        let (one, other) = (decoded("b.flv", &flv, "a"), decoded("b.mp4", &mp4, "a"));
        let hashes = |all: &[(f64, String)]| all.iter().map(|one| one.1.clone()).collect::<Vec<_>>();
        assert_eq!(hashes(&one), hashes(&other));
        assert!(other.windows(2).all(|two| (two[1].0 - two[0].0 - 1_024.0 / 44_100.0).abs() < 1e-4), "no gap is heard");
    }

    #[test]
    fn the_clock_may_wrap_jump_and_begin_anew() {
        let Some(flv) = both() else { return eprintln!("skipped: there is no ffmpeg") };
        let usual = whole(&tags(&flv));
        let moved = |by: fn(u32) -> u32| tags(&flv).into_iter().map(|(kind, ms, body)| (kind, by(ms), body)).collect::<Vec<_>>();
        assert!(whole(&moved(|ms| ms.wrapping_add(u32::MAX - 3_000))) == usual, "it wraps");
        let jumps: [fn(u32) -> u32; 3] = [
            |ms| if ms > 3_000 { ms + 3_600_000 } else { ms },
            |ms| if ms > 3_500 { ms - 3_500 } else { ms + 9_000 },
            |ms| if ms > 3_000 { ms + (1 << 31) } else { ms },
        ];
        for jump in jumps {
            let made = whole(&moved(jump));
            let spans = spans(&made);
            assert!(spans.windows(2).all(|two| two[0].0 + two[0].1 as i64 == two[1].0), "{spans:?}");
            let all: u64 = spans.iter().map(|(_, ms)| ms).sum();
            assert!((6_700..=7_100).contains(&all), "{spans:?}");
            assert_eq!(heads(&made).len(), 1);
        }
        let mad: Vec<Tag> =
            tags(&flv).into_iter().enumerate().map(|(n, (kind, _, body))| (kind, n as u32 * 60_000, body)).collect();
        assert_eq!(take(&mut Intake::new(), &mad), Err(Unfit::Unsteady));
    }

    #[test]
    fn pictures_alone_and_sound_alone_are_streams_too() {
        let silent = stream("silent", &format!("{PICTURES} {H264}"));
        let dark = stream("dark", &format!("{SOUND} -c:a aac"));
        let (Some(silent), Some(dark)) = (silent, dark) else { return eprintln!("skipped: there is no ffmpeg") };
        let made = whole(&tags(&silent));
        assert!(!heads(&made)[0].contains("mp4a"));
        assert_eq!((spans(&made).len(), decoded("c.mp4", &bytes(&made), "v").len()), (4, 175));
        let made = whole(&tags(&dark));
        assert_eq!(heads(&made), ["mp4a.40.2"]);
        assert!(spans(&made).iter().all(|(_, ms)| *ms < 2_100) && spans(&made).len() == 4, "{:?}", spans(&made));
        assert_eq!(decoded("d.flv", &dark, "a").len(), decoded("d.mp4", &bytes(&made), "a").len());
        // The camera is switched off: who listens goes on, and pictures begin with a key frame again.
        let flv = both().expect("ffmpeg");
        let off: Vec<Tag> = tags(&flv).into_iter().filter(|(kind, ms, _)| *kind == Kind::Sound || *ms < 1_500).collect();
        let made = whole(&off);
        assert_eq!(heads(&made).len(), 1);
        assert!(spans(&made).len() >= 2, "{:?}", spans(&made));
    }

    #[test]
    fn another_size_is_another_head_and_what_has_no_key_frames_is_refused() {
        let small = stream("small", "-f lavfi -i testsrc=s=160x120:r=25:d=3 -c:v libx264 -g 25 -pix_fmt yuv420p");
        let (Some(small), Some(flv)) = (small, both()) else { return eprintln!("skipped: there is no ffmpeg") };
        let later = tags(&small).into_iter().map(|(kind, ms, body)| (kind, ms + 7_000, body));
        let all: Vec<Tag> = tags(&flv).into_iter().chain(later).collect();
        let made = whole(&all);
        assert_eq!(heads(&made).len(), 2);
        let second = made.iter().rposition(|made| matches!(made, Made::Head { .. })).expect("a head");
        let pictures = decoded("e.mp4", &bytes(&made[second..]), "v");
        assert_eq!((decoded("f.mp4", &bytes(&made[..second]), "v").len(), pictures.len()), (175, 75));
        // Again and again.
        let again: Vec<Tag> =
            (0..30).flat_map(|_| all.clone()).filter(|(_, _, body)| body[1] == 0 || body[0] >> 4 == 1).collect();
        assert!(take(&mut Intake::new(), &again).is_err());
        let mut never = tags(&flv);
        let picture = never.iter().find(|(kind, _, body)| *kind == Kind::Pictures && body[0] >> 4 == 2).expect("one").2.clone();
        never.extend((0..1_000).map(|n| (Kind::Pictures, 7_000 + n * 40, picture.clone())));
        assert_eq!(take(&mut Intake::new(), &never), Err(Unfit::NoKeyFrame));
    }

    #[test]
    fn other_formats_are_named_and_noise_is_never_a_panic() {
        let refused = [
            (Kind::Pictures, &[0x1c, 0, 0, 0, 0][..], Unfit::Pictures),
            (Kind::Pictures, b"\x90hvc1", Unfit::Pictures),
            (Kind::Sound, &[0x2f, 1, 2], Unfit::Sound),
            (Kind::Sound, b"\x90Opus", Unfit::Sound),
            (Kind::Pictures, &[0x17, 0, 0, 0, 0, 1, 2, 3], Unfit::Setup),
            (Kind::Sound, &[0xaf, 0, 0xff], Unfit::Setup),
        ];
        for (kind, body, why) in refused {
            assert_eq!(Intake::new().take(kind, 0, body), Err(why), "{body:?}");
        }
        let Some(flv) = both() else { return eprintln!("skipped: there is no ffmpeg") };
        let (all, mut seed) = (tags(&flv), 7_u32);
        let mut noise = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 12) as usize
        };
        for _ in 0..200 {
            let mut intake = Intake::new();
            for (kind, ms, body) in all.iter().take(120) {
                let (mut body, mut ms) = (body[..body.len() - noise() % body.len().min(9)].to_vec(), *ms);
                if noise() % 8 == 0 && !body.is_empty() {
                    let at = noise() % body.len().min(40);
                    body[at] = noise() as u8;
                }
                if noise() % 50 == 0 {
                    ms = noise() as u32;
                }
                if intake.take(*kind, ms, &body).is_err() {
                    break;
                }
            }
            intake.end();
        }
    }
}
