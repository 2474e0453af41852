//! The child that encodes: ffmpeg, given raw pictures and sound by pipe, writing a file that plays wherever it ends.
//! Invariant: nobody here waits for it longer than a deadline; its death costs what it had not written.
//! Never takes part in what is shown or heard. Next: `boxes.rs`, where its output may be cut; `finish.rs`, what is done to
//! its files at last.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::boxes::{Boxes, Piece};
use crate::cuts::Cutter;
use crate::job::{AudioCodec, Channel, VideoCodec};
use crate::rtmp::Feed;

/// What is written at a time and can be cut there, in seconds.
pub const SEGMENT_SECS: u64 = 2;

/// Kilobits a second of pictures at most, and of each channel of sound.
const PICTURE_KBITS: u32 = 2_500;
const CHANNEL_KBITS: u32 = 96;

/// Bits a second of a livestream at most, with what its containers add.
pub const BITS_PER_SECOND: u32 = (PICTURE_KBITS + 2 * CHANNEL_KBITS) * 1_000 * 108 / 100;

/// Pictures that wait for it at most: half a second.
const PICTURES: usize = 15;
/// Pieces of sound that wait for it at most: some seconds.
const SOUNDS: usize = 150;
/// It is dead if it takes nothing for this long.
const PATIENCE: Duration = Duration::from_secs(10);
/// It has this long to finish its file.
const FINISH: Duration = Duration::from_secs(30);

/// What is encoded, and how well.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub program: PathBuf,
    pub video: Option<Pictures>,
    /// Of sound alone: what it becomes. Beside pictures it is as the container has it.
    pub audio: AudioCodec,
    pub channel: Channel,
    /// How much time it takes: 0 is the most.
    pub haste: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pictures {
    pub codec: VideoCodec,
    pub width: usize,
    pub height: usize,
    /// Pictures a second.
    pub rate: u32,
}

/// From the best to the fastest.
const PRESETS: [&str; 3] = ["veryfast", "superfast", "ultrafast"];

/// The fastest there is.
pub const MOST_HASTE: usize = PRESETS.len() - 1;

impl Plan {
    /// The ending of its file.
    pub fn ending(&self) -> &'static str {
        match (&self.video, self.audio) {
            (Some(Pictures { codec: VideoCodec::H264, .. }), _) => "mp4",
            (Some(Pictures { codec: VideoCodec::VP8, .. }), _) => "webm",
            (None, AudioCodec::Aac) => "m4a",
            (None, AudioCodec::Mp3) => "mp3",
        }
    }

    /// Whether its output is an MP4.
    fn is_mp4(&self) -> bool {
        matches!(self.ending(), "mp4" | "m4a")
    }

    fn arguments(&self, pictures: Option<i32>, sound: i32) -> Vec<String> {
        let mut arguments: Vec<String> = Vec::new();
        let mut add = |words: &str| arguments.extend(words.split_ascii_whitespace().map(str::to_owned));
        add("-hide_banner -nostdin -loglevel error");
        // It would probe the sound for seconds while we wait to write pictures.
        let input = "-protocol_whitelist pipe -probesize 32 -analyzeduration 0";
        if let (Some(Pictures { width, height, rate, .. }), Some(pipe)) = (&self.video, pictures) {
            // Each picture that waits there is megabytes.
            add(&format!(
                "{input} -thread_queue_size 8 -f rawvideo -pix_fmt yuv420p -s {width}x{height} -framerate {rate} -i pipe:{pipe}"
            ));
        }
        add(&format!("{input} -thread_queue_size 256 -f f32le -ar 48000 -ac 2 -i pipe:{sound}"));
        let channels = if self.channel == Channel::Mono { 1 } else { 2 };
        match (&self.video, self.audio) {
            (Some(Pictures { codec: VideoCodec::H264, rate, .. }), _) => {
                let (preset, group) = (PRESETS[self.haste.min(MOST_HASTE)], u64::from(*rate) * SEGMENT_SECS);
                // Bounded, or a moving picture would cost a third more; fragments of exactly one segment.
                add(&format!(
                    "-c:v libx264 -preset {preset} -crf 24 -maxrate {PICTURE_KBITS}k -bufsize {}k -bf 0 -g {group} \
                     -keyint_min {group} -sc_threshold 0 -pix_fmt yuv420p",
                    2 * PICTURE_KBITS
                ));
                add(&format!("-c:a aac -b:a {}k -ac {channels}", CHANNEL_KBITS * channels));
            }
            (Some(Pictures { codec: VideoCodec::VP8, rate, .. }), _) => {
                let speed = 8 + 4 * self.haste;
                add(&format!(
                    "-c:v libvpx -deadline realtime -cpu-used {} -b:v 1500k -maxrate {PICTURE_KBITS}k -bufsize 5000k -g {} -pix_fmt yuv420p",
                    speed.min(16),
                    rate * 2
                ));
                add(&format!("-c:a libvorbis -b:a {}k -ac {channels}", 64 * channels));
            }
            (None, AudioCodec::Aac) => add(&format!("-c:a aac -b:a {}k -ac {channels}", CHANNEL_KBITS * channels)),
            (None, AudioCodec::Mp3) => add(&format!("-c:a libmp3lame -b:a {}k -ac {channels}", CHANNEL_KBITS * channels)),
        }
        // No empty head: only with the first fragment is it known by how much sound begins before pictures.
        match self.ending() {
            "mp4" => add("-f mp4 -movflags +frag_keyframe+delay_moov+default_base_moof"),
            "m4a" => add("-f mp4 -movflags +delay_moov+default_base_moof -frag_duration 2000000"),
            "webm" => add("-f webm -cluster_time_limit 2000"),
            _ => add("-f mp3 -write_xing 0"),
        }
        add("-flush_packets 1 pipe:1");
        arguments
    }
}

