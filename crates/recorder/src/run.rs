//! A recorder's life: reads its job, sends a robot into the meeting, and turns what comes of it into files.
//! Invariant: whatever happens, it says how it ended, and leaves files that play.
//! Next: `robot.rs`, where news come from; `tracks.rs`, what becomes of them.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use salon_peer::Invite;
use tokio::sync::oneshot;

use crate::composite::Composite;
use crate::cuts::Cuts;
use crate::decoder::decode;
use crate::ingest::ingest;
use crate::job::{File, Job, Kind, Order, Saying, VideoCodec};
use crate::news::{News, Over};
use crate::robot::Robot;
use crate::said::{Sayings, hear};
use crate::tracks::Tracks;
use crate::voices::Voices;
use crate::wishes::Wishes;

/// News that wait at most: some seconds of a large meeting.
const QUEUE: usize = 16_384;
/// The longest job, in bytes.
const LONGEST_JOB: u64 = 1 << 20;
/// The longest name, in bytes: systems take 255, and endings come behind it.
const LONGEST_NAME: usize = 220;
/// Between two sayings of how far it is.
const PROGRESS: Duration = Duration::from_secs(2);
/// The recording looks around at least this often.
const LOOK: Duration = Duration::from_millis(20);
/// News are taken for no longer than this at once, in microseconds: then it is looked around, however many are left.
const LONGEST_TURN: i64 = 250_000;
/// The robot has this long to leave.
const LEAVE: Duration = Duration::from_secs(2);

/// What `salon recorder` takes: all it needs is said on standard input.
#[derive(Debug, clap::Args)]
pub struct RecorderArgs {
    /// Decode frames of this codec for another recorder
    #[arg(long, hide = true, value_name = "CODEC")]
    decode: Option<String>,
}

/// What `salon recorder --help` teaches.
pub const HELP: &str = "\
A server starts this by itself for each recording; people have no need to. It joins the meeting like a client, hidden and
counted nowhere, and writes files into the job's folder. It outlives a crash of the server: it comes back into the meeting,
and after a minute without it finishes its files and ends.

