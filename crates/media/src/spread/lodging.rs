//! Media of people whose sessions are on other nodes: what those ask is done here for connections that they opened here.
//! Invariants: nobody touches a connection that another node has, unless its session is taken over here; when the node that has
//! one is gone it stays as it is, until that or the next one that has the session asks for it, or has not for too long, or the
//! session is over; when one does not get what it consumes any more, its node is told, or the next.
//! Next: `../spread.rs`; `../reunion.rs` looks for whoever has the sessions of those that nobody asks for.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use salon_core::MeetingId;
use salon_sfu::{Event, Guest, Kind, Produce, ProducerId, Resumed, RoomId, Sfu, TransportId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::words::{Answer, Ask, Lodged, Refusal, Word};

/// What the notes of connections begin with that another node has; no id of a peer has a blank.
const LODGED: &str = "lodged ";

/// Who somebody is, for a later run that finds a connection of theirs, which is another node's.
pub(crate) fn note_of(who: &str) -> String {
    format!("{LODGED}{who}")
}

/// Whose connection it is by its note, if it is another node's.
pub(crate) fn who(note: &str) -> Option<&str> {
    note.strip_prefix(LODGED)
}

/// Where a meeting's live session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    Here,
    /// At the node whose port for nodes is there.
    At(String),
    /// At a node that can ask for nothing.
    Unreachable,
    /// There is none.
    Nowhere,
    /// Nobody can say at this moment.
    Unknown,
}

/// Finds out where a meeting's live session is.
pub type Find = Box<dyn Fn(MeetingId) -> Pin<Box<dyn Future<Output = Whereabouts> + Send>> + Send + Sync>;

/// What the nodes have here that ask, and what waits for one that will.
#[derive(Default)]
pub(crate) struct Lodging {
    rooms: Mutex<Rooms>,
    find: OnceLock<Find>,
}

#[derive(Default)]
struct Rooms {
    hosts: HashMap<u32, Host>,
    transports: HashMap<TransportId, Lodger>,
    producers: HashMap<ProducerId, TransportId>,
}

/// A node that asks.
struct Host {
    /// Where its port for nodes is.
    address: Arc<str>,
    out: mpsc::Sender<Word>,
    gone: CancellationToken,
}

/// What no node has.
#[derive(Clone, Copy, PartialEq)]
struct Waits {
    since: Instant,
    /// Since when somebody could say where its session is.
    known_since: Instant,
    /// Whoever had it gave up its session, and does not come back for it.
    given_up: bool,
}

impl Waits {
    fn now(given_up: bool) -> Self {
        let now = Instant::now();
        Self { since: now, known_since: now, given_up }
    }
}

/// For how long a room has connections that no node has.
#[derive(Clone, Copy, Default)]
pub(crate) struct Deserted {
    pub since: Duration,
    /// And for how long somebody can say where its session is.
    pub known: Duration,
    /// Whoever had any of them gave up the session.
    pub given_up: bool,
}

struct Lodger {
    /// The connection of the node that has it, or since when none has.
    host: Result<u32, Waits>,
    what: Resumed,
    connected: bool,
    /// The nodes from which comes what it consumes, and those of them from which nothing comes any more, while no node has it.
    needs: HashSet<String>,
    lost: HashSet<String>,
}

impl Lodging {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.rooms.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// By which sessions are found.
    pub(crate) fn finds_by(&self, find: Find) {
        let _ = self.find.set(find);
    }

    pub(crate) async fn find(&self, room: &RoomId) -> Whereabouts {
        let (Some(find), Ok(meeting)) = (self.find.get(), MeetingId::parse(room.as_str())) else { return Whereabouts::Unknown };
        find(meeting).await
    }

    /// A connection that no node has: one that a run before had here for another.
    pub(crate) fn again(&self, what: Resumed) {
        self.waits(what, false, HashSet::new());
    }

    /// One whose session was given up here, which may consume what comes from these nodes.
    pub(crate) fn left_behind(&self, what: Resumed, needs: HashSet<String>) {
        self.waits(what, true, needs);
    }

    fn waits(&self, what: Resumed, given_up: bool, needs: HashSet<String>) {
        let mut rooms = self.rooms();
        let producers = what.producers.iter().map(|(producer, ..)| (producer.clone(), what.transport.clone()));
        rooms.producers.extend(producers);
        let lodger = Lodger { host: Err(Waits::now(given_up)), connected: true, needs, lost: HashSet::new(), what };
        rooms.transports.insert(lodger.what.transport.clone(), lodger);
    }

