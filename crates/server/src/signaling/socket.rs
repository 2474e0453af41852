//! One websocket: admission, pings, the envelope, and the loop between the client and its session.
//! Invariant: one message at a time; its answer leaves after every push that was due before it.
//! A socket that floods, stalls or falls silent is let go; its peer then has the grace time to come back.
//! Next: `crate::signaling::dispatch`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use prost::bytes::Bytes;
use salon_core::{MeetingId, ParticipantId, PeerId};
use salon_wire::event_id;
use salon_wire::signaling::message::v1::SocketMessage;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::hub::{Push, Unavailable};
use crate::telemetry::Metrics;
use crate::signaling::{Answer, Caller, dispatch, room, to_wire};

/// How often the server pings. The client closes after 30 s without a word (seen in web SDK 2.0.2); lower finds dead
/// clients sooner.
const PING_EVERY: Duration = Duration::from_secs(5);

/// A client that has not said anything, not even a pong, for this long is gone.
const SILENT_AFTER: Duration = Duration::from_secs(15);

/// A client that does not take a frame within this time is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// A kicked client closes its socket itself; one that does not is closed after this.
const HANGUP_AFTER: Duration = Duration::from_secs(3);

/// Pushes that may wait for a slow client: a large meeting's worth of joins.
const PUSHES: usize = 4_096;

/// Messages over the rate that are refused before the socket is closed.
const MAX_REFUSED_IN_A_ROW: u32 = 1_000;

/// Longest message id echoed; the SDK's have about 50 characters.
const MAX_MESSAGE_ID: usize = 256;

/// The address of a socket, as the web SDK writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Address {
    #[serde(rename = "roomID", default)]
    room_id: String,
    #[serde(rename = "peerID", default)]
    peer_id: String,
    #[serde(default)]
    auth_token: String,
}

/// Takes a socket in, if its token speaks for a participant of that meeting.
pub async fn upgrade(State(app): State<Arc<App>>, Query(address): Query<Address>, upgrade: WebSocketUpgrade) -> Response {
    let now = app.clock.now();
    let Some(bearer) = app.tokens.verify(&address.auth_token, now) else {
        return refuse(&app, StatusCode::UNAUTHORIZED, "the token is not valid");
    };
    if bearer.meeting.as_str() != address.room_id {
        return refuse(&app, StatusCode::FORBIDDEN, "the token is for another meeting");
    }
    let Ok(peer) = PeerId::parse(&address.peer_id) else {
        return refuse(&app, StatusCode::BAD_REQUEST, "peerID is not an id");
    };
    let admission = match app.store.admission(&bearer.participant).await {
        Ok(Some(admission)) if admission.meeting.id == bearer.meeting && admission.meeting.app == bearer.app => admission,
        Ok(_) => return refuse(&app, StatusCode::UNAUTHORIZED, "the participant does not exist any more"),
        Err(error) => {
            tracing::warn!(%error, "cannot look a participant up");
            return refuse(&app, StatusCode::SERVICE_UNAVAILABLE, "try again in a moment");
        }
    };
    if !app.metrics.socket_opens(app.config.limits.sockets as u64) {
        return refuse(&app, StatusCode::SERVICE_UNAVAILABLE, "this server has as many sockets as it may");
    }
    let max = app.config.limits.message_bytes;
    let open = OpenSocket(app.metrics.clone());
    upgrade.max_message_size(max).max_frame_size(max).on_upgrade(move |socket| async move {
        let _open = open;
        run(&app, socket, admission, bearer.meeting, bearer.participant, peer).await;
    })
}

fn refuse(app: &App, status: StatusCode, why: &'static str) -> Response {
    app.metrics.refused("socket");
    (status, why).into_response()
}

/// Counts a socket as long as it lives, whether or not its upgrade comes to anything.
struct OpenSocket(Arc<Metrics>);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.socket_closed();
    }
}

/// How a socket ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client said goodbye, or was told to.
    OnPurpose,
    /// It broke, or was let go: the client may come back.
    Broken,
}

