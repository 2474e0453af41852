//! After a node was away, or the database: connections of its people at others, or of others' people at it, or of people whose
//! session it gave up, find the node of their session, and what they consumed of each other is fetched again.
//! Invariant: what a session does not know is closed, and so is what no session wants in time.
//! Next: `../spread/lodging.rs`, where such connections wait; `wherever.rs` asks for those that were found.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use salon_core::{MeetingId, PeerId, TrackId};
use salon_sfu::{OwnerId, ProducerId, Resumed, Role, RoomId, TransportId};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Own, Owners, Source, is_voice, tag};
use crate::awaited::{Awaited, Wanting};
use crate::news::News;
use crate::spread::{Answer, Ask, Asked, Conversation, Deserted, HELD_FOR, Home, Link, Lodged, ROOMS_AT_ONCE, Whereabouts};

/// How often it is looked for the sessions of connections that no node asks for, at first, and every so many times later.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const LATER_IN: u32 = 5;

/// How long one look may take, and asking another node to attach what is here.
const LOOK_WITHIN: Duration = Duration::from_millis(500);

/// How long connections may be here that a node which is there does not ask for: a little longer than that looks for this one.
const UNWANTED_FOR: Duration = HELD_FOR.saturating_add(Duration::from_millis(500));

/// How long they may be here while nobody can say where their session is.
const DESERTED_FOR: Duration = Duration::from_secs(60);

/// A connection at another node, for the next process.
#[derive(Debug, Serialize, Deserialize)]
struct Elsewhere {
    address: String,
    meeting: String,
    peer: String,
    transport: TransportId,
    role: Role,
    /// And whether they are voices.
    tracks: Vec<(ProducerId, bool)>,
}

impl Owners {
    /// The connections that are at other nodes, as the next process finds them.
    pub fn elsewhere(&self) -> String {
        let (peers, tracks) = (self.peers().clone(), self.tracks().clone());
        let mut all = Vec::new();
        for (meeting, of_meeting) in peers {
            for (peer, own) in of_meeting {
                all.extend(own.into_iter().filter_map(|Own { transport, role, .. }| {
                    let on = tracks.iter().filter(|(_, source)| source.transport == transport);
                    Some(Elsewhere {
                        address: self.is_away(&transport)?.address().to_owned(),
                        meeting: meeting.to_string(),
                        peer: peer.to_string(),
                        tracks: on.map(|(producer, source)| (producer.clone(), source.voice)).collect(),
                        transport,
                        role,
                    })
                }));
            }
        }
        serde_json::to_string(&all).unwrap_or_default()
    }

    /// Goes on with what was at other nodes.
    pub fn go_on_elsewhere(&self, elsewhere: &str) {
        let Some(away) = &self.away else { return };
        let all: Vec<Elsewhere> = serde_json::from_str(elsewhere).unwrap_or_default();
        for Elsewhere { address, meeting, peer, transport, role, tracks } in all {
            let (Ok(meeting), Ok(peer)) = (MeetingId::parse(&meeting), PeerId::parse(&peer)) else { continue };
            let Some(link) = away.spread.had(&address) else { continue };
            away.begin(&transport, &link);
            // Whom it counts against matters for what is here only.
            self.own_again(&meeting, &peer, Own { transport, role, owner: OwnerId::from("") }, tracks);
        }
    }

    /// A peer has this connection, and on it these tracks, of which it is known whether they are voices.
    pub(super) fn own_again(
        &self,
        meeting: &MeetingId,
        peer: &PeerId,
        own: Own,
        tracks: impl IntoIterator<Item = (ProducerId, bool)>,
    ) {
        for (producer, voice) in tracks {
            let source = Source { meeting: meeting.clone(), peer: peer.clone(), transport: own.transport.clone(), voice };
            self.tracks().insert(producer, source);
        }
        self.peers().entry(meeting.clone()).or_default().entry(peer.clone()).or_default().push(own);
    }

    /// A connection of an earlier run consumed these, which may come in elsewhere.
    pub(super) fn wants(&self, transport: &TransportId, consumed: Vec<ProducerId>) {
        let (now, mut wanting) = (Instant::now(), self.wanting());
        for producer in consumed {
            wanting.entry(producer).or_insert_with(|| Wanting::new(now)).by.insert(transport.clone());
        }
    }

