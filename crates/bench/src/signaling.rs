//! A client's websocket: asks and awaits answers by id, answers pings, passes over pushes.
//! A task of its own reads it all the time, as a browser would, so that the server never finds it silent.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, anyhow};
use futures_util::{SinkExt, StreamExt};
use prost::Message as _;
use salon_wire::event_id;
use salon_wire::signaling::media::edge;
use salon_wire::signaling::message::v1::SocketMessage;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::rest::{Door, Ticket};

/// Longer than the web SDK waits for an answer: a run on a machine that is too small should say so, not break.
const PATIENCE: Duration = Duration::from_secs(60);

/// Questions on their way; a client asks one at a time.
const QUESTIONS: usize = 4;

type Answer = Result<Vec<u8>, String>;

struct Question {
    event: u32,
    payload: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// A client's signaling. It leaves when dropped.
pub struct Signaling {
    pub peer: String,
    questions: mpsc::Sender<Question>,
}

impl Signaling {
    /// Opens a socket as the web SDK does.
    pub async fn open(door: &Door, ticket: &Ticket) -> anyhow::Result<Self> {
        let peer = uuid::Uuid::new_v4().to_string();
        let Door { address, .. } = door;
        let Ticket { meeting, token, .. } = ticket;
        let url = format!(
            "ws://{address}/ws?roomID={meeting}&peerID={peer}&authToken={token}&useMediaV2=true&joinWithDetails=true\
             &useCfWorker=true&useStartSession=true&ping=true&capabilities=2"
        );
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot reach {address}"))?;
        stream.set_nodelay(true)?;
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await.context("the websocket is refused")?;
        let (questions, inbox) = mpsc::channel(QUESTIONS);
        tokio::spawn(keep(socket, peer.clone(), inbox));
        Ok(Self { peer, questions })
    }

    /// Asks, and waits for the answer.
    pub async fn ask<A: prost::Message + Default>(&self, event: u32, request: &impl prost::Message) -> anyhow::Result<A> {
        let name = event_id::name(event).unwrap_or("an unknown event");
        let (answer, answered) = oneshot::channel();
        let question = Question { event, payload: request.encode_to_vec(), answer };
        self.questions.send(question).await.map_err(|_| anyhow!("the server closed before {name}"))?;
        let answer = tokio::time::timeout(PATIENCE, answered).await.with_context(|| format!("no answer to {name}"))?;
        let payload = answer.with_context(|| format!("the server closed, {name} unanswered"))?;
        let payload = payload.map_err(|why| anyhow!("{name} is refused: {why}"))?;
        A::decode(payload.as_slice()).with_context(|| format!("the answer to {name} is broken"))
    }
}

/// Serves a socket until the client is dropped or the server closes.
async fn keep(mut socket: WebSocketStream<TcpStream>, peer: String, mut inbox: mpsc::Receiver<Question>) {
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
                let message = SocketMessage { event, id: Some(id.clone()), payload: Some(payload.into()), metadata: None };
                waiting.insert(id, answer);
                if socket.send(Message::binary(message.encode_to_vec())).await.is_err() {
                    return;
                }
            }
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(_))) => {
                    if socket.send(Message::text("3")).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Binary(bytes))) => {
                    let Ok(message) = SocketMessage::decode(bytes) else { return };
                    let Some(answer) = message.id.as_ref().and_then(|id| waiting.remove(id)) else { continue };
                    let payload = message.payload.unwrap_or_default();
                    let _ = answer.send(match message.event {
                        event_id::ERROR => {
                            Err(edge::ErrorResponse::decode(payload).map(|error| error.error_message).unwrap_or_default())
                        }
                        _ => Ok(payload.to_vec()),
                    });
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            }
        }
    }
}
