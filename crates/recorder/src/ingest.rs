//! Somebody streams to us: from their connection into segments that can be watched, as they came.
//! Reading order: `intake` (where it is cut), `mux` (what it is written in), `sps` (how large pictures are).
//! Invariant: whoever is silent, floods, or sends what cannot be taken is ended by us, and told why in a word; what came before
//! can be watched. Nobody is waited for longer than a moment.
//! Next: `rtmp/session.rs`, what is said on the connection.

mod intake;
mod mux;
mod sps;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};

use crate::cuts::Cuts;
use crate::ingest::intake::{Intake, Made, Unfit};
use crate::job::{Ingest, Job, Order, Saying};
use crate::news::News;
use crate::rtmp::{Heard, No, Nonsense, Session};
use crate::said::{Sayings, hear};

/// It is looked around at least this often.
const LOOK: Duration = Duration::from_millis(100);

/// Whoever takes nothing for this long is as good as gone.
const STALLED: Duration = Duration::from_secs(5);

/// Whoever sends neither pictures nor sound for this long is as good as gone.
const SILENT: Duration = Duration::from_secs(15);

/// What comes faster than it happened is read no faster than this is ahead of it, in milliseconds.
const AHEAD_MS: i64 = 5_000;

/// What is further ahead than this is not what happens: a file that is sent as fast as it goes fills what lies between us with a
/// minute at most. It would seem to go on for long after it has ended.
const FAR_AHEAD_MS: i64 = 60_000;

/// Seconds of what may be sent that may come at once.
const AT_ONCE: f64 = 10.0;

/// Between two sayings of how far it is.
const PROGRESS: Duration = Duration::from_secs(2);

/// How often it is looked whether the server is there, and how long it may be away.
const SERVER_EVERY: Duration = Duration::from_secs(10);
const SERVER_AWAY: Duration = Duration::from_secs(60);
const SERVER_ANSWERS: Duration = Duration::from_millis(500);

/// Orders that wait.
const ORDERS: usize = 64;

/// Why it does not go on.
#[derive(Debug, thiserror::Error)]
enum Over {
    /// They have ended it themselves.
    #[error("it has ended")]
    Ended,
    #[error("it was to stop")]
    Stopped,
    #[error("its connection broke off")]
    Lost,
    #[error("it sent nothing for {} seconds", SILENT.as_secs())]
    Silent,
    #[error("it sends no RTMP")]
    Nonsense,
    #[error("{0}")]
    Unfit(#[from] Unfit),
    #[error("it sends more than {0} kilobits a second")]
    Flood(u32),
    #[error("its clock is a minute ahead of the time that has passed; have its encoder send as it happens (ffmpeg: -re)")]
    Ahead,
    #[error("the server has not come back")]
    Alone,
    #[error("what came cannot be written: {0}")]
    Write(io::Error),
}

impl From<Nonsense> for Over {
    fn from(_: Nonsense) -> Self {
        Self::Nonsense
    }
}

/// Takes what somebody streams, over the connection that is standard output, until it is over; what is to be said of it last.
///
/// # Errors
/// If it cannot begin.
pub fn ingest(job: &Job, server: &str, sayings: &mut Sayings) -> anyhow::Result<Saying> {
    let Ingest { read, kilobits } = job.ingest.as_ref().context("nobody is to be let in")?;
    let stream = TcpStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_write_timeout(Some(STALLED))?;
    let mut session = Session::new([0; 16]);
    let asked = session.take(&hex::decode(read)?);
    ensure!(matches!(asked.as_deref(), Ok([Heard::Publish(_)])), "whoever is to be let in does not want to stream");
    // What was answered so far was sent by who has let them in.
    session.out();
    let (queue, orders) = sync_channel(ORDERS);
    hear(&job.folder, queue)?;
    let now = Instant::now();
    let guest = Guest {
        stream,
        session,
        intake: Intake::new(),
        cuts: Cuts::named(job.folder.clone(), format!("{}_", job.name)),
        head: None,
        began: now,
        began_ms: wall_ms(),
        media_at: now,
        allowance: Allowance { kilobits: *kilobits, left: AT_ONCE, at: now },
        server: server.to_owned(),
        server_at: now,
        told: now,
        came: 0,
    };
    Ok(guest.stay(&orders, sayings))
}

struct Guest {
    stream: TcpStream,
    session: Session,
    intake: Intake,
    cuts: Cuts,
    /// The head of what is being made, and what is in it.
    head: Option<(String, String)>,
    began: Instant,
    began_ms: u64,
    /// When pictures or sound came last.
    media_at: Instant,
    allowance: Allowance,
    server: String,
    /// When the server was there last.
    server_at: Instant,
    /// When it was told how far it is.
    told: Instant,
    /// Bytes.
    came: u64,
}

/// Seconds of what may be sent that are left.
struct Allowance {
    kilobits: u32,
    left: f64,
    at: Instant,
}

impl Allowance {
    fn take(&mut self, now: Instant, bytes: usize) -> Result<(), Over> {
        let since = now.duration_since(std::mem::replace(&mut self.at, now)).as_secs_f64();
        self.left = (self.left + since).min(AT_ONCE) - bytes as f64 * 8.0 / (f64::from(self.kilobits) * 1_000.0);
        if self.left < 0.0 { Err(Over::Flood(self.kilobits)) } else { Ok(()) }
    }
}

impl Guest {
    fn stay(mut self, orders: &Receiver<News>, sayings: &mut Sayings) -> Saying {
        sayings.say(&Saying::Began { at_ms: self.began_ms });
        let over = match self.go_on(orders, sayings) {
            Ok(never) => match never {},
            Err(over) => over,
        };
        let no = match &over {
            Over::Unfit(_) | Over::Flood(_) | Over::Ahead => Some(No::Media),
            Over::Stopped | Over::Alone | Over::Write(_) => Some(No::Key),
            Over::Ended | Over::Lost | Over::Silent | Over::Nonsense => None,
        };
        no.into_iter().for_each(|no| self.session.refuse(no, &over.to_string()));
        let _ = self.answer();
        let _ = self.stream.shutdown(Shutdown::Both);
        // What cannot be taken begins with nothing that could be watched.
        let last = if no == Some(No::Media) && !self.cuts.are_any() { Vec::new() } else { self.intake.end() };
        let kept = self.keep(last);
        self.cuts.unsaid().iter().for_each(|cut| sayings.say(cut));
        match (over, kept) {
            (Over::Ended | Over::Stopped, Ok(())) => {
                let duration_ms = self.intake.now().max(0) as u64;
                Saying::Finished { at_ms: wall_ms(), duration_ms, files: Vec::new() }
            }
            (Over::Ended | Over::Stopped, Err(why)) | (why, _) => Saying::Failed { why: why.to_string() },
        }
    }