/// Where its output goes.
pub enum Outlet {
    /// A new file there.
    File(PathBuf),
    /// Only an MP4 can be cut.
    Cuts(Cutter),
    /// To nobody but whoever is streamed to.
    Nowhere,
}

/// An encoder that runs.
pub struct Encoder {
    child: Child,
    pictures: Option<SyncSender<Vec<u8>>>,
    sounds: SyncSender<Vec<u8>>,
    /// Buffers of pictures that were written.
    used: Receiver<Vec<u8>>,
    writer: Option<JoinHandle<io::Result<()>>>,
    bytes: Arc<AtomicU64>,
    /// How long was waited for it in all.
    pub waited: Duration,
}

/// It takes no more.
#[derive(Debug, thiserror::Error)]
#[error("the encoder takes no more")]
pub struct Dead;

impl Encoder {
    /// Starts it. What it writes goes to its outlet, and what is whole of an MP4 to whoever is streamed to as well.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(plan: &Plan, outlet: Outlet, streamed: Option<Feed>) -> anyhow::Result<Self> {
        let pictures = plan.video.map(|_| pipe()).transpose()?;
        let sound = pipe()?;
        let passed: Vec<i32> = pictures.iter().chain([&sound]).map(|(reads, _)| reads.as_raw_fd()).collect();
        let mut command = Command::new(&plan.program);
        command.args(plan.arguments(pictures.as_ref().map(|(reads, _)| reads.as_raw_fd()), sound.0.as_raw_fd()));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).env_clear();
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        // SAFETY: between fork and exec only `fcntl` is called, on descriptors that are open in both processes.
        unsafe {
            command.pre_exec(move || {
                for pipe in &passed {
                    if libc::fcntl(*pipe, libc::F_SETFD, 0) < 0 {
                        return Err(io::Error::last_os_error());
                    }
                }
                Ok(())
            });
        }
        let program = plan.program.display();
        let mut child = command.spawn().map_err(|error| anyhow::anyhow!("cannot start {program}: {error}"))?;
        let output = child.stdout.take().ok_or_else(|| anyhow::anyhow!("{program} has no output"))?;
        let bytes = Arc::new(AtomicU64::new(0));
        let (mut place, boxes) = (Place::open(outlet, bytes.clone(), streamed)?, plan.is_mp4().then(Boxes::default));
        let writer = thread::Builder::new().name("file".to_owned()).spawn(move || keep(output, &mut place, boxes))?;
        let (done, used) = sync_channel(PICTURES);
        let pictures = match pictures {
            None => None,
            Some((_, writes)) => {
                let (send, wait) = sync_channel(PICTURES);
                thread::Builder::new().name("pictures".to_owned()).spawn(move || feed(writes, &wait, Some(&done)))?;
                Some(send)
            }
        };
        let (sounds, wait) = sync_channel(SOUNDS);
        thread::Builder::new().name("sound".to_owned()).spawn(move || feed(sound.1, &wait, None))?;
        Ok(Self { child, pictures, sounds, used, writer: Some(writer), bytes, waited: Duration::ZERO })
    }

    /// A buffer for the next picture, maybe one that was used before.
    pub fn buffer(&self) -> Vec<u8> {
        let mut buffer = self.used.try_recv().unwrap_or_default();
        buffer.clear();
        buffer
    }

    /// Hands over a picture.
    ///
    /// # Errors
    /// If it is dead, or as good as.
    pub fn picture(&mut self, picture: Vec<u8>) -> Result<(), Dead> {
        match &self.pictures {
            None => Ok(()),
            Some(pictures) => hand_over(pictures, picture, &mut self.waited),
        }
    }

    /// Hands over sound.
    ///
    /// # Errors
    /// As for pictures.
    pub fn sound(&mut self, samples: &[f32]) -> Result<(), Dead> {
        let bytes = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        hand_over(&self.sounds, bytes, &mut self.waited)
    }

    /// What is in its file.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Why what it wrote could not be kept, if that is what it died of.
    pub fn unkept(&mut self) -> Option<io::Error> {
        let ended = self.writer.take_if(|writer| writer.is_finished())?;
        ended.join().unwrap_or(Ok(())).err()
    }

    /// Ends it; the file has what it wrote. Waits until it has written all, but not for ever.
    ///
    /// # Errors
    /// If the file could not be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.pictures = None;
        let (closed, _) = sync_channel(0);
        self.sounds = closed;
        let began = Instant::now();
        while began.elapsed() < FINISH && !matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.writer.take().map_or(Ok(()), |writer| writer.join().unwrap_or(Ok(())))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // One that was finished has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe: its end for reading, its end for writing. Neither outlives another program that is started.
fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for two descriptors; both are new and ours.
    unsafe {
        if libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        // A picture is larger than a pipe; a larger one costs fewer wake-ups.
        libc::fcntl(ends[1], libc::F_SETPIPE_SZ, 1 << 20);
        Ok((OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

fn hand_over(to: &SyncSender<Vec<u8>>, bytes: Vec<u8>, waited: &mut Duration) -> Result<(), Dead> {
    let (began, mut bytes) = (Instant::now(), bytes);
    loop {
        match to.try_send(bytes) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Disconnected(_)) => return Err(Dead),
            Err(TrySendError::Full(_)) if began.elapsed() > PATIENCE => return Err(Dead),
            Err(TrySendError::Full(back)) => bytes = back,
        }
        thread::sleep(Duration::from_millis(2));
        *waited += Duration::from_millis(2);
    }
}

/// Writes what it is handed into a pipe until either end is closed.
fn feed(pipe: OwnedFd, pieces: &Receiver<Vec<u8>>, used: Option<&SyncSender<Vec<u8>>>) {
    let mut pipe = File::from(pipe);
    for piece in pieces {
        if pipe.write_all(&piece).is_err() {
            return;
        }
        if let Some(used) = used {
            let _ = used.try_send(piece);
        }
    }
}

/// An outlet that is open, and who is streamed to.
struct Place(Opened, Option<Feed>);

enum Opened {
    File(File, Arc<AtomicU64>),
    Cuts(Cutter),
    Nowhere,
}

impl Place {
    fn open(outlet: Outlet, bytes: Arc<AtomicU64>, streamed: Option<Feed>) -> io::Result<Self> {
        let opened = match outlet {
            Outlet::File(path) => Opened::File(File::create_new(path)?, bytes),
            Outlet::Cuts(cutter) => Opened::Cuts(cutter),
            Outlet::Nowhere => Opened::Nowhere,
        };
        Ok(Self(opened, streamed))
    }

    fn take(&mut self, piece: &Piece) -> io::Result<()> {
        match &mut self.0 {
            Opened::File(file, bytes) => {
                if let Err(error) = file.write_all(piece.bytes()) {
                    // A part of a piece plays nothing.
                    let _ = file.set_len(bytes.load(Ordering::Relaxed));
                    return Err(error);
                }
                bytes.fetch_add(piece.bytes().len() as u64, Ordering::Relaxed);
            }
            Opened::Cuts(cutter) => cutter.take(piece)?,
            Opened::Nowhere => {}
        }
        self.1.iter_mut().for_each(|feed| feed.take(piece));
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        match &self.0 {
            Opened::File(file, _) => file.sync_data(),
            Opened::Cuts(_) | Opened::Nowhere => Ok(()),
        }
    }
}

/// Puts the encoder's output where it goes, as far as it is whole.
fn keep(mut output: impl Read, place: &mut Place, mut boxes: Option<Boxes>) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = match output.read(&mut buffer) {
            Ok(0) => return place.close(),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let came = &buffer[..length];
        match &mut boxes {
            None => place.take(&Piece::Other(came.to_vec()))?,
            Some(boxes) => {
                let whole = boxes.take(came).map_err(|_| io::Error::other("the encoder writes no MP4"))?;
                whole.iter().try_for_each(|piece| place.take(piece))?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(video: Option<VideoCodec>, audio: AudioCodec) -> Plan {
        let video = video.map(|codec| Pictures { codec, width: 64, height: 36, rate: 30 });
        Plan { program: "ffmpeg".into(), video, audio, channel: Channel::Stereo, haste: 0 }
    }

    #[test]
    fn files_are_called_as_players_expect() {
        let ending = |video, audio| plan(video, audio).ending();
        assert_eq!(ending(Some(VideoCodec::H264), AudioCodec::Mp3), "mp4");
        assert_eq!(ending(Some(VideoCodec::VP8), AudioCodec::Aac), "webm");
        assert_eq!([ending(None, AudioCodec::Aac), ending(None, AudioCodec::Mp3)], ["m4a", "mp3"]);
    }

    #[test]
    fn a_program_that_is_missing_or_dies_is_an_error_and_never_a_wait() {
        let path = std::env::temp_dir().join(format!("salon-encoder-{}", std::process::id()));
        let missing = Plan { program: "/no/such/program".into(), ..plan(Some(VideoCodec::H264), AudioCodec::Aac) };
        let error = Encoder::start(&missing, Outlet::File(path.clone()), None).err().unwrap().to_string();
        assert!(error.contains("cannot start /no/such/program"), "{error}");
        let dies = Plan { program: "false".into(), ..missing };
        let mut encoder = Encoder::start(&dies, Outlet::File(path.clone()), None).unwrap();
        let dead = (0..1_000).any(|_| encoder.picture(vec![0; 3_456]).is_err());
        assert!(dead);
        encoder.finish().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
