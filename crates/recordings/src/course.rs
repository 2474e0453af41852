//! What becomes of a job of any kind: its turn, its recorders one after the other, when it is to stop, and what its session hears.
//! Invariant: whatever happens it is told once how it ended, unless the node stops: then what runs runs on, and is found again.
//! Next: `job.rs` and `livestream_job.rs`, what is made of what a recorder says.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_core::event::{EventBody, RecordingEnd};
use salon_core::record::RecordingState;
use salon_core::{AppId, MeetingId, RecordingId, Session, SessionId, Timestamp};
use salon_recorder::job as told;
use salon_recorder::job::{Order, Saying};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use crate::desk::{Desk, Parts};
use crate::process::{Heard, Process};
use crate::{keep, parts};

/// How long the store is waited for before it is asked anew.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked whether it is to stop: the session may have gone to a node from which no word comes.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// How long the store may take for that; then it is asked the next time.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Events of a record that are read at a time.
const EVENTS: u32 = 1_000;

/// Whatever headway it makes with its files, a recorder is ended so long after it was told to stop.
const STOPS_AT_LAST: Duration = Duration::from_secs(1_800);

/// Where a job begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Nothing was done yet.
    Start,
    /// An earlier run of this node had it.
    Before,
}

pub type Stopped = watch::Receiver<Option<RecordingEnd>>;

/// The node stops, or there is nothing more to see to: what runs runs on, and is found again.
pub struct NodeStops;

/// How a process came to its end.
pub enum End {
    Finished { at: Timestamp },
    Failed { why: String },
}

/// How long a recorder is waited for that was told to stop: as long as something comes of it.
struct Patience {
    until: Instant,
    last: Instant,
    /// What was in its folder when it was looked last.
    bytes: u64,
}

/// What a job is about, and how far it is.
pub struct Course {
    pub desk: Arc<Desk>,
    pub id: RecordingId,
    pub app: AppId,
    pub meeting: MeetingId,
    pub session: SessionId,
    stopped: Stopped,
    /// Why it is to stop, once it is.
    pub why: Option<RecordingEnd>,
    /// The last event of the session's record that was read, while the session goes on elsewhere.
    read: u64,
}

/// What is made of it.
pub trait Work: Send {
    /// What there is to do beside hearing a recorder.
    type Errand: Send;

    /// What the next recorder is to do, in a folder that is there.
    ///
    /// # Errors
    /// What was asked for cannot be read.
    fn wanted(&mut self, course: &Course, job: told::Job) -> impl Future<Output = anyhow::Result<told::Job>> + Send;

    /// What recorders said before they were followed, as far as it is to be heard again at once.
    fn said_before(&self, process: &mut Process) -> Vec<Saying>;

    /// Waits for the next errand; may be dropped and asked again.
    fn errand(&mut self) -> impl Future<Output = Self::Errand> + Send;

    fn run(
        &mut self,
        course: &Course,
        errand: Self::Errand,
        process: &mut Process,
    ) -> impl Future<Output = Result<(), NodeStops>> + Send;

    /// What it said, from the recorder of this part; how it ended, if that is what it said.
    fn heard(
        &mut self,
        course: &Course,
        saying: Saying,
        process: &mut Process,
        part: u32,
    ) -> impl Future<Output = Result<Option<End>, NodeStops>> + Send;

    /// There is nothing more to come after `at`, for this reason if it is a failure.
    fn over(
        &mut self,
        course: &mut Course,
        error: Option<String>,
        at: Timestamp,
    ) -> impl Future<Output = Result<(), NodeStops>> + Send;
}

impl Course {
    pub fn new(
        desk: &Arc<Desk>,
        id: &RecordingId,
        (app, meeting, session): (&AppId, &MeetingId, &SessionId),
        stopped: Stopped,
    ) -> Self {
        let (app, meeting, session) = (app.clone(), meeting.clone(), session.clone());
        Self { desk: desk.clone(), id: id.clone(), app, meeting, session, stopped, why: None, read: 0 }
    }

    pub fn now(&self) -> Timestamp {
        self.desk.parts.clock.now()
    }

    pub fn node(&self) -> &str {
        self.desk.parts.hub.name()
    }

    pub fn folder(&self) -> PathBuf {
        self.desk.folder(&self.id)
    }

    /// Where the last of its recorders has its folder; of none, where nothing is.
    pub fn last_part(&self) -> PathBuf {
        let folder = self.folder();
        folder.join(keep::parts_of(&folder).to_string())
    }

