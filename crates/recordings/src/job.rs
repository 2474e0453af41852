//! One recording from start to end: its turn, its process, its session, its row; then its files.
//! Invariant: a row is never ahead of what was recorded, and people are told after the row is written. What was said before
//! a restart of the server is heard again after it, and changes nothing twice.
//! Next: `keep.rs`, where the files go.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use salon_core::Timestamp;
use salon_core::event::{RecordingEnd, RecordingKind};
use salon_core::notice::RecordingStatus;
use salon_recorder::job as told;
use salon_recorder::job::{Order, Saying};
use salon_store::Recording;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::course::{Course, End, From, NodeStops, Stopped, Work};
use crate::desk::{Desk, Wish};
use crate::left::heard;
use crate::process::Process;
use crate::{keep, reasons};

/// How long whoever wants a recording paused waits for it.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Orders that a recorder may leave unanswered: one that does not answer is told no more.
const UNANSWERED: usize = 64;

/// The name of a watermark in a job's folder, and its size at most.
const MARK: &str = "watermark";
const MARK_BYTES: usize = 4 << 20;

/// What somebody wants, and whom to tell that it has come about.
type Asked = (Wish, oneshot::Sender<()>);

struct Job {
    recording: Recording,
    wished: mpsc::Receiver<Asked>,
    waiting: Vec<Asked>,
}

/// Sees to a recording until its files are where they belong, or the node stops.
pub async fn run(
    desk: &Arc<Desk>,
    recording: Recording,
    (from, is_active): (From, bool),
    wished: mpsc::Receiver<Asked>,
    stopped: Stopped,
) {
    let Recording { id, app, meeting, session, .. } = &recording;
    let mut course = Course::new(desk, id, (app, meeting, session), stopped);
    // Its node was given up meanwhile, and its recorder goes on.
    let is_active = is_active || Process::found(&course.last_part()).runs();
    let mut job = Job { recording, wished, waiting: Vec::new() };
    let recorded = if is_active { course.take(&mut job, from).await } else { Ok(()) };
    if recorded.is_ok() && job.recording.status == RecordingStatus::Uploading {
        let _ = job.keep(&course).await;
    }
}

