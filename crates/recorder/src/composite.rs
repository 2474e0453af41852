//! One picture and one sound of a whole meeting. Its clock is a row of ticks, each a moment of the wall clock a little while
//! ago, so that what was made then has come by now; a pause is a moment with no tick.
//! Owns the decoders and the encoder. Invariant: pictures and sound of a tick are of one moment, and no tick is left out.
//! Next: `scene.rs`, what is seen; `mixer.rs`, what is heard; `encoder.rs`, where it goes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ruopus::OpusDecoder;

use crate::clock::Clock;
use crate::cuts::Cuts;
use crate::decoder::{Decoded, Decoder, Decoders, NoPicture};
use crate::encoder::{Encoder, MOST_HASTE, Outlet, Pictures, Plan};
use crate::finish::{finish, read_mark};
use crate::frames::{Frame, Frames};
use crate::job::{Audio, File, FileKind, Job, Order as Command, Saying};
use crate::mixer::{Mixer, RATE};
use crate::news::{Key, News, Packet, Source};
use crate::opus;
use crate::order::Order;
use crate::picture::{Picture, Unshown};
use crate::rtmp::Sender;
use crate::scene::Scene;
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

/// Reports that differ by no more than this, in microseconds, move no sound: they are not more exact. What moves it is not heard,
/// as the mixer bends it.
const TOLERANCE: i64 = 3_000;

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

/// Somebody whose frames are decoded so much later than they are to be shown, in microseconds, is shown anew from a key frame on.
const BEHIND: i64 = 2_000_000;

/// Ticks that are later than `CATCHES_UP`, in microseconds, and the last ones of all come faster than pictures are decoded. They wait
/// for the pictures of one guest for so long: at most, and what comes to that with each tick. All others wait for nobody.
const CATCHES_UP: i64 = 100_000;
const PATIENCE: Duration = Duration::from_millis(500);
const PATIENCE_OF_A_TICK: Duration = Duration::from_millis(2);

/// If the encoder is waited for longer than `TOO_SLOW` of `WATCHED`, it is made faster.
const WATCHED: Duration = Duration::from_secs(5);
const TOO_SLOW: Duration = Duration::from_millis(1_500);

/// An encoder that dies again within this time is not started anew.
const TWICE: Duration = Duration::from_secs(30);

/// A stream of which so many decoders died is not shown any more.
const DEATHS: u32 = 3;

/// Reasons why something is not shown, at most.
const REASONS: usize = 8;

/// Parts of one recording at most.
const PARTS: usize = 200;

/// Concealed sound at most, in packets of 20 ms: a longer loss is silence.
const CONCEALED: i64 = 3;

pub struct Composite {
    folder: PathBuf,
    name: String,
    audio: Option<Audio>,
    plan: Plan,
    decoders: Option<Decoders>,
    /// Why pictures of somebody are not shown, and how much of that is told.
    unshown: BTreeSet<String>,
    untold: Vec<String>,
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
    /// How many decoders died of it.
    deaths: u32,
    /// It cannot be shown.
    given_up: bool,
    /// Frames whose time has not come: when they were made.
    waiting: VecDeque<(i64, Frame)>,
    /// Pictures whose time has not come.
    ready: VecDeque<(i64, Decoded)>,
    /// How long it may be waited for.
    patience: Duration,
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
            decoders: video.is_some().then(|| Decoders::load((width, height))).transpose()?,
            unshown: BTreeSet::new(),
            untold: Vec::new(),
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
            News::Stream { key, peer, source, codec, paused } if self.streams.len() < STREAMS => {
                let (clock, order, coming) = if source.is_sound() {
                    let decoder = Box::new(OpusDecoder::new(2));
                    (Clock::new(RATE, TOLERANCE), Order::new(SOUND_PATIENCE), Coming::Sound(decoder))
                } else if let Some(codec) = codec.filter(|_| self.decoders.is_some()) {
                    if source == Source::Screen {
                        self.scene.screen(&peer, None);
                    }
                    let camera = Camera {
                        frames: Frames::new(codec),
                        deaths: 0,
                        given_up: false,
                        decoder: None,
                        waiting: VecDeque::new(),
                        ready: VecDeque::new(),
                        patience: PATIENCE,
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
                        camera.begin_anew();
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
            let late = moment - microseconds(at) - DELAY;
            self.tick(at, (late, late > CATCHES_UP))?;
            self.next = Some(at + self.samples_of_a_tick());
        }
        // Before the first tick decoders begin, so that it has pictures.
        if self.next.is_some_and(|at| microseconds(at) + DELAY > come + 2 * HALF_A_TICK) {
            self.see(come - DELAY, (0, false));
        }
        self.wish(moment);
        self.watch()
    }

    /// What is cut of it, if it is a livestream.
    pub fn cuts(&self) -> Option<Cuts> {
        self.cuts.clone()
    }

    /// How its receiver does, and what is not shown.
    pub fn unsaid(&mut self) -> Vec<Saying> {
        let streamed = self.sender.as_ref().map(Sender::unsaid).unwrap_or_default();
        streamed.into_iter().chain(self.untold.drain(..).map(|why| Saying::Unshown { why })).collect()
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
            self.tick(at, ((moment - microseconds(at) - DELAY).max(0), true))?;
            self.next = Some(at + self.samples_of_a_tick());
        }
        self.next = None;
        Ok(())
    }

