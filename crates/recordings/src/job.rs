//! One recording from start to end: its turn, its process, its session, its row; then its files.
//! Invariant: a row is never ahead of what was recorded, and people are told after the row is written. What was said before
//! a restart of the server is heard again after it, and changes nothing twice.
//! Next: `keep.rs`, where the files go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_core::event::{RecordingEnd, RecordingKind};
use salon_core::notice::RecordingStatus;
use salon_core::record::RecordingState;
use salon_core::{Session, Timestamp};
use salon_recorder::job as told;
use salon_recorder::job::{Order, Saying};
use salon_store::Recording;
use tokio::sync::{mpsc, oneshot, watch};

use crate::desk::{Desk, Wish};
use crate::process::{Heard, Process};
use crate::{keep, parts};

/// How long whoever wants a recording paused waits for it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Orders that a recorder may leave unanswered.
const UNANSWERED: usize = 64;

/// How long the store is waited for before it is asked anew.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// Where a job begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// Nothing was done yet.
    Start,
    /// An earlier run of this node had it.
    Before,
}

type Wishes = mpsc::Receiver<(Wish, oneshot::Sender<()>)>;
pub type Stopped = watch::Receiver<Option<RecordingEnd>>;

/// The node stops, or there is nothing more to see to: what runs runs on, and is found again.
struct NodeStops;

struct Job {
    desk: Arc<Desk>,
    recording: Recording,
    wished: Wishes,
    stopped: Stopped,
    /// Why it is to stop, once it is.
    why: Option<RecordingEnd>,
    /// Who waits to hear that it has paused, or goes on.
    waiting: Vec<(Wish, oneshot::Sender<()>)>,
}

/// How a process came to its end.
enum End {
    Finished { at: Timestamp },
    Failed { why: String },
    Died,
}

/// Sees to a recording until its files are where they belong, or the node stops.
pub async fn run(desk: &Arc<Desk>, recording: Recording, (from, is_active): (From, bool), wished: Wishes, stopped: Stopped) {
    let (desk, waiting) = (desk.clone(), Vec::new());
    let mut job = Job { desk, recording, wished, stopped, why: None, waiting };
    let recorded = if is_active { job.record(from).await } else { Ok(()) };
    if recorded.is_ok() && job.recording.status == RecordingStatus::Uploading {
        let _ = job.keep().await;
    }
}

impl Job {
    async fn record(&mut self, from: From) -> Result<(), NodeStops> {
        let desk = self.desk.clone();
        let folder = self.folder();
        let mut part = keep::parts_of(&folder);
        // It may have been told so before anybody listened.
        self.look_why().await;
        if self.why.is_some() && part == 0 {
            return self.over(None, desk.parts.clock.now()).await;
        }
        let _turn = match (from, part) {
            // It runs already, however many may by now.
            (From::Before, 1..) => desk.turns.try_acquire().ok(),
            _ => tokio::select! {
                biased;
                () = desk.parts.stop.cancelled() => return Err(NodeStops),
                why = stop_wanted(&mut self.stopped) => {
                    self.why = Some(why);
                    return self.over(None, desk.parts.clock.now()).await;
                }
                turn = desk.turns.acquire() => turn.ok(),
            },
        };
        let mut process = match (from, part) {
            (From::Before, 1..) => Ok(Process::found(&folder.join(part.to_string()))),
            _ => self.start(&mut part),
        };
        loop {
            let began = desk.parts.clock.now();
            let end = match &mut process {
                Ok(process) => self.follow(process, part).await?,
                Err(error) => End::Failed { why: format!("the recorder cannot be started: {error:#}") },
            };
            let now = desk.parts.clock.now();
            let at = match end {
                End::Finished { at } => return self.over(None, at).await,
                End::Failed { why } => return self.over(Some(why), now).await,
                End::Died => now,
            };
            let id = &self.recording.id;
            if let Ok(process) = &process {
                tracing::warn!(recording.id = %id, part, said = process.last_words(), "a recorder died");
                // What it has started is of no use without it.
                process.kill();
            }
            self.look_why().await;
            if self.why.is_some() {
                return self.over(None, at).await;
            }
            if !parts::again(part, began.0, at.0) {
                return self.over(Some("the recorder died more than once".to_owned()), at).await;
            }
            process = self.start(&mut part);
        }
    }