    fn go_on(&mut self, orders: &Receiver<News>, sayings: &mut Sayings) -> Result<std::convert::Infallible, Over> {
        let heard = self.session.accept()?;
        self.hear(heard)?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            loop {
                match orders.try_recv() {
                    Ok(News::Order(Order::Stop)) => return Err(Over::Stopped),
                    Ok(_) => {}
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            self.answer()?;
            self.cuts.unsaid().iter().for_each(|cut| sayings.say(cut));
            let now = Instant::now();
            // Also while nothing comes: who says nothing at all hangs.
            if now - self.told >= PROGRESS {
                self.told = now;
                let ms = self.intake.now().max(0) as u64;
                sayings.say(&Saying::Progress { bytes: self.came, ms });
            }
            self.look_for_server(now)?;
            // What has happened already may come as fast as it can be read: whoever sends it waits.
            if self.intake.now() - (now - self.began).as_millis() as i64 > AHEAD_MS {
                thread::sleep(LOOK);
                self.media_at = now;
                continue;
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(Over::Lost),
                Ok(length) => {
                    self.allowance.take(now, length)?;
                    self.came += length as u64;
                    let heard = self.session.take(&buffer[..length])?;
                    self.hear(heard)?;
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                    _ => return Err(Over::Lost),
                },
            }
            if now - self.media_at > SILENT {
                return Err(Over::Silent);
            }
        }
    }

    fn hear(&mut self, heard: Vec<Heard>) -> Result<(), Over> {
        for one in heard {
            match one {
                Heard::Media { kind, ms, body } => {
                    self.media_at = Instant::now();
                    let made = self.intake.take(kind, ms, &body)?;
                    if self.intake.now() - self.began.elapsed().as_millis() as i64 > FAR_AHEAD_MS {
                        return Err(Over::Ahead);
                    }
                    self.keep(made)?;
                }
                Heard::Over => return Err(Over::Ended),
                Heard::Publish(_) => return Err(Over::Nonsense),
            }
        }
        Ok(())
    }

    fn keep(&mut self, made: Vec<Made>) -> Result<(), Over> {
        for one in made {
            match one {
                Made::Head { bytes, codecs } => self.head = Some((self.cuts.head(&bytes).map_err(Over::Write)?, codecs)),
                Made::Segment { bytes, at_ms, ms } => {
                    let Some((head, codecs)) = &self.head else { continue };
                    let at_ms = self.began_ms.saturating_add_signed(at_ms);
                    self.cuts.segment(&bytes, (head, codecs), (at_ms, ms)).map_err(Over::Write)?;
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Over> {
        let out = self.session.out();
        if out.is_empty() { Ok(()) } else { self.stream.write_all(&out).map_err(|_| Over::Lost) }
    }

    /// Nobody tells what is made, deletes what is old, or ends it any more.
    fn look_for_server(&mut self, now: Instant) -> Result<(), Over> {
        if now - self.server_at < SERVER_EVERY {
            return Ok(());
        }
        let there = self.server.to_socket_addrs().ok().and_then(|mut all| all.next());
        let reaches = |address: SocketAddr| TcpStream::connect_timeout(&address, SERVER_ANSWERS).is_ok();
        if there.is_some_and(reaches) {
            self.server_at = now;
        } else if now - self.server_at > SERVER_AWAY {
            return Err(Over::Alone);
        }
        Ok(())
    }
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}