/// An image of a kind that recorders read, by how it begins.
fn image(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    const KINDS: [&[u8]; 4] = [b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF", b"GIF8"];
    match KINDS.iter().any(|begins| bytes.starts_with(begins)) {
        true => Ok(bytes),
        false => Err("it is no PNG, JPEG, WebP or GIF".to_owned()),
    }
}

impl Work for Job {
    type Errand = Asked;

    async fn wanted(&mut self, course: &Course, job: told::Job) -> anyhow::Result<told::Job> {
        let watermark = self.watermark(course, &job.folder).await?;
        let config = &self.recording.config;
        let read = |name: &str| config.get(name).filter(|value| !value.is_null()).cloned();
        let mut video = read("video");
        if let Some(video) = video.as_mut().and_then(Value::as_object_mut) {
            video.insert("watermark".to_owned(), watermark);
        }
        Ok(told::Job {
            name: config["name"].as_str().unwrap_or("recording").to_owned(),
            kind: match self.recording.kind {
                RecordingKind::Composite | RecordingKind::Livestream => told::Kind::Composite,
                RecordingKind::Track => told::Kind::Track,
            },
            user_ids: read("user_ids").map(serde_json::from_value).transpose()?,
            video: video.map(serde_json::from_value).transpose()?,
            audio: read("audio").map(serde_json::from_value).transpose()?,
            rtmp: self.recording.rtmp_url().map(|url| course.desk.receiver(url)),
            ..job
        })
    }

    fn said_before(&self, process: &mut Process) -> Vec<Saying> {
        process.heard_so_far()
    }

    async fn errand(&mut self) -> Asked {
        if self.waiting.len() < UNANSWERED
            && let Some(asked) = self.wished.recv().await
        {
            return asked;
        }
        std::future::pending().await
    }

    async fn run(&mut self, _course: &Course, (wish, done): Asked, process: &mut Process) -> Result<(), NodeStops> {
        process.order(match wish {
            Wish::Pause => Order::Pause,
            Wish::Resume => Order::Resume,
        });
        self.waiting.push((wish, done));
        Ok(())
    }

    async fn heard(
        &mut self,
        course: &Course,
        saying: Saying,
        process: &mut Process,
        _part: u32,
    ) -> Result<Option<End>, NodeStops> {
        let id = self.recording.id.clone();
        match saying {
            Saying::Began { at_ms } => {
                let at = self.moment(course, at_ms);
                let was_paused = self.recording.status == RecordingStatus::Paused;
                self.edit(course, move |recording| {
                    if recording.status == RecordingStatus::Invoked {
                        recording.status = RecordingStatus::Recording;
                        recording.started_at = Some(at);
                    }
                })
                .await?;
                course.tell(move |session, now| session.recording_began(now, &id)).await;
                if was_paused {
                    process.order(Order::Pause);
                }
            }
            Saying::Paused { at_ms } => self.paused(course, true, at_ms).await?,
            Saying::Resumed { at_ms } => self.paused(course, false, at_ms).await?,
            Saying::Streamed { why } => {
                if let Some(why) = &why {
                    tracing::warn!(recording.id = %id, why, "a recording is not streamed to its RTMP address");
                }
                self.edit(course, move |recording| reasons::note_streamed(&mut recording.error, why.as_deref())).await?;
            }
            Saying::Unshown { why } => {
                tracing::warn!(recording.id = %id, why, "a recording does not show everything");
                self.edit(course, move |recording| reasons::add(&mut recording.error, &why)).await?;
            }
            Saying::Progress { .. } | Saying::Segment { .. } => {}
            Saying::Finished { at_ms, .. } => return Ok(Some(End::Finished { at: self.moment(course, at_ms) })),
            Saying::Failed { why } => return Ok(Some(End::Failed { why })),
        }
        Ok(None)
    }

    async fn over(&mut self, course: &mut Course, error: Option<String>, at: Timestamp) -> Result<(), NodeStops> {
        course.look_why().await;
        let why = course.why.clone().unwrap_or(RecordingEnd::Failed);
        let (folder, now) = (course.folder(), course.now());
        let found = tokio::task::spawn_blocking(move || (keep::collect(&folder), keep::recorded_ms(&folder)));
        let (found, recorded_ms) = found.await.unwrap_or_default();
        let files: Vec<_> = found.iter().map(|found| found.file.clone()).collect();
        // Where there were to be no files, there are none to miss.
        let is_done = self.recording.is_only_streamed() && self.recording.started_at.is_some() && error.is_none();
        let has_nothing = files.is_empty() && !is_done;
        let error = match (error, has_nothing) {
            (None, true) if why == RecordingEnd::Failed => Some("it did not begin in time".to_owned()),
            (None, true) => Some("nothing was recorded".to_owned()),
            (error, _) => error,
        };
        let (failed, shown) = (has_nothing, error.clone());
        self.edit(course, move |recording| {
            recording.stop(why.clone(), at.max(recording.invoked_at).min(now.max(at)));
            recording.leave_out(recorded_ms);
            recording.files.clone_from(&files);
            shown.iter().for_each(|why| reasons::add(&mut recording.error, why));
            recording.forget_rtmp_url();
            if failed {
                (recording.status, recording.storage) = (RecordingStatus::Errored, None);
            }
        })
        .await?;
        // One that somebody stopped before it began came to nothing, and that is no failure.
        let asked = matches!(course.why, Some(RecordingEnd::Asked(_) | RecordingEnd::SessionOver));
        let (id, error) = (self.recording.id.clone(), error.filter(|_| !asked));
        if let Some(error) = &error {
            tracing::warn!(recording.id = %id, error, "a recording failed");
        }
        course.tell(move |session, now| session.recording_ended(now, &id, error.as_deref())).await;
        if failed {
            keep::clear(&course.folder()).await;
        }
        Ok(())
    }
}

impl Job {
    /// The watermark, which lies in the folder of the part then; null if there is to be none, or it cannot be had: that is told,
    /// and the meeting is recorded without.
    async fn watermark(&mut self, course: &Course, part: &Path) -> anyhow::Result<Value> {
        let Some(asked) = self.recording.config["video"]["watermark"].as_object().cloned() else { return Ok(Value::Null) };
        let (kept, there) = (course.folder().join(MARK), part.join(MARK));
        if !kept.exists() {
            let url = asked["url"].as_str().unwrap_or_default().to_owned();
            match (course.desk.parts.fetch)(url, MARK_BYTES).await.and_then(image) {
                Ok(image) => std::fs::write(&kept, image)?,
                Err(why) => {
                    tracing::warn!(recording.id = %course.id, why, "a watermark cannot be fetched");
                    let without = format!("recorded without its watermark: {why}");
                    let noted = self.edit(course, |recording| reasons::add(&mut recording.error, &without)).await;
                    anyhow::ensure!(noted.is_ok(), "it is gone");
                    return Ok(Value::Null);
                }
            }
        }
        std::fs::copy(kept, there)?;
        Ok(json!({
            "file": MARK, "position": asked["position"], "width": asked["width"], "height": asked["height"],
        }))
    }

    async fn paused(&mut self, course: &Course, paused: bool, at_ms: u64) -> Result<(), NodeStops> {
        let (id, at) = (self.recording.id.clone(), self.moment(course, at_ms));
        self.edit(course, move |recording| recording.pause(paused, at)).await?;
        course.tell(move |session, now| session.recording_paused(now, &id, paused)).await;
        let heard = if paused { Wish::Pause } else { Wish::Resume };
        for (_, done) in self.waiting.extract_if(.., |(wish, _)| *wish == heard) {
            let _ = done.send(());
        }
        Ok(())
    }

    async fn keep(&mut self, course: &Course) -> Result<(), NodeStops> {
        let parts = &course.desk.parts;
        let kept = parts.stop.run_until_cancelled(keep::keep(parts, &self.recording, &course.folder())).await;
        let kept = kept.ok_or(NodeStops)?;
        heard(&parts.store, &self.recording).await;
        self.edit(course, move |recording| kept.note(recording)).await?;
        keep::clear(&course.folder()).await;
        Ok(())
    }

    /// Changes the row.
    async fn edit(&mut self, course: &Course, change: impl Fn(&mut Recording)) -> Result<(), NodeStops> {
        let (store, id) = (&course.desk.parts.store, &course.id);
        // What another node has by now is its to change.
        let change = |recording: &mut Recording| {
            if recording.node == course.node() {
                change(recording);
            }
        };
        self.recording = course.edited(|now| store.edit_recording(id, now, change)).await?;
        if self.recording.node == course.node() { Ok(()) } else { Err(NodeStops) }
    }

    /// A moment as the recorder tells it, which has the same clock but may be set otherwise.
    fn moment(&self, course: &Course, at_ms: u64) -> Timestamp {
        Timestamp(i64::try_from(at_ms).unwrap_or(i64::MAX)).min(course.now()).max(self.recording.invoked_at)
    }
}
