//! Somebody in a meeting: joins, publishes and takes tracks with the messages of the web SDK, in its order.
//! Order of joining: socket, media, transports, room, what the room is like, join complete (seen in web SDK 2.0.2). As
//! there, questions that do not wait for each other are under way at once.
//! Next: `signaling.rs`, how one asks.

use anyhow::{Context, bail};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::{
    CreateTransportRequest, CreateTransportResponse, RenegotiateRequest, RenegotiateResponse, SessionDescription, edge,
};
use salon_wire::signaling::socket::room as wire;

use crate::connection::{Connection, Identity, Prepared};
use crate::sdp::{self, Credentials, Kind, PLACEHOLDERS};
use crate::signaling::Signaling;
use crate::socket::Ticket;

/// Tracks asked for in one message; the web SDK asks for no more than 35.
const TRACKS_PER_MESSAGE: usize = 32;

/// A track that others may take.
#[derive(Clone, Debug)]
pub struct Track {
    pub peer: String,
    pub producer: String,
    pub kind: Kind,
}

/// Which of a person's two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Sending,
    Receiving,
}

/// A connection as the server knows it. What goes over it is with a media thread.
#[derive(Clone, Debug)]
pub struct Transport {
    pub id: String,
    credentials: Credentials,
}

/// Somebody who has opened a socket. Leaves when dropped.
pub struct Peer {
    signaling: Signaling,
    ticket: Ticket,
}

impl Peer {
    /// Opens a socket at HOST:PORT, and asks for media.
    ///
    /// # Errors
    /// If the server does not let it in.
    pub async fn open(host: &str, ticket: Ticket) -> anyhow::Result<Self> {
        let signaling = Signaling::open(host, &ticket).await?;
        let request = edge::PeerJoinRequest { room_uuid: ticket.meeting.clone(), ..edge::PeerJoinRequest::default() };
        signaling.ask::<edge::PeerJoinResponse>(media::JOIN_ROOM, &request).await?;
        Ok(Self { signaling, ticket })
    }

    pub fn id(&self) -> &str {
        &self.signaling.peer
    }

    /// Makes one of its connections.
    ///
    /// # Errors
    /// If the server refuses, or cannot be reached where it says it can.
    pub async fn connect(&self, identity: &Identity, way: Way) -> anyhow::Result<(Transport, Connection)> {
        let prepared = Prepared::new(identity);
        let credentials = prepared.credentials.clone();
        let request = CreateTransportRequest {
            consuming: way == Way::Receiving,
            description: described("offer", sdp::offer(&credentials, &[])),
            ..CreateTransportRequest::default()
        };
        let answer: CreateTransportResponse = self.signaling.ask(media::CREATE_WEBRTC_TRANSPORT, &request).await?;
        let remote = sdp::read(&answer.description.context("the server does not answer the offer")?.sdp)?;
        Ok((Transport { id: answer.transport_id, credentials }, prepared.connect(&remote)?))
    }

    /// Enters the meeting.
    ///
    /// # Errors
    /// If the server refuses, or makes it wait.
    pub async fn enter(&self) -> anyhow::Result<()> {
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
        // The web SDK asks more here, all at once; these two it cannot do without.
        let everyone = wire::RoomPeersInfoRequest::default();
        tokio::try_join!(
            self.signaling.ask::<wire::RoomInfoResponse>(room::GET_ROOM_INFO, &()),
            self.signaling.ask::<wire::RoomPeersInfoResponse>(room::GET_ROOM_PEERS_INFO, &everyone),
        )?;
        let complete = edge::PeerJoinCompleteRequest {};
        self.signaling.ask::<edge::PeerJoinCompleteResponse>(media::SELF_JOIN_COMPLETE, &complete).await?;
        Ok(())
    }

    /// Publishes tracks on a connection of its own, one after the other.
    ///
    /// # Errors
    /// If the server refuses one.
    pub async fn publish(&self, transport: &Transport, kinds: &[Kind]) -> anyhow::Result<Vec<Track>> {
        let mut tracks = Vec::with_capacity(kinds.len());
        for (at, kind) in kinds.iter().copied().enumerate() {
            let mid = PLACEHOLDERS + at;
            let request = edge::ProducerCreateRequest {
                kind: kind.name().to_owned(),
                paused: false,
                screen_share: false,
                description: described("offer", sdp::offer(&transport.credentials, &kinds[..=at])),
                msid: sdp::msid(mid),
                app_data: Some(format!(r#"{{"mid":"{mid}"}}"#)),
                mime_type: Some(kind.mime_type().to_owned()),
                producing_transport_id: Some(transport.id.clone()),
            };
            let answer: edge::ProducerCreateResponse = self.signaling.ask(media::PRODUCE, &request).await?;
            tracks.push(Track { peer: self.signaling.peer.clone(), producer: answer.producer_id, kind });
        }
        Ok(tracks)
    }

    /// Takes tracks of others.
    ///
    /// # Errors
    /// If the server refuses one.
    pub async fn take(&self, transport: &Transport, tracks: &[Track]) -> anyhow::Result<()> {
        for tracks in tracks.chunks(TRACKS_PER_MESSAGE) {
            let wish = |track: &Track| edge::ConsumePeerRequest {
                producing_peer_id: track.peer.clone(),
                producer_id: Some(track.producer.clone()),
                ..edge::ConsumePeerRequest::default()
            };
            let request = edge::ConsumePeersRequest {
                requests: tracks.iter().map(wish).collect(),
                consuming_transport_id: Some(transport.id.clone()),
            };
            let answer: edge::ConsumePeerResponse = self.signaling.ask(media::CONSUME, &request).await?;
            let states = answer.consumer_ids_map.unwrap_or_default().map;
            if let Some(code) = states.into_values().find_map(|state| state.error_code) {
                bail!("a track is refused: {code}");
            }
            let offer = answer.description.context("there is no offer of the tracks")?;
            let reply = RenegotiateRequest {
                transport_id: transport.id.clone(),
                description: described("answer", sdp::answer(&offer.sdp, &transport.credentials)),
            };
            self.signaling.ask::<RenegotiateResponse>(media::RENEGOTIATE_SESSION_DESCRIPTION, &reply).await?;
        }
        Ok(())
    }
}

fn described(kind: &str, sdp: String) -> Option<SessionDescription> {
    Some(SessionDescription { target: 0, r#type: kind.to_owned(), sdp })
}