    /// A connection is gone.
    pub(crate) fn over(&self, transport: &TransportId) {
        self.rooms().over(transport);
    }

    /// How many people have connections here.
    pub(super) fn guests(&self) -> usize {
        let rooms = self.rooms();
        let people: HashSet<_> = rooms.transports.values().map(|lodger| (&lodger.what.room, &lodger.what.owner)).collect();
        people.len()
    }

    pub(super) fn come(&self, host: u32, address: &Arc<str>, out: mpsc::Sender<Word>, gone: CancellationToken) {
        self.rooms().hosts.insert(host, Host { address: address.clone(), out, gone });
    }

    /// A node that asked is gone. What it had here waits for it, or for the next.
    pub(super) fn leave(&self, host: u32) {
        let mut rooms = self.rooms();
        rooms.hosts.remove(&host);
        let of_it = rooms.transports.values_mut().filter(|lodger| lodger.host == Ok(host));
        of_it.for_each(|lodger| lodger.host = Err(Waits::now(false)));
    }

    /// The rooms with connections that no node has.
    pub(crate) fn deserted(&self, now: Instant) -> BTreeMap<RoomId, Deserted> {
        let mut deserted = BTreeMap::new();
        for lodger in self.rooms().transports.values() {
            let Err(waits) = lodger.host else { continue };
            let longest: &mut Deserted = deserted.entry(lodger.what.room.clone()).or_default();
            longest.since = longest.since.max(now.saturating_duration_since(waits.since));
            longest.known = longest.known.max(now.saturating_duration_since(waits.known_since));
            longest.given_up |= waits.given_up;
        }
        deserted
    }

    /// Nobody can say at this moment where the session of a room is.
    pub(crate) fn is_unknown(&self, room: &RoomId, now: Instant) {
        let mut rooms = self.rooms();
        let of_it = rooms.transports.values_mut().filter(|lodger| lodger.what.room == *room);
        of_it.filter_map(|lodger| lodger.host.as_mut().err()).for_each(|waits| waits.known_since = now);
    }

    /// Takes out what no node has of a room.
    pub(crate) fn take(&self, room: &RoomId) -> Vec<Lodged> {
        self.take_out(|lodger| lodger.host.is_err() && lodger.what.room == *room)
    }

    /// Takes out all of a room, whose session is this node's from now on: what another had here it has no more.
    pub(crate) fn take_all(&self, room: &RoomId) -> Vec<Lodged> {
        self.take_out(|lodger| lodger.what.room == *room)
    }

    fn take_out(&self, goes: impl Fn(&Lodger) -> bool) -> Vec<Lodged> {
        let mut rooms = self.rooms();
        let taken: Vec<Lodger> = rooms.transports.extract_if(|_, lodger| goes(lodger)).map(|(_, lodger)| lodger).collect();
        rooms.producers.retain(|_, on| !taken.iter().any(|lodger| lodger.what.transport == *on));
        taken.iter().map(Lodger::told).collect()
    }

    /// Nothing comes any more from the node at `address`: those who asked for what came are told.
    pub(super) fn parted(&self, address: &str) {
        let mut rooms = self.rooms();
        let mut told: HashMap<u32, Vec<TransportId>> = HashMap::new();
        for (transport, lodger) in &mut rooms.transports {
            if lodger.needs.remove(address) {
                match lodger.host {
                    Ok(host) => told.entry(host).or_default().push(transport.clone()),
                    Err(_) => drop(lodger.lost.insert(address.to_owned())),
                }
            }
        }
        for (host, transports) in told {
            rooms.tell(host, Word::Parted { address: address.to_owned(), transports });
        }
    }

    /// Whether something that happened is nothing to this node's sessions; another node whose it is hears of it.
    pub(crate) fn pass_on(&self, event: &Event) -> bool {
        let mut rooms = self.rooms();
        let host = match event {
            Event::TransportConnected { transport } => rooms.transports.get_mut(transport).map(|lodger| {
                lodger.connected = true;
                lodger.host
            }),
            Event::TransportClosed { transport, .. } => rooms.over(transport).map(|lodger| lodger.host),
            Event::AudioLevel { producer, .. } => {
                let lodger = rooms.producers.get(producer).and_then(|on| rooms.transports.get(on));
                lodger.map(|lodger| lodger.host)
            }
            // Nobody here knows which node had that one.
            Event::Refused { .. } => {
                rooms.hosts.keys().for_each(|host| rooms.tell(*host, Word::Event(event.clone())));
                return false;
            }
        };
        let Some(host) = host else { return false };
        // Who is silent needs not be told.
        if let Ok(host) = host
            && !matches!(event, Event::AudioLevel { speaking: false, .. })
        {
            rooms.tell(host, Word::Event(event.clone()));
        }
        true
    }

