//! One picture and one sound of a whole meeting. Its clock is a row of ticks, each a moment of the wall clock a little while
//! ago, so that what was made then has come by now; a pause is a moment with no tick.
//! Owns the decoders and the encoder. Invariant: pictures and sound of a tick are of one moment, and no tick is left out.
//! Next: `scene.rs`, what is seen; `mixer.rs`, what is heard; `encoder.rs`, where it goes.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ruopus::OpusDecoder;

use crate::clock::Clock;
use crate::cuts::Cuts;
use crate::encoder::{Encoder, MOST_HASTE, Outlet, Pictures, Plan};
use crate::finish::{finish, read_mark};
use crate::job::{Audio, File, FileKind, Job, Order as Command, Saying};
use crate::mixer::{Mixer, RATE};
use crate::news::{Key, News, Packet, Source};
use crate::opus;
use crate::order::Order;
use crate::picture::Picture;
use crate::rtmp::Sender;
use crate::scene::Scene;
use crate::vp8::{Frame, Frames};
use crate::vpx::{Decoder, Vpx};
use crate::wishes::{Size, Wishes};

/// Pictures a second, and when the machine is too slow for that.
const PICTURES: u32 = 30;
const FEW_PICTURES: u32 = 15;

/// Ticks are this long ago, in microseconds: what is lost is sent again, and what is late has come. Higher costs memory.
const DELAY: i64 = 1_000_000;

/// What has come and was not read yet is waited for: on a busy machine ticks are late rather than silent. If nothing is said of
/// that for so long, in microseconds, there is no connection.
const UNREAD: i64 = 5_000_000;

const HALF_A_TICK: i64 = 16_000;

/// A packet is held this long for one before it, in milliseconds. Sound is not sent again.
const SOUND_PATIENCE: u64 = 100;
const PICTURE_PATIENCE: u64 = 300;

/// Reports that differ by no more than this, in microseconds, move no sound: it would be heard.
const TOLERANCE: i64 = 20_000;

/// Streams at once at most, and frames of one that wait for their time.
const STREAMS: usize = 1_000;
const FRAMES: usize = 150;

/// Between two wishes for the same key frame, and between two looks at sizes, in microseconds.
const WISH_EVERY: i64 = 1_000_000;
const LOOK_EVERY: i64 = 2_000_000;

/// Ticks that are later than this, in microseconds, show what was shown before, but for one in so many: drawing all would make
/// the next ones later.
const LATE: i64 = 300_000;
const DRAWN: u32 = 6;

/// Ticks that are later than this decode no pictures, which begin anew once it has caught up: sound goes on whatever one guest's
/// pictures cost.
const TOO_LATE: i64 = 5_000_000;

/// If the encoder is waited for longer than `TOO_SLOW` of `WATCHED`, it is made faster.
const WATCHED: Duration = Duration::from_secs(5);
const TOO_SLOW: Duration = Duration::from_millis(1_500);

/// An encoder that dies again within this time is not started anew.
const TWICE: Duration = Duration::from_secs(30);

/// Parts of one recording at most.
const PARTS: usize = 200;

/// Concealed sound at most, in packets of 20 ms: a longer loss is silence.
const CONCEALED: i64 = 3;

pub struct Composite {
    folder: PathBuf,
    name: String,
    audio: Option<Audio>,
    plan: Plan,
    vpx: Option<Arc<Vpx>>,
    wishes: Wishes,
    scene: Scene,
    mixer: Mixer,
    streams: HashMap<Key, Stream>,
    encoder: Option<Encoder>,
    parts: Vec<PathBuf>,
    /// Of a livestream, which has no files.
    cuts: Option<Cuts>,
    /// To a receiver that is sent it as well.
    sender: Option<Sender>,
    /// Whether files come of it, and whether one of them has pictures.
    has_files: bool,
    keeps_pictures: bool,
    /// Encoders that finish their part.
    finishing: Vec<JoinHandle<()>>,
    bytes_before: u64,
    died_at: Option<Instant>,
    watched: (Instant, Duration),
    /// The moment of the next tick, in samples since 1970; None while paused or not begun.
    next: Option<i64>,
    /// Samples recorded.
    recorded: i64,
    /// When pause was ordered: ticks go on up to there.
    until: Option<i64>,
    sizes_at: i64,
    /// Everything that had come by this moment was read.
    read: i64,
    /// When that was heard.
    read_at: i64,
    shown: Picture,
    /// Ticks since that was drawn.
    undrawn: u32,
}

