//! Opening sessions: new ones, and those that live in the store without a task here. The latter were left behind by a run
//! that died, let go of by this one, or belong to a node that is dead.
//! Invariant: a session goes on only after its record was read and the store has made this run its owner, under a new
//! epoch that shuts out whoever had it before, a lost task of this very run included.
//! Next: `Session::recover`, which says what an outage means for the people in it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use salon_core::record::Peer;
use salon_core::session::MeetingFacts;
use salon_core::{MeetingId, Session};
use salon_store::{Error, Estate, LastSeen, Rule, SessionRow, Taken};
use tokio::task::JoinSet;

use crate::clock::OUTAGE_MS;
use crate::families::Families;
use crate::inbox::{Handle, Unavailable};
use crate::node::Node;
use crate::orphans::{Luck, in_own_order};
use crate::seen::Evidence;
use crate::session_task;

/// Sessions taken over at once. More is faster and leaves the store less time for those that are live already.
const AT_ONCE: usize = 4;

/// Locks for all meetings: two that share one wait for each other, and nothing else happens.
const LOCKS: usize = 64;

/// Where a meeting's session is.
pub enum Place {
    Here(Handle),
    There(Remote),
}

/// A session that another node runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    pub node: String,
    /// Where other nodes reach it, as HOST:PORT; none if they do not.
    pub address: Option<String>,
}

impl Place {
    /// # Errors
    /// It is elsewhere.
    pub fn here(self) -> Result<Handle, Unavailable> {
        match self {
            Place::Here(handle) => Ok(handle),
            Place::There(_) => Err(Unavailable),
        }
    }
}

/// Opens sessions.
#[derive(Clone)]
pub(crate) struct Opener {
    node: Arc<Node>,
    families: Families,
    /// Held while a session is taken over, so that two who come for it at once do not take it from each other.
    taking: Arc<[tokio::sync::Mutex<()>; LOCKS]>,
}

impl Opener {
    pub fn new(node: Arc<Node>, families: Families) -> Self {
        Self { node, families, taking: Arc::new(std::array::from_fn(|_| tokio::sync::Mutex::default())) }
    }

    /// The task of a meeting; begins one if need be. A session that lives on another node is not taken from it.
    pub async fn open(&self, facts: &MeetingFacts) -> Result<Place, Error> {
        if let Some(handle) = self.known(&facts.meeting) {
            return Ok(Place::Here(handle));
        }
        // A session that this node does not know may still be live in the store: left by a run that died, or elsewhere.
        let row = self.node.store.live_session_of(&facts.meeting).await?;
        let family = self.families.stored(facts).await?;
        let elsewhere = match &row {
            None => self.begins_at(&facts.meeting, family.is_some()).await?,
            Some(_) => None,
        };
        let place = match row {
            _ if elsewhere.is_some() => return Ok(Place::There(elsewhere.expect("it was looked at"))),
            None => {
                if let Some(handle) = self.node.table.find(facts.meeting.as_str()) {
                    return Ok(Place::Here(handle));
                }
                self.node.fallen.remove(facts.meeting.as_str());
                self.node.fallen.is_readable(facts.meeting.as_str());
                let session = Session::new(facts.clone(), self.node.limits.clone());
                Place::Here(session_task::start(&self.node, &self.families, session, 1, 0))
            }
            Some(_) => self.take_over(&facts.meeting).await?,
        };
        if let Some(parent) = family {
            self.families.note(&parent);
        }
        Ok(place)
    }

    /// The task of a meeting, as far as that is known without asking the store. One in which no session is live says nothing
    /// where nodes share a store: one may have begun at another since.
    fn known(&self, meeting: &MeetingId) -> Option<Handle> {
        let handle = self.node.table.find(meeting.as_str()).filter(|handle| !handle.let_go.is_cancelled())?;
        (handle.live.live().is_some() || !self.node.store.is_shared()).then_some(handle)
    }

