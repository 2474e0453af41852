//! Introduces people's tracks (core) to producers and consumers (sfu): who owns which media connection.
//! Owns the list of each peer's transports; the media server itself knows rooms and packets only.
//! Invariant: a transport is used only by the peer that opened it, and is closed when that peer is out.
//! Next: `signaling/media.rs`, what clients ask for.

pub mod cap;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use salon_core::session::Media as Order;
use salon_core::{MeetingId, PeerId, Timestamp, TrackId};
use salon_sfu::{Event, Kind, LineQuality, Produce, ProducerId, Role, RoomId, Sfu, TransportId};

use crate::app::App;
use crate::hub::Hub;

/// Transports one peer may have at once: the SDK makes one each way, and new ones when they break.
const MAX_TRANSPORTS_PER_PEER: usize = 8;

/// How long it takes clients to replace connections after their server died: browsers notice 5 to 8 s after the last
/// packet (seen in Chromium 156 and Firefox 153), the client waits 2 s more (seen in web SDK 2.0.2), then connects anew.
/// Lower risks what `cut_off_until` prevents, higher keeps people apart longer.
const REPLACED_AFTER_MS: i64 = 11_500;

/// The media side of a node.
pub struct Media {
    pub sfu: Sfu,
    peers: Mutex<Peers>,
    tracks: Mutex<HashMap<ProducerId, Source>>,
    /// Peers whose connections died with a server that said no goodbye, and when.
    cut_off: Mutex<HashMap<(MeetingId, PeerId), Timestamp>>,
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

/// A transport that was opened.
pub struct Opened {
    pub transport: TransportId,
    /// The server's SDP answer.
    pub answer: String,
    /// What came on a transport that had to make room.
    pub lost: Vec<Lost>,
}

/// A track whose transport is gone: nothing will come of it any more, and its session has to know.
#[derive(Debug, Clone)]
pub struct Lost {
    meeting: MeetingId,
    peer: PeerId,
    track: TrackId,
}

impl Lost {
    /// Takes the track out of its session. A client whose socket is gone publishes anew when it is back, and its tracks
    /// end then.
    pub async fn report(self, hub: &Hub) {
        let Self { meeting, peer, track } = self;
        let Some(session) = hub.find(meeting.as_str()) else { return };
        let _ = session.call(move |session, now| session.unpublish(now, &peer, &track)).await;
    }
}

type Peers = HashMap<(MeetingId, PeerId), Vec<(TransportId, Role)>>;

impl Media {
    pub fn new(sfu: Sfu) -> Self {
        Self { sfu, peers: Mutex::default(), tracks: Mutex::default(), cut_off: Mutex::default() }
    }

    /// These peers published on connections that died at `at` with the server that had them.
    pub fn cut_off(&self, meeting: &MeetingId, peers: impl IntoIterator<Item = PeerId>, at: Timestamp) {
        let mut cut_off = self.cut_off.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        cut_off.retain(|_, before| before.plus_ms(REPLACED_AFTER_MS) > at);
        cut_off.extend(peers.into_iter().map(|peer| ((meeting.clone(), peer), at)));
    }

