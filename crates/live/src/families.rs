//! Meetings that belong together: a meeting and those made in it, and who is where among them.
//! Owns which families have a meeting open on this node, and the last view of each.
//! Invariant: every change of who is where is followed by a round, which tells everyone in the family; rounds never overlap.
//! Sees the meetings of this node, and of those on other nodes what is in the store.
//! Next: `salon_core::session`, `connected.rs`, which decides who may see what.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use salon_core::MeetingId;
use salon_core::session::{ConnectedNews, ConnectedView, MeetingFacts, PersonView, RoomView, people_of};
use salon_store::Meeting;

use crate::inbox::Unavailable;
use crate::node::Node;

/// The shortest time from a change to its round: people who are moved leave and come in one after the other.
const ROUND_AFTER_MS: u64 = 300;

/// A round tells everyone of everyone. With 1000 people it comes after 2 s, with 2000 after 8.
const PAIRS_PER_MS: u64 = 500;

/// The pause after a round that failed, because the store or a session did not answer.
const TRY_AGAIN_AFTER_MS: u64 = 1_000;

/// The families that have a meeting open here, by their parent.
#[derive(Clone)]
pub(crate) struct Families {
    node: Arc<Node>,
    open: Arc<Mutex<HashMap<MeetingId, Arc<Family>>>>,
}

#[derive(Default)]
struct Family {
    /// Counts what changed: a view made before a change is old.
    changes: AtomicU64,
    /// Somebody makes the rounds.
    is_watched: AtomicBool,
    view: tokio::sync::Mutex<Option<(u64, Arc<ConnectedView>)>>,
}

impl Families {
    pub fn new(node: Arc<Node>) -> Self {
        Self { node, open: Arc::default() }
    }

