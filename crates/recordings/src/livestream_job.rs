//! One livestream from start to end: its turn, its process, its session, its row, and what can be watched of it.
//! Invariant: people are told that it is live when it can be watched, and after the row says so; they are told in any case how
//! it ended. What was said before a restart of the server is heard again after it, and changes nothing twice.
//! Next: `streams.rs`, what can be watched; `job.rs`, how recordings go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_core::event::RecordingEnd;
use salon_core::notice::LivestreamStatus;
use salon_core::record::RecordingState;
use salon_core::{Session, Timestamp};
use salon_recorder::job as told;
use salon_recorder::job::{Order, Saying};
use salon_store::Livestream;

use crate::desk::Desk;
use crate::job::{From, Stopped, sleep_until, stop_wanted};
use crate::process::{Heard, Process};
use crate::segments::Segment;
use crate::streams::{Stream, Streams};
use crate::{keep, parts};

/// How often it is looked how many watch, and noted what was watched.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the store is waited for before it is asked anew.
const STORE_AGAIN: Duration = Duration::from_secs(1);

/// The node stops, or there is nothing more to see to: what runs runs on, and is found again.
struct NodeStops;

struct Job {
    desk: Arc<Desk>,
    livestream: Livestream,
    stream: Arc<Stream>,
    stopped: Stopped,
    /// Why it is to stop, once it is.
    why: Option<RecordingEnd>,
    /// How many people were told to watch.
    viewers: u64,
}

/// How a process came to its end.
enum End {
    Finished,
    Failed(String),
    Died,
}

/// Where a livestream has its folder.
pub fn folder(desk: &Desk, livestream: &Livestream) -> PathBuf {
    desk.parts.settings.folder.join(livestream.id.as_str())
}

/// Opens one, with what the first so many of its recorders made.
pub fn open(desk: &Desk, streams: &Streams, livestream: &Livestream, parts: u32) -> Arc<Stream> {
    let folder = folder(desk, livestream);
    let stream = streams.open(&livestream.secret, &folder, desk.parts.settings.dvr_ms, livestream.viewer_ms);
    for part in 1..=parts {
        for saying in Process::found(&folder.join(part.to_string())).said_so_far() {
            segment(saying, part).into_iter().for_each(|segment| stream.push(segment));
        }
    }
    stream
}

/// Sees to a livestream until it is over, or the node stops.
pub async fn run(desk: &Arc<Desk>, streams: &Streams, livestream: Livestream, from: From, stopped: Stopped) {
    let parts = keep::parts_of(&folder(desk, &livestream));
    // What the last of them said is heard when it is followed.
    let stream = open(desk, streams, &livestream, parts.saturating_sub(1));
    let mut job = Job { desk: desk.clone(), livestream, stream, stopped, why: None, viewers: 0 };
    if job.go_on(from, parts).await.is_ok() && !job.livestream.is_kept {
        streams.close(&job.livestream.secret);
    }
}

fn segment(saying: Saying, part: u32) -> Option<Segment> {
    let Saying::Segment { name, head, codecs, at_ms, ms } = saying else { return None };
    Some(Segment { part, name, head, codecs, at_ms: i64::try_from(at_ms).unwrap_or(i64::MAX), ms })
}

impl Job {
    async fn go_on(&mut self, from: From, mut part: u32) -> Result<(), NodeStops> {
        let desk = self.desk.clone();
        // It may have been told so before anybody listened.
        self.look_why().await;
        if self.why.is_some() && part == 0 {
            return self.over(None).await;
        }
        let _turn = match (from, part) {
            // It runs already, however many may by now.
            (From::Before, 1..) => desk.turns.try_acquire().ok(),
            _ => tokio::select! {
                biased;
                () = desk.parts.stop.cancelled() => return Err(NodeStops),
                why = stop_wanted(&mut self.stopped) => {
                    self.why = Some(why);
                    return self.over(None).await;
                }
                turn = desk.turns.acquire() => turn.ok(),
            },
        };
        let mut process = match (from, part) {
            (From::Before, 1..) => Ok(Process::found(&folder(&desk, &self.livestream).join(part.to_string()))),
            _ => self.start(&mut part),
        };
        loop {
            let began = desk.parts.clock.now();
            let end = match &mut process {
                Ok(process) => self.follow(process, part).await?,
                Err(error) => End::Failed(format!("the recorder cannot be started: {error:#}")),
            };
            match end {
                End::Finished => return self.over(None).await,
                End::Failed(why) => return self.over(Some(why)).await,
                End::Died => {}
            }
            if let Ok(process) = &process {
                tracing::warn!(livestream.id = %self.livestream.id, part, said = process.last_words(), "a recorder died");
                // What it has started is of no use without it.
                process.kill();
            }
            self.look_why().await;
            if self.why.is_some() {
                return self.over(None).await;
            }
            if !parts::again(part, began.0, desk.parts.clock.now().0) {
                return self.over(Some("the recorder died more than once".to_owned())).await;
            }
            process = self.start(&mut part);
        }
    }

