//! One livestream that comes from elsewhere, from when it is waited for until it is over: who streams it to us, each in a process of
//! its own, one after the other, and what can be watched of it.
//! Invariant: one streams at a time, and only with the key and the leave that the row says now. A gap ends nothing at once: whoever
//! comes back goes on, and players go over it.
//! Next: `livestream_job.rs`, those that are made here; `arrivals.rs`, where those who stream come from.

use std::future::pending;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_core::Timestamp;
use salon_core::event::RecordingEnd;
use salon_core::notice::LivestreamStatus;
use salon_recorder::job as told;
use salon_recorder::job::{Order, Saying};
use salon_store::Livestream;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until, timeout};

use crate::arrivals::{Arrival, Arrivals, Unwelcome, Word};
use crate::course::{Course, From, NodeStops, Stopped};
use crate::desk::Desk;
use crate::keep;
use crate::livestream_job::{open, segment, sums};
use crate::process::{Heard, Process};
use crate::streams::{Stream, Streams};

/// How often it is looked how many watch, what was watched, and whether it may go on.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the store may take for that: what can be watched waits meanwhile.
const NOTED_WITHIN: Duration = Duration::from_millis(500);

/// Whoever was cut off has this long to come back.
const COMES_BACK: Duration = Duration::from_secs(30);

/// Whoever was heard of so lately streams, and nobody takes their place. Longer locks out who was cut off and comes back before we
/// know; shorter lets a second encoder push out the first.
const HEARD_LATELY: Duration = Duration::from_secs(5);

/// A process that has said nothing for this long hangs: it says how far it is every two seconds.
const HANGS: Duration = Duration::from_secs(30);

/// Between two who are let in: each costs a process.
const APART: Duration = Duration::from_secs(1);

/// Who is let in at most in one session: a folder stays of each. An encoder that is set up wrongly comes again and again for days.
const PARTS: u32 = 1_000;

/// How long a process may take to finish that was told to stop.
const STOPS_WITHIN: Duration = Duration::from_secs(3);

/// What jobs are done with beside the desk.
#[derive(Clone)]
pub struct Hands {
    pub desk: Arc<Desk>,
    pub streams: Streams,
    pub arrivals: Arrivals,
    /// Those who stream at once.
    pub places: Arc<Semaphore>,
}

struct Job {
    hands: Hands,
    livestream: Livestream,
    stream: Arc<Stream>,
    /// Of one that is of a meeting.
    course: Option<Course>,
    words: mpsc::Receiver<Word>,
    look: Interval,
    guest: Option<Guest>,
    /// Who was let in so far.
    part: u32,
    /// Until when somebody is waited for who was cut off.
    back_until: Option<Instant>,
    /// Why the last one went.
    error: Option<String>,
    /// How many people were told to watch.
    viewers: u64,
}

/// Somebody who streams.
struct Guest {
    process: Process,
    /// When something of the stream was heard of last, and when its process said anything.
    heard_at: Instant,
    alive_at: Instant,
    /// What had come by then.
    bytes: u64,
    place: Option<OwnedSemaphorePermit>,
}

/// What happens next.
enum Next {
    NodeStops,
    /// Its session wants it to stop.
    Told,
    Word(Word),
    Look,
    Heard(Heard),
    /// Nobody came back.
    Alone,
}

/// Sees to a livestream until it is over, or the node stops. One of no meeting has a new session unless it goes on from before.
pub async fn run(hands: Hands, livestream: Livestream, from: From, stopped: Stopped, words: mpsc::Receiver<Word>) {
    let id = livestream.id.clone();
    if let Ok(mut job) = Job::begin(hands.clone(), livestream, from, stopped, words).await {
        let over = job.go_on().await;
        // Who was let in goes on without us.
        if over.is_ok() && !job.livestream.is_kept {
            hands.streams.close(&job.livestream.secret);
        }
    }
    hands.arrivals.forget(&id);
}

