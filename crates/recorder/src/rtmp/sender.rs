//! Streams what an encoder wrote to one receiver, on a thread of its own, for as long as the recording goes on.
//! Invariant: a receiver that hangs, dies, is slow or refuses costs what it would have been sent, and nobody else anything:
//! whoever brings fragments never waits, and the end is waited for no longer than `END`.
//! Next: `backlog.rs`, what waits; `line.rs`, the connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use salon_edge::{Borders, Network};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::boxes::Piece;
use crate::job::{Rtmp, Saying};
use crate::rtmp::address::Address;
use crate::rtmp::backlog::{Backlog, Fragment};
use crate::rtmp::line::{Broken, Line};
use crate::rtmp::tags::Tracks;

/// Pauses before it is tried again: they grow from the one to the other.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);
/// A stream that went on for so long was a good one: pauses are short again.
const WELL: Duration = Duration::from_secs(30);

/// How long the receiver has for what is left at the end.
const END: Duration = Duration::from_secs(2);

/// What is due earlier or later than this is of another time, as after a pause: the stream goes on at once.
const FAR: Duration = Duration::from_secs(4);

/// A stream to a receiver.
pub struct Sender {
    shared: Arc<Shared>,
    over: watch::Sender<bool>,
    /// Closed once it has ended.
    ended: Receiver<()>,
}

struct Shared {
    state: Mutex<State>,
    came: Notify,
    /// Something was streamed.
    has_streamed: AtomicBool,
}

#[derive(Default)]
struct State {
    backlog: Backlog,
    /// How it stands, as it was said last: None before anything was.
    said: Option<Option<String>>,
    unsaid: Vec<Saying>,
}

/// Where an encoder's output goes to be streamed.
pub struct Feed {
    shared: Arc<Shared>,
    head: Option<Arc<Vec<u8>>>,
}

impl Feed {
    /// Takes what was written. Never waits.
    pub fn take(&mut self, piece: &Piece) {
        match (piece, &self.head) {
            (Piece::Head(bytes), _) => self.head = Some(Arc::new(bytes.clone())),
            (Piece::Fragment(bytes), Some(head)) => {
                self.shared.state().backlog.push(Fragment { head: head.clone(), bytes: bytes.clone() });
                self.shared.came.notify_one();
            }
            _ => {}
        }
    }
}

impl Sender {
    /// Begins one; it connects when there is something to send.
    ///
    /// # Errors
    /// The address is none, or the system has no thread left.
    pub fn start(rtmp: &Rtmp) -> anyhow::Result<Self> {
        let address = Address::read(&rtmp.url).context("what it is to be streamed to")?;
        let open: Result<Vec<Network>, _> = rtmp.open.iter().map(|network| network.parse()).collect();
        let borders = Borders::new(open.map_err(|wrong| anyhow::anyhow!("open networks: {wrong}"))?);
        let shared = Arc::new(Shared { state: Mutex::default(), came: Notify::new(), has_streamed: AtomicBool::new(false) });
        let (over, is_over) = watch::channel(false);
        let (ending, ended) = sync_channel::<()>(0);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let streamed = shared.clone();
        thread::Builder::new().name("rtmp".to_owned()).spawn(move || {
            let _ending = ending;
            runtime.block_on(run(&streamed, &address, &borders, is_over));
            // A name that is still looked up is waited for by nobody.
            runtime.shutdown_background();
        })?;
        Ok(Self { shared, over, ended })
    }

    pub fn feed(&self) -> Feed {
        Feed { shared: self.shared.clone(), head: None }
    }

    /// What is to be said of it.
    pub fn unsaid(&self) -> Vec<Saying> {
        std::mem::take(&mut self.shared.state().unsaid)
    }

    /// There is no more to come: what is left is sent, in `END` at most.
    pub fn stop(&self) {
        let _ = self.over.send(true);
    }

    /// Waits until it has ended, as it was told to.
    ///
    /// # Errors
    /// Why nothing was streamed at all.
    pub fn ended(&self) -> Result<(), String> {
        // It bounds itself; this is for a thread that is not run.
        let _ = self.ended.recv_timeout(2 * END);
        if self.shared.has_streamed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let why = self.shared.state().said.clone().flatten();
        Err(why.unwrap_or_else(|| Broken::Silent.to_string()))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Says how it stands, if that is new.
    fn stands(&self, why: Option<String>) {
        let mut state = self.state();
        if state.said.as_ref() != Some(&why) {
            if let Some(why) = &why {
                complain!("salon recorder: RTMP: {why}");
            }
            state.unsaid.push(Saying::Streamed { why: why.clone() });
            state.said = Some(why);
        }
    }

    /// The next fragment; may be dropped and asked again.
    async fn next(&self) -> Fragment {
        loop {
            if let Some(fragment) = self.state().backlog.pop() {
                return fragment;
            }
            self.came.notified().await;
        }
    }

    async fn is_any(&self) {
        while self.state().backlog.is_empty() {
            self.came.notified().await;
        }
    }
}

/// Streams until it is over, again and again.
async fn run(shared: &Shared, address: &Address, borders: &Borders, mut over: watch::Receiver<bool>) {
    let mut ends = over.clone();
    let last = async {
        let _ = ends.wait_for(|over| *over).await;
        sleep(END).await;
    };
    let streams = async {
        let mut pause = FIRST_PAUSE;
        loop {
            tokio::select! {
                biased;
                () = shared.is_any() => {}
                _ = over.wait_for(|over| *over) => return,
            }
            let began = Instant::now();
            match stream(shared, address, borders, over.clone()).await {
                Ok(()) => return,
                Err(why) => shared.stands(Some(why.to_string())),
            }
            if began.elapsed() > WELL {
                pause = FIRST_PAUSE;
            }
            // At the end it is not tried again: there is no time for it.
            tokio::select! {
                _ = over.wait_for(|over| *over) => return,
                () = sleep(pause) => {}
            }
            pause = (2 * pause).min(LAST_PAUSE);
        }
    };
    tokio::select! {
        () = streams => {}
        () = last => {}
    }
}

/// Streams once, until it is over.
async fn stream(shared: &Shared, address: &Address, borders: &Borders, over: watch::Receiver<bool>) -> Result<(), Broken> {
    let mut line = Line::open(address, borders).await?;
    if !*over.borrow() {
        shared.state().backlog.skip();
    }
    let mut course = Course { shared, over, clock: Clock::default(), file: None };
    loop {
        let mut over = course.over.clone();
        let fragment = tokio::select! {
            biased;
            fragment = shared.next() => fragment,
            heard = line.read() => {
                heard?;
                line.flush().await?;
                continue;
            }
            _ = over.wait_for(|over| *over) => {
                line.close().await;
                return Ok(());
            }
        };
        course.send(&mut line, &fragment).await?;
    }
}

/// How far a stream is.
struct Course<'a> {
    shared: &'a Shared,
    over: watch::Receiver<bool>,
    clock: Clock,
    /// The file of which the last fragment was.
    file: Option<(Arc<Vec<u8>>, Tracks)>,
}

