//! A client's websocket: asks and awaits answers by id, answers pings, hands pushes on to who wants them.
//! A task of its own reads it all the time, as a browser would, so that the server never finds it silent.
//! Next: `socket.rs`, how a frame looks.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use salon_wire::event_id;
use salon_wire::signaling::message::v1::SocketMessage;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::socket::{self, Invite, PONG};

/// Longer than the web SDK waits for an answer: on a machine that is too small a client should be late, not broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Questions on their way to the socket; beyond these, who asks waits.
const QUESTIONS: usize = 16;

/// Pushes that wait to be read. Who reads more slowly than they come knows less than it should: its socket is closed.
const PUSHES: usize = 4_096;

type Answer = Result<Vec<u8>, String>;

struct Question {
    event: u32,
    payload: Vec<u8>,
    /// Of what is only said there is none.
    answer: Option<oneshot::Sender<Answer>>,
}

/// A client's signaling. It leaves when dropped.
pub struct Signaling {
    pub peer: String,
    questions: mpsc::Sender<Question>,
}

impl Signaling {
    /// Opens a socket at HOST:PORT as the web SDK does.
    ///
    /// # Errors
    /// If the host cannot be reached, or refuses the invite.
    pub async fn open(host: &str, invite: &Invite) -> anyhow::Result<Self> {
        Self::connect(host, invite, uuid::Uuid::new_v4().to_string(), None).await
    }

    /// The same as a peer with this id, who may have been here before, and who hears what comes unasked; nothing more comes
    /// once the socket is closed.
    ///
    /// # Errors
    /// As for `open`.
    pub async fn open_as(host: &str, invite: &Invite, peer: String) -> anyhow::Result<(Self, mpsc::Receiver<SocketMessage>)> {
        let (pushes, heard) = mpsc::channel(PUSHES);
        Ok((Self::connect(host, invite, peer, Some(pushes)).await?, heard))
    }

    async fn connect(
        host: &str,
        invite: &Invite,
        peer: String,
        pushes: Option<mpsc::Sender<SocketMessage>>,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("cannot reach {host}"))?;
        stream.set_nodelay(true)?;
        let socket = socket::open(stream, host, invite, &peer).await.context("the websocket is refused")?;
        let (questions, inbox) = mpsc::channel(QUESTIONS);
        tokio::spawn(keep(socket, peer.clone(), inbox, pushes));
        Ok(Self { peer, questions })
    }

    /// Asks, and waits for the answer. Several may be under way at once.
    ///
    /// # Errors
    /// If the server refuses, closes, or says nothing.
    pub async fn ask<A: prost::Message + Default>(&self, event: u32, request: &impl prost::Message) -> anyhow::Result<A> {
        let name = event_id::name(event).unwrap_or("an unknown event");
        let (answer, answered) = oneshot::channel();
        let question = Question { event, payload: request.encode_to_vec(), answer: Some(answer) };
        self.questions.send(question).await.map_err(|_| anyhow!("the server closed before {name}"))?;
        let answer = tokio::time::timeout(PATIENCE, answered).await.with_context(|| format!("no answer to {name}"))?;
        let payload = answer.with_context(|| format!("the server closed, {name} unanswered"))?;
        let payload = payload.map_err(|why| anyhow!("{name} is refused: {why}"))?;
        A::decode(payload.as_slice()).with_context(|| format!("the answer to {name} is broken"))
    }

    /// Says what has no answer.
    ///
    /// # Errors
    /// If the server has closed.
    pub async fn say(&self, event: u32, request: &impl prost::Message) -> anyhow::Result<()> {
        let question = Question { event, payload: request.encode_to_vec(), answer: None };
        self.questions.send(question).await.map_err(|_| anyhow!("the server has closed"))
    }
}

/// Serves a socket until the client is dropped or the server closes.
async fn keep(
    mut socket: WebSocketStream<TcpStream>,
    peer: String,
    mut inbox: mpsc::Receiver<Question>,
    pushes: Option<mpsc::Sender<SocketMessage>>,
) {
    let mut waiting: HashMap<String, oneshot::Sender<Answer>> = HashMap::new();
    let mut count = 0u64;
    loop {
        tokio::select! {
            question = inbox.recv() => {
                let Some(Question { event, payload, answer }) = question else {
                    let _ = socket.close(None).await;
                    return;
                };
                count += 1;
                let id = format!("{peer}-{count}");
                let frame = socket::frame(event, &id, payload);
                answer.into_iter().for_each(|answer| _ = waiting.insert(id.clone(), answer));
                if socket.send(frame).await.is_err() {
                    return;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(_))) => {
                    if socket.send(Message::text(PONG)).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let Ok(message) = SocketMessage::decode(bytes) else { return };
                    let Some(answer) = message.id.as_ref().and_then(|id| waiting.remove(id)) else {
                        if pushes.as_ref().is_some_and(|pushes| pushes.try_send(message).is_err()) {
                            return;
                        }
                        continue;
                    };
                    let _ = answer.send(match socket::refusal(&message) {
                        Some((_, why)) => Err(why),
                        None => Ok(message.payload.unwrap_or_default().to_vec()),
                    });
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    }
}
