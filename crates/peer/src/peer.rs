//! Somebody in a meeting: joins, publishes and takes tracks with the messages of the web SDK, in its order.
//! Order of joining: socket, media, transports, room, what the room is like, join complete (seen in web SDK 2.0.2). As
//! there, questions that do not wait for each other are under way at once.
//! Next: `signaling.rs`, how one asks.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::{
    CreateTransportRequest, CreateTransportResponse, RenegotiateRequest, RenegotiateResponse, SessionDescription, Simulcast, edge,
};
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::room as wire;
use tokio::sync::mpsc;

use crate::connection::{Connection, Identity, Prepared};
use crate::sdp::{self, Credentials, Kind, PLACEHOLDERS, Stream};
use crate::signaling::Signaling;
use crate::socket::Invite;

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

/// What a meeting is like for who enters it.
#[derive(Clone, Debug)]
pub struct Entered {
    /// The session's id.
    pub session: String,
    /// Who is in it, as far as others are told.
    pub people: Vec<wire::Peer>,
    /// Those of them who may publish, with what they publish.
    pub publishing: Vec<edge::RoomParticipants>,
    /// Who spoke, the latest first.
    pub speakers: Vec<String>,
}

/// What the server says to tracks that are asked for.
#[derive(Clone, Debug)]
pub struct Offered {
    /// The server's offer; None if there is nothing to answer.
    sdp: Option<String>,
    /// The stream of each track by its producer.
    pub streams: Vec<(String, Stream)>,
    /// Tracks that are refused: their producers, and why.
    pub refused: Vec<(String, String)>,
}

/// Somebody who has opened a socket. Leaves when dropped.
pub struct Peer {
    signaling: Signaling,
    invite: Invite,
}

impl Peer {
    /// Opens a socket at HOST:PORT, and asks for media.
    ///
    /// # Errors
    /// If the server does not let it in.
    pub async fn open(host: &str, invite: Invite) -> anyhow::Result<Self> {
        Self::introduce(Signaling::open(host, &invite).await?, invite).await
    }

    /// The same as a peer with this id, who may have been here before; and what the server says unasked, until it closes.
    ///
    /// # Errors
    /// As for `open`.
    pub async fn open_as(host: &str, invite: Invite, id: String) -> anyhow::Result<(Self, mpsc::Receiver<SocketMessage>)> {
        let (signaling, pushes) = Signaling::open_as(host, &invite, id).await?;
        Ok((Self::introduce(signaling, invite).await?, pushes))
    }

    async fn introduce(signaling: Signaling, invite: Invite) -> anyhow::Result<Self> {
        let request = edge::PeerJoinRequest { room_uuid: invite.meeting.clone(), ..edge::PeerJoinRequest::default() };
        signaling.ask::<edge::PeerJoinResponse>(media::JOIN_ROOM, &request).await?;
        Ok(Self { signaling, invite })
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
    pub async fn enter(&self) -> anyhow::Result<Entered> {
        let peer = wire::Peer {
            peer_id: self.signaling.peer.clone(),
            user_id: self.invite.participant.clone(),
            ..wire::Peer::default()
        };
        let request = wire::JoinRoomRequest { peer: Some(peer), ..wire::JoinRoomRequest::default() };
        let answer: wire::PeerInfoResponse = self.signaling.ask(room::JOIN_ROOM, &request).await?;
        if answer.peer.is_some_and(|peer| peer.waitlisted) {
            bail!("the server puts clients into the waiting room");
        }
        // The web SDK asks more here, all at once; these two it cannot do without.
        let everyone = wire::RoomPeersInfoRequest::default();
        let (_, everyone) = tokio::try_join!(
            self.signaling.ask::<wire::RoomInfoResponse>(room::GET_ROOM_INFO, &()),
            self.signaling.ask::<wire::RoomPeersInfoResponse>(room::GET_ROOM_PEERS_INFO, &everyone),
        )?;
        let complete = edge::PeerJoinCompleteRequest {};
        let complete: edge::PeerJoinCompleteResponse = self.signaling.ask(media::SELF_JOIN_COMPLETE, &complete).await?;
        Ok(Entered {
            session: complete.room_state.unwrap_or_default().room_uuid,
            people: everyone.peers,
            publishing: complete.participants,
            speakers: complete.selected_peers.unwrap_or_default().audio_peers,
        })
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
            let wishes: Vec<(&Track, Option<&str>)> = tracks.iter().map(|track| (track, None)).collect();
            let offered = self.ask_for(transport, &wishes).await?;
            if let Some((_, code)) = offered.refused.first() {
                bail!("a track is refused: {code}");
            }
            self.accept(transport, &offered).await?;
        }
        Ok(())
    }