    fn samples_of_a_tick(&self) -> i64 {
        RATE / i64::from(self.plan.video.map_or(PICTURES, |video| video.rate))
    }

    /// The pictures of a moment, as far as they are there.
    fn see(&mut self, moment: i64, (late, waits): (i64, bool)) {
        for stream in self.streams.values_mut() {
            let Coming::Pictures(camera) = &mut stream.coming else { continue };
            let is_shown = late < TOO_LATE && self.scene.shown(&stream.peer, stream.source.is_screen()).is_some();
            let picture = match camera.decode((moment, waits), is_shown, self.decoders.as_ref()) {
                Ok(None) => continue,
                Ok(picture) => picture,
                Err(why) => {
                    complain!("salon recorder: {why}");
                    if self.unshown.len() < REASONS && self.unshown.insert(why.clone()) {
                        self.untold.push(why);
                    }
                    None
                }
            };
            match stream.source {
                Source::Screen => self.scene.screen(&stream.peer, picture),
                _ => self.scene.camera(&stream.peer, picture),
            }
        }
    }

    /// Everything of one moment goes to the encoder, `late` microseconds after it could have; `waits` if pictures are waited for.
    fn tick(&mut self, at: i64, (late, waits): (i64, bool)) -> anyhow::Result<()> {
        self.see(microseconds(at), (late, waits));
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
        let unkept = self.encoder.as_mut().and_then(Encoder::unkept);
        self.end_part();
        if let Some(error) = unkept {
            return Err(anyhow::Error::new(error).context("a file cannot be written"));
        }
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
            if camera.frames.is_broken() && !camera.given_up && moment - camera.wished_at > WISH_EVERY {
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
                Coming::Sound(decoder) => sound(decoder, (&packet.payload, missing), samples(made), key, mixer),
                Coming::Pictures(camera) => {
                    if let Some(frame) = camera.frames.push(packet, missing).filter(|_| !camera.is_paused) {
                        camera.waiting.push_back((made, frame));
                    }
                    if camera.waiting.len() > FRAMES {
                        camera.begin_anew();
                    }
                }
            }
        }
    }
}