struct Stream {
    peer: String,
    source: Source,
    clock: Clock,
    order: Order<Packet>,
    coming: Coming,
}

enum Coming {
    Sound(Box<OpusDecoder>),
    Pictures(Box<Camera>),
}

struct Camera {
    frames: Frames,
    /// None until it is shown first.
    decoder: Option<Decoder>,
    /// Frames whose time has not come: when they were made.
    waiting: VecDeque<(i64, Frame)>,
    wished_at: i64,
    /// The width of its last picture.
    width: usize,
    size: Size,
    is_paused: bool,
}

impl Composite {
    /// # Errors
    /// If this machine cannot do what the job wants.
    pub fn new(job: &Job, wishes: Wishes) -> anyhow::Result<Self> {
        let video = job.video.as_ref().map(|video| {
            let even = |length: u32| (length.clamp(64, 4_096) & !1) as usize;
            Pictures { codec: video.codec, width: even(video.width), height: even(video.height), rate: PICTURES }
        });
        let audio = job.audio.clone().unwrap_or_default();
        let plan = Plan { program: job.ffmpeg.clone(), video, audio: audio.codec, channel: audio.channel, haste: 0 };
        anyhow::ensure!(job.rtmp.is_none() || plan.ending() == "mp4", "what is streamed has pictures, in H264");
        let sender = job.rtmp.as_ref().map(Sender::start).transpose()?;
        let keeps_pictures = job.video.as_ref().is_none_or(|video| video.file);
        let (width, height) = video.map_or((2, 2), |video| (video.width, video.height));
        let mut scene = Scene::new(width, height, job.video.as_ref().map_or_else(Default::default, |video| video.layout));
        if let Some(mark) = job.video.as_ref().and_then(|video| video.watermark.as_ref()) {
            scene.lay_over(read_mark(&plan, &job.folder, mark, (width, height))?, mark.position);
        }
        Ok(Self {
            folder: job.folder.clone(),
            name: job.name.clone(),
            audio: job.audio.clone(),
            vpx: video.is_some().then(Vpx::load).transpose()?,
            plan,
            wishes,
            scene,
            mixer: Mixer::new(),
            streams: HashMap::new(),
            encoder: None,
            parts: Vec::new(),
            cuts: job.live.then(|| Cuts::new(job.folder.clone())),
            sender,
            has_files: !job.live && (keeps_pictures || job.audio.as_ref().is_some_and(|audio| audio.file)),
            keeps_pictures,
            finishing: Vec::new(),
            bytes_before: 0,
            died_at: None,
            watched: (Instant::now(), Duration::ZERO),
            next: None,
            recorded: 0,
            until: None,
            sizes_at: 0,
            read: 0,
            read_at: 0,
            shown: Picture::new(width, height),
            undrawn: 0,
        })
    }

    /// From this moment on, in microseconds since 1970, everything is recorded.
    ///
    /// # Errors
    /// If the encoder does not start.
    pub fn begin(&mut self, moment: i64) -> anyhow::Result<()> {
        self.next = Some(samples(moment));
        self.start_part()
    }