    /// Starts a process for the next part.
    fn start(&self, part: &mut u32) -> anyhow::Result<Process> {
        *part += 1;
        let folder = self.folder().join(part.to_string());
        std::fs::create_dir_all(&folder)?;
        // Its working folder is named by the system as it really is.
        let folder = folder.canonicalize()?;
        let settings = &self.desk.parts.settings;
        let config = &self.recording.config;
        let read = |name: &str| config.get(name).filter(|value| !value.is_null()).cloned();
        let job = told::Job {
            id: self.recording.id.to_string(),
            server: settings.server.clone(),
            meeting_id: self.recording.meeting.to_string(),
            token: (self.desk.parts.pass)(&self.recording.app, &self.recording.meeting, &self.recording.id),
            folder,
            name: config["name"].as_str().unwrap_or("recording").to_owned(),
            kind: match self.recording.kind {
                RecordingKind::Composite | RecordingKind::Livestream => told::Kind::Composite,
                RecordingKind::Track => told::Kind::Track,
            },
            user_ids: read("user_ids").map(serde_json::from_value).transpose()?,
            video: read("video").map(serde_json::from_value).transpose()?,
            audio: read("audio").map(serde_json::from_value).transpose()?,
            live: false,
            ffmpeg: settings.ffmpeg.clone().unwrap_or_else(|| PathBuf::from("ffmpeg")),
        };
        Process::start(&settings.program, &job)
    }