    /// Sees to it until it is over, or the node stops.
    pub async fn take(&mut self, work: &mut impl Work, from: From) -> Result<(), NodeStops> {
        let desk = self.desk.clone();
        let folder = self.folder();
        let mut part = keep::parts_of(&folder);
        // It may have been told so before anybody listened.
        self.look_why().await;
        if self.why.is_some() && part == 0 {
            return work.over(self, None, desk.parts.clock.now()).await;
        }
        let _turn = match (from, part) {
            // It runs already, however many may by now.
            (From::Before, 1..) => desk.turns.try_acquire().ok(),
            _ => tokio::select! {
                biased;
                () = desk.parts.stop.cancelled() => return Err(NodeStops),
                why = stop_wanted(&mut self.stopped) => {
                    self.why = Some(why);
                    return work.over(self, None, desk.parts.clock.now()).await;
                }
                turn = desk.turns.acquire() => turn.ok(),
            },
        };
        let mut process = match (from, part) {
            (From::Before, 1..) => Ok(Process::found(&folder.join(part.to_string()))),
            _ => self.start(work, &mut part).await,
        };
        loop {
            let began = self.now();
            let end = match &mut process {
                Ok(process) => match self.follow(work, process, part).await {
                    Ok(end) => end,
                    Err(NodeStops) => {
                        // Its row is gone, or another node's: there is nobody whom it records for.
                        if !desk.parts.stop.is_cancelled() {
                            process.kill();
                        }
                        return Err(NodeStops);
                    }
                },
                Err(error) => Some(End::Failed { why: format!("the recorder cannot be started: {error:#}") }),
            };
            let now = self.now();
            match end {
                Some(End::Finished { at }) => return work.over(self, None, at).await,
                Some(End::Failed { why }) => return work.over(self, Some(why), now).await,
                None => {}
            }
            if let Ok(process) = &process {
                tracing::warn!(recording.id = %self.id, part, said = process.last_words(), "a recorder died");
                // What it has started is of no use without it.
                process.kill();
            }
            self.look_why().await;
            if self.why.is_some() {
                return work.over(self, None, now).await;
            }
            if !parts::again(part, began.0, now.0) {
                return work.over(self, Some("the recorder died more than once".to_owned()), now).await;
            }
            process = self.start(work, &mut part).await;
        }
    }

    /// Starts a process for the next part.
    async fn start(&self, work: &mut impl Work, part: &mut u32) -> anyhow::Result<Process> {
        *part += 1;
        let folder = self.folder().join(part.to_string());
        std::fs::create_dir_all(&folder)?;
        let settings = &self.desk.parts.settings;
        let job = told::Job {
            id: self.id.to_string(),
            server: settings.server.clone(),
            meeting_id: self.meeting.to_string(),
            token: (self.desk.parts.pass)(&self.app, &self.meeting, &self.id),
            // Its working folder is named by the system as it really is.
            folder: folder.canonicalize()?,
            name: "recording".to_owned(),
            kind: told::Kind::Composite,
            user_ids: None,
            video: None,
            audio: None,
            live: false,
            rtmp: None,
            ingest: None,
            ffmpeg: settings.ffmpeg.clone().unwrap_or_else(|| PathBuf::from("ffmpeg")),
        };
        Process::start(&settings.program, &work.wanted(self, job).await?)
    }

    /// Hears what a process says until it says no more; none if it died.
    async fn follow(&mut self, work: &mut impl Work, process: &mut Process, part: u32) -> Result<Option<End>, NodeStops> {
        let stop = self.desk.parts.stop.clone();
        let mut look = interval_at(tokio::time::Instant::now() + LOOK_EVERY, LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut patience = self.why.is_some().then(|| self.has_stop(process, part));
        for saying in work.said_before(process) {
            if let Some(end) = work.heard(self, saying, process, part).await? {
                return Ok(Some(end));
            }
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(NodeStops),
                why = stop_wanted(&mut self.stopped), if self.why.is_none() => {
                    self.why = Some(why);
                    patience = Some(self.has_stop(process, part));
                }
                errand = work.errand() => work.run(self, errand, process).await?,
                _ = look.tick(), if self.why.is_none() => {
                    self.look_why().await;
                    patience = self.why.is_some().then(|| self.has_stop(process, part));
                }
                () = sleep_until(patience.as_ref().map(|patience| patience.until)), if patience.is_some() => {
                    patience = patience.and_then(|patience| self.waits_on(patience, part));
                    if patience.is_none() {
                        tracing::warn!(recording.id = %self.id, "a recorder does not stop, and is ended");
                        process.kill();
                    }
                }
                heard = process.hear() => match heard {
                    Heard::Ended => return Ok(None),
                    Heard::Said(saying) => {
                        if let Some(end) = work.heard(self, saying, process, part).await? {
                            return Ok(Some(end));
                        }
                    }
                },
            }
        }
    }

