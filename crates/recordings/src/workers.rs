//! Workers: nodes without sessions of their own, which record those of others. A job that is left to them is a row that names no
//! node; a worker writes its name there, and from then on the row is all that the two ends tell each other by.
//! Invariant: what a session hears of such a job it hears by the node that has the session, from the row; what is wished of it stands
//! in the row until its worker has done so. A worker that is gone has its job taken by another, or it is said that it failed.
//! Next: `course.rs`, a job as its worker sees to it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use salon_core::event::{RecordingEnd, RecordingKind};
use salon_core::notice::{LivestreamStatus, RecordingStatus};
use salon_core::record::RecordingState;
use salon_core::{RecordingId, Timestamp};
use salon_live::Handle;
use salon_store::{Livestream, Recording, Records};
use serde_json::Value;

use crate::course::From;
use crate::desk::{Wish, can};
use crate::handle::Recordings;
use crate::keep::parts_of;
use crate::left::{HEARD, LEFT_WITH, VIEWERS, WISH, is_for_workers};
use crate::livestreams::Livestreams;
use crate::process::Process;
use crate::reasons;
use crate::stranded::is_stranded;

/// How often nodes look how jobs of workers are, and workers whether there is a job. Rarer tells people later.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A worker that does not live for so long, in milliseconds, does not come back: one that is started anew is quicker.
const GONE_MS: i64 = 30_000;

/// How long a worker that is told to stop goes on with what it has. Its recorders outlive it in any case.
const ENDS_WITHIN: Duration = Duration::from_secs(3_600);

const NO_WORKER: &str = "no worker took it in time";
const WORKER_GONE: &str = "its worker is gone";
const PART_MISSING: &str = "a part is missing: its worker is gone";

/// What a worker with these settings takes.
pub fn records(settings: &crate::desk::Settings) -> Records {
    if can(settings, RecordingKind::Composite).is_ok() { Records::Pictures } else { Records::Tracks }
}

/// How a node that has sessions sees to jobs of workers.
#[derive(Default)]
struct Watch {
    /// Those that were not over when it looked last.
    followed: HashSet<RecordingId>,
    /// Since when a worker is not there.
    gone: HashMap<String, Timestamp>,
    /// How many people were told to watch.
    viewers: HashMap<RecordingId, u64>,
}

/// Has sessions of this node hear what becomes of jobs of workers, until the node stops.
pub async fn watch(recordings: Recordings, livestreams: Livestreams) {
    let desk = recordings.desk();
    let (stop, clock) = (desk.parts.stop.clone(), desk.parts.clock.clone());
    let (mut every, mut watch) = (tokio::time::interval(LOOK_EVERY), Watch::default());
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        let looked = watch.look(&recordings, &livestreams, clock.now());
        if let Some(Err(error)) = stop.run_until_cancelled(looked).await {
            tracing::debug!(%error, "it cannot be looked how workers do");
        }
    }
}

impl Watch {
    async fn look(&mut self, recordings: &Recordings, livestreams: &Livestreams, now: Timestamp) -> salon_store::Result<()> {
        let desk = recordings.desk();
        let store = &desk.parts.store;
        let nodes = store.nodes(now).await?;
        desk.known.note(nodes.iter().filter(|node| node.is_alive).filter_map(|node| node.records).max());
        let alive: HashSet<String> = nodes.into_iter().filter(|node| node.is_alive).map(|node| node.name).collect();
        let mut all = store.unfinished_elsewhere(recordings.node()).await?;
        all.retain(|row| is_for_workers(&row.config));
        let mut streams = store.livestreams_elsewhere(livestreams.node()).await?;
        streams.retain(|row| is_for_workers(&row.config));
        let mut before = std::mem::take(&mut self.followed);
        self.followed.extend(all.iter().map(|row| row.id.clone()).chain(streams.iter().map(|row| row.id.clone())));
        before.retain(|id| !self.followed.contains(id));
        // They are over since it was looked last.
        for id in before {
            all.extend(store.recording(&id).await?);
            streams.extend(store.livestream(&id).await?);
        }
        let of: HashSet<&String> = all.iter().map(|row| &row.node).chain(streams.iter().map(|row| &row.node)).collect();
        self.gone.retain(|node, _| of.contains(node) && !alive.contains(node));
        for node in of.into_iter().filter(|node| !node.is_empty() && !alive.contains(*node)) {
            self.gone.entry(node.clone()).or_insert(now);
        }
        for row in all {
            self.recording(recordings, row, now).await?;
        }
        for row in streams {
            self.livestream(livestreams, row, now).await?;
        }
        Ok(())
    }

    fn is_gone(&self, node: &str, now: Timestamp) -> bool {
        self.gone.get(node).is_some_and(|since| now.since(*since) > GONE_MS)
    }

