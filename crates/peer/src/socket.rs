//! A client's websocket, below questions and answers: its address, how its frames look, what a refusal is.
//! Next: `signaling.rs`, which asks over it.

use prost::Message as _;
use salon_wire::event_id;
use salon_wire::signaling::media::edge;
use salon_wire::signaling::message::v1::SocketMessage;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The server asks whether somebody is there, and what it wants to hear.
pub const PING: &str = "2";
pub const PONG: &str = "3";

/// The web SDK sends the like with each message; who traces nothing may pass it over.
const METADATA: &[u8] = br#"{"TRACEPARENT":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}"#;

/// What a client needs to come in.
#[derive(Clone, Debug)]
pub struct Invite {
    pub meeting: String,
    pub participant: String,
    pub token: String,
}

/// The address that the web SDK opens at HOST:PORT, as a peer with this id.
pub fn address(host: &str, invite: &Invite, peer: &str) -> String {
    let Invite { meeting, token, .. } = invite;
    format!(
        "ws://{host}/ws?roomID={meeting}&peerID={peer}&authToken={token}&useMediaV2=true&joinWithDetails=true&useCfWorker=true\
         &useStartSession=true&ping=true&capabilities=2"
    )
}

/// Opens the websocket over a connection to the host.
///
/// # Errors
/// `Error::Http` with the answer if the server refuses it.
pub async fn open(stream: TcpStream, host: &str, invite: &Invite, peer: &str) -> Result<WebSocketStream<TcpStream>, Error> {
    let (socket, _) = tokio_tungstenite::client_async(address(host, invite, peer), stream).await?;
    Ok(socket)
}

/// A message as clients send them.
pub fn frame(event: u32, id: &str, payload: Vec<u8>) -> Message {
    let metadata = Some(METADATA.into());
    let message = SocketMessage { event, id: Some(id.to_owned()), payload: Some(payload.into()), metadata };
    Message::binary(message.encode_to_vec())
}

/// Why a message refuses what it answers, and the event it says it answers; None if it does not.
pub fn refusal(message: &SocketMessage) -> Option<(u32, String)> {
    if message.event != event_id::ERROR {
        return None;
    }
    let error = edge::ErrorResponse::decode(message.payload.clone().unwrap_or_default()).unwrap_or_default();
    Some((error.event_id as u32, error.error_message))
}