    /// Does what a node asks, but for what needs others.
    pub(super) async fn obey(&self, sfu: &Sfu, (host, asker): (u32, &str), ask: Ask) -> Result<Answer, Refusal> {
        if let Some(transport) = ask.about() {
            let has = self.rooms().transports.get(transport).map(|lodger| lodger.host);
            // Of one that was closed while there was no way to here its node does not say that it has it.
            let closes = matches!((&ask, has), (Ask::CloseTransport { .. }, Some(Err(_))));
            if !closes && has != Some(Ok(host)) {
                return Err(salon_sfu::Error::UnknownTransport.into());
            }
        }
        Ok(match ask {
            Ask::Open { guest, room, transport, role, offer } => {
                let what = Resumed {
                    transport: transport.clone(),
                    room: room.clone(),
                    role,
                    owner: guest.owner.clone(),
                    note: guest.note.clone(),
                    producers: Vec::new(),
                    consumed: Vec::new(),
                };
                let guest = Guest { note: note_of(&guest.note), ..guest };
                let (needs, lost) = Default::default();
                let lodger = Lodger { host: Ok(host), what, connected: false, needs, lost };
                if self.rooms().transports.contains_key(&transport) {
                    return Err(salon_sfu::Error::Refused("there is a transport of that name".into()).into());
                }
                self.rooms().transports.insert(transport.clone(), lodger);
                let opened = sfu.open_transport(&guest, room, transport.clone(), role, offer).await;
                if opened.is_err() {
                    self.rooms().transports.remove(&transport);
                } else if !self.rooms().transports.contains_key(&transport) {
                    // Nobody wants it any more.
                    sfu.close_transport(transport);
                }
                Answer::Sdp(opened?)
            }
            Ask::Produce(produce) => {
                let Produce { transport, producer, kind, screen_share, .. } = (*produce).clone();
                let sdp = sfu.produce(*produce).await?;
                self.rooms().produces(transport, (producer, kind, screen_share));
                Answer::Sdp(sdp)
            }
            Ask::CloseProducer { transport, producer, offer } => {
                self.rooms().ends(&producer);
                Answer::MaybeSdp(sfu.close_producer(transport, producer, offer).await?)
            }
            Ask::Pause { producer, paused } => {
                let rooms = self.rooms();
                if rooms.producers.get(&producer).and_then(|on| rooms.host(on)) == Some(host) {
                    sfu.pause_producer(producer, paused);
                }
                Answer::Done
            }
            Ask::Consume { transport, wanted, .. } => Answer::Consumed(sfu.consume(transport, wanted).await?),
            Ask::AcceptAnswer { transport, answer } => {
                sfu.accept_answer(transport, answer).await?;
                Answer::Done
            }
            Ask::CloseConsumers { transport, mids, offer } => Answer::Sdp(sfu.close_consumers(transport, mids, offer).await?),
            Ask::SetLayer { transport, producer, mid, rid } => {
                sfu.set_layer(transport, producer, mid, rid).await?;
                Answer::Done
            }
            Ask::CloseTransport { transport } => {
                self.rooms().over(&transport);
                sfu.close_transport(transport);
                Answer::Done
            }
            Ask::Inside { owner, room, inside } => {
                sfu.set_inside(&owner, &room, inside);
                Answer::Done
            }
            Ask::QuietFor { transport } => Answer::QuietFor(sfu.quiet_for(&transport).await?),
            Ask::Quality { room } => {
                let mut lines = sfu.quality(room).await?;
                let rooms = self.rooms();
                lines.retain(|line| rooms.host(&line.transport) == Some(host));
                Answer::Quality(lines)
            }
            Ask::Attach { have, rooms: wanted } => {
                let (have, wanted): (HashSet<_>, HashSet<_>) = (have.into_iter().collect(), wanted.into_iter().collect());
                let mut rooms = self.rooms();
                let Rooms { hosts, transports, .. } = &mut *rooms;
                // Of its earlier connection it may not be known here yet that it is gone.
                let is_its = |of: u32| hosts.get(&of).is_some_and(|host| *host.address == *asker);
                let known = transports.iter_mut().filter(|(id, lodger)| match lodger.host {
                    Ok(of) => have.contains(*id) && is_its(of),
                    Err(_) => have.contains(*id) || wanted.contains(&lodger.what.room),
                });
                let attached: Vec<Lodged> = known
                    .map(|(_, lodger)| {
                        lodger.host = Ok(host);
                        let told = lodger.told();
                        lodger.what.consumed.clear();
                        lodger.lost.clear();
                        told
                    })
                    .collect();
                tracing::info!(node = asker, connections = attached.len(), "another node goes on with what it has here");
                Answer::Attached(attached)
            }
            Ask::Release { room } => {
                let mut rooms = self.rooms();
                let own = |lodger: &&mut Lodger| lodger.host == Ok(host) && lodger.what.room == room;
                rooms.transports.values_mut().filter(own).for_each(|lodger| lodger.host = Err(Waits::now(true)));
                Answer::Done
            }
            // Those need others: see `Spread::obey`.
            Ask::Fetch { .. } | Ask::Lodged { .. } => Answer::Done,
        })
    }