impl Job {
    async fn begin(
        hands: Hands,
        mut livestream: Livestream,
        from: From,
        stopped: Stopped,
        words: mpsc::Receiver<Word>,
    ) -> Result<Self, NodeStops> {
        let desk = hands.desk.clone();
        let folder = desk.folder(&livestream.id);
        let course = livestream.meeting.clone().zip(livestream.session.clone());
        let course =
            course.map(|(meeting, session)| Course::new(&desk, &livestream.id, (&livestream.app, &meeting, &session), stopped));
        if course.is_none() && from == From::Start {
            // What could be watched of the session before is watched no more.
            keep::clear(&folder).await;
            let (now, run) = (desk.parts.clock.now(), uuid::Uuid::now_v7().to_string());
            let node = desk.parts.hub.name().to_owned();
            let change = |livestream: &mut Livestream| {
                (livestream.run, livestream.invoked_at) = (run.clone(), Some(now));
                (livestream.started_at, livestream.stopped_at, livestream.stopped_by) = (None, None, None);
                (livestream.ingest_ms, livestream.viewer_ms, livestream.error) = (0, 0, None);
                (livestream.status, livestream.node) = (LivestreamStatus::Invoked, node.clone());
                (livestream.is_kept, livestream.expires_at) = (false, None);
            };
            let edited = desk.parts.store.edit_livestream(&livestream.id, now, change).await;
            livestream = edited.map_err(|error| {
                tracing::warn!(livestream.id = %livestream.id, %error, "a livestream that comes cannot be noted");
                NodeStops
            })?;
        }
        let part = keep::parts_of(&folder);
        // What the last of them said is heard when it is followed.
        let stream = open(&desk, &hands.streams, &livestream, part.saturating_sub(1));
        let place = || hands.places.clone().try_acquire_owned().ok();
        let (mut guest, mut back_until) = (None, None);
        if part > 0 {
            let (last, now) = (folder.join(part.to_string()), Instant::now());
            let mut process = Process::found(&last);
            let is_welcome = keep::was_let_in_with(&last, livestream.key.as_deref()) && !livestream.is_disabled;
            if process.runs() && is_welcome {
                guest = Some(Guest { process, heard_at: now, alive_at: now, bytes: 0, place: place() });
            } else {
                // Its key was reset, or its livestream disabled, when nobody could tell it; or it has ended and nobody heard it. What
                // it made can be watched, and nobody streams.
                process.kill();
                let said = process.said_so_far();
                back_until = said.iter().any(|saying| matches!(saying, Saying::Finished { .. })).then_some(now);
                said.into_iter().filter_map(|saying| segment(saying, part)).for_each(|segment| stream.push(segment));
            }
        }
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let error = None;
        Ok(Self { hands, livestream, stream, course, words, look, guest, part, back_until, error, viewers: 0 })
    }

    fn now(&self) -> Timestamp {
        self.hands.desk.parts.clock.now()
    }

    async fn go_on(&mut self) -> Result<(), NodeStops> {
        if let Some(course) = &mut self.course {
            course.look_why().await;
            if course.why.is_some() {
                return self.over(None).await;
            }
        }
        match (&self.guest, &self.course) {
            (None, Some(_)) => {
                self.back_until = None;
                self.wait_for_somebody().await?;
            }
            // Somebody is on the way.
            (None, None) => _ = self.back_until.get_or_insert_with(|| Instant::now() + COMES_BACK),
            (Some(_), _) => {}
        }
        loop {
            let ends = match self.next().await {
                Next::NodeStops => return Err(NodeStops),
                Next::Told => true,
                Next::Word(Word::Arrival(arrival)) => {
                    self.arrive(arrival).await?;
                    false
                }
                Next::Word(Word::Look) | Next::Look => self.look().await?,
                Next::Heard(heard) => self.hear(heard).await?,
                Next::Alone => self.is_alone().await?,
            };
            if ends {
                return self.over(self.error.clone()).await;
            }
        }
    }