    /// Hears what a process says until it says no more.
    async fn follow(&mut self, process: &mut Process, part: u32) -> Result<End, NodeStops> {
        let stop = self.desk.parts.stop.clone();
        let mut until = None;
        if self.why.is_some() {
            process.order(Order::Stop);
            until = Some(Instant::now() + self.desk.parts.settings.stops_within);
        }
        for saying in process.heard_so_far() {
            if let Some(end) = self.heard(saying, process, part).await? {
                return Ok(end);
            }
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(NodeStops),
                why = stop_wanted(&mut self.stopped), if self.why.is_none() => {
                    self.why = Some(why);
                    process.order(Order::Stop);
                    until = Some(Instant::now() + self.desk.parts.settings.stops_within);
                }
                // One that does not answer is told no more.
                Some((wish, done)) = self.wished.recv(), if self.waiting.len() < UNANSWERED => {
                    process.order(match wish {
                        Wish::Pause => Order::Pause,
                        Wish::Resume => Order::Resume,
                    });
                    self.waiting.push((wish, done));
                }
                () = sleep_until(until), if until.is_some() => {
                    tracing::warn!(recording.id = %self.recording.id, "a recorder does not stop, and is ended");
                    process.kill();
                    until = None;
                }
                heard = process.hear() => match heard {
                    Heard::Ended => return Ok(End::Died),
                    Heard::Said(saying) => {
                        if let Some(end) = self.heard(saying, process, part).await? {
                            return Ok(end);
                        }
                    }
                },
            }
        }
    }

    async fn heard(&mut self, saying: Saying, process: &mut Process, part: u32) -> Result<Option<End>, NodeStops> {
        let id = self.recording.id.clone();
        match saying {
            Saying::Began { at_ms } => {
                let at = self.moment(at_ms);
                let was_paused = self.recording.status == RecordingStatus::Paused;
                self.edit(move |recording| {
                    if recording.status == RecordingStatus::Invoked {
                        recording.status = RecordingStatus::Recording;
                        recording.started_at = Some(at);
                    }
                })
                .await?;
                self.tell(move |session, now| session.recording_began(now, &id)).await;
                if part > 1 && was_paused {
                    process.order(Order::Pause);
                }
            }
            Saying::Paused { at_ms } => self.paused(true, at_ms).await?,
            Saying::Resumed { at_ms } => self.paused(false, at_ms).await?,
            Saying::Progress { .. } | Saying::Segment { .. } => {}
            Saying::Finished { at_ms, .. } => return Ok(Some(End::Finished { at: self.moment(at_ms) })),
            Saying::Failed { why } => return Ok(Some(End::Failed { why })),
        }
        Ok(None)
    }

    async fn paused(&mut self, paused: bool, at_ms: u64) -> Result<(), NodeStops> {
        let (id, at) = (self.recording.id.clone(), self.moment(at_ms));
        self.edit(move |recording| recording.pause(paused, at)).await?;
        self.tell(move |session, now| session.recording_paused(now, &id, paused)).await;
        let heard = if paused { Wish::Pause } else { Wish::Resume };
        for (_, done) in self.waiting.extract_if(.., |(wish, _)| *wish == heard) {
            let _ = done.send(());
        }
        Ok(())
    }

    /// Its last moment is recorded, at `at`, or it failed: people are told, and its files are looked at.
    async fn over(&mut self, error: Option<String>, at: Timestamp) -> Result<(), NodeStops> {
        self.look_why().await;
        let why = self.why.clone().unwrap_or(RecordingEnd::Failed);
        let (folder, now) = (self.folder(), self.desk.parts.clock.now());
        let found = tokio::task::spawn_blocking(move || keep::collect(&folder)).await.unwrap_or_default();
        let files: Vec<_> = found.iter().map(|found| found.file.clone()).collect();
        let error = match (error, files.is_empty()) {
            (None, true) if why == RecordingEnd::Failed => Some("it did not begin in time".to_owned()),
            (None, true) => Some("nothing was recorded".to_owned()),
            (error, _) => error,
        };
        let (failed, shown) = (files.is_empty(), error.clone());
        self.edit(move |recording| {
            recording.stop(why.clone(), at.max(recording.invoked_at).min(now.max(at)));
            recording.files.clone_from(&files);
            recording.error.clone_from(&shown);
            if failed {
                (recording.status, recording.storage) = (RecordingStatus::Errored, None);
            }
        })
        .await?;
        // One that somebody stopped before it began came to nothing, and that is no failure.
        let asked = matches!(self.why, Some(RecordingEnd::Asked(_) | RecordingEnd::SessionOver));
        let (id, error) = (self.recording.id.clone(), error.filter(|_| !asked));
        if let Some(error) = &error {
            tracing::warn!(recording.id = %id, error, "a recording failed");
        }
        self.tell(move |session, now| session.recording_ended(now, &id, error.as_deref())).await;
        if failed {
            keep::clear(&self.folder()).await;
        }
        Ok(())
    }

    async fn keep(&mut self) -> Result<(), NodeStops> {
        let parts = &self.desk.parts;
        let kept = parts.stop.run_until_cancelled(keep::keep(parts, &self.recording, &self.folder())).await;
        let kept = kept.ok_or(NodeStops)?;
        self.edit(move |recording| kept.note(recording)).await?;
        keep::clear(&self.folder()).await;
        Ok(())
    }

    /// Finds out whether it is to stop, and why.
    async fn look_why(&mut self) {
        let told = self.stopped.borrow().clone();
        if self.why.is_none() {
            self.why = match told {
                Some(why) => Some(why),
                None => self.is_to_stop().await,
            };
        }
    }

    /// Why it is to stop, if its session says so or is over.
    async fn is_to_stop(&self) -> Option<RecordingEnd> {
        let (hub, store) = (&self.desk.parts.hub, &self.desk.parts.store);
        let id = self.recording.id.clone();
        if let Some(handle) = hub.find(self.recording.meeting.as_str())
            && let Ok(found) = handle.call(move |session, _| session.recording(&id).cloned()).await
        {
            return match found.map(|found| found.state) {
                Some(RecordingState::Stopping { why, .. }) => Some(why),
                Some(_) => None,
                None => Some(RecordingEnd::SessionOver),
            };
        }
        // It may have yet to be gone on with.
        match store.live_session_of(&self.recording.meeting).await {
            Ok(row) if row.as_ref().is_none_or(|row| row.summary.session != self.recording.session) => {
                Some(RecordingEnd::SessionOver)
            }
            _ => None,
        }
    }

    /// Has the session know. It may be over, or elsewhere by now.
    async fn tell(&self, act: impl FnOnce(&mut Session, Timestamp) + Send + 'static) {
        if let Some(handle) = self.desk.parts.hub.find(self.recording.meeting.as_str()) {
            let _ = handle.call(act).await;
        }
    }

    /// Changes the row, however long the store is away.
    async fn edit(&mut self, change: impl Fn(&mut Recording)) -> Result<(), NodeStops> {
        let parts = &self.desk.parts;
        loop {
            match parts.store.edit_recording(&self.recording.id, parts.clock.now(), &change).await {
                Ok(recording) => {
                    self.recording = recording;
                    return Ok(());
                }
                // It was deleted behind our back: there is nothing to see to.
                Err(salon_store::Error::NotFound) => return Err(NodeStops),
                Err(error) => tracing::warn!(recording.id = %self.recording.id, %error, "a recording cannot be noted"),
            }
            parts.stop.run_until_cancelled(tokio::time::sleep(STORE_AGAIN)).await.ok_or(NodeStops)?;
        }
    }

    /// A moment as the recorder tells it, which has the same clock but may be set otherwise.
    fn moment(&self, at_ms: u64) -> Timestamp {
        let now = self.desk.parts.clock.now();
        Timestamp(i64::try_from(at_ms).unwrap_or(i64::MAX)).min(now).max(self.recording.invoked_at)
    }

    fn folder(&self) -> PathBuf {
        self.desk.parts.settings.folder.join(self.recording.id.as_str())
    }
}

pub async fn stop_wanted(stopped: &mut Stopped) -> RecordingEnd {
    let why = stopped.wait_for(Option::is_some).await.map(|why| why.clone());
    match why {
        Ok(why) => why.unwrap_or(RecordingEnd::Failed),
        // Nobody can say so any more.
        Err(_) => std::future::pending().await,
    }
}

pub async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
