//! A scripted client: asks and awaits answers by id, collects pushes, and can misbehave in every way a socket allows.
//! Invariant: a push that was collected is handed out once, in the order of arrival.
//! Next: `sdp.rs`, what it says about media.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use salon_peer::socket::{self, Invite, PING, PONG};
use salon_wire::event_id::{self, media, room};
use salon_wire::signaling::media::{CreateTransportRequest, CreateTransportResponse, SessionDescription, edge};
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::room as wire;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::house::{PATIENCE, Person, fresh};
use crate::sdp;

pub struct Client {
    pub person: Person,
    socket: WebSocketStream<TcpStream>,
    collected: VecDeque<SocketMessage>,
    pings: usize,
    closed: Option<Option<u16>>,
}

/// The empty payload.
pub const NOTHING: &() = &();

impl Client {
    /// Opens a socket as the web SDK does; the HTTP status if it is refused.
    pub async fn connect(person: &Person) -> Result<Self, u16> {
        let stream = TcpStream::connect(&person.address).await.unwrap();
        Self::connect_over(person, stream).await
    }

    pub async fn connect_over(person: &Person, stream: TcpStream) -> Result<Self, u16> {
        let Person { address, meeting, participant, token, .. } = person.clone();
        match socket::open(stream, &address, &Invite { meeting, participant, token }, &person.peer).await {
            Ok(socket) => Ok(Self { person: person.clone(), socket, collected: VecDeque::new(), pings: 0, closed: None }),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("the socket cannot be opened: {error}"),
        }
    }

    pub fn peer(&self) -> String {
        self.person.peer.clone()
    }

    pub fn user(&self) -> String {
        self.person.participant.clone()
    }

    // --- saying ---

    /// Sends a frame as it is. A server that has closed does not take it, which is no failure here.
    pub async fn send(&mut self, frame: Message) {
        let _ = self.socket.send(frame).await;
    }

    /// Queues a frame without waiting for it to leave.
    pub async fn feed(&mut self, frame: Message) {
        let _ = self.socket.feed(frame).await;
    }

    /// Lets what was queued leave, all in one.
    pub async fn flush(&mut self) {
        let _ = self.socket.flush().await;
    }

    /// Writes bytes below the websocket.
    pub async fn raw(&mut self, bytes: &[u8]) {
        self.socket.get_mut().write_all(bytes).await.unwrap();
    }

    /// Sends a request and answers with its id.
    pub async fn tell(&mut self, event: u32, request: &impl prost::Message) -> String {
        let id = format!("{}-{}", self.person.peer, fresh());
        self.send(frame(event, &id, request)).await;
        id
    }

    /// Asks, and waits for the answer: the payload, or why not.
    pub async fn ask<A: prost::Message + Default>(&mut self, event: u32, request: &impl prost::Message) -> Result<A, String> {
        let id = self.tell(event, request).await;
        self.answer(event, &id).await
    }

    /// Asks, and expects to be refused.
    pub async fn refused(&mut self, event: u32, request: &impl prost::Message) -> String {
        match self.ask::<()>(event, request).await {
            Ok(()) => panic!("{} was obeyed, not refused", event_id::name(event).unwrap_or("an unknown event")),
            Err(why) => why,
        }
    }

    /// Sends an encoded request, and waits until it has been dealt with: refused, or not, whether or not it is answered.
    pub async fn verdict(&mut self, event: u32, payload: &[u8]) -> Result<(), String> {
        let id = format!("{}-{}", self.person.peer, fresh());
        self.send(socket::frame(event, &id, payload.to_vec())).await;
        self.catch_up().await;
        let Some(at) = self.collected.iter().position(|message| message.id.as_deref() == Some(&id)) else { return Ok(()) };
        let answer = self.collected.remove(at).expect("it was found there");
        socket::refusal(&answer).map_or(Ok(()), |(_, why)| Err(why))
    }

    /// Says goodbye and waits until the server has heard it.
    pub async fn leave(mut self) {
        self.close(1000).await;
    }