    /// Where a meeting's session is, if one is live; what has no living owner is taken over.
    pub async fn place(&self, meeting: &MeetingId) -> Result<Option<Place>, Error> {
        if let Some(handle) = self.known(meeting).filter(|handle| handle.live.live().is_some()) {
            return Ok(Some(Place::Here(handle)));
        }
        if self.node.store.live_session_of(meeting).await?.is_none() {
            return Ok(None);
        }
        match self.take_over(meeting).await {
            // It has ended meanwhile.
            Err(Error::NotFound) => Ok(None),
            place => place.map(Some),
        }
    }

    /// The other node at which a session of this meeting begins: the one that has its family, or else the one at which those
    /// who wait for it are.
    async fn begins_at(&self, meeting: &MeetingId, has_family: bool) -> Result<Option<Remote>, Error> {
        let store = &self.node.store;
        if !store.is_shared() {
            return Ok(None);
        }
        let family = if has_family { store.family_owner(meeting).await? } else { None };
        let owner = match family {
            None => store.begins_at(meeting, &self.node.run).await?,
            owner => owner.filter(|owner| owner.node != self.node.name),
        };
        Ok(owner.map(|owner| Remote { node: owner.node, address: owner.address }))
    }

    /// The other node that has sessions of this meeting's family: it has all of them.
    async fn with_family(&self, meeting: &MeetingId) -> Result<Option<Remote>, Error> {
        if !self.node.store.is_shared() {
            return Ok(None);
        }
        let owner = self.node.store.family_owner(meeting).await?.filter(|owner| owner.node != self.node.name);
        Ok(owner.map(|owner| Remote { node: owner.node, address: owner.address }))
    }

    /// Takes over every live session that has no living owner, for at most so long; answers with how many. With `all` it looks at
    /// every session there is.
    pub async fn adopt_orphans(&self, within: Duration, all: bool) -> Result<usize, Error> {
        let (store, run, until) = (&self.node.store, &self.node.run, Instant::now() + within);
        let mut estates = store.estates(run, self.node.clock.now(), all).await?;
        in_own_order(run.as_str(), &mut estates, Estate::name);
        let (mut taken, mut luck) = (0, Luck::default());
        for estate in estates {
            if luck.is_out() || Instant::now() >= until {
                break;
            }
            let mut orphans = store.left_behind(run, &estate).await?;
            in_own_order(run.as_str(), &mut orphans, |orphan| orphan.session.as_str());
            taken += self
                .take_all(orphans.into_iter().map(|orphan| (orphan.meeting, Some(orphan.epoch))), until, Some(&mut luck))
                .await?;
        }
        Ok(taken)
    }

    /// Takes over what is this run's own and has no task: one that was let go of, or that was begun by a save whose answer
    /// was lost. And looks which of what was hidden need not be.
    pub async fn adopt_own(&self, within: Duration) -> Result<usize, Error> {
        let until = Instant::now() + within;
        let mut live: HashSet<MeetingId> = self.node.store.live_meetings_of(&self.node.run).await?.into_iter().collect();
        let lost: Vec<MeetingId> =
            live.iter().filter(|meeting| self.node.table.find(meeting.as_str()).is_none()).cloned().collect();
        let orphans = self.node.store.live_sessions_to_adopt(&self.node.run, self.node.clock.now(), false).await?;
        live.extend(orphans.into_iter().map(|orphan| orphan.meeting));
        self.node.fallen.unreadable_are_among(&live);
        self.take_all(lost.into_iter().map(|meeting| (meeting, None)), until, None).await
    }

