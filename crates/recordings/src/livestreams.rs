//! The livestreams of a node, as its doors and its start know them. They are made as recordings are, and share their turns.
//! Invariant: a session says first that it may be streamed; whoever asked is answered when that is written down.
//! Next: `livestream_job.rs`, what becomes of one.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use salon_core::event::{RecordedBy, RecordingKind};
use salon_core::session::NewRecording;
use salon_core::{RecordingId, Timestamp};
use salon_live::{Handle, Unavailable};
use salon_store::{DAY_MS, Livestream};
use tokio::net::TcpStream;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::arrivals::{Arrival, Arrivals, Unwelcome, Word};
use crate::course::From;
use crate::desk::{Desk, Failed, begin};
use crate::handle::Recordings;
use crate::ingest_job::{self, Hands};
use crate::left::leave;
use crate::livestream_job as job;
use crate::stranded::{GIVEN_UP, is_given_up, is_stranded};
use crate::streams::Streams;

/// How long one may go on: a day.
const MAX_MS: i64 = DAY_MS;

/// Stream keys that are looked for in the store at once.
const LOOKUPS: usize = 4;

/// How often it is looked what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The livestreams of a node. Clones share everything.
#[derive(Clone)]
pub struct Livestreams {
    desk: Arc<Desk>,
    streams: Streams,
    arrivals: Arrivals,
    /// Those who stream to us at once.
    places: Arc<Semaphore>,
    /// Keys that are looked for at once: strangers who try keys leave the store to others.
    lookups: Arc<Semaphore>,
}

impl Livestreams {
    /// Beside these recordings.
    pub fn beside(recordings: &Recordings) -> Self {
        let desk = recordings.desk();
        let places = Arc::new(Semaphore::new(desk.parts.settings.ingest_streams));
        let lookups = Arc::new(Semaphore::new(LOOKUPS));
        Self { desk, streams: Streams::default(), arrivals: Arrivals::default(), places, lookups }
    }

    /// What can be watched here.
    pub fn streams(&self) -> &Streams {
        &self.streams
    }

    pub(crate) fn desk(&self) -> Arc<Desk> {
        self.desk.clone()
    }

    pub fn node(&self) -> &str {
        self.desk.parts.hub.name()
    }

    /// Where those who are told of it find this node, unless they are known to find it elsewhere.
    pub fn public(&self) -> &str {
        &self.desk.parts.settings.public
    }

