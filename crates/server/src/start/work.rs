//! What a node does for sessions beside the calls themselves, in processes and engines of their own.
//! Next: `salon_recordings` and `salon_transcripts`.

use std::sync::Arc;

use anyhow::Context;
use salon_core::event::RecordingKind;
use salon_doors::flows::tickets;
use salon_doors::tokens::Tokens;
use salon_files::Files;
use salon_live::{Clock, Hub};
use salon_recordings::{Livestreams, Recordings, Stops};
use salon_store::{RunId, Store};
use salon_transcripts::Transcripts;
use salon_webhooks::{Fetch, Guard};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::signals::Signals;
use crate::config::Config;

/// What it is done with.
pub struct Hands {
    pub store: Store,
    pub hub: Hub,
    pub clock: Clock,
    pub tokens: Tokens,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    /// What fetches what people name by an address.
    pub fetch: Fetch,
    /// What may be connected to.
    pub guard: Arc<Guard>,
}

impl Hands {
    pub fn recordings(&self, settings: salon_recordings::Settings, files: Files, stops: Stops) -> Recordings {
        let (tokens, clock) = (self.tokens.clone(), self.clock.clone());
        Recordings::new(salon_recordings::Parts {
            store: self.store.clone(),
            hub: self.hub.clone(),
            clock: self.clock.clone(),
            files,
            settings,
            stops,
            pass: Box::new(move |app, meeting, recording| tickets::of_robot(&tokens, (app, meeting, recording), clock.now())),
            fetch: {
                let fetch = self.fetch.clone();
                Box::new(move |url, most| {
                    let fetch = fetch.clone();
                    Box::pin(async move { fetch.get(&url, most).await })
                })
            },
            judge: {
                let guard = self.guard.clone();
                Box::new(move |url| guard.judge_stream(url).map_err(|why| why.to_string()))
            },
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        })
    }

    pub fn transcripts(&self, settings: salon_transcripts::Settings, figures: salon_transcripts::Figures) -> Transcripts {
        let (tokens, clock) = (self.tokens.clone(), self.clock.clone());
        Transcripts::new(salon_transcripts::Parts {
            store: self.store.clone(),
            hub: self.hub.clone(),
            clock: self.clock.clone(),
            settings,
            figures,
            pass: Box::new(move |listening| tickets::of_listener(&tokens, listening, clock.now())),
            tasks: self.tasks.clone(),
            stop: self.stop.clone(),
        })
    }
}

/// Goes on with what the last run has left, and sees to what is over until the node stops.
pub async fn go_on(
    recordings: Recordings,
    transcripts: Transcripts,
    livestreams: Livestreams,
    tasks: &TaskTracker,
) -> anyhow::Result<()> {
    if let Err(why) = recordings.can(RecordingKind::Composite) {
        tracing::info!("{why}");
    }
    let adopted = [
        ("recordings", recordings.adopt().await),
        ("transcripts", transcripts.adopt().await),
        ("livestreams", livestreams.adopt().await),
    ];
    for (what, adopted) in adopted {
        let count = adopted.with_context(|| format!("cannot go on with the {what} of the last run"))?;
        if count > 0 {
            tracing::info!(count, "going on with {what}");
        }
    }
    tasks.spawn(recordings.sweep());
    tasks.spawn(transcripts.sweep());
    tasks.spawn(livestreams.sweep());
    Ok(())
}

/// Has a node be a worker: it begins no sessions, and others know what it records.
pub async fn begin(config: &Config, store: &Store, run: &RunId) -> anyhow::Result<()> {
    let settings = config.recordings_settings(config.listen, None);
    if let Err(why) = salon_recordings::can(&settings, RecordingKind::Composite) {
        tracing::warn!("{why}");
    }
    store.mark_worker(run, salon_recordings::records(&settings)).await.context("cannot tell nodes that this is a worker")
}

/// Has a worker take no more, and waits for what it has; a second signal ends that.
pub async fn finish(recordings: &Recordings, ends: &CancellationToken) -> anyhow::Result<()> {
    ends.cancel();
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    tokio::select! {
        left = recordings.finish() => if left > 0 {
            tracing::warn!(jobs = left, "what is not over by now is left to the next run of this worker");
        },
        _ = signals.next() => tracing::warn!("told to stop again: what it has is left to the next run of this worker"),
    }
    Ok(())
}
