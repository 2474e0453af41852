//! One livestream from start to end: its turn, its process, its session, its row, and what can be watched of it.
//! Invariant: people are told that it is live when it can be watched, and after the row says so; they are told in any case how
//! it ended. What was said before a restart of the server is heard again after it, and changes nothing twice.
//! Next: `streams.rs`, what can be watched; `job.rs`, how recordings go.

use std::sync::Arc;
use std::time::Duration;

use salon_core::Timestamp;
use salon_core::event::RecordingEnd;
use salon_core::notice::LivestreamStatus;
use salon_recorder::BITS_PER_SECOND;
use salon_recorder::job as told;
use salon_recorder::job::Saying;
use salon_store::Livestream;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use crate::course::{Course, End, From, NodeStops, Stopped, Work};
use crate::desk::Desk;
use crate::keep;
use crate::left::note_viewers;
use crate::process::Process;
use crate::reasons;
use crate::segments::Segment;
use crate::streams::{Stream, Streams};

/// How often it is looked how many watch, and noted what was watched.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long the store may take for that: what can be watched waits meanwhile.
const NOTED_WITHIN: Duration = Duration::from_millis(500);

struct Job {
    livestream: Livestream,
    stream: Arc<Stream>,
    look: Interval,
    /// The last part of which it was said that it can be watched.
    live: u32,
    /// How many people were told to watch.
    viewers: u64,
}

/// Opens one, with what the first so many of its recorders made.
pub fn open(desk: &Desk, streams: &Streams, livestream: &Livestream, parts: u32) -> Arc<Stream> {
    let (folder, settings) = (desk.folder(&livestream.id), &desk.parts.settings);
    let bits = match livestream.key {
        // With what its containers add.
        Some(_) => settings.ingest_kilobits.saturating_mul(1_080),
        None => BITS_PER_SECOND,
    };
    let stream = streams.open(&livestream.secret, &folder, (settings.dvr_ms, bits), livestream.viewer_ms);
    for part in 1..=parts {
        for saying in Process::found(&folder.join(part.to_string())).said_so_far() {
            segment(saying, part).into_iter().for_each(|segment| stream.push(segment));
        }
    }
    stream
}

/// Sees to a livestream until it is over, or the node stops.
pub async fn run(desk: &Arc<Desk>, streams: &Streams, livestream: Livestream, from: From, stopped: Stopped) {
    // What the last of them said is heard when it is followed.
    let parts = keep::parts_of(&desk.folder(&livestream.id)).saturating_sub(1);
    let stream = open(desk, streams, &livestream, parts);
    let Livestream { id, app, .. } = &livestream;
    let (Some(meeting), Some(session)) = (&livestream.meeting, &livestream.session) else { return };
    let mut course = Course::new(desk, id, (app, meeting, session), stopped);
    let mut look = interval(LOOK_EVERY);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut job = Job { livestream, stream, look, live: 0, viewers: 0 };
    if course.take(&mut job, from).await.is_ok() && !job.livestream.is_kept {
        streams.close(&job.livestream.secret);
    }
}

pub fn segment(saying: Saying, part: u32) -> Option<Segment> {
    let Saying::Segment { name, head, codecs, at_ms, ms } = saying else { return None };
    Some(Segment { part, name, head, codecs, at_ms: i64::try_from(at_ms).unwrap_or(i64::MAX), ms })
}

impl Work for Job {
    type Errand = ();

    async fn wanted(&mut self, course: &Course, job: told::Job) -> anyhow::Result<told::Job> {
        let video = serde_json::from_value(self.livestream.config["video"].clone())?;
        let rtmp = self.livestream.rtmp_url().map(|url| course.desk.receiver(url));
        Ok(told::Job { name: "live".to_owned(), video: Some(video), live: true, rtmp, ..job })
    }

    /// All of it comes by itself.
    fn said_before(&self, _process: &mut Process) -> Vec<Saying> {
        Vec::new()
    }

    async fn errand(&mut self) {
        self.look.tick().await;
    }

    /// Tells how many watch, and notes what was watched.
    async fn run(&mut self, course: &Course, (): (), _process: &mut Process) -> Result<(), NodeStops> {
        let viewers = self.stream.viewers(course.now().0);
        if viewers != self.viewers && self.livestream.status == LivestreamStatus::Live {
            self.viewers = viewers;
            let id = course.id.clone();
            course.tell(move |session, now| session.livestream_watched(now, &id, viewers)).await;
            self.edit(course, move |livestream| note_viewers(livestream, viewers)).await?;
        }
        let (ingest_ms, viewer_ms) = self.stream.sums();
        if (ingest_ms, viewer_ms) > (self.livestream.ingest_ms, self.livestream.viewer_ms) {
            let store = &course.desk.parts.store;
            let noted = store.edit_livestream(&course.id, course.now(), |livestream| sums(livestream, ingest_ms, viewer_ms));
            match timeout(NOTED_WITHIN, noted).await {
                Ok(Ok(livestream)) => self.livestream = livestream,
                Ok(Err(salon_store::Error::NotFound)) => return Err(NodeStops),
                // Sums only grow: the next look notes them.
                Ok(Err(_)) | Err(_) => {}
            }
        }
        Ok(())
    }