    /// A session is this node's from now on, and gone on with, that had these people and tracks, with whether they are paused. Answers with those that come in,
    /// or may, at other nodes: of those that do not it is told later that they are lost.
    pub fn may_flow(&self, meeting: &MeetingId, people: Vec<(PeerId, Vec<(TrackId, bool)>)>) -> Vec<TrackId> {
        let (mut flowing, lodged) = (self.tracks_in(meeting), self.lodging.take_all(&RoomId::from(meeting.as_str())));
        if self.away.is_none() && lodged.is_empty() {
            return flowing;
        }
        let mut awaited = Awaited::new(Instant::now());
        for (peer, tracks) in people {
            for (track, paused) in tracks {
                if !flowing.contains(&track) {
                    awaited.tracks.insert(ProducerId::from(track.as_str()), (peer.clone(), paused));
                    flowing.push(track);
                }
            }
            awaited.peers.insert(peer);
        }
        self.awaited().insert(meeting.clone(), awaited);
        self.go_on_with_lodged(lodged);
        flowing
    }

    /// There is a connection with a node: each says what it has. None if that connection is over already.
    pub(crate) async fn meets_again(self: &Arc<Self>, link: &Link, over: &Conversation) -> Option<()> {
        let have = self.away.as_ref()?.at(link);
        let asked = over.ask(Ask::Attach { have: have.clone(), rooms: Vec::new() }).await;
        let Asked::Answered(Ok(Answer::Attached(all))) = asked else { return None };
        self.attach(link, have, all).await;
        Some(())
    }

    /// A node has connections of meetings whose sessions are here.
    pub(crate) async fn take_over(self: &Arc<Self>, link: &Link, rooms: Vec<RoomId>) {
        if let Ok(Answer::Attached(all)) = link.ask(Ask::Attach { have: Vec::new(), rooms }).await {
            self.attach(link, Vec::new(), all).await;
        }
    }

    /// A node has all of these connections, of those that are known to be there, and others perhaps.
    async fn attach(self: &Arc<Self>, link: &Link, known: Vec<TransportId>, all: Vec<Lodged>) {
        let there: HashSet<TransportId> = all.iter().map(|lodged| lodged.what.transport.clone()).collect();
        let mut parted: HashMap<String, Vec<TransportId>> = HashMap::new();
        for Lodged { what, connected, lost } in all {
            let transport = what.transport.clone();
            let goes_on = match self.is_away(&transport) {
                Some(at) if at.is(link) => self.is_there(what).await,
                Some(_) => false,
                None => self.adopt(what, Some(link)),
            };
            if !goes_on {
                link.tell(Ask::CloseTransport { transport });
                continue;
            }
            if connected {
                self.transport_connected(&transport);
            }
            lost.into_iter().for_each(|from| parted.entry(from).or_default().push(transport.clone()));
        }
        for (from, transports) in parted {
            let (owners, link) = (Arc::clone(self), link.clone());
            tokio::spawn(async move { owners.parted(&link, &from, transports).await });
        }
        let lost = known.into_iter().filter(|transport| !there.contains(transport));
        self.are_lost(lost.collect(), Duration::ZERO).await;
    }

    /// A connection that is known to be at another node is there, with this on it.
    async fn is_there(&self, what: Resumed) -> bool {
        let Some((meeting, peer)) = whose(&what) else { return false };
        let on_it = |source: &Source| source.transport == what.transport;
        let gone: Vec<(ProducerId, Source)> = {
            let mut tracks = self.tracks();
            let is_gone = |producer: &ProducerId| !what.producers.iter().any(|(there, ..)| there == producer);
            tracks.extract_if(|producer, source| on_it(source) && is_gone(producer)).collect()
        };
        for (producer, source) in gone {
            if let Ok(track) = TrackId::parse(producer.as_str()) {
                let _ = self.news.send(News::Lost { meeting: source.meeting, peer: source.peer, track }).await;
            }
        }
        for (producer, ..) in &what.producers {
            if !self.tracks().get(producer).is_some_and(on_it) {
                self.end(what.transport.clone(), producer.clone());
            }
        }
        self.is_back(&meeting, &peer, what);
        true
    }

