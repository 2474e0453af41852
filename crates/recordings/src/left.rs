//! What the row of a job says beside the job where it is left to workers, and what is known of those.
//! Next: `workers.rs`, both ends.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use salon_core::event::RecordingKind;
use salon_store::{Livestream, Recording, Records, Store};
use serde_json::Value;

/// How often the row is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long a recording that has ended waits for its session to hear of it, before it is said that its files are there.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Names in the configuration of a row: that it is for workers, what is wished of it, how many watch, that its session has heard of
/// its end, and which workers are gone with a part of it.
const FOR_WORKERS: &str = "for_workers";
pub const WISH: &str = "wish";
pub const VIEWERS: &str = "viewers";
pub const HEARD: &str = "heard";
pub const LEFT_WITH: &str = "left_with";

/// What the workers that live take, as this node knows it.
#[derive(Debug, Default)]
pub struct Known(AtomicU8);

impl Known {
    pub fn note(&self, best: Option<Records>) {
        let number = match best {
            None => 0,
            Some(Records::Tracks) => 1,
            Some(Records::Pictures) => 2,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    /// Whether one of them takes this.
    pub fn take(&self, kind: RecordingKind) -> bool {
        self.0.load(Ordering::Relaxed) >= if kind == RecordingKind::Track { 1 } else { 2 }
    }
}

/// Marks a job as one for workers.
pub fn leave(config: &mut Value, node: &mut String) {
    config[FOR_WORKERS] = true.into();
    node.clear();
}

/// Whether it is one.
pub fn is_for_workers(config: &Value) -> bool {
    config[FOR_WORKERS] == true
}

/// Notes how many watch a livestream, for the node that has its session.
pub fn note_viewers(livestream: &mut Livestream, viewers: u64) {
    if is_for_workers(&livestream.config) {
        livestream.config[VIEWERS] = viewers.into();
    }
}

/// Waits until the session of a recording that has ended has heard so, if its node does not record it itself.
pub async fn heard(store: &Store, row: &Recording) {
    if !is_for_workers(&row.config) {
        return;
    }
    let is_heard = async {
        while store.recording(&row.id).await.is_ok_and(|row| row.is_some_and(|row| row.config[HEARD] != true)) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(HEARD_WITHIN, is_heard).await;
}
