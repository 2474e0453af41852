//! Introduces people's tracks (core) to producers and consumers (sfu): who owns which media connection.
//! Owns the list of each peer's transports; the media server itself knows rooms and packets only.
//! Invariant: a transport is used only by the peer that opened it, and is closed when that peer is out.
//! Next: `signaling/media.rs`, what clients ask for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use salon_core::session::Media as Order;
use salon_core::{MeetingId, PeerId};
use salon_sfu::{Event, Kind, Produce, ProducerId, Role, RoomId, Sfu, TransportId};

use crate::app::App;

/// Transports one peer may have at once: the SDK makes one each way, and new ones when they break.
const MAX_TRANSPORTS_PER_PEER: usize = 8;

/// The media side of a node.
pub struct Media {
    pub sfu: Sfu,
    peers: Mutex<Peers>,
    tracks: Mutex<HashMap<ProducerId, Source>>,
}

/// Where a track comes from.
#[derive(Clone)]
struct Source {
    meeting: MeetingId,
    peer: PeerId,
    transport: TransportId,
    /// A microphone, whose owner may be the one who speaks.
    voice: bool,
}

type Peers = HashMap<(MeetingId, PeerId), Vec<(TransportId, Role)>>;

impl Media {
    pub fn new(sfu: Sfu) -> Self {
        Self { sfu, peers: Mutex::default(), tracks: Mutex::default() }
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<ProducerId, Source>> {
        self.tracks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Opens a transport for a peer; answers with its id and the server's SDP answer. Past the limit the oldest makes
    /// room, because a client that opens a new one has given its old one up.
    pub async fn open(&self, meeting: &MeetingId, peer: &PeerId, role: Role, offer: String) -> Result<(TransportId, String), salon_sfu::Error> {
        let transport = TransportId::from(uuid::Uuid::new_v4().to_string().as_str());
        let oldest = {
            let mut peers = self.peers();
            let own = peers.entry((meeting.clone(), peer.clone())).or_default();
            own.push((transport.clone(), role));
            (own.len() > MAX_TRANSPORTS_PER_PEER).then(|| own.remove(0).0)
        };
        if let Some(oldest) = oldest {
            self.sfu.close_transport(oldest);
        }
        match self.sfu.open_transport(RoomId::from(meeting.as_str()), transport.clone(), role, offer).await {
            Ok(answer) => Ok((transport, answer)),
            Err(error) => {
                self.forget(meeting, peer, &transport);
                Err(error)
            }
        }
    }

    fn forget(&self, meeting: &MeetingId, peer: &PeerId, transport: &TransportId) {
        let mut peers = self.peers();
        let key = (meeting.clone(), peer.clone());
        if let Some(own) = peers.get_mut(&key) {
            own.retain(|(id, _)| id != transport);
            if own.is_empty() {
                peers.remove(&key);
            }
        }
    }

    /// The peer's own transport of that name and direction; without a name, its latest.
    pub fn own(&self, meeting: &MeetingId, peer: &PeerId, role: Role, name: Option<&str>) -> Option<TransportId> {
        let peers = self.peers();
        let own = peers.get(&(meeting.clone(), peer.clone()))?;
        let mut matching = own.iter().rev().filter(|(_, of)| *of == role).map(|(id, _)| id);
        match name.filter(|name| !name.is_empty()) {
            Some(name) => matching.find(|id| id.as_str() == name).cloned(),
            None => matching.next().cloned(),
        }
    }

    /// Takes down everything a peer has.
    pub fn close_peer(&self, meeting: &MeetingId, peer: &PeerId) {
        let own = self.peers().remove(&(meeting.clone(), peer.clone()));
        self.tracks().retain(|_, source| source.peer != *peer || source.meeting != *meeting);
        for (transport, _) in own.into_iter().flatten() {
            self.sfu.close_transport(transport);
        }
    }

    /// The media server gave this transport up by itself.
    pub fn transport_closed(&self, transport: &TransportId) {
        self.peers().retain(|_, own| {
            own.retain(|(id, _)| id != transport);
            !own.is_empty()
        });
    }

    /// Takes a track in; answers with the server's SDP answer.
    pub async fn produce(&self, meeting: &MeetingId, peer: &PeerId, produce: Produce) -> Result<String, salon_sfu::Error> {
        let producer = produce.producer.clone();
        let source = Source {
            meeting: meeting.clone(),
            peer: peer.clone(),
            transport: produce.transport.clone(),
            voice: produce.kind == Kind::Audio && !produce.screen_share,
        };
        let sdp = self.sfu.produce(produce).await?;
        self.tracks().insert(producer, source);
        Ok(sdp)
    }

    /// Stops taking a track in.
    pub fn drop_producer(&self, producer: &ProducerId) {
        let source = self.tracks().remove(producer);
        if let Some(source) = source {
            self.sfu.drop_producer(source.transport, producer.clone());
        }
    }

    /// Does what a session decided.
    pub fn obey(&self, meeting: &MeetingId, order: Order) {
        match order {
            Order::CloseTrack { track } => self.drop_producer(&ProducerId::from(track.as_str())),
            Order::PauseTrack { track, paused } => self.sfu.pause_producer(ProducerId::from(track.as_str()), paused),
            Order::CloseTransports { peer } => self.close_peer(meeting, &peer),
        }
    }
}

/// Hears what the media server says, until it stops.
pub async fn listen(app: Arc<App>, mut events: tokio::sync::mpsc::Receiver<Event>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::TransportConnected { .. } => {}
            Event::TransportClosed { transport, reason } => {
                tracing::debug!(transport.id = %transport, ?reason, "a transport closed");
                app.hub.media().transport_closed(&transport);
            }
            Event::AudioLevel { producer, speaking: true, .. } => {
                let source = app.hub.media().tracks().get(&producer).cloned();
                let Some(Source { meeting, peer, .. }) = source.filter(|source| source.voice) else { continue };
                if let Some(session) = app.hub.find(meeting.as_str()) {
                    session.tell(move |session, now| {
                        // Someone who has left meanwhile does not speak.
                        let _ = session.handle_voice(now, &peer);
                    });
                }
            }
            Event::AudioLevel { .. } => {}
        }
    }
}