    /// Goes on with a connection that nobody had, if the session knows whose it is: with the tracks that it knows.
    fn adopt(&self, what: Resumed, at: Option<&Link>) -> bool {
        let Some((meeting, peer)) = whose(&what) else { return false };
        let known: Vec<(ProducerId, bool, bool)> = {
            let mut awaited = self.awaited();
            let Some(awaited) = awaited.get_mut(&meeting).filter(|awaited| awaited.peers.contains(&peer)) else { return false };
            let of_it = what.producers.iter().filter_map(|(producer, kind, screen_share)| {
                let (_, paused) = awaited.tracks.remove(producer)?;
                Some((producer.clone(), is_voice(*kind, *screen_share), paused))
            });
            of_it.collect()
        };
        match (&self.away, at) {
            (Some(away), Some(link)) => away.begin(&what.transport, link),
            _ => self.sfu.note_guest(what.transport.clone(), what.owner.clone(), peer.to_string()),
        }
        let tracks = known.iter().map(|(producer, voice, _)| (producer.clone(), *voice));
        let own = Own { transport: what.transport.clone(), role: what.role, owner: what.owner.clone() };
        self.own_again(&meeting, &peer, own, tracks);
        for (producer, ..) in &what.producers {
            match known.iter().find(|(known, ..)| known == producer) {
                Some((_, _, paused)) => self.pause_producer(producer, *paused),
                None => self.end(what.transport.clone(), producer.clone()),
            }
        }
        self.is_back(&meeting, &peer, what);
        true
    }

    /// A connection is there again: its client has not lost it.
    fn is_back(&self, meeting: &MeetingId, peer: &PeerId, what: Resumed) {
        if what.role == Role::Send {
            self.clients().lives(Instant::now(), tag(meeting, peer));
        }
        if self.is_inside(meeting, &what.owner) {
            self.tell_inside((&what.owner, &what.room), &what.transport);
        }
        self.wants(&what.transport, what.consumed);
    }

    /// Those who publish over this may have lost their connections, or not: they are not let back in before it is known.
    pub(crate) fn is_uncertain_of(&self, link: &Link) {
        let there = self.away.iter().flat_map(|away| away.at(link)).collect::<Vec<_>>();
        let now = Instant::now();
        for (meeting, peers) in self.publish_on(&there) {
            peers.iter().for_each(|peer| self.clients().died(now, tag(&meeting, peer), now));
        }
    }

    /// Has what connections of an earlier run consumed, as far as it is known by now where that comes in.
    pub(crate) async fn fetch(self: &Arc<Self>) {
        let mut found: HashMap<TransportId, Vec<(ProducerId, Source)>> = HashMap::new();
        self.wanting().retain(|producer, wanting| {
            let Some(source) = self.tracks().get(producer).cloned() else { return true };
            wanting.by.iter().for_each(|by| found.entry(by.clone()).or_default().push((producer.clone(), source.clone())));
            false
        });
        for (transport, producers) in found {
            let owners = Arc::clone(self);
            tokio::spawn(async move { owners.fetch_for(transport, producers).await });
        }
    }

    async fn fetch_for(&self, transport: TransportId, producers: Vec<(ProducerId, Source)>) {
        let Some(room) = producers.first().map(|(_, source)| RoomId::from(source.meeting.as_str())) else { return };
        let at = self.is_away(&transport);
        let homes = producers.into_iter().map(|(producer, source)| (producer, self.is_away(&source.transport)));
        // What is lost with its node is not found.
        match at {
            Some(link) => {
                let from: Vec<(ProducerId, Home)> = homes
                    .filter_map(|(producer, home)| match home {
                        None => Some((producer, Home::Asker)),
                        Some(home) if home.is(&link) => None,
                        Some(home) => Some((producer, Home::At(home.address().to_owned()))),
                    })
                    .collect();
                let _ = link.ask(Ask::Fetch { transport, from }).await;
            }
            None => {
                for (producer, home) in homes.filter_map(|(producer, home)| Some((producer, home?))) {
                    let _ = home.watch(vec![producer.clone()], &room).await;
                    let _ = self.sfu.go_on_consuming(&transport, vec![producer]).await;
                }
            }
        }
    }

    /// What did not come in time is lost.
    async fn forget_awaited(&self) {
        let now = Instant::now();
        let mut lost = Vec::new();
        self.awaited().retain(|meeting, awaited| {
            lost.extend(awaited.overdue(now).into_iter().map(|(producer, peer)| (meeting.clone(), peer, producer)));
            awaited.goes_on(now)
        });
        self.wanting().retain(|_, wanting| wanting.goes_on(now));
        for (meeting, peer, producer) in lost {
            if let Ok(track) = TrackId::parse(producer.as_str()) {
                let _ = self.news.send(News::Lost { meeting, peer, track }).await;
            }
        }
    }