async fn run(app: &Arc<App>, mut socket: WebSocket, admission: salon_store::Admission, meeting: MeetingId, participant: ParticipantId, peer: PeerId) {
    let (pushes, mut waiting) = mpsc::channel(PUSHES);
    let (handle, connection) = match attach(app, &admission, &peer, &participant, pushes).await {
        Ok(Some(attached)) => attached,
        Ok(None) => return close(&mut socket, close_code::NORMAL, "this peer id belongs to somebody else").await,
        Err(Unavailable) => return close(&mut socket, close_code::AGAIN, "try again in a moment").await,
    };
    let caller = Caller { app: app.clone(), handle, meeting, participant, peer };
    let end = Line { socket: &mut socket, caller: &caller, rate: Rate::new(app), heard: Instant::now() }.serve(&mut waiting).await;
    caller.handle.detach(caller.peer.clone(), connection, end == End::OnPurpose).await;
}

/// Binds the socket to its session's task; one that retired or failed in between is replaced by a new one.
async fn attach(
    app: &App,
    admission: &salon_store::Admission,
    peer: &PeerId,
    participant: &ParticipantId,
    pushes: mpsc::Sender<Push>,
) -> Result<Option<(crate::hub::Handle, u64)>, Unavailable> {
    let facts = room::facts(&admission.meeting);
    for _ in 0..3 {
        let handle = app.hub.open(&facts).await?;
        match handle.attach(peer.clone(), participant.clone(), pushes.clone()).await {
            Ok(connection) => return Ok(connection.map(|connection| (handle, connection))),
            Err(Unavailable) => tokio::task::yield_now().await,
        }
    }
    Err(Unavailable)
}

async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = tokio::time::timeout(SEND_WITHIN, socket.send(Message::Close(Some(frame)))).await;
}

/// One client's line.
struct Line<'a> {
    socket: &'a mut WebSocket,
    caller: &'a Caller,
    rate: Rate,
    heard: Instant,
}