    /// Takes what happened, at `now` milliseconds of any clock, which is this moment.
    ///
    /// # Errors
    /// If it cannot go on.
    pub fn take(&mut self, now: u64, moment: i64, news: News) -> anyhow::Result<()> {
        match news {
            News::Person { peer, person } => self.scene.person(&peer, &person.name, person.on_stage),
            News::Left { peer } => self.scene.left(&peer),
            News::Stream { key, peer, source, paused } if self.streams.len() < STREAMS => {
                let (clock, order, coming) = if source.is_sound() {
                    let decoder = Box::new(OpusDecoder::new(2));
                    (Clock::new(RATE, TOLERANCE), Order::new(SOUND_PATIENCE), Coming::Sound(decoder))
                } else if self.vpx.is_some() {
                    if source == Source::Screen {
                        self.scene.screen(&peer, None);
                    }
                    let camera = Camera {
                        frames: Frames::default(),
                        decoder: None,
                        waiting: VecDeque::new(),
                        wished_at: moment,
                        width: 0,
                        size: self.wishes.size_of(key).unwrap_or(Size::Full),
                        is_paused: paused,
                    };
                    (Clock::new(90_000, 0), Order::new(PICTURE_PATIENCE), Coming::Pictures(Box::new(camera)))
                } else {
                    return Ok(());
                };
                self.streams.insert(key, Stream { peer, source, clock, order, coming });
            }
            News::Packet { key, packet } => {
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.order.push(now, packet.number, packet);
                    stream.drain(now, key, &mut self.mixer);
                }
            }
            News::Report { key, timestamp, moment } => {
                if let Some(stream) = self.streams.get_mut(&key) {
                    stream.clock.report(timestamp, moment);
                }
            }
            News::Paused { key, paused } => {
                if let Some(Stream { peer, source, coming: Coming::Pictures(camera), .. }) = self.streams.get_mut(&key) {
                    camera.is_paused = paused;
                    if paused {
                        camera.waiting.clear();
                        camera.frames.break_off();
                        off(&mut self.scene, peer, *source);
                    } else if *source == Source::Screen {
                        self.scene.screen(peer, None);
                    }
                }
            }
            News::Gone { key } => {
                self.wishes.forget(key);
                match self.streams.remove(&key) {
                    Some(Stream { peer, source, coming: Coming::Pictures(_), .. }) => off(&mut self.scene, &peer, source),
                    // What it said last is heard yet: the mixer forgets it when the next one begins.
                    Some(_) => self.mixer.end(key),
                    None => {}
                }
            }
            News::Read(until) => (self.read, self.read_at) = (until, moment),
            News::Order(Command::Pause) => self.until = Some(samples(moment)),
            News::Order(Command::Resume) => {
                self.run_to_the_end(now, moment)?;
                self.next = Some(samples(moment));
            }
            _ => {}
        }
        Ok(())
    }

    /// Does the ticks whose time has come.
    ///
    /// # Errors
    /// If the encoder dies again and again.
    pub fn look(&mut self, now: u64, moment: i64) -> anyhow::Result<()> {
        for (key, stream) in &mut self.streams {
            stream.drain(now, *key, &mut self.mixer);
        }
        let come = if moment - self.read_at < UNREAD { self.read.min(moment) } else { moment };
        while let Some(at) = self.next.filter(|at| microseconds(*at) + DELAY <= come) {
            if self.until.is_some_and(|until| at >= until) {
                (self.next, self.until) = (None, None);
                return Ok(());
            }
            self.tick(at, moment - microseconds(at) - DELAY)?;
            self.next = Some(at + self.samples_of_a_tick());
        }
        self.wish(moment);
        self.watch()
    }

    /// What is cut of it, if it is a livestream.
    pub fn cuts(&self) -> Option<Cuts> {
        self.cuts.clone()
    }

    /// How its receiver does.
    pub fn streamed(&self) -> Vec<Saying> {
        self.sender.as_ref().map(Sender::unsaid).unwrap_or_default()
    }

    /// Whether files come of it.
    pub fn has_files(&self) -> bool {
        self.has_files
    }

    /// What is in files, in bytes.
    pub fn bytes(&self) -> u64 {
        if let Some(cuts) = &self.cuts {
            return cuts.bytes();
        }
        self.bytes_before + self.encoder.as_ref().map_or(0, Encoder::bytes)
    }

    /// Ends the files at this moment.
    ///
    /// # Errors
    /// If there is nothing that plays.
    pub fn finish(mut self, now: u64, moment: i64) -> anyhow::Result<Vec<File>> {
        if self.next.is_some() {
            self.until = Some(self.until.unwrap_or(i64::MAX).min(samples(moment)));
        }
        // Without an encoder what there was is in its part.
        let ran = self.run_to_the_end(now, moment);
        if let Err(error) = ran {
            complain!("salon recorder: {error:#}");
        }
        self.end_part();
        for finishing in self.finishing.drain(..) {
            let _ = finishing.join();
        }
        self.sender.iter().for_each(Sender::stop);
        let files = if self.has_files { self.finish_files() } else { Ok(Vec::new()) };
        if let Some(sender) = &self.sender {
            let streamed = sender.ended().map_err(|why| anyhow::anyhow!("nothing was streamed: {why}"));
            // Where there is something else, that counts.
            streamed.or_else(|why| if self.has_files || self.cuts.is_some() { Ok(()) } else { Err(why) })?;
        }
        files
    }

    fn finish_files(&self) -> anyhow::Result<Vec<File>> {
        let sound = self.audio.as_ref().filter(|audio| audio.file).map(|audio| audio.codec);
        let duration_ms = (self.recorded * 1_000 / RATE) as u64;
        let mut files = finish(&self.plan, &self.folder, &self.name, &self.parts, duration_ms, sound)?;
        if !self.keeps_pictures {
            // They were there for the sound in them.
            for file in files.extract_if(.., |file| file.kind == FileKind::Video) {
                std::fs::remove_file(self.folder.join(file.name))?;
            }
            anyhow::ensure!(!files.is_empty(), "there is no file of sound");
        }
        Ok(files)
    }

    /// The ticks that are left before a pause or the end, at once: as well as they can be had by now, where they are late.
    fn run_to_the_end(&mut self, now: u64, moment: i64) -> anyhow::Result<()> {
        let Some(until) = self.until.take() else { return Ok(()) };
        for (key, stream) in &mut self.streams {
            stream.drain(now.max(u64::MAX / 2), *key, &mut self.mixer);
        }
        while let Some(at) = self.next.filter(|at| *at < until) {
            self.tick(at, (moment - microseconds(at) - DELAY).max(0))?;
            self.next = Some(at + self.samples_of_a_tick());
        }
        self.next = None;
        Ok(())
    }

    fn samples_of_a_tick(&self) -> i64 {
        RATE / i64::from(self.plan.video.map_or(PICTURES, |video| video.rate))
    }

    /// Everything of one moment goes to the encoder, `late` microseconds after it could have.
    fn tick(&mut self, at: i64, late: i64) -> anyhow::Result<()> {
        let moment = microseconds(at);
        for stream in self.streams.values_mut() {
            let Coming::Pictures(camera) = &mut stream.coming else { continue };
            let is_shown = late < TOO_LATE && self.scene.shown(&stream.peer, stream.source.is_screen()).is_some();
            let picture = camera.decode(moment, is_shown, self.vpx.as_ref());
            match picture {
                Some(picture) if stream.source == Source::Screen => self.scene.screen(&stream.peer, Some(picture)),
                Some(picture) => self.scene.camera(&stream.peer, Some(picture)),
                None => {}
            }
        }
        let count = self.samples_of_a_tick();
        let sound = self.mixer.take(at, count as usize);
        let speaking: Vec<&str> =
            self.mixer.speaking().iter().filter_map(|key| self.streams.get(key)).map(|stream| stream.peer.as_str()).collect();
        self.scene.speaking(&speaking);
        self.undrawn += 1;
        if self.plan.video.is_some() && (late < LATE || self.undrawn >= DRAWN) {
            (self.shown, self.undrawn) = (self.scene.draw(), 0);
        }
        self.recorded += count;
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let mut buffer = encoder.buffer();
        self.shown.planes.iter().for_each(|plane| buffer.extend_from_slice(plane));
        if encoder.picture(buffer).and_then(|()| encoder.sound(&sound)).is_err() {
            self.restart()?;
        }
        Ok(())
    }

    /// The encoder is dead: what it wrote is a part, and the next one begins.
    fn restart(&mut self) -> anyhow::Result<()> {
        let now = Instant::now();
        self.end_part();
        anyhow::ensure!(
            self.died_at.is_none_or(|died| now - died > TWICE),
            "{} ends again and again",
            self.plan.program.display()
        );
        complain!("salon recorder: the encoder is dead; the next part begins");
        self.died_at = Some(now);
        self.start_part()
    }

    fn start_part(&mut self) -> anyhow::Result<()> {
        anyhow::ensure!(self.parts.len() < PARTS, "the recording has too many parts");
        let ending = self.plan.ending();
        let name = match self.parts.len() {
            // Whatever happens, this one plays under its name.
            0 => format!("{}.{ending}", self.name),
            n => format!("{}.part{}.{ending}", self.name, n + 1),
        };
        let path = self.folder.join(name);
        let outlet = match &self.cuts {
            None if !self.has_files => Outlet::Nowhere,
            None => Outlet::File(path.clone()),
            Some(cuts) => Outlet::Cuts(cuts.cutter(self.next.map_or(0, microseconds))),
        };
        self.encoder = Some(Encoder::start(&self.plan, outlet, self.sender.as_ref().map(Sender::feed))?);
        self.parts.push(path);
        self.watched = (Instant::now(), Duration::ZERO);
        Ok(())
    }

    /// The part that is written ends, in time of its own.
    fn end_part(&mut self) {
        let Some(encoder) = self.encoder.take() else { return };
        self.bytes_before += encoder.bytes();
        self.finishing.push(thread::spawn(move || {
            if let Err(error) = encoder.finish() {
                complain!("salon recorder: a part is not whole: {error}");
            }
        }));
    }

    /// Makes the encoder faster if it is waited for too long.
    fn watch(&mut self) -> anyhow::Result<()> {
        let (since, before) = self.watched;
        let Some(encoder) = self.encoder.as_ref().filter(|_| since.elapsed() > WATCHED) else { return Ok(()) };
        let waited = encoder.waited;
        self.watched = (Instant::now(), waited);
        let Some(video) = self.plan.video.as_mut().filter(|_| waited.saturating_sub(before) > TOO_SLOW) else { return Ok(()) };
        if self.plan.haste < MOST_HASTE {
            self.plan.haste += 1;
        } else if video.rate != FEW_PICTURES {
            video.rate = FEW_PICTURES;
        } else {
            return Ok(());
        }
        complain!("salon recorder: the machine is too slow; going on with less");
        self.end_part();
        self.start_part()
    }

    /// Wishes for key frames that are needed, and for pictures as large as they are shown.
    fn wish(&mut self, moment: i64) {
        let looks = moment - self.sizes_at > LOOK_EVERY;
        if looks {
            self.sizes_at = moment;
        }
        for (key, stream) in &mut self.streams {
            let Coming::Pictures(camera) = &mut stream.coming else { continue };
            let Some(place) = self.scene.shown(&stream.peer, stream.source.is_screen()).filter(|_| !camera.is_paused) else {
                continue;
            };
            if camera.frames.is_broken() && moment - camera.wished_at > WISH_EVERY {
                camera.wished_at = moment;
                self.wishes.key_frame(*key);
            }
            if looks && camera.width > 0 && stream.source == Source::Camera {
                let size = match camera.size {
                    Size::Full if camera.width >= 2 * place.width => Size::Half,
                    Size::Half if camera.width >= 2 * place.width => Size::Quarter,
                    Size::Quarter if camera.width * 10 < place.width * 6 => Size::Half,
                    Size::Half if camera.width * 10 < place.width * 6 => Size::Full,
                    size => size,
                };
                if size != camera.size {
                    camera.size = size;
                    self.wishes.size(*key, size);
                }
            }
        }
    }
}