    /// Looks for the sessions of what no node asks for. `seldom`: not for those that were looked for often.
    async fn look_for_hosts(self: &Arc<Self>, seldom: bool) {
        let mut told: HashMap<String, Vec<RoomId>> = HashMap::new();
        let mut answers = true;
        for (room, Deserted { since, known, given_up }) in self.lodging.deserted(Instant::now()) {
            if seldom && since > HELD_FOR {
                continue;
            }
            let place = match answers {
                true => tokio::time::timeout(LOOK_WITHIN, self.lodging.find(&room)).await,
                false => Ok(Whereabouts::Unknown),
            };
            // Who does not answer about one has not the time for all others either.
            answers = place.is_ok() && answers;
            let place = place.unwrap_or(Whereabouts::Unknown);
            let is_over = match place {
                Whereabouts::Unknown => since >= DESERTED_FOR,
                // Nobody goes on with what is over.
                Whereabouts::Nowhere if given_up => true,
                _ if self.away.is_some() => known >= UNWANTED_FOR,
                // No other node can have media here.
                _ => true,
            };
            match place {
                Whereabouts::Here => self.go_on_with_lodged(self.lodging.take(&room)),
                _ if is_over => {
                    let all = self.lodging.take(&room);
                    tracing::info!(meeting.id = %room, connections = all.len(), "media are closed whose session no node goes on with");
                    all.into_iter().for_each(|lodged| self.sfu.close_transport(lodged.what.transport));
                }
                Whereabouts::At(address) => told.entry(address).or_default().push(room),
                Whereabouts::Unknown => self.lodging.is_unknown(&room, Instant::now()),
                Whereabouts::Unreachable | Whereabouts::Nowhere => {}
            }
        }
        for (address, rooms) in told {
            let Some(spread) = self.spread().cloned() else { break };
            tokio::spawn(tokio::time::timeout(LOOK_WITHIN, async move {
                let Some(link) = spread.reach(&address).await else { return };
                for rooms in rooms.chunks(ROOMS_AT_ONCE) {
                    let _ = link.ask(Ask::Lodged { rooms: rooms.to_vec() }).await;
                }
            }));
        }
        self.fetch().await;
    }

    /// The session of these is here now.
    fn go_on_with_lodged(&self, lodged: Vec<Lodged>) {
        for Lodged { what, connected, .. } in lodged {
            let transport = what.transport.clone();
            match self.adopt(what, None) {
                true if connected => self.transport_connected(&transport),
                true => {}
                false => self.sfu.close_transport(transport),
            }
        }
    }