Standard input: the job on one line, then orders, a line each:
  {\"id\": \"r1\", \"server\": \"http://127.0.0.1:8787\", \"meeting_id\": \"…\", \"token\": \"…\", \"folder\": \"/jobs/r1\",
   \"name\": \"default\", \"kind\": \"track\"}
  {\"order\": \"pause\"}   {\"order\": \"resume\"}   {\"order\": \"stop\"}
The token is of a participant whose preset has a recorder type. The folder exists. The end of input is no order.
Standard output: what happens, a line each:
  {\"said\": \"began\", \"at_ms\": …}   paused, resumed, progress, and last finished (with the files) or failed (and why)
In the folder: the files, said.jsonl (the same lines), pid, and orders.jsonl, whose lines count as orders too.

kind track: a WebM for each microphone, with the sound as it came; user_ids: whose, by participant ids or custom ids.
kind voices: a WAV of 16 kHz for each stretch of each voice between silences, MILLISECONDS_PEER.wav, for whoever takes and
  deletes them; user_ids as above, and {\"order\": \"of\", \"user_ids\": [\"…\"]} for others from then on.
kind composite: one picture and one sound of everybody. It needs ffmpeg (5.1 or later, with libx264 or libvpx) and libvpx,
  which comes with it. \"video\": {\"codec\": \"H264\" (MP4 with AAC) or \"VP8\" (WebM with Vorbis), \"width\": 1280, \"height\": 720,
  \"layout\": \"grid\" or \"speaker\", \"watermark\": {\"file\": an image in the folder, \"position\": \"left top\", \"width\", \"height\"}}
  \"audio\": {\"codec\": \"AAC\" or \"MP3\", \"channel\": \"stereo\" or \"mono\", \"file\": whether a file of sound is made as well}
  \"rtmp\": {\"url\": \"rtmps://…\", \"open\": private networks it may lead into}: who is sent it meanwhile, in H264; told of by
  {\"said\": \"streamed\", \"why\": null, or why it is not}. \"file\": false in \"video\" makes no file of pictures then.
  Without video a file of sound alone is made. With \"live\": true no files are made but segments to be watched meanwhile, each
  told of: {\"said\": \"segment\", \"name\", \"head\", \"codecs\", \"at_ms\", \"ms\"}. A file that is not finished plays up to its last two seconds.
kind ingest: what somebody streams to it by RTMP, in segments as with \"live\". Their connection is its standard output, and
  \"ingest\": {\"read\": what was read of them already, in hexadecimal digits, \"kilobits\": what they may send a second}.
  It is no guest of the meeting, and needs no token.

Exit code 0: finished. 1: failed, nothing can be played. 2: the job cannot be read.";

/// The job cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the job cannot be read: {0}")]
pub struct Mistake(String);

/// Does the job on standard input.
///
/// # Errors
/// `Mistake` if it cannot be read; else whatever left nothing to play.
pub fn record(args: &RecorderArgs) -> anyhow::Result<()> {
    if let Some(codec) = &args.decode {
        return decode(codec);
    }
    let job = read_job().map_err(|error| Mistake(format!("{error:#}")))?;
    let mut sayings = Sayings::open(&job.folder, job.kind != Kind::Ingest)
        .with_context(|| format!("cannot write to {}", job.folder.display()))?;
    let outcome = match job.kind {
        Kind::Ingest => host(&job.server).and_then(|server| ingest(&job, &server, &mut sayings)),
        Kind::Track | Kind::Voices | Kind::Composite => work(&job, &mut sayings),
    };
    match &outcome {
        Ok(finished) => sayings.say(finished),
        Err(error) => sayings.say(&Saying::Failed { why: format!("{error:#}") }),
    }
    sayings.finish();
    outcome.map(|_| ())
}

fn read_job() -> anyhow::Result<Job> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST_JOB).read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
    if !(1..=LONGEST_NAME).contains(&job.name.len()) || !job.name.chars().all(is_plain) {
        bail!("name takes letters, digits, - and _, at most {LONGEST_NAME} of them");
    }
    Ok(job)
}

/// HOST:PORT of a server's address.
fn host(server: &str) -> anyhow::Result<String> {
    let host = server.strip_prefix("http://").context("the server's address begins with http://")?;
    Ok(host.trim_end_matches('/').to_owned())
}

/// Records until it is over; what is to be said of it last.
fn work(job: &Job, sayings: &mut Sayings) -> anyhow::Result<Saying> {
    let (queue, news) = sync_channel(QUEUE);
    let wishes = Wishes::default();
    let (recording, pictures) = match job.kind {
        Kind::Track => (Recording::Tracks(Tracks::new(&job.folder, &job.name)), false),
        Kind::Voices => (Recording::Voices(Voices::new(&job.folder)), false),
        Kind::Composite => {
            let in_h264 = job.video.as_ref().is_some_and(|video| video.codec == VideoCodec::H264);
            anyhow::ensure!(!job.live || in_h264, "a livestream has pictures, in H264");
            (Recording::Composite(Box::new(Composite::new(job, wishes.clone())?)), job.video.is_some())
        }
        Kind::Ingest => bail!("nobody is to be let in"),
    };
    if job.kind != Kind::Composite {
        wishes.only(job.user_ids.clone());
    }
    hear(&job.folder, queue.clone())?;
    let invite = Invite { meeting: job.meeting_id.clone(), participant: String::new(), token: job.token.clone() };
    let robot = Robot::new(host(&job.server)?, invite, pictures, wishes.clone(), queue.clone())?;
    let (stop, stopped) = oneshot::channel();
    let (leaving, left) = sync_channel::<()>(0);
    let thread = thread::Builder::new().name("robot".to_owned());
    thread.spawn(move || {
        let _leaving = leaving;
        attend(robot, queue, stopped);
    })?;
    let (recorded, since) = (Duration::ZERO, Instant::now());
    let finished = Going { sayings, recording, wishes, began: None, paused: false, recorded, since }.go_on(&news);
    drop(stop);
    let _ = left.recv_timeout(LEAVE);
    finished
}

/// The robot's thread; it also hears when the system wants us to end.
fn attend(robot: Robot, queue: SyncSender<News>, stopped: oneshot::Receiver<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        let _ = queue.send(News::Over(Over::Lost("the system has nothing to run on".to_owned())));
        return;
    };
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let Ok(mut signal) = signal(kind) else { continue };
            let queue = queue.clone();
            tokio::spawn(async move {
                signal.recv().await;
                let _ = tokio::task::spawn_blocking(move || queue.send(News::Order(Order::Stop))).await;
            });
        }
        robot.run(stopped).await;
    });
    runtime.shutdown_timeout(Duration::from_millis(500));
}