    async fn recording(&self, recordings: &Recordings, row: Recording, now: Timestamp) -> salon_store::Result<()> {
        let (desk, id) = (recordings.desk(), row.id.clone());
        let store = &desk.parts.store;
        let over = |why: &'static str, (at, end): (Timestamp, RecordingEnd)| {
            move |recording: &mut Recording| {
                let is_its = recording.node.is_empty() || recording.started_at.is_none();
                if !is_its || !recording.is_unfinished() {
                    return;
                }
                match last_left(recording) {
                    // What it recorded comes when it is back.
                    Some(worker) => {
                        recording.stop(end.clone(), recording.stopped_at.unwrap_or(at));
                        note_back(recording, &worker);
                    }
                    None => {
                        let began = recording.started_at.unwrap_or(recording.invoked_at);
                        recording.stop(RecordingEnd::Failed, recording.stopped_at.unwrap_or(began));
                        (recording.status, recording.storage) = (RecordingStatus::Errored, None);
                        reasons::add(&mut recording.error, why);
                    }
                }
            }
        };
        let Some(handle) = desk.parts.hub.find(row.meeting.as_str()) else {
            // Of a session that is over, nobody takes it any more.
            if row.node.is_empty() && is_stranded(now, row.invoked_at) {
                let live = store.live_session_of(&row.meeting).await?;
                if live.is_none_or(|live| live.summary.session != row.session) {
                    let why = if row.started_at.is_some() { WORKER_GONE } else { NO_WORKER };
                    store.edit_recording(&id, now, over(why, (now, RecordingEnd::SessionOver))).await?;
                }
            }
            return Ok(());
        };
        let Some(state) = state_of(&handle, &id).await else { return Ok(()) };
        let is_active = matches!(row.status, RecordingStatus::Invoked | RecordingStatus::Recording | RecordingStatus::Paused);
        let ended = |error: Option<String>| {
            let id = id.clone();
            handle.call(move |session, now| session.recording_ended(now, &id, error.as_deref()))
        };
        if !is_active {
            if state.is_some() {
                let error = row.error.filter(|_| row.status == RecordingStatus::Errored);
                let _ = ended(error).await;
            }
            store.edit_recording(&id, now, |recording| recording.config[HEARD] = true.into()).await?;
            return Ok(());
        }
        // Who waits for it long enough is told that it is over before its recorder says so; then the session knows it no more.
        let stops = match &state {
            None => Some((now, RecordingEnd::Failed)),
            Some(RecordingState::Stopping { since, why }) => Some((*since, why.clone())),
            Some(_) => None,
        };
        let is_gone = self.is_gone(&row.node, now);
        if let Some((since, why)) = stops {
            let waits = row.started_at.is_some() && !row.node.is_empty();
            if row.node.is_empty() || is_gone && !waits {
                let error = if row.started_at.is_some() { WORKER_GONE } else { NO_WORKER };
                let row = store.edit_recording(&id, now, over(error, (since, why))).await?;
                let _ = ended(row.error.filter(|_| row.status == RecordingStatus::Errored)).await;
            } else if is_gone {
                // What was recorded comes when its worker does.
                tracing::warn!(recording.id = %id, node = row.node, "a worker is gone with what it recorded");
                let stopped = |recording: &mut Recording| {
                    if recording.node == row.node && recording.status != RecordingStatus::Uploading {
                        recording.stop(why.clone(), since);
                    }
                };
                store.edit_recording(&id, now, stopped).await?;
            }
            return Ok(());
        }
        // Another may go on with it from now on.
        if is_gone {
            let node = row.node;
            tracing::warn!(recording.id = %id, node, "a worker is gone: another may take its recording");
            let release = |recording: &mut Recording| {
                if recording.node == node {
                    recording.node.clear();
                    if recording.started_at.is_some() {
                        note_left(recording, &node);
                    }
                }
            };
            store.edit_recording(&id, now, release).await?;
            return Ok(());
        }
        match state {
            Some(RecordingState::Starting { .. }) if row.status != RecordingStatus::Invoked => {
                let _ = handle.call(move |session, now| session.recording_began(now, &id)).await;
            }
            Some(RecordingState::Running { .. } | RecordingState::Paused { .. }) if row.status != RecordingStatus::Invoked => {
                let paused = row.status == RecordingStatus::Paused;
                let _ = handle.call(move |session, now| session.recording_paused(now, &id, paused)).await;
            }
            _ => {}
        }
        Ok(())
    }

    async fn livestream(&mut self, livestreams: &Livestreams, row: Livestream, now: Timestamp) -> salon_store::Result<()> {
        let (desk, id) = (livestreams.desk(), row.id.clone());
        let store = &desk.parts.store;
        let handle = row.meeting.as_ref().and_then(|meeting| desk.parts.hub.find(meeting.as_str()));
        let state = match &handle {
            Some(handle) => state_of(handle, &id).await.flatten(),
            None => None,
        };
        let is_unheard = row.node.is_empty() && matches!(state, Some(RecordingState::Stopping { .. }));
        let is_lost = row.node.is_empty() && state.is_none() && is_stranded(now, row.asked_at());
        if row.is_active() && (is_unheard || is_lost || self.is_gone(&row.node, now)) {
            let (node, why) = (row.node.clone(), if row.node.is_empty() { NO_WORKER } else { WORKER_GONE });
            let failed = |livestream: &mut Livestream| {
                if livestream.is_active() && livestream.node == node {
                    livestream.fail(why);
                }
            };
            store.edit_livestream(&id, now, failed).await?;
            if let Some(handle) = &handle {
                let _ = handle.call(move |session, now| session.recording_ended(now, &id, Some(why))).await;
            }
            return Ok(());
        }
        let (Some(handle), Some(state)) = (handle, state) else { return Ok(()) };
        if !row.is_active() {
            let error = row.error.filter(|_| row.status == LivestreamStatus::Errored);
            self.viewers.remove(&id);
            let _ = handle.call(move |session, now| session.recording_ended(now, &id, error.as_deref())).await;
        } else if row.status == LivestreamStatus::Live {
            let (url, viewers) = (row.playback_url(), row.config[VIEWERS].as_u64().unwrap_or(0));
            let is_news = self.viewers.insert(id.clone(), viewers).unwrap_or(0) != viewers;
            let begins = matches!(state, RecordingState::Starting { .. });
            let tell = move |session: &mut salon_core::Session, now| {
                if begins {
                    session.livestream_began(now, &id, &url);
                }
                if is_news {
                    session.livestream_watched(now, &id, viewers);
                }
            };
            let _ = handle.call(tell).await;
        }
        Ok(())
    }
}