    pub(super) fn awaited(&self) -> MutexGuard<'_, HashMap<MeetingId, Awaited>> {
        self.awaited.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wanting(&self) -> MutexGuard<'_, HashMap<ProducerId, Wanting>> {
        self.wanting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Has connections that no node asks for find their sessions, until the node stops.
pub async fn reunite(owners: Arc<Owners>, stop: CancellationToken) {
    let mut every = tokio::time::interval(LOOK_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut looks = 0_u32;
    while stop.run_until_cancelled(every.tick()).await.is_some() {
        looks = looks.wrapping_add(1);
        owners.forget_awaited().await;
        owners.look_for_hosts(!looks.is_multiple_of(LATER_IN)).await;
    }
}

fn whose(what: &Resumed) -> Option<(MeetingId, PeerId)> {
    Some((MeetingId::parse(what.room.as_str()).ok()?, PeerId::parse(&what.note).ok()?))
}

#[cfg(test)]
mod tests {
    use salon_cluster::{Nodes, Secret};
    use salon_core::ParticipantId;
    use salon_handover::Passage;
    use salon_sfu::Sfu;

    use super::*;
    use crate::owners::Wanted;
    use crate::spread::{Find, Spread};

    struct Stage {
        owners: Arc<Owners>,
        meeting: MeetingId,
    }

    impl Stage {
        fn new(find: Find) -> Self {
            Self::with(find, |_| None)
        }

        /// Of a node whose people may have their media at others, and theirs here.
        fn among_others(find: Find) -> Self {
            Self::with(find, |sfu| {
                let nodes = Nodes::new(Secret::new([7; 32])).unwrap();
                Spread::new(sfu, nodes, Passage::default(), CancellationToken::new()).map(|(spread, _heard)| spread)
            })
        }

        fn with(find: Find, spread: impl FnOnce(Sfu) -> Option<Arc<Spread>>) -> Self {
            let bind = "127.0.0.1:0".parse().unwrap();
            let config = salon_sfu::Config { bind, relay: Some(bind), ..salon_sfu::Config::default() };
            let (sfu, _events) = salon_sfu::start(config).unwrap();
            let spread = spread(sfu.clone());
            let (owners, _news) = Owners::resume(sfu, Vec::new(), spread);
            owners.finds_by(find);
            Self { owners: Arc::new(owners), meeting: MeetingId::parse("m").unwrap() }
        }

        /// A connection of somebody, which is up or not.
        async fn connection(&self, name: &str, is_up: bool) -> (PeerId, TransportId) {
            let (peer, participant) = (PeerId::parse(name).unwrap(), ParticipantId::parse(name).unwrap());
            let offer = include_str!("../../../sfu/src/sdp/samples/chromium-send.sdp").to_owned();
            let wanted = Wanted { meeting: &self.meeting, peer: &peer, participant: &participant, inside: true, reached: None };
            let transport = self.owners.open(wanted, Role::Send, offer).await.unwrap().transport;
            if is_up {
                self.owners.transport_connected(&transport);
            }
            (peer, transport)
        }

        async fn is_open(&self, transport: &TransportId) -> bool {
            self.owners.sfu.quiet_for(transport).await.is_ok()
        }
    }

    fn finds(place: Whereabouts) -> Find {
        Box::new(move |_| {
            let place = place.clone();
            Box::pin(async { place })
        })
    }

    #[tokio::test]
    async fn what_people_have_waits_for_whoever_goes_on_with_their_session() {
        let stage = Stage::new(finds(Whereabouts::Unknown));
        let (ada, of_ada) = stage.connection("ada", true).await;
        let (bob, of_bob) = stage.connection("bob", true).await;
        let (_, of_eve) = stage.connection("eve", false).await;
        stage.owners.take_down(&stage.meeting);
        assert!(stage.owners.own(&stage.meeting, &ada, Role::Send, None).is_none(), "nobody uses it meanwhile");
        stage.owners.look_for_hosts(false).await;
        assert!(stage.is_open(&of_ada).await && stage.is_open(&of_bob).await);
        assert!(!stage.is_open(&of_eve).await, "one that is not up yet waits for nobody");
        // Somebody ended while nobody had it.
        let (transport, reason) = (of_bob, salon_sfu::CloseReason::ClosedByClient);
        stage.owners.lodging.pass_on(&salon_sfu::Event::TransportClosed { transport, reason });
        let people = vec![(ada.clone(), Vec::new()), (bob.clone(), Vec::new())];
        assert_eq!(stage.owners.may_flow(&stage.meeting, people), []);
        assert_eq!(stage.owners.own(&stage.meeting, &ada, Role::Send, None), Some(of_ada.clone()));
        assert_eq!(stage.owners.own(&stage.meeting, &bob, Role::Send, None), None);
        assert!(stage.is_open(&of_ada).await);
    }

    #[tokio::test]
    async fn whom_the_session_does_not_know_any_more_is_put_out() {
        let stage = Stage::new(finds(Whereabouts::Unknown));
        let (ada, of_ada) = stage.connection("ada", true).await;
        let (_, of_bob) = stage.connection("bob", true).await;
        stage.owners.take_down(&stage.meeting);
        stage.owners.may_flow(&stage.meeting, vec![(ada, Vec::new())]);
        assert!(stage.is_open(&of_ada).await && !stage.is_open(&of_bob).await);
    }

    #[tokio::test]
    async fn where_no_other_node_can_have_it_nothing_waits_for_one() {
        for place in [Whereabouts::At("n2:8790".to_owned()), Whereabouts::Unreachable, Whereabouts::Nowhere] {
            let stage = Stage::new(finds(place));
            let (_, transport) = stage.connection("ada", true).await;
            stage.owners.take_down(&stage.meeting);
            stage.owners.look_for_hosts(false).await;
            assert!(!stage.is_open(&transport).await);
        }
    }

    #[tokio::test]
    async fn what_people_have_ends_when_it_is_known_that_their_session_is_over() {
        for (place, waits) in [(Whereabouts::Nowhere, false), (Whereabouts::Unreachable, true), (Whereabouts::Unknown, true)] {
            let stage = Stage::among_others(finds(place.clone()));
            let (_, transport) = stage.connection("ada", true).await;
            stage.owners.take_down(&stage.meeting);
            stage.owners.look_for_hosts(false).await;
            assert_eq!(stage.is_open(&transport).await, waits, "{place:?}");
        }
    }
}