    /// Whether there can be any here.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn can(&self) -> Result<(), &'static str> {
        self.desk.place(RecordingKind::Livestream).map(drop)
    }

    /// Where it is streamed to us.
    ///
    /// # Errors
    /// Nobody can, and what to do.
    pub fn ingest_server(&self) -> Result<&str, &'static str> {
        self.desk
            .parts
            .settings
            .ingest_server
            .as_deref()
            .ok_or("This server takes no streams from elsewhere: its setting livestreams.ingest_listen says where it would")
    }

    /// Whether a livestream may be streamed to this address as well.
    ///
    /// # Errors
    /// Why not, without the address.
    pub fn may_stream_to(&self, url: &str) -> Result<(), String> {
        self.desk.may_stream_to(url)
    }

    /// Has a session streamed. `livestream` is asked for now; its session is filled in.
    ///
    /// # Errors
    /// Why not.
    pub async fn start(&self, handle: &Handle, livestream: Livestream) -> Result<Livestream, Failed> {
        let (all, handle) = (self.clone(), handle.clone());
        // Whoever asked may hang up meanwhile.
        let begun = self.desk.parts.tasks.spawn(async move { all.begin(&handle, livestream).await });
        begun.await.unwrap_or(Err(Failed::Unavailable(Unavailable)))
    }

    /// Has whoever streams this know soon that it is disabled, or has another key.
    pub fn changed(&self, id: &RecordingId) {
        self.arrivals.look(id);
    }

    /// Lets somebody in who wants to stream with this key; all that was read of them comes with them.
    ///
    /// # Errors
    /// Why not, and their connection.
    pub(crate) async fn arrive(&self, key: &str, connection: TcpStream, read: Vec<u8>) -> Result<(), (TcpStream, Unwelcome)> {
        let found = match self.find_by_key(key).await {
            Ok(found) => found,
            Err(unwelcome) => return Err((connection, unwelcome)),
        };
        let id = found.id.clone();
        // One of a meeting has a job as long as it goes on, and so has one that goes on here.
        let may_begin = found.meeting.is_none() && !(found.is_active() && found.node == self.node());
        let begin = |words| self.take_ingest(found, From::Start, words);
        let Some(job) = self.arrivals.job(&id, may_begin.then_some(begin)) else {
            return Err((connection, Unwelcome::Unavailable));
        };
        let (answer, answered) = oneshot::channel();
        match job.try_send(Word::Arrival(Arrival { connection, read, answer })) {
            Ok(()) => answered.await.unwrap_or(Ok(())),
            Err(TrySendError::Full(word) | TrySendError::Closed(word)) => match word {
                Word::Arrival(arrival) => Err((arrival.connection, Unwelcome::Unavailable)),
                Word::Look => Ok(()),
            },
        }
    }

    /// The livestream of a stream key, if somebody may stream it to this node.
    async fn find_by_key(&self, key: &str) -> Result<Livestream, Unwelcome> {
        let (id, secret) = Livestream::of_stream_key(key).ok_or(Unwelcome::Unknown)?;
        let _turn = self.lookups.acquire().await.map_err(|_| Unwelcome::Unavailable)?;
        let found = self.desk.parts.store.livestream(&id).await.map_err(|_| Unwelcome::Unavailable)?;
        let is_key = |livestream: &Livestream| {
            let key = livestream.key.as_deref().unwrap_or_default();
            verify_slices_are_equal(key.as_bytes(), secret.as_bytes()).is_ok()
        };
        let found = found.filter(is_key).ok_or(Unwelcome::Unknown)?;
        if found.is_disabled {
            return Err(Unwelcome::Disabled);
        }
        if !found.is_active() {
            return if found.meeting.is_none() { Ok(found) } else { Err(Unwelcome::Unknown) };
        }
        if found.node == self.node() {
            return Ok(found);
        }
        // What a node that is gone had, another goes on with, unless it is of a meeting.
        let nodes = self.desk.parts.store.nodes(self.desk.parts.clock.now()).await.map_err(|_| Unwelcome::Unavailable)?;
        let lives = nodes.into_iter().any(|node| node.name == found.node && node.is_alive);
        if lives || found.meeting.is_some() { Err(Unwelcome::Elsewhere) } else { Ok(found) }
    }

    async fn begin(&self, handle: &Handle, mut livestream: Livestream) -> Result<Livestream, Failed> {
        let store = &self.desk.parts.store;
        // What encoders stream comes to this node.
        let is_here = livestream.key.is_some() || self.desk.place(RecordingKind::Livestream).unwrap_or(true);
        if !is_here {
            leave(&mut livestream.config, &mut livestream.node);
        }
        let new =
            NewRecording { id: livestream.id.clone(), kind: RecordingKind::Livestream, max_ms: MAX_MS, beside_others: false };
        let by = livestream.started_by.clone();
        let livestream = begin(handle, (new, by), |session| async move {
            livestream.session = Some(session);
            store.create_livestream(&livestream).await.map(|()| livestream)
        })
        .await?;
        if is_here {
            self.take(livestream.clone(), From::Start);
        }
        Ok(livestream)
    }

    /// Has the livestream of a session stop; it is no mistake if there is none.
    ///
    /// # Errors
    /// Why not.
    pub async fn stop(&self, handle: &Handle, by: RecordedBy) -> Result<(), Failed> {
        handle.call(move |session, now| session.stop_livestream(now, &by)).await??;
        Ok(())
    }

    /// Goes on with what this node has: livestreams that run on, and those that can be watched still.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn adopt(&self) -> salon_store::Result<usize> {
        let all = self.desk.parts.store.livestreams_of_node(self.node()).await?;
        let mut active = 0;
        for livestream in all {
            if livestream.is_active() {
                active += 1;
                self.take(livestream, From::Before);
            } else {
                let parts = crate::keep::parts_of(&self.desk.folder(&livestream.id));
                job::open(&self.desk, &self.streams, &livestream, parts).end();
            }
        }
        Ok(active)
    }

    /// Deletes what cannot be watched any more, until the node stops.
    pub async fn sweep(self) {
        let (stop, clock) = (self.desk.parts.stop.clone(), self.desk.parts.clock.clone());
        let mut every = tokio::time::interval(SWEEP_EVERY);
        while stop.run_until_cancelled(every.tick()).await.is_some() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.sweep_once(clock.now())).await {
                tracing::warn!(%error, "livestreams that are over cannot be looked for right now");
            }
        }
    }

    /// The same once.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sweep_once(&self, now: Timestamp) -> salon_store::Result<()> {
        let store = &self.desk.parts.store;
        for livestream in store.stranded_livestreams(self.node(), now).await? {
            self.see_to_stranded(livestream, now).await?;
        }
        for livestream in store.livestreams_of_node(self.node()).await? {
            if livestream.is_active() {
                if !is_stranded(now, livestream.asked_at()) || self.desk.parts.stops.knows(&livestream.id) {
                    continue;
                }
                // Its begin was cut off between the row and the job. Or the job has ended since the row was read.
                let still = store.livestream(&livestream.id).await?.filter(Livestream::is_active);
                if let Some(livestream) = still {
                    self.take(livestream, From::Before);
                }
                continue;
            }
            // Something comes anew.
            if self.arrivals.has_job(&livestream.id) {
                continue;
            }
            // It is watched after its end as well.
            if let Some((ingest_ms, viewer_ms)) = self.streams.get(&livestream.secret).map(|stream| stream.sums())
                && viewer_ms > livestream.viewer_ms
            {
                store.edit_livestream(&livestream.id, now, |livestream| job::sums(livestream, ingest_ms, viewer_ms)).await?;
            }
            if livestream.expires_at.is_none_or(|at| at > now) {
                continue;
            }
            self.streams.close(&livestream.secret);
            crate::keep::clear(&self.desk.folder(&livestream.id)).await;
            store.edit_livestream(&livestream.id, now, |livestream| livestream.is_kept = false).await?;
        }
        store.forget_livestreams().await.map(drop)
    }

    /// One of a node that does not live.
    async fn see_to_stranded(&self, livestream: Livestream, now: Timestamp) -> salon_store::Result<()> {
        let store = &self.desk.parts.store;
        if self.desk.folder(&livestream.id).is_dir() {
            let node = self.node().to_owned();
            let ours = store.edit_livestream(&livestream.id, now, |livestream| livestream.node.clone_from(&node)).await?;
            if ours.is_active() {
                self.take(ours, From::Before);
            }
        } else if is_given_up(now, livestream.asked_at()) {
            let given_up = |livestream: &mut Livestream| {
                if livestream.is_active() {
                    livestream.fail(GIVEN_UP);
                }
            };
            store.edit_livestream(&livestream.id, now, given_up).await?;
        }
        Ok(())
    }

    /// Sees to a livestream in a task of its own.
    pub(crate) fn take(&self, livestream: Livestream, from: From) {
        if livestream.key.is_some() {
            let id = livestream.id.clone();
            self.arrivals.job(&id, Some(|words| self.take_ingest(livestream, from, words)));
            return;
        }
        let (desk, streams) = (self.desk.clone(), self.streams.clone());
        let stopped = desk.parts.stops.register(&livestream.id);
        desk.parts.tasks.clone().spawn(async move {
            let id = livestream.id.clone();
            job::run(&desk, &streams, livestream, from, stopped).await;
            desk.parts.stops.forget(&id);
        });
    }

    /// The same, with one that comes from elsewhere.
    fn take_ingest(&self, livestream: Livestream, from: From, words: mpsc::Receiver<Word>) {
        let Self { desk, streams, arrivals, places, .. } = self.clone();
        let stopped = desk.parts.stops.register(&livestream.id);
        let hands = Hands { desk: desk.clone(), streams, arrivals, places };
        desk.parts.tasks.clone().spawn(async move {
            let id = livestream.id.clone();
            ingest_job::run(hands, livestream, from, stopped, words).await;
            desk.parts.stops.forget(&id);
        });
    }
}