    async fn heard(
        &mut self,
        course: &Course,
        saying: Saying,
        _process: &mut Process,
        part: u32,
    ) -> Result<Option<End>, NodeStops> {
        match saying {
            Saying::Finished { .. } => return Ok(Some(End::Finished { at: course.now() })),
            Saying::Failed { why } => return Ok(Some(End::Failed { why })),
            Saying::Streamed { why } => {
                if let Some(why) = &why {
                    tracing::warn!(livestream.id = %course.id, why, "a livestream is not streamed to its RTMP address");
                }
                self.edit(course, move |livestream| reasons::note_streamed(&mut livestream.error, why.as_deref())).await?;
            }
            Saying::Unshown { why } => {
                tracing::warn!(livestream.id = %course.id, why, "a livestream does not show everything");
                self.edit(course, move |livestream| reasons::add(&mut livestream.error, &why)).await?;
            }
            saying => segment(saying, part).into_iter().for_each(|segment| self.stream.push(segment)),
        }
        if self.live != part && self.stream.count() > 0 {
            self.live = part;
            self.is_live(course).await?;
        }
        Ok(None)
    }

    async fn over(&mut self, course: &mut Course, error: Option<String>, now: Timestamp) -> Result<(), NodeStops> {
        course.look_why().await;
        // One that somebody stopped before it began came to nothing, and that is no failure.
        let asked = matches!(course.why, Some(RecordingEnd::Asked(_) | RecordingEnd::SessionOver | RecordingEnd::TimeIsUp));
        let why = course.why.clone().unwrap_or(RecordingEnd::Failed);
        let error = match error {
            None if !asked && self.stream.count() == 0 => Some("it did not begin in time".to_owned()),
            error => error.filter(|_| !asked),
        };
        self.stream.end();
        let (ingest_ms, viewer_ms) = self.stream.sums();
        let (is_kept, kept_ms, shown) = (self.stream.count() > 0, course.desk.parts.settings.kept_ms, error.clone());
        self.edit(course, move |livestream| {
            sums(livestream, ingest_ms, viewer_ms);
            livestream.status = if shown.is_some() { LivestreamStatus::Errored } else { LivestreamStatus::Idle };
            livestream.stopped_at = livestream.started_at.map(|_| now);
            livestream.stopped_by = Some(why.clone());
            shown.iter().for_each(|why| reasons::add(&mut livestream.error, why));
            livestream.forget_rtmp_url();
            (livestream.is_kept, livestream.expires_at) = (is_kept, is_kept.then(|| now.plus_ms(kept_ms)));
        })
        .await?;
        if let Some(error) = &error {
            tracing::warn!(livestream.id = %self.livestream.id, error, "a livestream failed");
        }
        let id = course.id.clone();
        course.tell(move |session, now| session.recording_ended(now, &id, error.as_deref())).await;
        if !is_kept {
            keep::clear(&course.folder()).await;
        }
        Ok(())
    }
}

impl Job {
    /// It can be watched.
    async fn is_live(&mut self, course: &Course) -> Result<(), NodeStops> {
        let (first, now) = (self.stream.first_at(), course.now());
        self.edit(course, move |livestream| {
            if livestream.status == LivestreamStatus::Invoked {
                livestream.status = LivestreamStatus::Live;
                livestream.started_at = first.map(|at| Timestamp(at).min(now).max(livestream.created_at));
            }
        })
        .await?;
        let (id, url) = (course.id.clone(), self.livestream.playback_url());
        course.tell(move |session, now| session.livestream_began(now, &id, &url)).await;
        Ok(())
    }

    /// Changes the row.
    async fn edit(&mut self, course: &Course, change: impl Fn(&mut Livestream)) -> Result<(), NodeStops> {
        let (store, id) = (&course.desk.parts.store, &course.id);
        // What another node has by now is its to change.
        let change = |livestream: &mut Livestream| {
            if livestream.node == course.node() && livestream.is_active() {
                change(livestream);
            }
        };
        self.livestream = course.edited(|now| store.edit_livestream(id, now, change)).await?;
        if self.livestream.node == course.node() { Ok(()) } else { Err(NodeStops) }
    }
}

/// What could be watched and what was: never less than was told.
pub fn sums(livestream: &mut Livestream, ingest_ms: u64, viewer_ms: u64) {
    livestream.ingest_ms = livestream.ingest_ms.max(ingest_ms);
    livestream.viewer_ms = livestream.viewer_ms.max(viewer_ms);
}
