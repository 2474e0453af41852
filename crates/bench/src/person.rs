//! Somebody in a meeting: joins as the web SDK does, then publishes, watches, or both.
//! Order of joining: socket, media, transports, room, join complete (seen in web SDK 2.0.2).

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::{
    CreateTransportRequest, CreateTransportResponse, RenegotiateRequest, RenegotiateResponse, SessionDescription, edge,
};
use salon_wire::signaling::socket::room as wire;

use crate::media::connection::{Identity, Prepared};
use crate::media::{Lines, Media, Publishing, Watching};
use crate::plan::Rates;
use crate::rest::{Door, Ticket};
use crate::sdp::{self, Credentials};
use crate::signaling::Signaling;

/// ICE and DTLS may take this long on a machine that is busy with everybody else's.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Tracks asked for in one message; the web SDK asks for no more than 35.
const TRACKS_PER_MESSAGE: usize = 32;

/// A track that others may take.
#[derive(Clone, Debug)]
pub struct Track {
    pub peer: String,
    pub producer: String,
    pub video: bool,
}

/// Somebody who has opened a socket. Leaves when dropped.
pub struct Person {
    signaling: Signaling,
    ticket: Ticket,
    started: Instant,
    receiving: Option<Receiving>,
}

struct Receiving {
    transport: String,
    credentials: Credentials,
    watching: Watching,
}

impl Person {
    pub async fn open(door: &Door, ticket: Ticket) -> anyhow::Result<Self> {
        let started = Instant::now();
        let signaling = Signaling::open(door, &ticket).await?;
        let request = edge::PeerJoinRequest { room_uuid: ticket.meeting.clone(), ..edge::PeerJoinRequest::default() };
        signaling.ask::<edge::PeerJoinResponse>(media::JOIN_ROOM, &request).await?;
        Ok(Self { signaling, ticket, started, receiving: None })
    }

    async fn open_transport(&self, identity: &Identity, consuming: bool) -> anyhow::Result<(String, Prepared, sdp::Remote)> {
        let prepared = Prepared::new(identity);
        let offer = sdp::offer(&prepared.credentials, &[]);
        let request =
            CreateTransportRequest { consuming, description: described("offer", offer), ..CreateTransportRequest::default() };
        let answer: CreateTransportResponse = self.signaling.ask(media::CREATE_WEBRTC_TRANSPORT, &request).await?;
        let remote = sdp::read(&answer.description.context("the server does not answer the offer")?.sdp)?;
        Ok((answer.transport_id, prepared, remote))
    }

    /// Enters the meeting.
    async fn join(&self) -> anyhow::Result<()> {
        let peer = wire::Peer {
            peer_id: self.signaling.peer.clone(),
            user_id: self.ticket.participant.clone(),
            ..wire::Peer::default()
        };
        let request = wire::JoinRoomRequest { peer: Some(peer), ..wire::JoinRoomRequest::default() };
        let answer: wire::PeerInfoResponse = self.signaling.ask(room::JOIN_ROOM, &request).await?;
        if answer.peer.is_some_and(|peer| peer.waitlisted) {
            bail!("the server puts clients into the waiting room");
        }
        let request = edge::PeerJoinCompleteRequest {};
        self.signaling.ask::<edge::PeerJoinCompleteResponse>(media::SELF_JOIN_COMPLETE, &request).await?;
        Ok(())
    }