    /// Asks for tracks of others, each in the best size or the one of this name; at most 32. They come once `accept` has
    /// answered.
    ///
    /// # Errors
    /// If the server refuses all of it.
    pub async fn ask_for(&self, transport: &Transport, wishes: &[(&Track, Option<&str>)]) -> anyhow::Result<Offered> {
        let wish = |(track, size): &(&Track, Option<&str>)| edge::ConsumePeerRequest {
            producing_peer_id: track.peer.clone(),
            producer_id: Some(track.producer.clone()),
            simulcast: size.map(simulcast),
            ..edge::ConsumePeerRequest::default()
        };
        let request = edge::ConsumePeersRequest {
            requests: wishes.iter().map(wish).collect(),
            consuming_transport_id: Some(transport.id.clone()),
        };
        let answer: edge::ConsumePeerResponse = self.signaling.ask(media::CONSUME, &request).await?;
        let sdp = answer.description.map(|description| description.sdp);
        let lines = sdp.as_deref().map(sdp::streams).unwrap_or_default();
        let (mut streams, mut refused) = (Vec::new(), Vec::new());
        for (producer, state) in answer.consumer_ids_map.unwrap_or_default().map {
            let mid = state.producer_track.map(|track| track.stream_id);
            match (state.error_code, lines.iter().find(|line| Some(&line.mid) == mid.as_ref())) {
                (None, Some(line)) => streams.push((producer, line.clone())),
                (code, _) => refused.push((producer, code.unwrap_or_else(|| "there is no line for it".to_owned()))),
            }
        }
        Ok(Offered { sdp, streams, refused })
    }

    /// Takes what was offered.
    ///
    /// # Errors
    /// If the server does not like the answer.
    pub async fn accept(&self, transport: &Transport, offered: &Offered) -> anyhow::Result<()> {
        let offer = offered.sdp.as_ref().context("there is no offer of the tracks")?;
        let reply = RenegotiateRequest {
            transport_id: transport.id.clone(),
            description: described("answer", sdp::answer(offer, &transport.credentials)),
        };
        self.signaling.ask::<RenegotiateResponse>(media::RENEGOTIATE_SESSION_DESCRIPTION, &reply).await?;
        Ok(())
    }

    /// Gives up the streams with these mids, all that were given up since the last offer among them.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn give_up(&self, transport: &Transport, last: &Offered, mids: &BTreeSet<String>) -> anyhow::Result<()> {
        let offer = last.sdp.as_ref().context("nothing was offered")?;
        let request = edge::ConsumerCloseRequest {
            consumer_ids: mids.iter().cloned().collect(),
            description: described("offer", sdp::closing(offer, &transport.credentials, mids)),
            consuming_transport_id: Some(transport.id.clone()),
        };
        self.signaling.ask::<edge::ConsumerClosingResponse>(media::CLOSE_CONSUMER, &request).await?;
        Ok(())
    }

    /// Wishes for other sizes of pictures that come: each a producer, its mid and the size's name.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn prefer(&self, transport: &Transport, sizes: &[(String, String, &str)]) -> anyhow::Result<()> {
        let wish = |(producer, mid, size): &(String, String, &str)| edge::UpdateConsumerSimulcastConfigRequest {
            producer_id: producer.clone(),
            mid: mid.clone(),
            simulcast: Some(simulcast(size)),
            ..edge::UpdateConsumerSimulcastConfigRequest::default()
        };
        let request = edge::UpdateConsumersSimulcastConfigRequest {
            requests: sizes.iter().map(wish).collect(),
            consuming_transport_id: Some(transport.id.clone()),
        };
        self.signaling.ask::<edge::EmptyResponse>(media::UPDATE_CONSUMERS_SIMULCAST_CONFIG, &request).await?;
        Ok(())
    }

    /// Says that a track of its own is silent, or no longer is.
    ///
    /// # Errors
    /// If the server has closed.
    pub async fn pause(&self, track: &Track, pause: bool) -> anyhow::Result<()> {
        let request = edge::ProducerToggleRequest { producer_id: track.producer.clone(), pause };
        self.signaling.say(media::TOGGLE_PRODUCER, &request).await
    }
}

fn simulcast(size: &str) -> Simulcast {
    Simulcast { preferred_rid: Some(size.to_owned()), ..Simulcast::default() }
}

fn described(kind: &str, sdp: String) -> Option<SessionDescription> {
    Some(SessionDescription { target: 0, r#type: kind.to_owned(), sdp })
}