    /// Each from the owner that has it under that epoch; with `luck` until that is out.
    async fn take_all(
        &self,
        mut meetings: impl Iterator<Item = (MeetingId, Option<i64>)>,
        until: Instant,
        mut luck: Option<&mut Luck>,
    ) -> Result<usize, Error> {
        let (mut taking, mut taken) = (JoinSet::new(), 0);
        loop {
            let goes_on = luck.as_ref().is_none_or(|luck| !luck.is_out());
            while goes_on && taking.len() < AT_ONCE && Instant::now() < until {
                let Some((meeting, epoch)) = meetings.next() else { break };
                let opener = self.clone();
                taking.spawn(async move { opener.take_over_from(&meeting, epoch).await });
            }
            let came = taking.join_next().await;
            if let (Some(luck), Some(Ok(Ok(place)))) = (&mut luck, &came) {
                luck.note(matches!(place, Place::Here(_)));
            }
            match came {
                None => return Ok(taken),
                Some(Ok(Ok(Place::Here(_)))) => taken += 1,
                // Another node was faster, it is over, or what is wrong with it was said where it was found.
                Some(Ok(Ok(Place::There(_)) | Err(Error::NotFound | Error::Corrupt(_) | Error::Conflict(_))) | Err(_)) => {}
                Some(Ok(Err(error))) => return Err(error),
            }
        }
    }

    /// Takes the live session of a meeting over if its owner is this node or dead. `NotFound` if there is none.
    pub async fn take_over(&self, meeting: &MeetingId) -> Result<Place, Error> {
        self.take_over_from(meeting, None).await
    }

    /// The same, if its owner still has it under the epoch that was seen: to find that another node was faster costs one look.
    async fn take_over_from(&self, meeting: &MeetingId, epoch: Option<i64>) -> Result<Place, Error> {
        let mut hasher = DefaultHasher::new();
        meeting.hash(&mut hasher);
        let _taking = self.taking[hasher.finish() as usize % LOCKS].lock().await;
        if let Some(handle) = self.known(meeting) {
            return Ok(Place::Here(handle));
        }
        let row = self.node.store.live_session_of(meeting).await?.ok_or(Error::NotFound)?;
        if row.owner_run != self.node.run && epoch.is_some_and(|seen| seen != row.epoch) {
            return Ok(Place::There(Remote { node: row.owner_node, address: row.owner_address }));
        }
        if let Some(handle) = self.node.table.find(meeting.as_str()) {
            if row.owner_run == self.node.run && !handle.let_go.is_cancelled() {
                // It has just begun.
                return Ok(Place::Here(handle));
            }
            // Whoever is connected to it comes back, and is passed on if need be.
            handle.let_go.cancel();
            self.node.is_off(meeting).await;
        }
        let is_others = row.owner_node != self.node.name && self.node.store.is_shared();
        if is_others && let Some(remote) = self.with_family(meeting).await? {
            self.node.fallen.remove(meeting.as_str());
            return Ok(Place::There(remote));
        }
        match self.take(&row).await {
            Err(Error::NotOwner | Error::Conflict(Rule::OwnerAlive)) => {
                // Whoever has it sees it to its end.
                self.node.fallen.remove(meeting.as_str());
                Ok(Place::There(Remote { node: row.owner_node, address: row.owner_address }))
            }
            Err(Error::Corrupt(corrupt)) => {
                let session = &row.summary.session;
                if self.node.fallen.is_unreadable(meeting) {
                    tracing::error!(session.id = %session, %corrupt, "the record of a live session cannot be read; `salon session end {session}` ends it");
                }
                Err(Error::Corrupt(corrupt))
            }
            outcome => outcome.map(Place::Here),
        }
    }