    /// Joins and publishes a camera, and a microphone if `rates` has a voice. Answers once it sends.
    pub async fn publish(&self, identity: &Identity, media: &Media, rates: Rates) -> anyhow::Result<Vec<Track>> {
        let (transport, prepared, remote) = self.open_transport(identity, false).await?;
        let credentials = prepared.credentials.clone();
        let Publishing { ready, start } = media.publish(prepared.connect(&remote)?)?;
        self.join().await?;
        let mut kinds = vec![true];
        if rates.audio_pps > 0.0 {
            kinds.push(false);
        }
        let mut tracks = Vec::new();
        for (at, video) in kinds.iter().copied().enumerate() {
            let offer = sdp::offer(&credentials, &kinds[..=at]);
            let request = edge::ProducerCreateRequest {
                kind: if video { "video" } else { "audio" }.to_owned(),
                paused: false,
                screen_share: false,
                description: described("offer", offer),
                msid: sdp::msid(at + 2),
                app_data: Some(format!(r#"{{"mid":"{}"}}"#, at + 2)),
                mime_type: Some(if video { "video/VP8" } else { "audio/opus" }.to_owned()),
                producing_transport_id: Some(transport.clone()),
            };
            let answer: edge::ProducerCreateResponse = self.signaling.ask(media::PRODUCE, &request).await?;
            tracks.push(Track { peer: self.signaling.peer.clone(), producer: answer.producer_id, video });
        }
        connected(ready).await?;
        let lines = Lines { video: Some("2".to_owned()), audio: (kinds.len() > 1).then(|| "3".to_owned()) };
        start.send((lines, rates)).ok().context("a media thread has ended")?;
        Ok(tracks)
    }

    /// Opens the receiving connection; joins, unless it has joined to publish.
    pub async fn prepare_to_watch(&mut self, identity: &Identity, media: &Media, joined: bool) -> anyhow::Result<()> {
        let (transport, prepared, remote) = self.open_transport(identity, true).await?;
        let credentials = prepared.credentials.clone();
        let watching = media.subscribe(prepared.connect(&remote)?)?;
        self.receiving = Some(Receiving { transport, credentials, watching });
        if !joined {
            self.join().await?;
        }
        Ok(())
    }

    /// Takes tracks; answers with the time from opening the socket to the first whole key frame.
    pub async fn watch(&mut self, tracks: &[Track]) -> anyhow::Result<Duration> {
        let receiving = self.receiving.take().context("it watches already, or has no connection")?;
        let Receiving { transport, credentials, watching } = receiving;
        for tracks in tracks.chunks(TRACKS_PER_MESSAGE) {
            let wish = |track: &Track| edge::ConsumePeerRequest {
                producing_peer_id: track.peer.clone(),
                producer_id: Some(track.producer.clone()),
                ..edge::ConsumePeerRequest::default()
            };
            let request = edge::ConsumePeersRequest {
                requests: tracks.iter().map(wish).collect(),
                consuming_transport_id: Some(transport.clone()),
            };
            let answer: edge::ConsumePeerResponse = self.signaling.ask(media::CONSUME, &request).await?;
            let states = answer.consumer_ids_map.unwrap_or_default().map;
            if let Some(code) = states.into_values().find_map(|state| state.error_code) {
                bail!("a track is refused: {code}");
            }
            let offer = answer.description.context("there is no offer of the tracks")?;
            let reply = RenegotiateRequest {
                transport_id: transport.clone(),
                description: described("answer", sdp::answer(&offer.sdp, &credentials)),
            };
            self.signaling.ask::<RenegotiateResponse>(media::RENEGOTIATE_SESSION_DESCRIPTION, &reply).await?;
        }
        connected(watching.ready).await?;
        let picture = tokio::time::timeout(CONNECT_WITHIN, watching.key_frame).await;
        let at = picture.context("no key frame came")?.context("a media thread has ended")?;
        Ok(at.saturating_duration_since(self.started))
    }
}

async fn connected(ready: tokio::sync::oneshot::Receiver<()>) -> anyhow::Result<()> {
    let ready = tokio::time::timeout(CONNECT_WITHIN, ready).await.context("ICE and DTLS do not come to an end")?;
    ready.context("the media connection has failed")
}

fn described(kind: &str, sdp: String) -> Option<SessionDescription> {
    Some(SessionDescription { target: 0, r#type: kind.to_owned(), sdp })
}