/// What becomes of a meeting. Times are milliseconds of the recorder's life, and microseconds since 1970.
enum Recording {
    Tracks(Tracks),
    Voices(Voices),
    Composite(Box<Composite>),
}

impl Recording {
    fn begin(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Tracks(_) | Self::Voices(_) => Ok(()),
            Self::Composite(composite) => composite.begin(wall()),
        }
    }

    fn take(&mut self, ms: u64, news: News) -> anyhow::Result<()> {
        match self {
            Self::Tracks(tracks) => tracks.take(ms, wall(), news).context("a file cannot be written"),
            Self::Voices(voices) => voices.take(ms, news).context("a file cannot be written"),
            Self::Composite(composite) => composite.take(ms, wall(), news),
        }
    }

    fn look(&mut self, ms: u64, moment: i64) -> anyhow::Result<()> {
        match self {
            Self::Tracks(tracks) => tracks.look(ms).context("a file cannot be written"),
            Self::Voices(voices) => voices.look(ms).context("a file cannot be written"),
            Self::Composite(composite) => composite.look(ms, moment),
        }
    }

    /// What is to be said of it by now.
    fn unsaid(&mut self) -> Vec<Saying> {
        let composite = match self {
            Self::Composite(composite) => composite.unsaid(),
            Self::Tracks(_) | Self::Voices(_) => Vec::new(),
        };
        self.cuts().map(|cuts| cuts.unsaid()).into_iter().flatten().chain(composite).collect()
    }

    fn has_files(&self) -> bool {
        match self {
            Self::Tracks(_) => true,
            // Others take its files while it runs.
            Self::Voices(_) => false,
            Self::Composite(composite) => composite.has_files(),
        }
    }

    fn cuts(&self) -> Option<Cuts> {
        match self {
            Self::Tracks(_) | Self::Voices(_) => None,
            Self::Composite(composite) => composite.cuts(),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Tracks(tracks) => tracks.bytes(),
            Self::Voices(voices) => voices.bytes(),
            Self::Composite(composite) => composite.bytes(),
        }
    }

    fn finish(self, ms: u64) -> anyhow::Result<Vec<File>> {
        match self {
            Self::Tracks(tracks) => Ok(tracks.finish()),
            Self::Voices(voices) => voices.finish().map(|()| Vec::new()).context("a file cannot be written"),
            Self::Composite(composite) => composite.finish(ms, wall()),
        }
    }
}

/// A recording that goes on.
struct Going<'a> {
    sayings: &'a mut Sayings,
    recording: Recording,
    wishes: Wishes,
    began: Option<Instant>,
    paused: bool,
    /// What was recorded before the last pause.
    recorded: Duration,
    /// When it went on last.
    since: Instant,
}