    /// Until when the client of this peer may take dead connections for alive, or be busy with replacing them.
    ///
    /// A client that is let back in before that publishes on dead ones, fails, and switches its microphone and camera
    /// off for good; one that has replaced them goes on with the new ones (seen in web SDK 2.0.2).
    pub fn cut_off_until(&self, meeting: &MeetingId, peer: &PeerId, now: Timestamp) -> Option<Timestamp> {
        let cut_off = self.cut_off.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        cut_off.get(&(meeting.clone(), peer.clone())).map(|at| at.plus_ms(REPLACED_AFTER_MS)).filter(|until| *until > now)
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<ProducerId, Source>> {
        self.tracks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Opens a transport for a peer; answers with its id and the server's SDP answer. Past the limit the oldest makes
    /// room, because a client that opens a new one has given its old one up; the tracks it brought are lost.
    pub async fn open(&self, meeting: &MeetingId, peer: &PeerId, role: Role, offer: String) -> Result<Opened, salon_sfu::Error> {
        let transport = TransportId::from(uuid::Uuid::new_v4().to_string().as_str());
        let answer = self.sfu.open_transport(RoomId::from(meeting.as_str()), transport.clone(), role, offer).await?;
        let oldest = {
            let mut peers = self.peers();
            let own = peers.entry((meeting.clone(), peer.clone())).or_default();
            own.push((transport.clone(), role));
            (own.len() > MAX_TRANSPORTS_PER_PEER).then(|| own.remove(0).0)
        };
        let mut lost = Vec::new();
        if let Some(oldest) = oldest {
            lost = self.tracks_on(&oldest);
            self.sfu.close_transport(oldest);
        }
        Ok(Opened { transport, answer, lost })
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

    /// The meetings whose people have media connections here.
    pub fn meetings(&self) -> HashSet<MeetingId> {
        self.peers().keys().map(|(meeting, _)| meeting.clone()).collect()
    }

    /// The connections of each peer of a meeting and what goes over them.
    ///
    /// # Errors
    /// The media server has too much to do, or has stopped.
    pub async fn lines(&self, meeting: &MeetingId) -> Result<HashMap<PeerId, Vec<LineQuality>>, salon_sfu::Error> {
        let lines = self.sfu.quality(RoomId::from(meeting.as_str())).await?;
        let peers = self.peers();
        let own = peers.iter().filter(|((of, _), _)| of == meeting);
        let owners: HashMap<&TransportId, &PeerId> =
            own.flat_map(|((_, peer), own)| own.iter().map(move |(transport, _)| (transport, peer))).collect();
        let mut found: HashMap<PeerId, Vec<LineQuality>> = HashMap::new();
        for line in lines {
            if let Some(peer) = owners.get(&line.transport) {
                found.entry((*peer).clone()).or_default().push(line);
            }
        }
        Ok(found)
    }

    /// Whose track this is.
    pub fn publisher(&self, track: &str) -> Option<PeerId> {
        self.tracks().get(&ProducerId::from(track)).map(|source| source.peer.clone())
    }

    /// Takes down everything a peer has.
    pub fn close_peer(&self, meeting: &MeetingId, peer: &PeerId) {
        let own = self.peers().remove(&(meeting.clone(), peer.clone()));
        self.tracks().retain(|_, source| source.peer != *peer || source.meeting != *meeting);
        for (transport, _) in own.into_iter().flatten() {
            self.sfu.close_transport(transport);
        }
    }

    /// The media server gave this transport up by itself; answers with the tracks that came on it.
    pub fn transport_closed(&self, transport: &TransportId) -> Vec<Lost> {
        self.peers().retain(|_, own| {
            own.retain(|(id, _)| id != transport);
            !own.is_empty()
        });
        self.tracks_on(transport)
    }

    fn tracks_on(&self, transport: &TransportId) -> Vec<Lost> {
        let tracks = self.tracks();
        let on = tracks.iter().filter(|(_, source)| source.transport == *transport);
        on.filter_map(|(producer, source)| {
            let track = TrackId::parse(producer.as_str()).ok()?;
            Some(Lost { meeting: source.meeting.clone(), peer: source.peer.clone(), track })
        })
        .collect()
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

/// Hears what the media server says, until it or the node stops.
pub async fn listen(app: Arc<App>, mut events: tokio::sync::mpsc::Receiver<Event>) {
    while let Some(Some(event)) = app.stop.run_until_cancelled(events.recv()).await {
        match event {
            Event::TransportConnected { .. } => {}
            Event::TransportClosed { transport, reason } => {
                tracing::debug!(transport.id = %transport, ?reason, "a transport closed");
                for lost in app.hub.media().transport_closed(&transport) {
                    let hub = app.hub.clone();
                    app.tasks.spawn(async move { lost.report(&hub).await });
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_was_cut_off_by_a_crash_comes_back_when_its_client_has_noticed() {
        let (sfu, _events) =
            salon_sfu::start(salon_sfu::Config { bind: "127.0.0.1:0".parse().unwrap(), ..salon_sfu::Config::default() }).unwrap();
        let media = Media::new(sfu);
        let (meeting, ada, bob) = (MeetingId::parse("m").unwrap(), PeerId::parse("ada").unwrap(), PeerId::parse("bob").unwrap());
        let crash = Timestamp(1_000_000);
        media.cut_off(&meeting, [ada.clone()], crash);
        let until = crash.plus_ms(REPLACED_AFTER_MS);
        assert_eq!(media.cut_off_until(&meeting, &ada, crash.plus_ms(3_000)), Some(until));
        assert_eq!(media.cut_off_until(&meeting, &ada, until), None, "by then it has noticed");
        assert_eq!(media.cut_off_until(&meeting, &bob, crash), None, "who published nothing has nothing to lose");
        media.cut_off(&meeting, [bob.clone()], until);
        assert_eq!(media.cut_off.lock().unwrap().len(), 1, "what is over is forgotten");
        media.sfu.stop().await;
    }
}