/// Decodes a packet and lays it where it was made; what was lost just before it is made up.
fn sound(decoder: &mut Box<OpusDecoder>, (packet, missing): (&[u8], bool), at: i64, key: Key, mixer: &mut Mixer) {
    if opus::duration(packet).is_none() {
        return;
    }
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        const LOST: i64 = RATE / 50;
        if let Some(end) = mixer.end_of(key).filter(|end| missing && (LOST / 2..=8 * LOST).contains(&(at - end))) {
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
    /// The latest picture whose time has come, of those that are decoded by now. What is not shown is not decoded, and begins anew
    /// once it is.
    ///
    /// # Errors
    /// Why it is not shown from now on.
    fn decode(
        &mut self,
        (moment, waits): (i64, bool),
        is_shown: bool,
        decoders: Option<&Decoders>,
    ) -> Result<Option<Picture>, String> {
        // Shown in the nearest tick, not the next one: pictures would be late by half a tick.
        let due = moment + HALF_A_TICK;
        self.patience = PATIENCE.min(self.patience + PATIENCE_OF_A_TICK);
        if !is_shown || self.given_up {
            self.decoder = None;
            self.ready.clear();
            while self.waiting.pop_front_if(|(made, _)| *made <= due).is_some() {}
            return Ok(None);
        }
        loop {
            self.hand_over(decoders)?;
            let Some(decoder) = &mut self.decoder else { break };
            let is_missed = self.ready.back().is_none_or(|(made, _)| *made <= due) && decoder.is_at_work();
            let (wait, began) = (if waits && is_missed { self.patience } else { Duration::ZERO }, Instant::now());
            let outcome = decoder.outcome(wait);
            self.patience = self.patience.saturating_sub(if wait.is_zero() { wait } else { began.elapsed() });
            match outcome {
                None => break,
                Some((made, Ok(Some(decoded)))) => self.ready.push_back((made, decoded)),
                Some((_, Ok(None))) => {}
                Some((_, Err(NoPicture::Frame(Unshown::Broken)))) => self.begin_anew(),
                Some((_, Err(NoPicture::Frame(Unshown::Kind)))) => {
                    return Err(self.give_up("its colours are of another kind than 4:2:0 with 8 bits"));
                }
                Some((_, Err(NoPicture::Cannot(why)))) => return Err(self.give_up(&why)),
                Some((_, Err(NoPicture::Dead))) => {
                    (self.decoder, self.deaths) = (None, self.deaths + 1);
                    self.begin_anew();
                    if self.deaths == DEATHS {
                        return Err(self.give_up("its decoders die or hang"));
                    }
                }
            }
        }
        if self.waiting.front().is_some_and(|(made, _)| made + BEHIND < moment) {
            self.begin_anew();
        }
        let latest = std::iter::from_fn(|| self.ready.pop_front_if(|(made, _)| *made <= due)).last();
        Ok(latest.map(|(_, decoded)| {
            self.width = decoded.width;
            decoded.picture
        }))
    }

    /// Hands frames to the decoder before their time, as many as it takes.
    ///
    /// # Errors
    /// Why it is not shown from now on.
    fn hand_over(&mut self, decoders: Option<&Decoders>) -> Result<(), String> {
        while let Some((_, frame)) = self.waiting.front() {
            let Some(decoder) = &mut self.decoder else {
                if !frame.key {
                    self.begin_anew();
                    return Ok(());
                }
                let decoder = decoders.map(|decoders| decoders.decoder(self.frames.codec())).transpose();
                self.decoder = decoder.map_err(|why| self.give_up(&format!("{why:#}")))?;
                if self.decoder.is_none() {
                    return Ok(());
                }
                continue;
            };
            if !decoder.has_room(self.ready.len()) {
                return Ok(());
            }
            if let Some((made, frame)) = self.waiting.pop_front() {
                decoder.take(made, frame);
            }
        }
        Ok(())
    }

    /// What waits needs what was not decoded.
    fn begin_anew(&mut self) {
        self.decoder.iter_mut().for_each(Decoder::forget);
        self.waiting.clear();
        self.ready.clear();
        self.frames.break_off();
    }

    fn give_up(&mut self, why: &str) -> String {
        (self.given_up, self.decoder) = (true, None);
        self.begin_anew();
        format!("somebody's {} is not shown: {why}", self.frames.codec().name())
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

    /// Somebody whose clock runs fast or slow by so many millionths: a microphone and a camera by one crystal.
    struct Publisher {
        millionths: i64,
        key: Key,
        sound: Clock,
        pictures: Clock,
        order: Order<Packet>,
        /// Packets so far.
        packets: i64,
        /// When its last beeps were, as it should be heard and as pictures of then are shown.
        beeps: Vec<(i64, i64)>,
        reported: i64,
    }

    /// Moments are microseconds; reports come each second, and are off by up to 4 ms either way.
    impl Publisher {
        fn new(ssrc: u32, millionths: i64) -> Self {
            let key = Key { connection: 1, ssrc };
            let (sound, pictures) = (Clock::new(RATE, TOLERANCE), Clock::new(90_000, 0));
            let order = Order::new(SOUND_PATIENCE);
            Self { millionths, key, sound, pictures, order, packets: 0, beeps: Vec::new(), reported: 0 }
        }

        /// When its crystal has counted so many microseconds.
        fn moment(&self, own: i64) -> i64 {
            START + own - own / 1_000 * self.millionths / 1_000
        }

        fn run(&mut self, until: i64, mixer: &mut Mixer) {
            let noise = |n: i64, most: i64| (n.wrapping_mul(7_919).wrapping_add(n / 3) % (2 * most + 1) - most).abs();
            while self.moment((self.packets + 1) * 20_000) <= until {
                let (n, made) = (self.packets, self.moment(self.packets * 20_000));
                self.packets += 1;
                let arrived = made + 25_000 + noise(n, 15_000);
                if made - self.reported > 1_000_000 {
                    self.reported = made;
                    let off = noise(n, 8_000) - 4_000;
                    self.sound.report((n * 960) as u32, made + off);
                    self.pictures.report((n * 1_800) as u32, made + off);
                }
                // A beep of 20 ms each ten seconds, at another time for each.
                let beeps = n % 500 == 100 * i64::from(self.key.ssrc);
                let payload = vec![u8::from(beeps)];
                let packet =
                    Packet { number: 10 + n as u64, timestamp: (n * 960) as u32, marker: false, arrived, turns: None, payload };
                // One of a thousand is lost.
                if n % 1_000 != 777 {
                    self.order.push((arrived / 1_000) as u64, packet.number, packet);
                }
                if beeps {
                    let picture = self.pictures.at((n * 1_800) as u32, arrived);
                    self.beeps.push((made, picture));
                }
                while let Some((packet, missing)) = self.order.pop((arrived / 1_000) as u64) {
                    let at = samples(self.sound.at(packet.timestamp, packet.arrived));
                    let level = if packet.payload[0] == 1 { 0.25 } else { 0.0 };
                    if missing {
                        let end = mixer.end_of(self.key).unwrap_or(at - 960);
                        mixer.lay(self.key, end, &[0.0; 1_920]);
                    }
                    mixer.lay(self.key, at, &[level; 1_920]);
                }
            }
        }
    }

    const START: i64 = 1_700_000_000_000_000;

    #[test]
    fn an_hour_of_clocks_that_run_fast_and_slow_stays_in_step() {
        const HOUR: i64 = 3_600;
        let mut people = [Publisher::new(1, 100), Publisher::new(2, -350)];
        let mut mixer = Mixer::new();
        let (mut heard, mut before, mut most) = (Vec::new(), false, 0);
        let mut at = samples(START) - RATE;
        for tick in 0..HOUR * 30 {
            let now = START + tick * 33_333;
            people.iter_mut().for_each(|one| one.run(now, &mut mixer));
            most = most.max(mixer.waiting());
            for pair in mixer.take(at, 1_600).chunks_exact(2) {
                let is_loud = pair[0] > 0.12;
                if is_loud && !before {
                    heard.push(microseconds(at));
                }
                (before, at) = (is_loud, at + 1);
            }
        }
        for one in &people {
            let mut worst = (0, 0);
            // The first minute is for getting into step.
            for (made, picture) in one.beeps.iter().skip(6).filter(|(made, _)| *made < START + (HOUR - 2) * 1_000_000) {
                let sound = heard.iter().min_by_key(|heard| (**heard - made).abs()).unwrap();
                worst = (worst.0.max((sound - picture).abs()), worst.1.max((sound - made).abs()));
            }
            println!("{} millionths: lips {} us, wall {} us, of {} beeps", one.millionths, worst.0, worst.1, one.beeps.len());
            assert!(worst.0 <= 20_000 && worst.1 <= 20_000, "{} millionths: {worst:?}", one.millionths);
        }
        assert!(most <= 2 * 2 * 2 * RATE as usize, "what waits grows: {most}");
    }

    const TICK: i64 = 33_333;

    /// Frames of VP8 of this size, each unlike the one before; none if there is no ffmpeg.
    fn frames(size: &str, count: usize) -> Option<Vec<Vec<u8>>> {
        let source = format!("testsrc2=s={size}:r=30");
        let how = "-c:v libvpx -deadline realtime -cpu-used 16 -b:v 8000k -g 1000 -f ivf -";
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-f", "lavfi", "-i", &source, "-frames:v", &count.to_string()]);
        let made = ffmpeg.args(how.split(' ')).output().ok()?.stdout;
        let (mut rest, mut frames) = (made.get(32..)?, Vec::new());
        while let Some((head, after)) = rest.split_first_chunk::<12>() {
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
            frames.push(after[..length].to_vec());
            rest = &after[length..];
        }
        Some(frames)
    }

    /// Bo's pictures are as they should be, while a picture of Ana's takes longer to decode than it is shown.
    #[test]
    fn whose_pictures_are_huge_makes_nobody_else_wait() {
        const TICKS: usize = 90;
        let (Some(huge), Some(small)) = (frames("4096x2304", 30), frames("160x90", TICKS)) else {
            return println!("skipped: there is no ffmpeg");
        };
        let folder = std::env::temp_dir();
        let job = serde_json::json!({
            "id": "r", "server": "http://127.0.0.1:1", "meeting_id": "m", "token": "t", "folder": folder, "name": "all",
            "kind": "composite", "video": {"codec": "H264", "width": 320, "height": 180},
        });
        let Ok(mut composite) = Composite::new(&serde_json::from_value(job).unwrap(), Wishes::default()) else {
            return println!("skipped: there is no libvpx");
        };
        let key = |ssrc: u32| Key { connection: 1, ssrc };
        for (ssrc, peer) in [(1, "ana"), (2, "bo")] {
            let person = crate::news::Person { on_stage: true, name: peer.to_owned(), ..Default::default() };
            composite.take(0, START, News::Person { peer: peer.to_owned(), person }).unwrap();
            let codec = Some(salon_peer::rtp::Codec::Vp8);
            let stream = News::Stream { key: key(ssrc), peer: peer.to_owned(), source: Source::Camera, codec, paused: false };
            composite.take(0, START, stream).unwrap();
        }
        let ahead = (DELAY / TICK) as usize;
        let (mut before, mut changes, mut waited) = (Vec::new(), 0, Duration::ZERO);
        let began = Instant::now();
        for tick in 0..TICKS {
            let moment = START + tick as i64 * TICK;
            for (ssrc, frames) in [(1, &huge), (2, &small)] {
                let payload = [&[0x10], &frames[tick % frames.len()][..]].concat();
                let (number, timestamp) = (tick as u64, tick as u32 * 3_000);
                let packet = Packet { number, timestamp, marker: true, arrived: moment, turns: None, payload };
                composite.take(tick as u64 * 33, moment, News::Packet { key: key(ssrc), packet }).unwrap();
            }
            let looked = Instant::now();
            composite.see(moment - DELAY, (0, false));
            waited += looked.elapsed();
            // Bo has the right half.
            let light = composite.scene.draw().planes.into_iter().next().unwrap();
            let right: Vec<u8> = light.chunks_exact(320).flat_map(|row| row[200..300].to_vec()).collect();
            changes += u32::from(tick > ahead + 1 && right != before);
            before = right;
            thread::sleep(
                (began + Duration::from_micros((tick as u64 + 1) * TICK as u64)).saturating_duration_since(Instant::now()),
            );
        }
        let shown = (TICKS - ahead - 2) as u32;
        assert!(waited < Duration::from_millis(500), "{waited:?} of waiting, in {TICKS} ticks");
        assert!(changes >= shown * 8 / 10, "{changes} pictures of {shown} are shown");
    }
}