    async fn next(&mut self) -> Next {
        let stop = self.hands.desk.parts.stop.clone();
        let Self { course, words, look, guest, back_until, .. } = self;
        tokio::select! {
            biased;
            () = stop.cancelled() => Next::NodeStops,
            () = async {
                match course {
                    Some(course) if course.why.is_none() => course.is_told_to_stop().await,
                    _ => pending().await,
                }
            } => Next::Told,
            Some(word) = words.recv() => Next::Word(word),
            _ = look.tick() => Next::Look,
            heard = async {
                match guest {
                    Some(guest) => guest.process.hear().await,
                    None => pending().await,
                }
            } => Next::Heard(heard),
            () = async {
                match back_until {
                    Some(until) => sleep_until((*until).into()).await,
                    None => pending().await,
                }
            } => Next::Alone,
        }
    }

    /// Lets somebody in, or not.
    async fn arrive(&mut self, arrival: Arrival) -> Result<(), NodeStops> {
        let now = Instant::now();
        let unwelcome = match &self.guest {
            Some(guest) if now - guest.heard_at < HEARD_LATELY => Some(Unwelcome::Taken),
            _ if self.part >= PARTS => Some(Unwelcome::TooOften),
            // Also where each makes a session of its own.
            _ if !self.hands.arrivals.may_be_let_in(&self.livestream.id, APART) => Some(Unwelcome::Taken),
            _ => None,
        };
        if let Some(unwelcome) = unwelcome {
            let _ = arrival.answer.send(Err((arrival.connection, unwelcome)));
            // One of no meeting ends by and by, and begins anew; nothing lengthens the wait.
            return Ok(());
        }
        let had = self.guest.as_mut().and_then(|guest| guest.place.take());
        let Some(place) = had.or_else(|| self.hands.places.clone().try_acquire_owned().ok()) else {
            let _ = arrival.answer.send(Err((arrival.connection, Unwelcome::Full)));
            return Ok(());
        };
        if let Some(mut guest) = self.guest.take() {
            // As good as gone: what it made counts.
            guest.process.kill();
            let said = guest.process.said_so_far();
            said.into_iter().filter_map(|saying| segment(saying, self.part)).for_each(|segment| self.stream.push(segment));
        }
        let Arrival { connection, read, answer } = arrival;
        self.part += 1;
        let started = self.start(connection, &read);
        match started {
            Ok(process) => {
                tracing::info!(livestream.id = %self.livestream.id, part = self.part, "a livestream comes");
                let now = Instant::now();
                self.guest = Some(Guest { process, heard_at: now, alive_at: now, bytes: 0, place: Some(place) });
                (self.back_until, self.error) = (None, None);
                let _ = answer.send(Ok(()));
                self.edit(|livestream| livestream.error = None).await?;
            }
            Err(error) => {
                tracing::warn!(livestream.id = %self.livestream.id, error = format!("{error:#}"), "a recorder cannot be started");
                self.cut_off("the server cannot take it right now").await?;
            }
        }
        Ok(())
    }

    /// Starts a process for who has come.
    fn start(&self, connection: TcpStream, read: &[u8]) -> anyhow::Result<Process> {
        let desk = &self.hands.desk;
        let folder = desk.folder(&self.livestream.id).join(self.part.to_string());
        std::fs::create_dir_all(&folder)?;
        keep::note_key(&folder, self.livestream.key.as_deref())?;
        let settings = &desk.parts.settings;
        let job = told::Job {
            id: self.livestream.id.to_string(),
            server: settings.server.clone(),
            meeting_id: String::new(),
            token: String::new(),
            folder: folder.canonicalize()?,
            // Segments of one session are never called as those of another: caches keep them for ever.
            name: self.livestream.run.clone(),
            kind: told::Kind::Ingest,
            user_ids: None,
            video: None,
            audio: None,
            live: true,
            rtmp: None,
            ingest: Some(told::Ingest { read: hex::encode(read), kilobits: settings.ingest_kilobits }),
            ffmpeg: "ffmpeg".into(),
        };
        let connection = connection.into_std()?;
        connection.set_nonblocking(false)?;
        Process::start_with(&settings.program, &job, Stdio::from(std::os::fd::OwnedFd::from(connection)))
    }