impl Line<'_> {
    async fn serve(mut self, waiting: &mut mpsc::Receiver<Push>) -> End {
        let app = &self.caller.app;
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangup: Option<tokio::time::Instant> = None;
        loop {
            let hangup_at = hangup.unwrap_or_else(|| tokio::time::Instant::now() + Duration::from_secs(3_600));
            tokio::select! {
                () = app.stop.cancelled() => {
                    close(self.socket, close_code::RESTART, "the server restarts").await;
                    return End::Broken;
                }
                push = waiting.recv() => match push {
                    Some(Push::Frame(frame)) => {
                        if !self.send(Message::Binary(frame)).await {
                            return End::Broken;
                        }
                    }
                    Some(Push::Hangup) => hangup = Some(tokio::time::Instant::now() + HANGUP_AFTER),
                    Some(Push::Replaced) => {
                        close(self.socket, close_code::NORMAL, "another connection of this peer took over").await;
                        return End::Broken;
                    }
                    None => {
                        close(self.socket, close_code::ERROR, "try again in a moment").await;
                        return End::Broken;
                    }
                },
                received = self.socket.recv() => match received {
                    Some(Ok(message)) => {
                        self.heard = Instant::now();
                        if let Some(end) = self.receive(message, waiting).await {
                            return end;
                        }
                    }
                    Some(Err(error)) => {
                        app.metrics.refused("frame");
                        tracing::debug!(peer.id = %self.caller.peer, %error, "a socket broke");
                        return End::Broken;
                    }
                    None => return End::Broken,
                },
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENT_AFTER {
                        close(self.socket, close_code::AWAY, "silent for too long").await;
                        return End::Broken;
                    }
                    if !self.send(Message::Text("2".into())).await {
                        return End::Broken;
                    }
                }
                () = tokio::time::sleep_until(hangup_at) => {
                    close(self.socket, close_code::NORMAL, "removed from the meeting").await;
                    return End::OnPurpose;
                }
            }
        }
    }

    /// Deals with one frame; answers with how the socket ends, if it does.
    async fn receive(&mut self, message: Message, waiting: &mut mpsc::Receiver<Push>) -> Option<End> {
        match message {
            Message::Text(text) if text.as_str() == "2" => {
                let sent = self.send(Message::Text("3".into())).await;
                return (!sent).then_some(End::Broken);
            }
            Message::Text(text) if text.as_str() == "3" => return None,
            Message::Text(_) => {
                self.caller.app.metrics.refused("text");
                return None;
            }
            // Goodbye, page closed, or closed without saying why.
            Message::Close(frame) => {
                let code = frame.map_or(close_code::STATUS, |frame| frame.code);
                let on_purpose = matches!(code, close_code::NORMAL | close_code::AWAY | close_code::STATUS);
                return Some(if on_purpose { End::OnPurpose } else { End::Broken });
            }
            Message::Ping(_) | Message::Pong(_) => return None,
            Message::Binary(bytes) => return self.obey(bytes, waiting).await,
        }
    }

    async fn obey(&mut self, bytes: Bytes, waiting: &mut mpsc::Receiver<Push>) -> Option<End> {
        let metrics = &self.caller.app.metrics;
        let Ok(message) = SocketMessage::decode(bytes) else {
            metrics.refused("envelope");
            let error = to_wire::error(0, None, "the frame is not a socket message".to_string());
            return (!self.send(Message::Binary(error)).await).then_some(End::Broken);
        };
        let id = message.id.filter(|id| id.len() <= MAX_MESSAGE_ID);
        if !self.rate.allows(Instant::now()) {
            metrics.refused("flood");
            if self.rate.refused_in_a_row > MAX_REFUSED_IN_A_ROW {
                close(self.socket, close_code::POLICY, "too many messages").await;
                return Some(End::Broken);
            }
            let error = to_wire::error(message.event, id, "too many messages; try again in a moment".to_string());
            return (!self.send(Message::Binary(error)).await).then_some(End::Broken);
        }
        metrics.message(event_id::name(message.event).unwrap_or("unknown"));
        let answer = dispatch(self.caller, message.event, message.payload.unwrap_or_default()).await;
        // What happened before this request was handled reaches the client before its answer.
        while let Ok(push) = waiting.try_recv() {
            match push {
                Push::Frame(frame) => {
                    if !self.send(Message::Binary(frame)).await {
                        return Some(End::Broken);
                    }
                }
                Push::Hangup => {
                    // It has been told; what it asked for meanwhile is of no interest any more.
                    tokio::time::sleep(HANGUP_AFTER).await;
                    close(self.socket, close_code::NORMAL, "removed from the meeting").await;
                    return Some(End::OnPurpose);
                }
                Push::Replaced => {
                    close(self.socket, close_code::NORMAL, "another connection of this peer took over").await;
                    return Some(End::Broken);
                }
            }
        }
        let frame = match answer {
            Ok(Answer::None) => return None,
            Ok(Answer::Payload(payload)) => to_wire::envelope(message.event, id, payload),
            Err(trouble) => {
                self.caller.app.metrics.refused(trouble.reason());
                tracing::debug!(peer.id = %self.caller.peer, event = event_id::name(message.event), %trouble, "refused");
                to_wire::error(message.event, id, trouble.message(message.event))
            }
        };
        (!self.send(Message::Binary(frame)).await).then_some(End::Broken)
    }

    /// Whether the client took it.
    async fn send(&mut self, message: Message) -> bool {
        matches!(tokio::time::timeout(SEND_WITHIN, self.socket.send(message)).await, Ok(Ok(())))
    }
}

/// Messages a socket may send: so many a second, with a reserve for the burst of joining.
struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    at: Instant,
    refused_in_a_row: u32,
}

impl Rate {
    fn new(app: &App) -> Self {
        let per_second: f64 = app.config.limits.messages_per_second.into();
        let burst: f64 = app.config.limits.message_burst.into();
        Self { per_second, burst, left: burst, at: Instant::now(), refused_in_a_row: 0 }
    }

    fn allows(&mut self, now: Instant) -> bool {
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * self.per_second).min(self.burst);
        self.at = now;
        let allowed = self.left >= 1.0;
        if allowed {
            self.left -= 1.0;
            self.refused_in_a_row = 0;
        } else {
            self.refused_in_a_row += 1;
        }
        allowed
    }
}