/// How a session says that it stands with it, which may be that it knows nothing of it; None if it does not answer.
async fn state_of(handle: &Handle, id: &RecordingId) -> Option<Option<RecordingState>> {
    let id = id.clone();
    handle.call(move |session, _| session.recording(&id).map(|found| found.state.clone())).await.ok()
}

/// Notes that a worker has gone with a part of it.
fn note_left(recording: &mut Recording, worker: &str) {
    let left = &mut recording.config[LEFT_WITH];
    match left.as_array_mut() {
        Some(left) => left.push(worker.into()),
        None => *left = vec![worker].into(),
    }
    reasons::add(&mut recording.error, PART_MISSING);
}

/// The last of the workers that are gone with a part of it.
fn last_left(recording: &Recording) -> Option<String> {
    recording.config[LEFT_WITH].as_array()?.last()?.as_str().map(str::to_owned)
}

/// Notes that it is a worker's again: what it left with is there, or comes with it.
fn note_back(recording: &mut Recording, worker: &str) {
    worker.clone_into(&mut recording.node);
    if let Some(left) = recording.config[LEFT_WITH].as_array_mut() {
        left.retain(|name| name != worker);
        if left.is_empty() {
            reasons::end(&mut recording.error, PART_MISSING);
        }
    }
}

impl Recordings {
    /// Whether this can be recorded, here or by workers.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn can(&self, kind: RecordingKind) -> Result<(), &'static str> {
        self.desk().place(kind).map(drop)
    }

    /// Has the worker that records it pause or go on; true once it has.
    pub(crate) async fn wish_of_worker(&self, id: &RecordingId, wish: Wish) -> bool {
        let desk = self.desk();
        let (store, clock) = (&desk.parts.store, &desk.parts.clock);
        let (word, wanted) = match wish {
            Wish::Pause => ("pause", RecordingStatus::Paused),
            Wish::Resume => ("resume", RecordingStatus::Recording),
        };
        let note = |recording: &mut Recording| {
            if is_for_workers(&recording.config) {
                recording.config[WISH] = word.into();
            }
        };
        let mut row = store.edit_recording(id, clock.now(), note).await;
        while let Ok(found) = &row {
            if !is_for_workers(&found.config) || !found.is_unfinished() {
                return false;
            }
            if found.status == wanted {
                return true;
            }
            tokio::time::sleep(LOOK_EVERY / 2).await;
            row = store.recording(id).await.and_then(|row| row.ok_or(salon_store::Error::NotFound));
        }
        false
    }

    /// Takes jobs that are left to workers, as long as there is room for one, until `ends` says that it is to take no more, and does
    /// what is wished of those it has, until the node stops.
    pub async fn work(self, livestreams: Livestreams, ends: tokio_util::sync::CancellationToken) {
        let desk = self.desk();
        let stop = desk.parts.stop.clone();
        let mut every = tokio::time::interval(LOOK_EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let _ = stop.run_until_cancelled(self.end_what_others_have()).await;
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            let looked = async {
                if !ends.is_cancelled() && desk.turns.available_permits() > 0 {
                    self.take_one(&livestreams).await?;
                }
                self.do_wishes().await
            };
            if let Some(Err(error)) = stop.run_until_cancelled(looked).await {
                tracing::warn!(%error, "it cannot be looked whether there is something to record");
            }
        }
    }

    /// Ends recorders of an earlier run whose recordings other workers have by now.
    async fn end_what_others_have(&self) {
        let desk = self.desk();
        let folders = std::fs::read_dir(&desk.parts.settings.folder).into_iter().flatten().flatten();
        let ids = folders.filter_map(|folder| RecordingId::parse(folder.file_name().to_str()?).ok());
        for id in ids.collect::<Vec<_>>() {
            let Ok(Some(row)) = desk.parts.store.recording(&id).await else { continue };
            if is_for_workers(&row.config) && row.node != self.node() {
                let folder = desk.folder(&id);
                (1..=parts_of(&folder)).for_each(|part| Process::found(&folder.join(part.to_string())).kill());
            }
        }
    }

    async fn take_one(&self, livestreams: &Livestreams) -> salon_store::Result<()> {
        let desk = self.desk();
        let (store, now, me) = (&desk.parts.store, desk.parts.clock.now(), self.node());
        let settings = &desk.parts.settings;
        let is_free = |config: &Value, node: &str, kind| node.is_empty() && is_for_workers(config) && can(settings, kind).is_ok();
        let free = store.unfinished_elsewhere(me).await?;
        let free = free.into_iter().find(|row| is_free(&row.config, &row.node, row.kind));
        if let Some(row) = free {
            let mine = |recording: &mut Recording| {
                if recording.node.is_empty() && recording.is_unfinished() {
                    note_back(recording, me);
                }
            };
            let row = store.edit_recording(&row.id, now, mine).await?;
            // Another may have been quicker.
            if row.node == me && row.is_unfinished() && !desk.parts.stops.knows(&row.id) {
                tracing::info!(recording.id = %row.id, "a recording is taken");
                self.take(row, From::Start);
            }
            return Ok(());
        }
        let free = store.livestreams_elsewhere(me).await?;
        let free = free.into_iter().find(|row| is_free(&row.config, &row.node, RecordingKind::Livestream));
        if let Some(row) = free {
            let mine = |livestream: &mut Livestream| {
                if livestream.node.is_empty() && livestream.is_active() {
                    me.clone_into(&mut livestream.node);
                }
            };
            let row = store.edit_livestream(&row.id, now, mine).await?;
            if row.node == me && row.is_active() && !desk.parts.stops.knows(&row.id) {
                tracing::info!(livestream.id = %row.id, "a livestream is taken");
                livestreams.take(row, From::Start);
            }
        }
        Ok(())
    }

    async fn do_wishes(&self) -> salon_store::Result<()> {
        let desk = self.desk();
        let known = desk.parts.stops.all();
        let ours = desk.parts.store.unfinished_recordings(self.node()).await?;
        for id in known.iter().filter(|id| ours.iter().all(|row| row.id != **id)) {
            // Another has it since this one was away. It may as well be a livestream, or just be over.
            let row = desk.parts.store.recording(id).await?;
            if row.is_some_and(|row| row.is_unfinished() && row.node != self.node()) {
                desk.parts.stops.tell(id, &RecordingEnd::Failed);
            }
        }
        for row in ours {
            let wish = match (row.config[WISH].as_str(), row.status) {
                (Some("pause"), RecordingStatus::Recording) => Wish::Pause,
                (Some("resume"), RecordingStatus::Paused) => Wish::Resume,
                _ => continue,
            };
            // An order that comes twice changes nothing.
            let all = self.clone();
            desk.parts.tasks.spawn(async move { all.wish(&row.id, wish).await });
        }
        Ok(())
    }

    /// Waits until nothing is recorded here any more, for an hour at most; answers with how much is left.
    pub async fn finish(&self) -> usize {
        let desk = self.desk();
        let mut told = None;
        let done = async {
            loop {
                let left = desk.parts.stops.count();
                if left == 0 {
                    return;
                }
                if told.replace(left) != Some(left) {
                    tracing::info!(jobs = left, "takes no more, and waits until what it has is over");
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let _ = tokio::time::timeout(ENDS_WITHIN, done).await;
        desk.parts.stops.count()
    }
}