    /// True if it ends.
    async fn hear(&mut self, heard: Heard) -> Result<bool, NodeStops> {
        match heard {
            Heard::Said(Saying::Finished { .. }) => {
                self.guest = None;
                self.has_ended().await
            }
            Heard::Said(Saying::Failed { why }) => {
                self.cut_off(&why).await?;
                Ok(false)
            }
            Heard::Ended => {
                self.cut_off("its recorder died").await?;
                Ok(false)
            }
            Heard::Said(saying) => {
                if let Some(guest) = &mut self.guest {
                    guest.alive_at = Instant::now();
                    match saying {
                        Saying::Progress { bytes, .. } if bytes <= guest.bytes => {}
                        Saying::Progress { bytes, .. } => (guest.heard_at, guest.bytes) = (guest.alive_at, bytes),
                        _ => guest.heard_at = guest.alive_at,
                    }
                }
                if let Some(segment) = segment(saying, self.part) {
                    self.stream.push(segment);
                    if self.livestream.status != LivestreamStatus::Live {
                        self.is_live().await?;
                    }
                }
                Ok(false)
            }
        }
    }

    /// Who streamed is gone, and may come back.
    async fn cut_off(&mut self, why: &str) -> Result<(), NodeStops> {
        tracing::info!(livestream.id = %self.livestream.id, why, "a livestream was cut off");
        self.guest = None;
        self.error = Some(why.to_owned());
        self.back_until = Some(Instant::now() + COMES_BACK);
        // Whoever looks why nothing comes finds it at once.
        self.edit(|livestream| livestream.error = Some(why.to_owned())).await
    }

    /// Who streamed has ended it.
    async fn has_ended(&mut self) -> Result<bool, NodeStops> {
        (self.error, self.back_until) = (None, None);
        if self.course.is_none() {
            return Ok(true);
        }
        self.wait_for_somebody().await?;
        Ok(false)
    }

    /// Nobody has come back. True if it ends.
    async fn is_alone(&mut self) -> Result<bool, NodeStops> {
        self.back_until = None;
        if self.course.is_none() {
            return Ok(true);
        }
        self.wait_for_somebody().await?;
        Ok(false)
    }

    /// Nobody streams, and whoever does may come when they like: a meeting decides when it is over.
    async fn wait_for_somebody(&mut self) -> Result<(), NodeStops> {
        let error = self.error.clone();
        self.edit(move |livestream| {
            livestream.status = LivestreamStatus::Invoked;
            livestream.error.clone_from(&error);
        })
        .await?;
        if let Some(course) = &self.course {
            let id = course.id.clone();
            course.tell(move |session, now| session.livestream_waits(now, &id)).await;
        }
        Ok(())
    }

    /// It can be watched.
    async fn is_live(&mut self) -> Result<(), NodeStops> {
        let (first, now) = (self.stream.first_at(), self.now());
        self.edit(move |livestream| {
            livestream.status = LivestreamStatus::Live;
            let first = first.map(|at| Timestamp(at).min(now).max(livestream.asked_at()));
            livestream.started_at = livestream.started_at.or(first);
        })
        .await?;
        if let Some(course) = &self.course {
            let (id, url) = (course.id.clone(), self.livestream.playback_url());
            course.tell(move |session, now| session.livestream_came(now, &id, &url)).await;
        }
        Ok(())
    }