/// A camera or screen is off.
fn off(scene: &mut Scene, peer: &str, source: Source) {
    match source {
        Source::Screen => scene.screen_off(peer),
        _ => scene.camera(peer, None),
    }
}

impl Stream {
    /// Takes what is next in order.
    fn drain(&mut self, now: u64, key: Key, mixer: &mut Mixer) {
        while let Some((packet, missing)) = self.order.pop(now) {
            let made = self.clock.at(packet.timestamp, packet.arrived);
            match &mut self.coming {
                Coming::Sound(decoder) => sound(decoder, &packet.payload, samples(made), key, mixer),
                Coming::Pictures(camera) => {
                    if let Some(frame) = camera.frames.push(packet, missing).filter(|_| !camera.is_paused) {
                        camera.waiting.push_back((made, frame));
                    }
                    if camera.waiting.len() > FRAMES {
                        camera.waiting.clear();
                        camera.frames.break_off();
                    }
                }
            }
        }
    }
}

/// Decodes a packet and lays it where it was made; what was lost just before it is made up.
fn sound(decoder: &mut Box<OpusDecoder>, packet: &[u8], at: i64, key: Key, mixer: &mut Mixer) {
    if opus::duration(packet).is_none() {
        return;
    }
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        const LOST: i64 = RATE / 50;
        if let Some(end) = mixer.end_of(key).filter(|end| (LOST / 2..=8 * LOST).contains(&(at - end))) {
            for n in 0..((at - end + LOST / 2) / LOST).min(CONCEALED) {
                mixer.lay(key, end + n * LOST, &decoder.decode_lost(LOST as usize));
            }
        }
        decoder.decode_packet(packet)
    }));
    match decoded {
        Ok(Ok(samples)) => mixer.lay(key, at, &samples),
        Ok(Err(_)) => {}
        // A stranger's packet has found a fault of the decoder's: it begins anew.
        Err(_) => **decoder = OpusDecoder::new(2),
    }
}

