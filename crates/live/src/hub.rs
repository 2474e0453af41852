//! The live sessions of this node, as doors see them.
//! Reads of the live answer take a published copy: no inbox, no database.
//! Invariant: nothing of a session is given out while this node cannot prove that it owns it.
//! Next: `session_task.rs`, the driver of one session; `adopt.rs`, how sessions open.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use salon_core::session::{ConnectedNews, ConnectedView, MeetingFacts};
use salon_core::{AppId, MeetingId, Preset, SessionId, Timestamp};
use salon_store::SessionRow;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::adopt::{Opener, Place};
use crate::alive::Alive;
use crate::answer::{Reading, ToldOf};
use crate::clock::{OUTAGE_MS, SinceBoot};
use crate::fallen::Fallen;
use crate::families::Families;
use crate::inbox::{Handle, Newcomer, Unavailable};
use crate::keeper;
use crate::lease::Lease;
use crate::node::{Node, Parts};
use crate::table::Table;

/// The live sessions of this node.
#[derive(Clone)]
pub struct Hub {
    node: Arc<Node>,
    families: Families,
    opener: Opener,
}

impl Hub {
    /// Registers this run as its node, from when on it owns what it opens.
    ///
    /// `last_beat` is the last moment the previous run of this node is known to have been alive, as its own file has it.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn register(parts: Parts, last_beat: Option<Timestamp>) -> salon_store::Result<Self> {
        let lease = if parts.store.is_shared() { Lease::shared() } else { Lease::alone() };
        let (sent, at) = (SinceBoot::now(), parts.clock.now());
        if let Some(ahead_ms) = last_beat.map(|beat| beat.since(at)).filter(|ahead| *ahead > OUTAGE_MS) {
            tracing::warn!(ahead_ms, "this node was last alive in the future: the system's time is wrong, or was");
        }
        parts.store.register_node(&parts.name, &parts.run, at).await?;
        lease.renewed(sent, at);
        let node = Arc::new(Node {
            parts,
            last_beat,
            table: Table::default(),
            lease,
            fallen: Fallen::default(),
            told: ToldOf::default(),
            taken: CancellationToken::new(),
            left: CancellationToken::new(),
            look: tokio::sync::Notify::new(),
            beaten: AtomicI64::new(at.0),
        });
        let families = Families::new(node.clone());
        let opener = Opener::new(node.clone(), families.clone());
        Ok(Self { node, families, opener })
    }

    /// Begins what keeps sessions this node's own. To come before anything that may take long.
    pub fn keep(&self, alive: Arc<Alive>, stop: &CancellationToken) {
        let tasks = &self.node.tasks;
        // Not among the tasks that a node waits for when it stops: until they are done the claim must hold.
        tokio::spawn(keeper::renew(self.node.clone(), stop.clone()));
        tasks.spawn(keeper::beat(self.node.clone(), alive, stop.clone()));
        tasks.spawn(keeper::watch(self.node.clone(), self.opener.clone(), stop.clone()));
    }

    /// Takes over every live session that has no living owner, for at most so long; answers with how many.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn adopt_orphans(&self, within: Duration) -> salon_store::Result<usize> {
        self.opener.adopt_orphans(within, true).await
    }

    /// A connection of another process is attached again, and is where it was.
    pub async fn take_up(&self, handle: &Handle, meeting: &MeetingId, who: &Newcomer, preset: Preset) {
        let Some(standing) = self.node.handed.standing(meeting, &who.peer) else { return };
        let Newcomer { peer, participant, .. } = who.clone();
        // If the session is gone by now its socket is, too.
        let _ = handle.call(move |session, now| session.take_up(now, &peer, &participant, preset, standing)).await;
    }

    /// All connections of another process are taken up that there are: others have broken.
    pub async fn all_taken_up(&self) {
        for meeting in self.node.handed.meetings() {
            if let Some(handle) = self.find(meeting.as_str()) {
                let _ = handle.call(|session, now| session.all_taken_up(now)).await;
            }
        }
    }

    /// The task of a meeting, if it has one here.
    pub fn find(&self, meeting: &str) -> Option<Handle> {
        self.node.table.find(meeting)
    }

    /// The live answer about a meeting, as of its last change; none if its session is not here.
    ///
    /// # Errors
    /// `Unavailable` if the session is this node's, which cannot prove it at this moment, cannot save what has happened in
    /// it, or has yet to go on with it.
    pub fn summary(&self, meeting: &str, now: Timestamp) -> Result<Option<Reading>, Unavailable> {
        match self.node.table.live(meeting) {
            Some(live) => {
                let held = self.node.holds().ok_or(Unavailable)?;
                Reading::new(live, held, now).map(Some).ok_or(Unavailable)
            }
            None if self.node.fallen.hides(meeting) => Err(Unavailable),
            None => Ok(None),
        }
    }

    /// Where a live session is. What has no living owner is gone on with here.
    ///
    /// # Errors
    /// `Unavailable` if it is this node's, which has yet to go on with it, or the store does not answer.
    pub async fn place(&self, meeting: &MeetingId) -> Result<Option<Place>, Unavailable> {
        let place = self.opener.place(meeting).await.map_err(|error| {
            tracing::warn!(meeting.id = %meeting, %error, "cannot find out where a session is");
            Unavailable
        })?;
        match place {
            Some(Place::There(remote)) if remote.node == self.node.name => Err(Unavailable),
            place => Ok(place),
        }
    }

    /// The moment up to which a live session that is another node's may be told of: its last event. Nobody but its owner can
    /// say more.
    ///
    /// # Errors
    /// `Unavailable` if it is this node's, which has yet to go on with it.
    pub fn elsewhere(&self, row: &SessionRow) -> Result<Timestamp, Unavailable> {
        if row.owner_node == self.node.name || !self.node.store.is_shared() {
            return Err(Unavailable);
        }
        Ok(row.summary.updated_at)
    }

    /// Looks at once whether sessions have lost their owner: somebody has a reason to think so.
    pub fn look(&self) {
        self.node.look.notify_one();
    }

    /// Hears each time that the live answer about a meeting is another; none if its session has no task here. It ends with
    /// the task.
    pub fn news(&self, meeting: &str) -> Option<watch::Receiver<()>> {
        self.node.table.find(meeting).map(|handle| handle.live.news())
    }

    /// The live answers about all sessions of an app that are here, but for those that cannot be told at this moment.
    ///
    /// # Errors
    /// `Unavailable` if this node owns nothing at this moment.
    pub fn live_of(&self, app: &AppId, now: Timestamp) -> Result<Vec<Reading>, Unavailable> {
        let mut readings = Vec::new();
        for live in self.node.table.all_live(app) {
            readings.extend(Reading::new(live, self.node.holds().ok_or(Unavailable)?, now));
        }
        self.node.holds().ok_or(Unavailable)?;
        Ok(readings)
    }

    /// The lasting name of this node.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// The session that is live in a meeting here.
    pub fn session_of(&self, meeting: &str) -> Option<SessionId> {
        self.node.table.live(meeting).map(|live| live.session().clone())
    }

    /// The session that is live in a meeting here, and when it began.
    pub fn running(&self, meeting: &str) -> Option<(SessionId, Timestamp)> {
        self.node.table.live(meeting).map(|live| (live.session().clone(), live.began()))
    }

    /// Where the session of a meeting is; begins one here if there is none.
    ///
    /// # Errors
    /// `Unavailable` if the store does not answer, the session's record cannot be read, or this node owns nothing.
    pub async fn open(&self, facts: &MeetingFacts) -> Result<Place, Unavailable> {
        self.node.holds().ok_or(Unavailable)?;
        self.opener.open(facts).await.map_err(|error| {
            tracing::warn!(meeting.id = %facts.meeting, %error, "cannot open a session");
            Unavailable
        })
    }

    /// Lets go of every session at once: sockets close, and their clients look for the new owner.
    pub fn let_go(&self) {
        self.node.let_go("it was told to");
    }

    /// Returns when another run has taken this node's name: then this one can do nothing any more.
    pub async fn taken(&self) {
        self.node.taken.cancelled().await;
    }

    /// Whether this node may own sessions at this moment.
    pub fn holds(&self) -> bool {
        self.node.holds().is_some()
    }

    /// This node becomes another program, and is not taken for dead meanwhile.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn hands_over(&self) -> salon_store::Result<()> {
        self.node.store.hand_over_node(&self.node.run, self.node.clock.now()).await
    }

    /// Whether this node may take others for dead: not when it could not renew its own claim of late.
    pub fn may_judge(&self) -> bool {
        self.node.may_judge()
    }

    /// Takes no more callers: each session ends when the last of those it has is gone.
    pub fn close(&self) {
        self.node.table.clear();
    }

    /// Gives up what this run still owns, so that other nodes need not wait until they take it for dead.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn leave(&self) -> salon_store::Result<()> {
        self.node.left.cancel();
        self.node.store.leave_node(&self.node.run, self.node.seen()).await
    }

    /// Brings the figures up to date.
    pub fn count(&self) {
        let (sessions, peers) = self.node.table.census();
        self.node.figures.live(sessions, peers);
    }

    /// Whether this meeting has, or had, connected ones, as far as this node knows.
    pub fn has_family(&self, parent: &str) -> bool {
        self.families.has(parent)
    }

    /// The parent of the family that a meeting belongs to; `None` if it stands alone.
    pub fn family_of(&self, facts: &MeetingFacts) -> Option<MeetingId> {
        self.families.of(facts)
    }

    /// Looks in the background whether other nodes have made connected meetings in this one, and notes it.
    pub fn look_for_family(&self, parent: &MeetingId) {
        let (families, parent) = (self.families.clone(), parent.clone());
        self.node.tasks.spawn(async move { families.look_for(&parent).await });
    }

    /// A meeting of a family is opened here, or made.
    pub fn note_family(&self, parent: &MeetingId) {
        self.families.note(parent);
    }

    /// Somebody came, went or was renamed, or a meeting of the family was made, renamed or deleted: a round will follow.
    pub fn family_changed(&self, parent: &MeetingId) {
        self.families.changed(parent);
    }

    /// The family as it is now.
    ///
    /// # Errors
    /// The store or one of its sessions does not answer.
    pub async fn connected_view(&self, parent: &MeetingId) -> Result<Arc<ConnectedView>, Unavailable> {
        self.families.view(parent).await
    }

    /// Tells everyone in the family at once that connected meetings were made, renamed or deleted.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn tell_family(&self, parent: &MeetingId, news: ConnectedNews) -> Result<(), Unavailable> {
        self.families.tell(parent, news).await
    }
}