    /// Closes with a code and waits for the server's answer: a browser takes a close without one for a broken socket.
    pub async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        let _ = self.socket.close(Some(frame)).await;
        assert_eq!(self.hung_up().await, Some(code), "{} is answered goodbye", self.person.name);
    }

    /// The network is gone: not even a close is sent.
    pub fn vanish(self) -> Person {
        self.person
    }

    // --- hearing ---

    /// The next frame; none once the server has closed.
    async fn next(&mut self) -> Option<Message> {
        if self.closed.is_some() {
            return None;
        }
        match self.socket.next().await {
            Some(Ok(Message::Close(frame))) => {
                self.closed = Some(frame.map(|frame| frame.code.into()));
                None
            }
            Some(Ok(frame)) => Some(frame),
            Some(Err(_)) | None => {
                self.closed = Some(None);
                None
            }
        }
    }

    /// The next message of the protocol; pings are answered on the way.
    pub async fn receive(&mut self) -> Option<SocketMessage> {
        loop {
            let message = self.receive_or_ping().await;
            if message.is_some() || self.closed.is_some() {
                return message;
            }
        }
    }

    /// The next message; none for a ping, which is answered, or when the server has closed.
    async fn receive_or_ping(&mut self) -> Option<SocketMessage> {
        match self.next().await? {
            Message::Binary(bytes) => Some(SocketMessage::decode(bytes).expect("the server sends messages only")),
            Message::Text(text) => {
                assert_eq!(text.as_str(), PING, "no other text is expected");
                self.pings += 1;
                self.send(Message::text(PONG)).await;
                None
            }
            _ => None,
        }
    }

    /// Waits until the server has pinged, if it has not since the last time.
    pub async fn pinged(&mut self) {
        let pinged = async {
            while self.pings == 0 {
                let message = self.receive_or_ping().await;
                self.collected.extend(message);
            }
        };
        tokio::time::timeout(PATIENCE, pinged).await.expect("the server pings");
        self.pings = 0;
    }

    /// The next text frame that is not a ping of the server.
    pub async fn text(&mut self) -> String {
        loop {
            match self.next().await.expect("the socket is open") {
                Message::Text(text) if text.as_str() != PING => return text.to_string(),
                _ => {}
            }
        }
    }

    /// The first message that is wanted, of those collected or still to come; none once the server has closed.
    async fn find(&mut self, what: &str, wanted: impl Fn(&SocketMessage) -> bool) -> Option<SocketMessage> {
        if let Some(at) = self.collected.iter().position(&wanted) {
            return self.collected.remove(at);
        }
        let found = async {
            loop {
                let message = self.receive().await?;
                if wanted(&message) {
                    return Some(message);
                }
                self.collected.push_back(message);
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("{} waits for {what} in vain; collected: {:?}", self.person.name, self.names()))
    }

    /// The answer to the request `id`.
    pub async fn answer<A: prost::Message + Default>(&mut self, event: u32, id: &str) -> Result<A, String> {
        let name = event_id::name(event).unwrap_or("an unknown event");
        let answer = self.find(&format!("the answer to {name}"), |message| message.id.as_deref() == Some(id)).await;
        let Some(answer) = answer else { return Err("the server closed".to_owned()) };
        if let Some((of, why)) = socket::refusal(&answer) {
            assert_eq!(of, event, "the error names the event it answers");
            return Err(why);
        }
        assert_eq!(answer.event, event, "an answer echoes the event of its request");
        Ok(A::decode(answer.payload.unwrap_or_default()).unwrap_or_else(|error| panic!("the answer to {name}: {error}")))
    }

    /// The next push of this event.
    pub async fn hear<P: prost::Message + Default>(&mut self, event: u32) -> P {
        let name = event_id::name(event).unwrap();
        let push = self.find(name, |message| message.event == event).await;
        let push = push.unwrap_or_else(|| panic!("{} was closed before {name} came", self.person.name));
        P::decode(push.payload.unwrap_or_default()).unwrap()
    }

    /// Collects everything that is due by now: an answer of the session comes after whatever happened in it before.
    pub async fn catch_up(&mut self) {
        let own = wire::GetPeerInfoRequest { peer_id: self.peer() };
        let _ = self.ask::<()>(room::GET_PEER_INFO, &own).await;
    }

    /// How many pushes of this event have come by now.
    pub async fn heard(&mut self, event: u32) -> usize {
        self.catch_up().await;
        self.heard_before(event)
    }

    /// How many pushes of this event came before the socket was closed.
    pub fn heard_before(&self, event: u32) -> usize {
        self.collected.iter().filter(|message| message.event == event).count()
    }

    /// What this client was told of by now, by name.
    pub async fn told_of_by_now(&mut self) -> Vec<&'static str> {
        self.catch_up().await;
        self.names()
    }

    /// Forgets the pushes collected by now.
    pub async fn forget(&mut self) {
        self.catch_up().await;
        self.collected.clear();
    }

    /// What was collected, for failures.
    fn names(&self) -> Vec<&'static str> {
        self.collected.iter().map(|message| event_id::name(message.event).unwrap_or("unknown")).collect()
    }

    /// Waits until the server has closed; answers with the code, if it gave one.
    pub async fn hung_up(&mut self) -> Option<u16> {
        let none = self.find("the end", |_| false).await;
        assert_eq!(none, None);
        self.closed.expect("nothing more comes because it is closed")
    }

    // --- the protocol ---

    /// Joins; answers with the server's view of the caller.
    pub async fn join(&mut self) -> Result<wire::Peer, String> {
        let peer = wire::Peer {
            peer_id: self.person.peer.clone(),
            user_id: self.person.participant.clone(),
            display_name: self.person.name.clone(),
            ..wire::Peer::default()
        };
        self.join_as(peer).await
    }

    /// Joins, claiming to be `peer`.
    pub async fn join_as(&mut self, peer: wire::Peer) -> Result<wire::Peer, String> {
        let request = wire::JoinRoomRequest { peer: Some(peer), ..wire::JoinRoomRequest::default() };
        let answer: wire::PeerInfoResponse = self.ask(room::JOIN_ROOM, &request).await?;
        Ok(answer.peer.expect("the answer holds the peer"))
    }

    pub async fn complete_join(&mut self) -> edge::PeerJoinCompleteResponse {
        self.ask(media::SELF_JOIN_COMPLETE, &edge::PeerJoinCompleteRequest {}).await.unwrap()
    }

    /// The peer ids of everyone this client sees, sorted.
    pub async fn roster(&mut self) -> Vec<String> {
        let request = wire::RoomPeersInfoRequest::default();
        let answer: wire::RoomPeersInfoResponse = self.ask(room::GET_ROOM_PEERS_INFO, &request).await.unwrap();
        let mut peers: Vec<String> = answer.peers.into_iter().map(|peer| peer.peer_id).collect();
        peers.sort();
        peers
    }

    /// Who was told to have come or gone by now, in order.
    pub async fn comings_and_goings(&mut self) -> Vec<(u32, String)> {
        self.catch_up().await;
        let told = self.collected.drain(..).filter(|push| [room::JOIN_ROOM, room::LEAVE_ROOM].contains(&push.event));
        let peer =
            |push: SocketMessage| wire::PeerInfoResponse::decode(push.payload.unwrap_or_default()).unwrap().peer.unwrap().peer_id;
        told.map(|push| (push.event, peer(push))).collect()
    }

    pub async fn kick(&mut self, peer: &str) {
        let request = wire::RemoveParticipantsRequest { peer_ids: vec![peer.to_owned()] };
        self.tell(room::KICK, &request).await;
    }

    /// Opens a media connection; answers with its id.
    pub async fn open_transport(&mut self, consuming: bool) -> Result<String, String> {
        let request = CreateTransportRequest {
            consuming,
            description: Some(described("offer", sdp::offer(&[]))),
            ..CreateTransportRequest::default()
        };
        let answer: CreateTransportResponse = self.ask(media::CREATE_WEBRTC_TRANSPORT, &request).await?;
        Ok(answer.transport_id)
    }

    /// Publishes a track on a connection of its own; answers with the producer's id.
    pub async fn publish(&mut self, kind: &'static str) -> Result<String, String> {
        let transport = self.open_transport(false).await.unwrap();
        self.publish_on(&transport, kind, false).await
    }

    pub async fn publish_on(&mut self, transport: &str, kind: &'static str, screen_share: bool) -> Result<String, String> {
        let request = edge::ProducerCreateRequest {
            kind: kind.to_owned(),
            paused: false,
            screen_share,
            description: Some(described("offer", sdp::offer(&[kind]))),
            msid: sdp::msid(2),
            app_data: Some(r#"{"mid":"2"}"#.to_owned()),
            mime_type: Some(if kind == "audio" { "audio/opus" } else { "video/VP8" }.to_owned()),
            producing_transport_id: Some(transport.to_owned()),
        };
        let answer: edge::ProducerCreateResponse = self.ask(media::PRODUCE, &request).await?;
        Ok(answer.producer_id)
    }

    pub async fn pause(&mut self, producer: &str, pause: bool) {
        self.tell(media::TOGGLE_PRODUCER, &edge::ProducerToggleRequest { producer_id: producer.to_owned(), pause }).await;
    }
}

pub fn described(kind: &str, sdp: String) -> SessionDescription {
    SessionDescription { target: 0, r#type: kind.to_owned(), sdp }
}

/// A frame as clients send them.
pub fn frame(event: u32, id: &str, request: &impl prost::Message) -> Message {
    socket::frame(event, id, request.encode_to_vec())
}