    fn get(&self, parent: &str) -> Option<Arc<Family>> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).get(parent).cloned()
    }

    fn ensure(&self, parent: &MeetingId) -> Arc<Family> {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).entry(parent.clone()).or_default().clone()
    }

    fn forget(&self, parent: &MeetingId) {
        self.open.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(parent);
    }

    /// Whether this meeting has, or had, connected ones, as far as this node knows.
    pub fn has(&self, parent: &str) -> bool {
        self.get(parent).is_some()
    }

    /// The parent of the family that a meeting belongs to; `None` if it stands alone.
    pub fn of(&self, facts: &MeetingFacts) -> Option<MeetingId> {
        match &facts.parent {
            Some(parent) => Some(parent.meeting.clone()),
            None => self.has(facts.meeting.as_str()).then(|| facts.meeting.clone()),
        }
    }

    /// A meeting of a family is opened here, or made.
    pub fn note(&self, parent: &MeetingId) {
        self.ensure(parent);
        self.changed(parent);
    }

    /// The parent of a meeting's family, asked before the meeting opens here.
    pub async fn stored(&self, facts: &MeetingFacts) -> Result<Option<MeetingId>, salon_store::Error> {
        match &facts.parent {
            Some(parent) => Ok(Some(parent.meeting.clone())),
            None => Ok(self.node.store.has_connected_meetings(&facts.meeting).await?.then(|| facts.meeting.clone())),
        }
    }

    /// Asks the store whether a meeting has connected ones.
    pub async fn look_for(&self, parent: &MeetingId) {
        match self.node.store.has_connected_meetings(parent).await {
            Ok(true) => self.note(parent),
            Ok(false) => {}
            Err(error) => tracing::debug!(meeting.id = %parent, %error, "cannot look for connected meetings"),
        }
    }

    /// Somebody came, went or was renamed, or a meeting of the family was made, renamed or deleted: a round will follow.
    pub fn changed(&self, parent: &MeetingId) {
        let Some(family) = self.get(parent.as_str()) else { return };
        family.changes.fetch_add(1, Ordering::SeqCst);
        if family.is_watched.swap(true, Ordering::SeqCst) {
            return;
        }
        tokio::spawn(self.clone().watch(parent.clone(), family));
    }

    /// Makes rounds until one has told of the last change.
    async fn watch(self, parent: MeetingId, family: Arc<Family>) {
        let (mut pause, mut told) = (ROUND_AFTER_MS, None);
        let is_told = |told: Option<u64>| told == Some(family.changes.load(Ordering::SeqCst));
        while !self.node.tasks.is_closed() {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if is_told(told) {
                family.is_watched.store(false, Ordering::SeqCst);
                // A change just before that has found the watch standing.
                if is_told(told) || family.is_watched.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
            pause = match self.round(&parent, &family).await {
                Ok((version, people)) => {
                    told = Some(version);
                    ROUND_AFTER_MS.max(people * people / PAIRS_PER_MS)
                }
                Err(Unavailable) => TRY_AGAIN_AFTER_MS,
            };
        }
    }

    /// Looks who is where, keeps the parent's session alive while people are in the others, and tells everyone. Answers
    /// with the number of the last change that was seen, and with how many people that are.
    async fn round(&self, parent: &MeetingId, family: &Family) -> Result<(u64, u64), Unavailable> {
        let (version, view) = self.look(parent, family).await?;
        let rooms = [&view.parent].into_iter().chain(&view.meetings);
        let here: Vec<_> = rooms.filter_map(|room| self.node.table.find(room.id.as_str())).collect();
        if here.is_empty() {
            // Nobody is left here to be told; whoever opens one of the meetings again finds the family anew.
            self.forget(parent);
            return Ok((version, 0));
        }
        let mut held = false;
        for room in &view.meetings {
            let Some(handle) = self.node.table.find(room.id.as_str()) else { continue };
            held |= handle.call(|session, _| session.is_peopled()).await.unwrap_or(false);
        }
        if let Some(handle) = self.node.table.find(parent.as_str()) {
            handle.call(move |session, now| session.hold_open(now, held)).await?;
        }
        for handle in here {
            let view = view.clone();
            // A session that is gone has nobody to tell.
            let _ = handle.call(move |session, _| session.tell_connected(&view)).await;
        }
        let people = [&view.parent].into_iter().chain(&view.meetings).map(|room| room.people.len() as u64).sum();
        Ok((version, people))
    }

    /// The family as it is now.
    pub async fn view(&self, parent: &MeetingId) -> Result<Arc<ConnectedView>, Unavailable> {
        let family = self.ensure(parent);
        Ok(self.look(parent, &family).await?.1)
    }

    /// Those who ask at once are answered with one look.
    async fn look(&self, parent: &MeetingId, family: &Family) -> Result<(u64, Arc<ConnectedView>), Unavailable> {
        let mut last = family.view.lock().await;
        let version = family.changes.load(Ordering::SeqCst);
        // What happens on other nodes is not counted here.
        if let Some((_, view)) = last.as_ref().filter(|(seen, _)| *seen == version && !self.node.store.is_shared()) {
            return Ok((version, view.clone()));
        }
        let unavailable = |error: salon_store::Error| {
            tracing::warn!(meeting.id = %parent, %error, "cannot look for connected meetings");
            Unavailable
        };
        let store = &self.node.store;
        let row = store.meeting_of(parent).await.map_err(unavailable)?.ok_or(Unavailable)?;
        let rooms = store.connected_meetings(parent).await.map_err(unavailable)?;
        let mut meetings = Vec::with_capacity(rooms.len());
        for room in &rooms {
            meetings.push(self.room_view(room).await?);
        }
        let view = Arc::new(ConnectedView { parent: self.room_view(&row).await?, meetings });
        *last = Some((version, view.clone()));
        Ok((version, view))
    }

    async fn room_view(&self, meeting: &Meeting) -> Result<RoomView, Unavailable> {
        let title = meeting.title.clone().unwrap_or_default();
        Ok(RoomView { id: meeting.id.clone(), title, people: self.people_in(meeting).await? })
    }

    async fn people_in(&self, meeting: &Meeting) -> Result<Vec<PersonView>, Unavailable> {
        if let Some(handle) = self.node.table.find(meeting.id.as_str()) {
            match handle.call(|session, _| session.people()).await {
                // It retired meanwhile, and was empty then.
                Err(Unavailable) if self.node.table.find(meeting.id.as_str()).is_none() => {}
                people => return people,
            }
        }
        if !self.node.store.is_shared() {
            return Ok(Vec::new());
        }
        let elsewhere = async {
            let Some(row) = self.node.store.live_session_of(&meeting.id).await? else { return Ok(Vec::new()) };
            let record = self.node.store.record(&row.summary.session).await?;
            Ok::<_, salon_store::Error>(record.as_ref().map(people_of).unwrap_or_default())
        };
        elsewhere.await.map_err(|_| Unavailable)
    }

    /// Tells everyone in the family at once that connected meetings were made, renamed or deleted.
    pub async fn tell(&self, parent: &MeetingId, news: ConnectedNews) -> Result<(), Unavailable> {
        let rooms = self.node.store.connected_meetings(parent).await.map_err(|_| Unavailable)?;
        let deleted = match &news {
            ConnectedNews::Deleted(gone) => gone.iter().map(|(id, _)| id.clone()).collect(),
            _ => Vec::new(),
        };
        let all = [parent.clone()].into_iter().chain(rooms.into_iter().map(|room| room.id)).chain(deleted);
        for handle in all.filter_map(|id| self.node.table.find(id.as_str())) {
            let news = news.clone();
            let _ = handle.call(move |session, _| session.tell_connected_news(&news)).await;
        }
        self.changed(parent);
        Ok(())
    }
}