    /// Notes what was watched, and finds out whether it may go on. True if it ends.
    async fn look(&mut self) -> Result<bool, NodeStops> {
        if let Some(course) = &mut self.course {
            course.look_why().await;
            if course.why.is_some() {
                return Ok(true);
            }
            let viewers = self.stream.viewers(course.now().0);
            if viewers != self.viewers && self.livestream.status == LivestreamStatus::Live {
                self.viewers = viewers;
                let id = course.id.clone();
                course.tell(move |session, now| session.livestream_watched(now, &id, viewers)).await;
            }
        }
        let (ingest_ms, viewer_ms) = self.stream.sums();
        let store = &self.hands.desk.parts.store;
        let noted = store.edit_livestream(&self.livestream.id, self.now(), |livestream| sums(livestream, ingest_ms, viewer_ms));
        let before = self.livestream.key.clone();
        match timeout(NOTED_WITHIN, noted).await {
            Ok(Ok(livestream)) => self.livestream = livestream,
            Ok(Err(salon_store::Error::NotFound)) => {
                self.part_with_guest().await;
                return Err(NodeStops);
            }
            // Sums only grow, and who may not stream any more hears it at the next look.
            Ok(Err(_)) | Err(_) => return Ok(false),
        }
        if self.guest.as_ref().is_some_and(|guest| guest.alive_at.elapsed() > HANGS) {
            self.guest.iter().for_each(|guest| guest.process.kill());
            self.cut_off("its recorder hangs").await?;
        }
        if (self.livestream.is_disabled || self.livestream.key != before) && self.guest.is_some() {
            self.part_with_guest().await;
            return self.has_ended().await;
        }
        Ok(false)
    }

    /// Ends whoever streams; what they sent counts.
    async fn part_with_guest(&mut self) {
        let Some(mut guest) = self.guest.take() else { return };
        guest.process.order(Order::Stop);
        let (stream, part) = (&self.stream, self.part);
        let finishes = async {
            while let Heard::Said(saying) = guest.process.hear().await {
                if matches!(saying, Saying::Finished { .. } | Saying::Failed { .. }) {
                    return;
                }
                segment(saying, part).into_iter().for_each(|segment| stream.push(segment));
            }
        };
        if timeout(STOPS_WITHIN, finishes).await.is_err() {
            guest.process.kill();
        }
    }

    async fn over(&mut self, error: Option<String>) -> Result<(), NodeStops> {
        self.part_with_guest().await;
        self.stream.end();
        let now = self.now();
        let why = match &self.course {
            Some(course) => Some(course.why.clone().unwrap_or(RecordingEnd::Failed)),
            None => error.is_some().then_some(RecordingEnd::Failed),
        };
        let (ingest_ms, viewer_ms) = self.stream.sums();
        let (is_kept, kept_ms) = (self.stream.count() > 0, self.hands.desk.parts.settings.kept_ms);
        // A meeting that stops waiting has failed at nothing.
        let has_failed = error.is_some() && !is_kept && self.course.is_none();
        self.edit(move |livestream| {
            sums(livestream, ingest_ms, viewer_ms);
            livestream.status = if has_failed { LivestreamStatus::Errored } else { LivestreamStatus::Idle };
            livestream.stopped_at = livestream.started_at.map(|_| now);
            livestream.stopped_by.clone_from(&why);
            livestream.error.clone_from(&error);
            (livestream.is_kept, livestream.expires_at) = (is_kept, is_kept.then(|| now.plus_ms(kept_ms)));
        })
        .await?;
        if let Some(course) = &self.course {
            let id = course.id.clone();
            course.tell(move |session, now| session.recording_ended(now, &id, None)).await;
        }
        if !is_kept {
            keep::clear(&self.hands.desk.folder(&self.livestream.id)).await;
        }
        self.words.close();
        while let Ok(word) = self.words.try_recv() {
            if let Word::Arrival(Arrival { connection, answer, .. }) = word {
                let _ = answer.send(Err((connection, Unwelcome::Unavailable)));
            }
        }
        Ok(())
    }

    /// Changes the row, however long the store is away.
    async fn edit(&mut self, change: impl Fn(&mut Livestream)) -> Result<(), NodeStops> {
        let parts = &self.hands.desk.parts;
        let (store, id) = (&parts.store, &self.livestream.id);
        let key = self.livestream.key.clone();
        let edited = crate::course::edited(parts, id, |now| store.edit_livestream(id, now, &change)).await?;
        // That it has another key by now is noticed when it is looked.
        self.livestream = Livestream { key, ..edited };
        Ok(())
    }
}
