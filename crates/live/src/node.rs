//! What every session's task needs of the node.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use salon_core::limits::Limits;
use salon_core::{MeetingId, SessionId, Timestamp};
use salon_handover::Passage;
use salon_store::{RunId, Store};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::ToldOf;
use crate::clock::{Clock, SinceBoot};
use crate::fallen::Fallen;
use crate::figures::Figures;
use crate::handed::AllHanded;
use crate::inbox::Handle;
use crate::lease::{Held, Lease};
use crate::outlets::Outlets;
use crate::table::Table;

/// How late the noting task may be without the node having stood still.
const PAUSE_MS: i64 = 5_000;

/// What a node is made of, as whoever starts it gives it.
pub struct Parts {
    pub store: Store,
    pub outlets: Outlets,
    pub clock: Clock,
    pub figures: Figures,
    pub limits: Limits,
    pub max_sockets_per_meeting: usize,
    /// This run of this node, the owner of its sessions in the store.
    pub run: RunId,
    /// The lasting name of this node.
    pub name: String,
    /// Through which sessions go to the next process, and what came through it from the one before.
    pub passage: Passage,
    pub handed: AllHanded,
    pub tasks: TaskTracker,
}

/// A node that runs.
pub(crate) struct Node {
    pub parts: Parts,
    /// The last moment the previous run of this node is known to have been alive.
    pub last_beat: Option<Timestamp>,
    pub table: Table,
    pub lease: Lease,
    pub fallen: Fallen,
    pub told: ToldOf,
    /// Cancelled when another run has this node's name.
    pub taken: CancellationToken,
    /// Somebody thinks that sessions have lost their owner.
    pub look: tokio::sync::Notify,
    /// Cancelled when this run has given up what it owned.
    pub left: CancellationToken,
    /// The moment at which the node last noted that it runs.
    pub beaten: AtomicI64,
}

impl std::ops::Deref for Node {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

impl Node {
    /// Proof that this run owns its sessions at this moment.
    pub fn holds(&self) -> Option<Held> {
        self.lease.holds(SinceBoot::now())
    }

    /// Whether this run may take other nodes for dead.
    pub fn may_judge(&self) -> bool {
        self.lease.may_judge(SinceBoot::now())
    }

    /// Waits until the claim holds, for as long as it is waited for; false if it does not come back.
    pub async fn is_held_again(&self) -> bool {
        while self.holds().is_none() {
            if self.lease.is_given_up(SinceBoot::now()) {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }

    /// Lets go of those of its sessions that `owned` does not have any more.
    pub fn let_go_of_others(&self, live: Vec<Handle>, owned: &HashSet<SessionId>) {
        let lost = live.into_iter().filter(|handle| {
            let live = handle.live.live();
            live.as_ref().is_some_and(|live| !owned.contains(live.session()))
        });
        let lost: Vec<_> = lost.collect();
        if !lost.is_empty() {
            tracing::warn!(
                sessions = lost.len(),
                "other nodes have taken sessions over while this one could not renew its claim"
            );
        }
        for handle in lost {
            handle.let_go.cancel();
        }
    }

    /// The last moment at which this node is sure to have seen its people: a process that was stopped for a while has not.
    pub fn seen(&self) -> Timestamp {
        let beaten = Timestamp(self.beaten.load(Ordering::Relaxed));
        self.clock.now().min(beaten.plus_ms(PAUSE_MS))
    }

    /// Lets go of every session at once, because this node cannot prove any more that it owns them, or saw their people.
    pub fn let_go(&self, why: &str) {
        let sessions: Vec<_> = self.table.all().into_iter().filter(|handle| !handle.let_go.is_cancelled()).collect();
        if !sessions.is_empty() {
            tracing::error!(sessions = sessions.len(), why, "letting go of all sessions");
        }
        for handle in sessions {
            handle.let_go.cancel();
        }
    }

    /// Waits until a task that was let go of has ended, for a second at most.
    pub async fn is_off(&self, meeting: &MeetingId) {
        let ended = async {
            while self.table.find(meeting.as_str()).is_some_and(|handle| handle.let_go.is_cancelled()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), ended).await;
    }

    /// Waits until the tasks that were let go of have ended, for a second at most.
    pub async fn is_let_go(&self) {
        let ended = async {
            while self.table.all().iter().any(|handle| handle.let_go.is_cancelled()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), ended).await;
    }
}