impl Course<'_> {
    /// Sends a fragment, each of its pictures when its time has come: receivers measure what comes each second.
    async fn send(&mut self, line: &mut Line, fragment: &Fragment) -> Result<(), Broken> {
        if !self.file.as_ref().is_some_and(|(head, _)| Arc::ptr_eq(head, &fragment.head)) {
            let Some(tracks) = Tracks::of(&fragment.head) else { return Ok(()) };
            self.clock.begin_file();
            let now = self.clock.last;
            line.publisher.describe(tracks.width, tracks.height);
            tracks.setup().for_each(|tag| line.publisher.send(&tag, now as u32));
            self.file = Some((fragment.head.clone(), tracks));
        }
        let tags = self.file.as_ref().and_then(|(_, tracks)| tracks.read(&fragment.bytes)).unwrap_or_default();
        for tag in tags {
            let ms = self.clock.at(tag.ms);
            let due = self.clock.due(ms, Instant::now());
            if due > Instant::now() && !*self.over.borrow() {
                line.flush().await?;
                self.rest(line, due).await?;
            }
            line.publisher.send(&tag, ms as u32);
        }
        line.flush().await?;
        self.shared.has_streamed.store(true, Ordering::Relaxed);
        self.shared.stands(None);
        Ok(())
    }

    async fn rest(&mut self, line: &mut Line, until: Instant) -> Result<(), Broken> {
        loop {
            tokio::select! {
                () = sleep_until(until) => return Ok(()),
                _ = self.over.wait_for(|over| *over) => return Ok(()),
                heard = line.read() => heard?,
            }
            line.flush().await?;
        }
    }
}

/// Times of a stream: they begin at zero and never fall, whatever file they are of.
#[derive(Debug, Default)]
struct Clock {
    /// What is added to a file's own times, in milliseconds; None before its first.
    shift: Option<i64>,
    last: u64,
    /// When the stream's first moment was, as it is sent.
    origin: Option<Instant>,
}

impl Clock {
    fn begin_file(&mut self) {
        self.shift = None;
    }

    /// The time in the stream of one in the file.
    fn at(&mut self, ms: u64) -> u64 {
        let shift = *self.shift.get_or_insert(self.last as i64 - ms as i64);
        self.last = self.last.max((ms as i64 + shift).max(0) as u64);
        self.last
    }

    /// When that is to be sent.
    fn due(&mut self, ms: u64, now: Instant) -> Instant {
        let ahead = Duration::from_millis(ms);
        let is_near = |due: Instant| due <= now + FAR && now <= due + FAR;
        let origin = self.origin.filter(|origin| is_near(*origin + ahead));
        let origin = origin.or_else(|| now.checked_sub(ahead)).unwrap_or(now);
        self.origin = Some(origin);
        origin + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_stream_never_fall_and_it_is_sent_as_it_was_made() {
        let (now, mut clock) = (Instant::now(), Clock::default());
        let later = |ms| now + Duration::from_millis(ms);
        let sent = |clock: &mut Clock, file_ms, at_ms| {
            let ms = clock.at(file_ms);
            (ms, clock.due(ms, later(at_ms)).saturating_duration_since(now).as_millis())
        };
        assert_eq!(sent(&mut clock, 7_000, 0), (0, 0), "it begins where the receiver comes in");
        assert_eq!(sent(&mut clock, 8_000, 0), (1_000, 1_000));
        assert_eq!(sent(&mut clock, 9_000, 2_500), (2_000, 2_000), "it is late, and catches up");
        clock.begin_file();
        assert_eq!(sent(&mut clock, 0, 2_600), (2_000, 2_000), "the next file goes on");
        assert_eq!(sent(&mut clock, 33, 2_600), (2_033, 2_033));
        assert_eq!(sent(&mut clock, 66, 60_000), (2_066, 60_000), "after a pause it goes on at once");
        assert_eq!(sent(&mut clock, 1_066, 60_000), (3_066, 61_000));
    }
}