impl Camera {
    /// The latest picture whose time has come. What is not shown is not decoded, and begins anew once it is.
    fn decode(&mut self, moment: i64, is_shown: bool, vpx: Option<&Arc<Vpx>>) -> Option<Picture> {
        let mut latest = None;
        // Shown in the nearest tick, not the next one: pictures would be late by half a tick.
        while self.waiting.front().is_some_and(|(made, _)| *made <= moment + HALF_A_TICK) {
            let Some((_, frame)) = self.waiting.pop_front() else { break };
            if !is_shown {
                self.decoder = None;
                continue;
            }
            if self.decoder.is_none() {
                if !frame.key {
                    self.waiting.clear();
                    self.frames.break_off();
                    break;
                }
                self.decoder = vpx.and_then(|vpx| Decoder::new(vpx).ok());
            }
            let Some(decoder) = &mut self.decoder else { break };
            match decoder.decode(&frame.bytes) {
                Some(picture) => latest = Some((picture, frame.turns)),
                None => self.frames.break_off(),
            }
        }
        let (picture, turns) = latest?;
        self.width = picture.width;
        Some(picture.turned(turns))
    }
}

/// Microseconds in samples.
fn samples(microseconds: i64) -> i64 {
    microseconds / 1_000 * RATE / 1_000 + microseconds % 1_000 * RATE / 1_000_000
}

/// Samples in microseconds.
fn microseconds(samples: i64) -> i64 {
    samples / RATE * 1_000_000 + samples % RATE * 1_000_000 / RATE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_samples_are_the_same_there_and_back() {
        for moment in [0, 1_700_000_000_000_000, 1_700_000_000_123_457] {
            assert!((microseconds(samples(moment)) - moment).abs() <= 21);
        }
        assert_eq!(samples(1_700_000_000_020_000) - samples(1_700_000_000_000_000), 960);
    }
}