impl Going<'_> {
    fn go_on(mut self, news: &Receiver<News>) -> anyhow::Result<Saying> {
        let start = Instant::now();
        let mut told = start;
        let end = loop {
            let first = news.recv_timeout(LOOK);
            // All that has come by now is taken before it is looked whose time has come: else the two would race.
            let moment = wall();
            if first == Err(RecvTimeoutError::Disconnected) {
                break Some("nobody tells it anything any more".to_owned());
            }
            let mut over = None;
            for news in first.into_iter().chain(news.try_iter()) {
                over = match news {
                    News::Order(Order::Stop) | News::Over(Over::Ended) => Some(None),
                    News::Over(Over::Lost(why)) => Some(Some(why)),
                    news => self.take(start, news).err().map(|error| Some(format!("{error:#}"))),
                };
                if over.is_some() || wall() - moment > LONGEST_TURN {
                    break;
                }
            }
            if let Some(end) = over {
                break end;
            }
            self.recording.unsaid().iter().for_each(|saying| self.sayings.say(saying));
            let now = Instant::now();
            if let Err(error) = self.recording.look((now - start).as_millis() as u64, moment) {
                break Some(format!("{error:#}"));
            }
            if self.began.is_some() && now - told >= PROGRESS {
                told = now;
                self.sayings.say(&Saying::Progress { bytes: self.recording.bytes(), ms: self.recorded(now) });
            }
        };
        if self.began.is_none() {
            bail!(end.unwrap_or_else(|| "it was to end before it began".to_owned()));
        }
        if let Some(why) = &end {
            complain!("salon recorder: {why}; finishing what there is");
            self.sayings.say(&Saying::Unshown { why: format!("it ended early: {why}") });
        }
        let (at_ms, duration_ms) = (wall_ms(), self.recorded(Instant::now()));
        let (has_files, cuts) = (self.recording.has_files(), self.recording.cuts());
        let files = self.recording.finish(start.elapsed().as_millis() as u64)?;
        cuts.iter().flat_map(Cuts::unsaid).for_each(|cut| self.sayings.say(&cut));
        let has_nothing = cuts.map_or(has_files && files.is_empty(), |cuts| !cuts.are_any());
        if has_nothing {
            bail!(end.unwrap_or_else(|| "nobody was heard".to_owned()));
        }
        Ok(Saying::Finished { at_ms, duration_ms, files })
    }

    fn take(&mut self, start: Instant, news: News) -> anyhow::Result<()> {
        let now = Instant::now();
        let ms = (now - start).as_millis() as u64;
        match news {
            News::In if self.began.is_none() => {
                self.recording.begin()?;
                (self.began, self.since) = (Some(now), now);
                self.sayings.say(&Saying::Began { at_ms: wall_ms() });
            }
            News::Order(Order::Of { user_ids }) => self.wishes.only(user_ids),
            News::Order(order) => {
                if self.began.is_none() {
                    return Ok(());
                }
                let pause = order == Order::Pause;
                if pause != self.paused {
                    self.recording.take(ms, News::Order(order))?;
                    self.recorded = self.so_far(now);
                    (self.paused, self.since) = (pause, now);
                }
                // Also where it was so: whoever wants it waits to hear it.
                let at_ms = wall_ms();
                self.sayings.say(&if pause { Saying::Paused { at_ms } } else { Saying::Resumed { at_ms } });
            }
            news => self.recording.take(ms, news)?,
        }
        Ok(())
    }

    fn so_far(&self, now: Instant) -> Duration {
        let since = if self.paused || self.began.is_none() { Duration::ZERO } else { now - self.since };
        self.recorded + since
    }

    fn recorded(&self, now: Instant) -> u64 {
        self.so_far(now).as_millis() as u64
    }
}

/// Microseconds since 1970.
fn wall() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as i64
}

fn wall_ms() -> u64 {
    (wall() / 1_000) as u64
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::job::SAID;

    #[test]
    fn every_pause_and_every_going_on_is_answered() {
        let folder = std::env::temp_dir().join(format!("salon-run-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (mut sayings, start) = (Sayings::open(&folder, true).unwrap(), Instant::now());
        let mut going = Going {
            sayings: &mut sayings,
            recording: Recording::Tracks(Tracks::new(&folder, "talk")),
            wishes: Wishes::default(),
            began: None,
            paused: false,
            recorded: Duration::ZERO,
            since: start,
        };
        let orders = [Order::Resume, Order::Pause, Order::Pause, Order::Resume];
        going.take(start, News::In).unwrap();
        orders.into_iter().for_each(|order| going.take(start, News::Order(order)).unwrap());
        let said = fs::read_to_string(folder.join(SAID)).unwrap();
        let said: Vec<_> = said.lines().filter_map(|line| line.split('"').nth(3)).collect();
        assert_eq!(said, ["began", "resumed", "paused", "paused", "resumed"]);
        fs::remove_dir_all(&folder).unwrap();
    }
}
