//! Media of people whose sessions are on other nodes: what those ask is done here for connections that they opened here.
//! Invariants: nobody touches a connection that another node opened; when the node that opened one is gone, it is closed, and
//! when one does not get what it consumes any more, that node is told.
//! Next: `../spread.rs`.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use salon_sfu::{Event, Produce, ProducerId, RoomId, Sfu, TransportId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::words::{Answer, Ask, Refusal, Word};

/// What the nodes have here that ask.
#[derive(Default)]
pub(super) struct Lodging(Mutex<Rooms>);

#[derive(Default)]
struct Rooms {
    hosts: HashMap<u32, Host>,
    transports: HashMap<TransportId, Lodger>,
    producers: HashMap<ProducerId, TransportId>,
}

/// A node that asks.
struct Host {
    out: mpsc::Sender<Word>,
    gone: CancellationToken,
}

struct Lodger {
    host: u32,
    room: RoomId,
    /// Connections with other nodes, over which comes what it consumes.
    needs: HashSet<u32>,
}

impl Lodging {
    fn rooms(&self) -> MutexGuard<'_, Rooms> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn come(&self, host: u32, out: mpsc::Sender<Word>, gone: CancellationToken) {
        self.rooms().hosts.insert(host, Host { out, gone });
    }

    /// A node that asked is gone, and what it had here goes.
    pub(super) fn leave(&self, sfu: &Sfu, host: u32) {
        let mut rooms = self.rooms();
        rooms.hosts.remove(&host);
        let own: Vec<_> = rooms.transports.extract_if(|_, lodger| lodger.host == host).map(|(transport, _)| transport).collect();
        rooms.producers.retain(|_, on| !own.contains(on));
        drop(rooms);
        own.into_iter().for_each(|transport| sfu.close_transport(transport));
    }

    /// Nothing comes any more over a connection with the node at `address`: those who asked for what came are told.
    pub(super) fn parted(&self, link: u32, address: &str) {
        let mut rooms = self.rooms();
        let mut told: HashMap<u32, Vec<TransportId>> = HashMap::new();
        for (transport, lodger) in &mut rooms.transports {
            if lodger.needs.remove(&link) {
                told.entry(lodger.host).or_default().push(transport.clone());
            }
        }
        for (host, transports) in told {
            rooms.tell(host, Word::Parted { address: address.to_owned(), transports });
        }
    }

    /// Whether something that happened is another node's to know, which then hears of it.
    pub(super) fn pass_on(&self, event: &Event) -> bool {
        let mut rooms = self.rooms();
        let host = match event {
            Event::TransportConnected { transport } => rooms.host(transport),
            Event::TransportClosed { transport, .. } => {
                let lodger = rooms.transports.remove(transport);
                rooms.producers.retain(|_, on| on != transport);
                lodger.map(|lodger| lodger.host)
            }
            Event::AudioLevel { producer, .. } => rooms.producers.get(producer).and_then(|on| rooms.host(on)),
            Event::Refused { .. } => None,
        };
        let Some(host) = host else { return false };
        // Who is silent needs not be told.
        if !matches!(event, Event::AudioLevel { speaking: false, .. }) {
            rooms.tell(host, Word::Event(event.clone()));
        }
        true
    }

    /// Does what a node asks, but for what needs others.
    pub(super) async fn obey(&self, sfu: &Sfu, host: u32, ask: Ask) -> Result<Answer, Refusal> {
        if let Some(transport) = ask.about()
            && self.rooms().host(transport) != Some(host)
        {
            return Err(salon_sfu::Error::UnknownTransport.into());
        }
        Ok(match ask {
            Ask::Open { guest, room, transport, role, offer } => {
                let lodger = Lodger { host, room: room.clone(), needs: HashSet::new() };
                if self.rooms().transports.contains_key(&transport) {
                    return Err(salon_sfu::Error::Refused("there is a transport of that name".into()).into());
                }
                self.rooms().transports.insert(transport.clone(), lodger);
                let opened = sfu.open_transport(&guest, room, transport.clone(), role, offer).await;
                if opened.is_err() {
                    self.rooms().transports.remove(&transport);
                } else if self.rooms().host(&transport) != Some(host) {
                    // The node that asked is gone meanwhile.
                    sfu.close_transport(transport);
                }
                Answer::Sdp(opened?)
            }
            Ask::Produce(produce) => {
                let Produce { transport, producer, .. } = (*produce).clone();
                let sdp = sfu.produce(*produce).await?;
                self.rooms().producers.insert(producer, transport);
                Answer::Sdp(sdp)
            }
            Ask::CloseProducer { transport, producer, offer } => {
                self.rooms().producers.remove(&producer);
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
                let mut rooms = self.rooms();
                rooms.transports.remove(&transport);
                rooms.producers.retain(|_, on| *on != transport);
                drop(rooms);
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
        })
    }

    /// A connection consumes what comes over that one. None if it is not here any more; else its room.
    pub(super) fn needs(&self, host: u32, transport: &TransportId, link: Option<u32>) -> Option<RoomId> {
        let mut rooms = self.rooms();
        let lodger = rooms.transports.get_mut(transport).filter(|lodger| lodger.host == host)?;
        lodger.needs.extend(link);
        Some(lodger.room.clone())
    }
}

impl Rooms {
    fn host(&self, transport: &TransportId) -> Option<u32> {
        self.transports.get(transport).map(|lodger| lodger.host)
    }

    /// A node that does not fetch what it must know is given up.
    fn tell(&self, host: u32, word: Word) {
        let Some(Host { out, gone }) = self.hosts.get(&host) else { return };
        let harmless = matches!(word, Word::Event(Event::AudioLevel { .. }));
        if out.try_send(word).is_err() && !harmless {
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
            | Self::QuietFor { transport } => Some(transport),
            Self::Open { .. } | Self::Pause { .. } | Self::Inside { .. } | Self::Quality { .. } => None,
        }
    }
}