    /// A connection consumes what comes from that node. None if it is not here any more; else its room.
    pub(super) fn needs(&self, host: u32, transport: &TransportId, from: Option<&str>) -> Option<RoomId> {
        let mut rooms = self.rooms();
        let lodger = rooms.transports.get_mut(transport).filter(|lodger| lodger.host == Ok(host))?;
        lodger.needs.extend(from.map(str::to_owned));
        Some(lodger.what.room.clone())
    }
}

impl Lodger {
    fn told(&self) -> Lodged {
        Lodged { what: self.what.clone(), connected: self.connected, lost: self.lost.iter().cloned().collect() }
    }
}

impl Rooms {
    /// A connection is gone, and what came in on it. Answers with it, if it was here.
    fn over(&mut self, transport: &TransportId) -> Option<Lodger> {
        let lodger = self.transports.remove(transport)?;
        self.producers.retain(|_, on| on != transport);
        Some(lodger)
    }

    fn host(&self, transport: &TransportId) -> Option<u32> {
        self.transports.get(transport).and_then(|lodger| lodger.host.ok())
    }

    fn produces(&mut self, transport: TransportId, producer: (ProducerId, Kind, bool)) {
        self.ends(&producer.0);
        if let Some(lodger) = self.transports.get_mut(&transport) {
            self.producers.insert(producer.0.clone(), transport);
            lodger.what.producers.push(producer);
        }
    }

    fn ends(&mut self, producer: &ProducerId) {
        if let Some(lodger) = self.producers.remove(producer).and_then(|on| self.transports.get_mut(&on)) {
            lodger.what.producers.retain(|(known, ..)| known != producer);
        }
    }

    /// A node that does not fetch what it must know is given up.
    fn tell(&self, host: u32, word: Word) {
        let Some(Host { out, gone, .. }) = self.hosts.get(&host) else { return };
        let harmless = matches!(word, Word::Event(Event::AudioLevel { .. } | Event::Refused { .. }));
        // What may be left out leaves room for what may not.
        if harmless && out.capacity() < out.max_capacity() / 2 {
            return;
        }
        if out.try_send(word).is_err() {
            gone.cancel();
        }
    }
}

impl Ask {
    /// The connection that it is about, which must be the asker's.
    fn about(&self) -> Option<&TransportId> {
        match self {
            Self::Produce(produce) => Some(&produce.transport),
            Self::CloseProducer { transport, .. }
            | Self::Consume { transport, .. }
            | Self::AcceptAnswer { transport, .. }
            | Self::CloseConsumers { transport, .. }
            | Self::SetLayer { transport, .. }
            | Self::CloseTransport { transport }
            | Self::Fetch { transport, .. }
            | Self::QuietFor { transport } => Some(transport),
            Self::Open { .. }
            | Self::Pause { .. }
            | Self::Inside { .. }
            | Self::Quality { .. }
            | Self::Attach { .. }
            | Self::Lodged { .. }
            | Self::Release { .. } => None,
        }
    }
}