    /// Tells a process to stop.
    fn has_stop(&self, process: &mut Process, part: u32) -> Patience {
        process.order(Order::Stop);
        let now = Instant::now();
        Patience { until: now + self.stops_within(), last: now + STOPS_AT_LAST, bytes: self.bytes(part) }
    }

    /// None if nothing came of it meanwhile, or it takes too long in any case.
    fn waits_on(&self, Patience { last, bytes, .. }: Patience, part: u32) -> Option<Patience> {
        let (now, there) = (Instant::now(), self.bytes(part));
        (there != bytes && now < last).then(|| Patience { until: now + self.stops_within(), last, bytes: there })
    }

    fn stops_within(&self) -> Duration {
        self.desk.parts.settings.stops_within
    }

    fn bytes(&self, part: u32) -> u64 {
        keep::bytes_made(&self.folder().join(part.to_string()))
    }

    /// Waits until it is told to stop.
    pub async fn is_told_to_stop(&mut self) {
        let why = stop_wanted(&mut self.stopped).await;
        self.why.get_or_insert(why);
    }

    /// Finds out whether it is to stop, and why.
    pub async fn look_why(&mut self) {
        let told = self.stopped.borrow().clone();
        if self.why.is_none() {
            self.why = match told {
                Some(why) => Some(why),
                None => self.is_to_stop().await,
            };
        }
    }

    /// Why it is to stop, if its session says so or is over.
    async fn is_to_stop(&mut self) -> Option<RecordingEnd> {
        let hub = &self.desk.parts.hub;
        let id = self.id.clone();
        if let Some(handle) = hub.find(self.meeting.as_str())
            && let Ok(found) = handle.call(move |session, _| session.recording(&id).cloned()).await
        {
            return match found.map(|found| found.state) {
                Some(RecordingState::Stopping { why, .. }) => Some(why),
                Some(_) => None,
                None => Some(RecordingEnd::SessionOver),
            };
        }
        // It may have yet to be gone on with, here or elsewhere.
        timeout(ANSWERS_WITHIN, self.is_to_stop_elsewhere()).await.ok()?.ok()?
    }

    /// The same by what is written down of its session.
    async fn is_to_stop_elsewhere(&mut self) -> salon_store::Result<Option<RecordingEnd>> {
        let store = &self.desk.parts.store;
        let row = store.live_session_of(&self.meeting).await?;
        if row.is_none_or(|row| row.summary.session != self.session) {
            return Ok(Some(RecordingEnd::SessionOver));
        }
        loop {
            let events = store.events(&self.session, self.read, EVENTS).await?;
            let Some(last) = events.last() else { return Ok(None) };
            let why = events.iter().find_map(|event| match &event.body {
                EventBody::RecordingStopping { recording, why } | EventBody::RecordingStopped { recording, why, .. } => {
                    (*recording == self.id).then(|| why.clone())
                }
                _ => None,
            });
            if why.is_some() {
                return Ok(why);
            }
            self.read = last.seq;
        }
    }

    /// Has the session know. It may be over, or elsewhere by now.
    pub async fn tell(&self, act: impl FnOnce(&mut Session, Timestamp) + Send + 'static) {
        if let Some(handle) = self.desk.parts.hub.find(self.meeting.as_str()) {
            let _ = handle.call(act).await;
        }
    }

    /// What comes of an edit of its row, however long the store is away.
    pub async fn edited<T, F>(&self, edit: impl Fn(Timestamp) -> F) -> Result<T, NodeStops>
    where
        F: Future<Output = salon_store::Result<T>>,
    {
        edited(&self.desk.parts, &self.id, edit).await
    }
}

/// What comes of an edit of the row of this id, however long the store is away.
pub async fn edited<T, F>(parts: &Parts, id: &RecordingId, edit: impl Fn(Timestamp) -> F) -> Result<T, NodeStops>
where
    F: Future<Output = salon_store::Result<T>>,
{
    loop {
        match edit(parts.clock.now()).await {
            Ok(row) => return Ok(row),
            // It was deleted behind our back: there is nothing to see to.
            Err(salon_store::Error::NotFound) => return Err(NodeStops),
            Err(error) => tracing::warn!(recording.id = %id, %error, "how a recording stands cannot be noted"),
        }
        let pause = tokio::time::sleep(STORE_AGAIN);
        parts.stop.run_until_cancelled(pause).await.ok_or(NodeStops)?;
    }
}

async fn stop_wanted(stopped: &mut Stopped) -> RecordingEnd {
    let why = stopped.wait_for(Option::is_some).await.map(|why| why.clone());
    match why {
        Ok(why) => why.unwrap_or(RecordingEnd::Failed),
        // Nobody can say so any more.
        Err(_) => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