    async fn take(&self, row: &SessionRow) -> Result<Handle, Error> {
        let (store, run) = (&self.node.store, &self.node.run);
        let session = &row.summary.session;
        let mut record = store.record(session).await?.ok_or(Error::NotFound)?;
        let facts = MeetingFacts {
            meeting: record.started.meeting.clone(),
            app: record.started.app.clone(),
            title: record.started.title.clone(),
            keep_alive_ms: record.started.keep_alive_ms,
            // Asked when a session begins, with facts of that moment; this one has begun.
            persist_chat: false,
            parent: record.started.parent.clone(),
        };
        let let_go = self.node.fallen.get(facts.meeting.as_str()).map(|fall| fall.at).filter(|_| row.owner_run == *run);
        let mut evidence = Evidence {
            now: self.node.clock.now(),
            updated_at: record.updated_at,
            let_go,
            beat: self.node.last_beat.filter(|_| row.owner_node == self.node.name),
            owner_seen: row.owner_seen_at,
        };
        let flowing = self.node.outlets.media.flowing(&facts.meeting);
        // Of another node's it may be something old.
        let handed = self.node.handed.carried(&facts.meeting).filter(|_| row.owner_node == self.node.name);
        let seen = match let_go {
            _ if !flowing.is_empty() || handed.is_some() => LastSeen::Now,
            Some(at) => LastSeen::At(at),
            None => LastSeen::WithOwner,
        };
        let Taken { epoch, owner_seen_at } = store.take_over(session, row.epoch, run, self.node.may_judge(), seen).await?;
        evidence.owner_seen = owner_seen_at;
        // From here on the store has forgotten the former owner, and whatever goes wrong below is tried again.
        self.node.fallen.add(facts.clone(), evidence.weigh().seen);
        // Its former owner may have written to the last moment, and cannot any more.
        for event in store.events(session, record.seq, salon_store::MAX_EVENTS).await? {
            record.apply(&event);
        }
        let family = self.families.stored(&facts).await?;
        // Nobody could tell it who was deleted while it was told of by nobody.
        let people = record.present().filter(|peer| !peer.is_robot()).map(|peer| peer.who.participant.clone());
        let deleted = store.deleted_among(people.collect()).await?;
        let now = self.node.clock.now();
        (evidence.now, evidence.updated_at) = (now, record.updated_at);
        let goes_on = evidence.weigh();
        let published = record.peers.values().filter(|peer| peer.is_present() && !peer.tracks.is_empty());
        // Their media connections died with the server that had them, or were taken down with the task.
        let cut_off_at = goes_on.seen.plus_ms(-goes_on.ahead_ms);
        let outage_ms = now.since(cut_off_at);
        let published = published.map(|peer| peer.who.peer.clone()).collect();
        let tracks = |peer: &Peer| peer.tracks.values().map(|track| (track.id.clone(), track.paused)).collect();
        let people = record.present().map(|peer| (peer.who.peer.clone(), tracks(peer))).collect();
        let flowing = self.node.outlets.media.may_flow(&facts.meeting, people);
        self.node.outlets.media.cut_off(&facts.meeting, published, Duration::from_millis(outage_ms.max(0) as u64));
        tracing::info!(meeting.id = %facts.meeting, session.id = %session, from = row.owner_node, outage_ms, "going on with a session");
        if row.owner_node != self.node.name {
            self.node.figures.took_over();
            let why = format!("{} was not seen for {outage_ms} ms", row.owner_node);
            if let Err(error) = store.note_takeover(run, &why, now).await {
                tracing::warn!(%error, "a takeover could not be noted");
            }
            (self.node.outlets.moved)(&row.owner_node);
        }
        if goes_on.ahead_ms > OUTAGE_MS {
            tracing::warn!(session.id = %session, ahead_ms = goes_on.ahead_ms, "a session was recorded by a clock that was ahead; it goes on in that time");
        }
        let (limits, ahead_ms) = (self.node.limits.clone(), goes_on.ahead_ms);
        let (facts, at) = (facts.clone(), now.plus_ms(ahead_ms));
        let mut session = match handed {
            Some(carried) => Session::go_on_with(facts, limits, record, at, carried, &flowing),
            None => Session::recover(facts, limits, record, at, goes_on.seen, &flowing),
        };
        deleted.iter().for_each(|participant| session.delete_participant(at, participant));
        let facts = session.facts().clone();
        let handle = session_task::start(&self.node, &self.families, session, epoch, ahead_ms);
        self.node.fallen.is_readable(facts.meeting.as_str());
        self.node.fallen.remove(facts.meeting.as_str());
        // What it was before the outage may not be so any more.
        if let Some(parent) = family {
            self.families.note(&parent);
        }
        Ok(handle)
    }
}