    /// Starts a process for the next part.
    fn start(&self, part: &mut u32) -> anyhow::Result<Process> {
        *part += 1;
        let folder = folder(&self.desk, &self.livestream).join(part.to_string());
        std::fs::create_dir_all(&folder)?;
        // Its working folder is named by the system as it really is.
        let folder = folder.canonicalize()?;
        let (settings, livestream) = (&self.desk.parts.settings, &self.livestream);
        let job = told::Job {
            id: livestream.id.to_string(),
            server: settings.server.clone(),
            meeting_id: livestream.meeting.to_string(),
            token: (self.desk.parts.pass)(&livestream.app, &livestream.meeting, &livestream.id),
            folder,
            name: "live".to_owned(),
            kind: told::Kind::Composite,
            user_ids: None,
            video: Some(serde_json::from_value(livestream.config["video"].clone())?),
            audio: None,
            live: true,
            ffmpeg: settings.ffmpeg.clone().unwrap_or_else(|| PathBuf::from("ffmpeg")),
        };
        Process::start(&settings.program, &job)
    }

    /// Hears what a process says until it says no more.
    async fn follow(&mut self, process: &mut Process, part: u32) -> Result<End, NodeStops> {
        let stop = self.desk.parts.stop.clone();
        let mut look = tokio::time::interval(LOOK_EVERY);
        let (mut until, mut is_told) = (None, false);
        if self.why.is_some() {
            process.order(Order::Stop);
            until = Some(Instant::now() + self.desk.parts.settings.stops_within);
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
                () = sleep_until(until), if until.is_some() => {
                    tracing::warn!(livestream.id = %self.livestream.id, "a recorder does not stop, and is ended");
                    process.kill();
                    until = None;
                }
                _ = look.tick() => self.look().await?,
                heard = process.hear() => match heard {
                    Heard::Ended => return Ok(End::Died),
                    Heard::Said(Saying::Finished { .. }) => return Ok(End::Finished),
                    Heard::Said(Saying::Failed { why }) => return Ok(End::Failed(why)),
                    Heard::Said(saying) => {
                        segment(saying, part).into_iter().for_each(|segment| self.stream.push(segment));
                        if !is_told && self.stream.count() > 0 {
                            is_told = true;
                            self.live().await?;
                        }
                    }
                },
            }
        }
    }

    /// It can be watched.
    async fn live(&mut self) -> Result<(), NodeStops> {
        let (first, now) = (self.stream.first_at(), self.desk.parts.clock.now());
        self.edit(move |livestream| {
            if livestream.status == LivestreamStatus::Invoked {
                livestream.status = LivestreamStatus::Live;
                livestream.started_at = first.map(|at| Timestamp(at).min(now).max(livestream.created_at));
            }
        })
        .await?;
        let (id, url) = (self.livestream.id.clone(), self.livestream.playback_url());
        self.tell(move |session, now| session.livestream_began(now, &id, &url)).await;
        Ok(())
    }

    /// Tells how many watch, and notes what was watched.
    async fn look(&mut self) -> Result<(), NodeStops> {
        let viewers = self.stream.viewers(self.desk.parts.clock.now().0);
        if viewers != self.viewers && self.livestream.status == LivestreamStatus::Live {
            self.viewers = viewers;
            let id = self.livestream.id.clone();
            self.tell(move |session, now| session.livestream_watched(now, &id, viewers)).await;
        }
        let (ingest_ms, viewer_ms) = self.stream.sums();
        if (ingest_ms, viewer_ms) > (self.livestream.ingest_ms, self.livestream.viewer_ms) {
            self.edit(|livestream| sums(livestream, ingest_ms, viewer_ms)).await?;
        }
        Ok(())
    }

    /// There is nothing more to come.
    async fn over(&mut self, error: Option<String>) -> Result<(), NodeStops> {
        self.look_why().await;
        // One that somebody stopped before it began came to nothing, and that is no failure.
        let asked = matches!(self.why, Some(RecordingEnd::Asked(_) | RecordingEnd::SessionOver | RecordingEnd::TimeIsUp));
        let why = self.why.clone().unwrap_or(RecordingEnd::Failed);
        let error = match error {
            None if !asked && self.stream.count() == 0 => Some("it did not begin in time".to_owned()),
            error => error.filter(|_| !asked),
        };
        self.stream.end();
        let (now, (ingest_ms, viewer_ms)) = (self.desk.parts.clock.now(), self.stream.sums());
        let (is_kept, kept_ms, shown) = (self.stream.count() > 0, self.desk.parts.settings.kept_ms, error.clone());
        self.edit(move |livestream| {
            sums(livestream, ingest_ms, viewer_ms);
            livestream.status = if shown.is_some() { LivestreamStatus::Errored } else { LivestreamStatus::Idle };
            livestream.stopped_at = livestream.started_at.map(|_| now);
            livestream.stopped_by = Some(why.clone());
            livestream.error.clone_from(&shown);
            (livestream.is_kept, livestream.expires_at) = (is_kept, is_kept.then(|| now.plus_ms(kept_ms)));
        })
        .await?;
        if let Some(error) = &error {
            tracing::warn!(livestream.id = %self.livestream.id, error, "a livestream failed");
        }
        let id = self.livestream.id.clone();
        self.tell(move |session, now| session.recording_ended(now, &id, error.as_deref())).await;
        if !is_kept {
            keep::clear(&folder(&self.desk, &self.livestream)).await;
        }
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
        let id = self.livestream.id.clone();
        if let Some(handle) = hub.find(self.livestream.meeting.as_str())
            && let Ok(found) = handle.call(move |session, _| session.recording(&id).cloned()).await
        {
            return match found.map(|found| found.state) {
                Some(RecordingState::Stopping { why, .. }) => Some(why),
                Some(_) => None,
                None => Some(RecordingEnd::SessionOver),
            };
        }
        // It may have yet to be gone on with.
        match store.live_session_of(&self.livestream.meeting).await {
            Ok(row) if row.as_ref().is_none_or(|row| row.summary.session != self.livestream.session) => {
                Some(RecordingEnd::SessionOver)
            }
            _ => None,
        }
    }

    /// Has the session know. It may be over, or elsewhere by now.
    async fn tell(&self, act: impl FnOnce(&mut Session, Timestamp) + Send + 'static) {
        if let Some(handle) = self.desk.parts.hub.find(self.livestream.meeting.as_str()) {
            let _ = handle.call(act).await;
        }
    }

    /// Changes the row, however long the store is away.
    async fn edit(&mut self, change: impl Fn(&mut Livestream)) -> Result<(), NodeStops> {
        let parts = &self.desk.parts;
        loop {
            match parts.store.edit_livestream(&self.livestream.id, parts.clock.now(), &change).await {
                Ok(livestream) => {
                    self.livestream = livestream;
                    return Ok(());
                }
                // It was deleted behind our back: there is nothing to see to.
                Err(salon_store::Error::NotFound) => return Err(NodeStops),
                Err(error) => tracing::warn!(livestream.id = %self.livestream.id, %error, "a livestream cannot be noted"),
            }
            parts.stop.run_until_cancelled(tokio::time::sleep(STORE_AGAIN)).await.ok_or(NodeStops)?;
        }
    }
}

/// What could be watched and what was: never less than was told.
fn sums(livestream: &mut Livestream, ingest_ms: u64, viewer_ms: u64) {
    livestream.ingest_ms = livestream.ingest_ms.max(ingest_ms);
    livestream.viewer_ms = livestream.viewer_ms.max(viewer_ms);
}
