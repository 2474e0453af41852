//! One websocket: admission, pings, the envelope, and the loop between the client and its session.
//! Invariant: one message at a time; its answer leaves after every push that was due before it.
//! A socket that floods, stalls or falls silent is let go; its peer then has the grace time to come back.
//! Next: `dispatch.rs`.

use std::net::IpAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::ws::close_code;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use prost::Message as _;
use prost::bytes::Bytes;
use salon_cluster::{ELSEWHERE, Nodes};
use salon_core::{AppId, MeetingId, ParticipantId, PeerId, RecordingId, Timestamp};
use salon_handover::{Descriptor, Guest, Parcel, Part, Passage, Phase, Unpacked};
use salon_media::{Outlook, Owners};
use salon_recordings::{Livestreams, Recordings};
use salon_store::Store;
use salon_transcripts::Transcripts;
use salon_wire::event_id;
use salon_wire::signaling::message::v1::SocketMessage;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::elsewhere::{AGAIN_AFTER, is_in_time, peer, was_passed_on};
use crate::flows::facts::facts;
use crate::flows::presets;
use crate::flows::robots;
use crate::flows::travel::Travel;
use crate::metrics::Metrics;
use crate::pipes::Pipes;
use crate::rates::LateRates;
use crate::refused::Refused;
use crate::signaling::caller::{Answer, Caller};
use crate::signaling::dispatch::dispatch;
use crate::signaling::to_wire::frame;
use crate::signaling::trouble::Trouble;
use crate::signaling::wire::{self, Connection, Socket};
use crate::tokens::{Bearer, Tokens};
use salon_live::Clock;
use salon_live::{Handle, Hub, Newcomer, Place, Push, Removed, Unavailable};

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

/// Answers that may wait at a time; of more the first goes out early.
const HELD_BACK: usize = 8;

/// Messages over the rate that are refused before the socket is closed. Those of a client that slows down again are
/// forgiven at the rate itself.
const MAX_REFUSED: f64 = 1_000.0;

/// How long a client may take to answer a close. Without waiting, what it has sent meanwhile would make the system
/// reset the connection, and the client would never read why.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// How often it is looked at whether a client whose media may be lost has lost them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longest message id echoed; the SDK's have about 50 characters.
const MAX_MESSAGE_ID: usize = 256;

/// What somebody hears for whom there is no place.
const TOO_MANY: &str = "this server has as many sockets as it may";

/// What operators decide about sockets.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Sockets open at once.
    pub sockets: u64,
    /// The largest message.
    pub message_bytes: usize,
    /// Messages of one socket, in the long run.
    pub messages_per_second: u32,
    /// Messages of one socket at once before the rate applies.
    pub message_burst: u32,
}

/// What a socket is taken in with.
pub struct Porch {
    pub settings: Settings,
    pub store: Store,
    pub hub: Hub,
    pub media: Arc<Owners>,
    pub clock: Clock,
    pub tokens: Tokens,
    pub travel: Travel,
    pub recordings: Recordings,
    pub transcripts: Transcripts,
    pub livestreams: Livestreams,
    pub metrics: Arc<Metrics>,
    pub refused: Refused,
    /// How often one participant may open a socket.
    pub openings: LateRates<ParticipantId>,
    /// The other nodes, and the sockets that are passed on to them.
    pub nodes: Option<Nodes>,
    pub pipes: Pipes,
    pub passage: Passage,
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
}

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
pub async fn upgrade(State(porch): State<Arc<Porch>>, Query(address): Query<Address>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let from = peer(&parts).map(|from| from.ip().to_canonical());
    let Some((bearer, expires)) = porch.tokens.read(&address.auth_token) else {
        porch.refused.tell(Some("/ws"), 401);
        return refuse(&porch, StatusCode::UNAUTHORIZED, "the token is not valid");
    };
    if bearer.meeting.as_str() != address.room_id {
        return refuse(&porch, StatusCode::FORBIDDEN, "the token is for another meeting");
    }
    let Ok(peer_id) = PeerId::parse(&address.peer_id) else {
        return refuse(&porch, StatusCode::BAD_REQUEST, "peerID is not an id");
    };
    if !was_passed_on(&parts) && porch.openings.take(&bearer.participant).await.is_err() {
        return refuse(&porch, StatusCode::TOO_MANY_REQUESTS, "you open sockets too often; try again in a few seconds");
    }
    let admission = match robots::bearer_admission(&porch.store, &bearer).await {
        Ok(Some(admission)) if admission.meeting.id == bearer.meeting && admission.meeting.app == bearer.app => admission,
        Ok(_) => return refuse(&porch, StatusCode::UNAUTHORIZED, "the participant does not exist any more"),
        Err(error) => {
            tracing::warn!(%error, "cannot look a participant up");
            return refuse(&porch, StatusCode::SERVICE_UNAVAILABLE, "try again in a moment");
        }
    };
    if let Some(nodes) = &porch.nodes
        && let Some(answer) = passed_on(&porch, nodes, &admission, &mut parts).await
    {
        return answer;
    }
    if expires <= porch.clock.now() && !is_still_in(&porch, &bearer, &peer_id).await {
        porch.refused.tell(Some("/ws"), 401);
        return refuse(&porch, StatusCode::UNAUTHORIZED, "the token has expired; ask for a new one");
    }
    if let Some(at) = porch.media.back_at(&bearer.meeting, &peer_id) {
        tokio::time::sleep_until(at.into()).await;
    }
    let (becomes, response) = match wire::upgrade(&mut parts).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return refused,
    };
    if !porch.metrics.socket_opens(porch.settings.sockets) {
        return refuse(&porch, StatusCode::SERVICE_UNAVAILABLE, TOO_MANY);
    }
    let (open, guest) = (OpenSocket(porch.metrics.clone()), porch.passage.enter(Part::Socket));
    let descriptor = parts.extensions.get::<Descriptor>().copied();
    tokio::spawn(async move {
        let _open = open;
        let Ok(connection) = becomes.await else { return };
        let mut socket = wire::socket(TokioIo::new(connection), porch.settings.message_bytes, Vec::new()).await;
        let visitor = Visitor { bearer, peer: peer_id, from, guest, descriptor, went_on: WentOn::default() };
        // Tracked, so that a node that stops records who was here before it closes its store.
        porch.tasks.track_future(run(&porch, &mut socket, admission, visitor, None)).await;
    });
    response
}

/// The answer of the node that has the meeting's session, if it is not this one; what becomes of it is a pipe. The token is
/// judged there once more. A session whose node died is waited for until it goes on, here or elsewhere.
async fn passed_on(porch: &Porch, nodes: &Nodes, admission: &salon_store::Admission, parts: &mut Parts) -> Option<Response> {
    let (began, facts) = (Instant::now(), facts(&admission.meeting));
    loop {
        // One that cannot be opened is told of on the socket.
        let Ok(Place::There(remote)) = porch.hub.open(&facts).await else { return None };
        if was_passed_on(parts) {
            return Some((StatusCode::SERVICE_UNAVAILABLE, [(ELSEWHERE, "1")], "it is on another node").into_response());
        }
        if !porch.metrics.socket_opens(porch.settings.sockets) {
            return Some(refuse(porch, StatusCode::SERVICE_UNAVAILABLE, TOO_MANY));
        }
        let open = OpenSocket(porch.metrics.clone());
        let why = match &remote.address {
            None => "it has no cluster.listen".to_owned(),
            Some(address) => {
                let (cut, pipe) = porch.pipes.open(&remote.node);
                match nodes.pipe(address, parts, peer(parts), cut, (open, pipe)).await {
                    Ok(answer) if answer.headers().contains_key(ELSEWHERE) => "it does not have the session".to_owned(),
                    Ok(answer) => return Some(answer.map(axum::body::Body::new)),
                    Err(error) => error.to_string(),
                }
            }
        };
        if !is_in_time(began) {
            tracing::warn!(node = remote.node, error = why, "a socket cannot be passed on");
            return Some(refuse(porch, StatusCode::SERVICE_UNAVAILABLE, "try again in a moment"));
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Whether this connection is in the meeting, or within its grace. A client has one token for a whole call, and goes on
/// with it when its socket breaks after the token has expired (seen in web SDK 2.0.2).
async fn is_still_in(porch: &Porch, bearer: &Bearer, peer: &PeerId) -> bool {
    let Some(handle) = porch.hub.find(bearer.meeting.as_str()) else { return false };
    let (peer, participant) = (peer.clone(), bearer.participant.clone());
    handle.call(move |session, _| session.is_in(&peer, &participant)).await.unwrap_or(false)
}

fn refuse(porch: &Porch, status: StatusCode, why: &'static str) -> Response {
    porch.metrics.refused("socket");
    (status, why).into_response()
}

/// Counts a socket as long as it lives, whether or not its upgrade comes to anything.
struct OpenSocket(Arc<Metrics>);

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.socket_closed();
    }
}

/// How a socket ends.
struct End {
    /// The client said goodbye, or was told to: its peer is out. If not, the client may come back.
    on_purpose: bool,
    /// The last word to a client that is still there.
    close: Option<(u16, &'static str)>,
}

impl End {
    const LEFT: Self = Self { on_purpose: true, close: None };
    const BROKEN: Self = Self { on_purpose: false, close: None };
    const REMOVED: Self = Self { on_purpose: true, close: Some((close_code::NORMAL, "removed from the meeting")) };

    /// Lets go of a client that may come back.
    fn because(code: u16, why: &'static str) -> Self {
        Self { on_purpose: false, close: Some((code, why)) }
    }
}

/// Who has a socket.
struct Visitor {
    bearer: Bearer,
    peer: PeerId,
    from: Option<IpAddr>,
    guest: Guest,
    /// What is handed over to the next process, if anything can be.
    descriptor: Option<Descriptor>,
    went_on: WentOn,
}

/// What another process knew of a socket.
#[derive(Default)]
struct WentOn {
    /// It is to be found where that process left it.
    came_along: bool,
    joined: bool,
    removed: bool,
    hangup_in: Option<Duration>,
}

/// What sockets are packed as.
pub const SOCKET: &str = "websocket";

impl Porch {
    /// Goes on with sockets of another process; each is packed with what can become its connection. Returns when all of them are
    /// where they were.
    pub async fn take_up(
        self: &Arc<Self>,
        packed: Vec<Unpacked>,
        seat: impl Fn(OwnedFd) -> Option<(RawFd, Box<dyn Connection>)>,
    ) -> usize {
        let mut all = JoinSet::new();
        for packed in packed {
            let Some((visitor, connection, read)) = self.unpack(packed, &seat) else { continue };
            let (porch, (there, is_there)) = (self.clone(), oneshot::channel());
            let max = self.settings.message_bytes;
            tokio::spawn(async move {
                let open = porch.metrics.socket_opens(u64::MAX).then(|| OpenSocket(porch.metrics.clone()));
                let mut socket = wire::socket(connection, max, read).await;
                let taken = porch.tasks.track_future(porch.go_on(&mut socket, visitor, there)).await;
                drop((open, taken));
            });
            all.spawn(async move { is_there.await.is_ok() });
        }
        let mut count = 0;
        while let Some(done) = all.join_next().await {
            count += usize::from(done.unwrap_or(false));
        }
        count
    }

    fn unpack(
        &self,
        packed: Unpacked,
        seat: impl Fn(OwnedFd) -> Option<(RawFd, Box<dyn Connection>)>,
    ) -> Option<(Visitor, Box<dyn Connection>, Vec<u8>)> {
        let note: Note = serde_json::from_str(&packed.note).ok()?;
        let bearer = Bearer {
            app: AppId::parse(&note.app).ok()?,
            meeting: MeetingId::parse(&note.meeting).ok()?,
            participant: ParticipantId::parse(&note.participant).ok()?,
            let_in_until: note.let_in_until.map(Timestamp),
            recording: note.recording.and_then(|id| RecordingId::parse(&id).ok()),
        };
        let (descriptor, connection) = seat(packed.descriptors.into_iter().next()?)?;
        let visitor = Visitor {
            bearer,
            peer: PeerId::parse(&note.peer).ok()?,
            from: note.from,
            guest: self.passage.enter(Part::Socket),
            descriptor: Some(Descriptor(descriptor)),
            went_on: WentOn {
                came_along: true,
                joined: note.joined,
                removed: note.removed,
                hangup_in: note.hangup_in_ms.map(Duration::from_millis),
            },
        };
        Some((visitor, connection, packed.bytes))
    }

    async fn go_on(&self, socket: &mut Socket, visitor: Visitor, there: oneshot::Sender<()>) {
        // One that was put out hears no more than that.
        match robots::bearer_admission(&self.store, &visitor.bearer).await {
            Ok(Some(admission)) => run(self, socket, admission, visitor, Some(there)).await,
            Ok(None) => say_goodbye(socket, End::REMOVED.close).await,
            Err(error) => {
                tracing::warn!(%error, "cannot look a participant up");
                say_goodbye(socket, Some((close_code::AGAIN, "try again in a moment"))).await;
            }
        }
    }
}

/// A socket as another process finds it.
#[derive(Serialize, Deserialize)]
struct Note {
    app: String,
    meeting: String,
    participant: String,
    peer: String,
    from: Option<IpAddr>,
    let_in_until: Option<i64>,
    recording: Option<String>,
    joined: bool,
    removed: bool,
    hangup_in_ms: Option<u64>,
}

async fn run(
    porch: &Porch,
    socket: &mut Socket,
    admission: salon_store::Admission,
    visitor: Visitor,
    there: Option<oneshot::Sender<()>>,
) {
    let Visitor { bearer, peer, from, guest, descriptor, went_on } = visitor;
    let Bearer { meeting, app, participant, let_in_until, recording } = bearer;
    // A preset that cannot be read lets nobody in, so it makes no host.
    let preset = presets::permissions(&admission.preset);
    let is_host = preset.as_ref().is_ok_and(|preset| preset.is_host());
    let newcomer = Newcomer { peer: peer.clone(), participant: participant.clone(), is_host };
    let (pushes, mut waiting) = mpsc::channel(PUSHES);
    let removed = Removed::default();
    let (handle, connection) = match attach(porch, &admission, &newcomer, (pushes, removed.clone())).await {
        Ok(Some(attached)) => attached,
        Ok(None) => {
            let why = "this peer id is taken, or the meeting has too many sockets";
            return say_goodbye(socket, Some((close_code::NORMAL, why))).await;
        }
        Err(Unavailable) => return say_goodbye(socket, Some((close_code::AGAIN, "try again in a moment"))).await,
    };
    if went_on.removed {
        removed.raise();
    }
    if went_on.came_along
        && let Ok(preset) = preset
    {
        porch.hub.take_up(&handle, &meeting, &newcomer, preset).await;
    }
    if let Some(there) = there {
        let _ = there.send(());
    }
    let caller = Caller {
        handle,
        meeting,
        app,
        participant,
        peer,
        let_in_until,
        recording,
        removed,
        from,
        hub: porch.hub.clone(),
        media: porch.media.clone(),
        store: porch.store.clone(),
        clock: porch.clock.clone(),
        travel: porch.travel.clone(),
        recordings: porch.recordings.clone(),
        transcripts: porch.transcripts.clone(),
        livestreams: porch.livestreams.clone(),
    };
    let WentOn { joined, hangup_in, .. } = went_on;
    let line = Line {
        socket,
        caller: &caller,
        porch,
        rate: Rate::new(&porch.settings),
        heard: Instant::now(),
        hangup: hangup_in.map(|after| tokio::time::Instant::now() + after),
        held_back: Vec::new(),
        answered: watch::Sender::new(tokio::time::Instant::now()),
        joined,
        look_at: joined.then(tokio::time::Instant::now),
        guest,
        descriptor,
    };
    let end = line.serve(&mut waiting).await;
    caller.handle.detach(caller.peer.clone(), connection, end.on_purpose).await;
    // Saying goodbye may take a while; the session need not wait for it.
    drop((caller, waiting));
    say_goodbye(socket, end.close).await;
}

/// Binds the socket to its session's task; one that retired or failed in between is replaced by a new one.
async fn attach(
    porch: &Porch,
    admission: &salon_store::Admission,
    newcomer: &Newcomer,
    (pushes, removed): (mpsc::Sender<Push>, Removed),
) -> Result<Option<(Handle, u64)>, Unavailable> {
    let facts = facts(&admission.meeting);
    for _ in 0..3 {
        let handle = porch.hub.open(&facts).await?.here()?;
        match handle.attach(newcomer.clone(), pushes.clone(), removed.clone()).await {
            Ok(connection) => return Ok(connection.map(|connection| (handle, connection))),
            Err(Unavailable) => tokio::task::yield_now().await,
        }
    }
    Err(Unavailable)
}

/// The last frames of a socket: our close if we have one to send, and whatever its client still says. A close of the
/// client's own is answered on the way: without that answer browsers report a broken connection instead of its code.
async fn say_goodbye(socket: &mut Socket, close: Option<(u16, &'static str)>) {
    let said = async {
        if let Some((code, why)) = close {
            socket.send(Message::Close(Some(CloseFrame { code: code.into(), reason: why.into() }))).await?;
        }
        while socket.next().await.transpose()?.is_some() {}
        Ok::<_, tungstenite::Error>(())
    };
    let _ = tokio::time::timeout(CLOSE_WITHIN, said).await;
}

/// Waits until one of these answers has to go out; for ever if there is none.
async fn due(held_back: &mut [(watch::Receiver<Instant>, Bytes)]) {
    loop {
        let Some(at) = held_back.iter_mut().map(|(at, _)| *at.borrow_and_update()).min() else {
            return std::future::pending().await;
        };
        let changes = held_back.iter_mut().map(|(at, _)| {
            Box::pin(async {
                if at.changed().await.is_err() {
                    // Nothing will be known any more.
                    std::future::pending::<()>().await;
                }
            })
        });
        tokio::select! {
            () = tokio::time::sleep_until(at.into()) => return,
            _ = futures_util::future::select_all(changes) => {}
        }
    }
}

/// Until a client has asked for nothing for so long, or for five times as long if it goes on.
async fn quiet_for(span: Duration, answered: watch::Receiver<tokio::time::Instant>) {
    let began = tokio::time::Instant::now();
    loop {
        let until = quiet_at(*answered.borrow(), began, span);
        if until <= tokio::time::Instant::now() {
            return;
        }
        tokio::time::sleep_until(until).await;
    }
}

/// When a client that was last answered then, and goes on with nothing, has been quiet for `span`.
fn quiet_at(answered: tokio::time::Instant, began: tokio::time::Instant, span: Duration) -> tokio::time::Instant {
    (answered + span).min(began + span * 5)
}

/// A message of the client's, without its id if that is too long to be echoed.
fn decode(frame: Bytes) -> Option<SocketMessage> {
    let message = SocketMessage::decode(frame).ok()?;
    Some(SocketMessage { id: message.id.filter(|id| id.len() <= MAX_MESSAGE_ID), ..message })
}

/// One client's line.
struct Line<'a> {
    socket: &'a mut Socket,
    caller: &'a Caller,
    porch: &'a Porch,
    rate: Rate,
    heard: Instant,
    /// When a client that was removed is closed, unless it closes by itself.
    hangup: Option<tokio::time::Instant>,
    /// Answers that wait, and when each goes out, as far as is known; at most [`HELD_BACK`].
    held_back: Vec<(watch::Receiver<Instant>, Bytes)>,
    /// When the last request was dealt with.
    answered: watch::Sender<tokio::time::Instant>,
    /// Its join is complete, as far as it is up to us. A client whose socket ends before does not come back by itself (read
    /// in web SDK 2.0.2: it takes itself for disconnected already).
    joined: bool,
    /// When to look after its media.
    look_at: Option<tokio::time::Instant>,
    guest: Guest,
    descriptor: Option<Descriptor>,
}

impl Line<'_> {
    async fn serve(mut self, waiting: &mut mpsc::Receiver<Push>) -> End {
        let mut ping = tokio::time::interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut phase = Phase::Open;
        loop {
            let never = tokio::time::Instant::now() + Duration::from_secs(3_600);
            let hangup_at = self.hangup.unwrap_or(never);
            let look_at = self.look_at.unwrap_or(never);
            let end = tokio::select! {
                () = self.porch.stop.cancelled() => Some(End::because(close_code::RESTART, "the server restarts")),
                push = waiting.recv() => match push {
                    Some(push) => self.pass_on(push).await,
                    None => Some(End::because(close_code::ERROR, "try again in a moment")),
                },
                turned = self.guest.turns(phase) => {
                    phase = turned;
                    self.hand_over(phase, waiting).await
                }
                // Once a handover has begun the next message is for the next process.
                received = self.socket.next(), if phase == Phase::Open => match received {
                    Some(Ok(message)) => {
                        self.heard = Instant::now();
                        self.receive(message, waiting).await
                    }
                    Some(Err(error)) => {
                        self.porch.metrics.refused("frame");
                        tracing::debug!(peer.id = %self.caller.peer, %error, "a socket broke");
                        Some(End::BROKEN)
                    }
                    None => Some(End::BROKEN),
                },
                _ = ping.tick() => {
                    if self.heard.elapsed() > SILENT_AFTER {
                        Some(End::because(close_code::AWAY, "silent for too long"))
                    } else {
                        self.send(Message::Text("2".into())).await
                    }
                }
                () = due(&mut self.held_back) => self.say_first_held_back().await,
                () = tokio::time::sleep_until(look_at) => self.look_after_media().await,
                () = tokio::time::sleep_until(hangup_at) => Some(End::REMOVED),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Does what there is to do for the next process to go on with this socket.
    async fn hand_over(&mut self, phase: Phase, waiting: &mut mpsc::Receiver<Push>) -> Option<End> {
        if phase == Phase::Packing {
            while let Ok(push) = waiting.try_recv() {
                if let Some(end) = self.pass_on(push).await {
                    return Some(end);
                }
            }
            // Nobody knows there until when they were to wait; that they come early is allowed.
            while !self.held_back.is_empty() {
                if let Some(end) = self.say_first_held_back().await {
                    return Some(end);
                }
            }
        }
        if phase != Phase::Open && !matches!(tokio::time::timeout(SEND_WITHIN, self.socket.flush()).await, Ok(Ok(()))) {
            return Some(End::BROKEN);
        }
        if phase == Phase::Packing
            && let Some(parcel) = self.pack()
        {
            self.guest.pack(parcel);
        }
        self.guest.report();
        None
    }

    fn pack(&self) -> Option<Parcel> {
        let (Caller { app, meeting, participant, peer, from, .. }, Descriptor(descriptor)) = (self.caller, self.descriptor?);
        let note = Note {
            app: app.to_string(),
            meeting: meeting.to_string(),
            participant: participant.to_string(),
            peer: peer.to_string(),
            from: *from,
            let_in_until: self.caller.let_in_until.map(|until| until.0),
            recording: self.caller.recording.as_ref().map(ToString::to_string),
            joined: self.joined,
            removed: self.caller.removed.is_raised(),
            hangup_in_ms: self.hangup.map(|at| at.saturating_duration_since(tokio::time::Instant::now()).as_millis() as u64),
        };
        Some(Parcel {
            what: SOCKET.to_owned(),
            note: serde_json::to_string(&note).ok()?,
            bytes: self.socket.get_ref().rest()?.to_vec(),
            descriptors: vec![descriptor],
        })
    }

    /// Deals with one frame; answers with how the socket ends, if it does.
    async fn receive(&mut self, message: Message, waiting: &mut mpsc::Receiver<Push>) -> Option<End> {
        match message {
            // Goodbye, page closed, or closed without saying why.
            Message::Close(frame) => {
                let code = frame.map_or(close_code::STATUS, |frame| frame.code.into());
                let on_purpose = matches!(code, close_code::NORMAL | close_code::AWAY | close_code::STATUS);
                Some(if on_purpose { End::LEFT } else { End::BROKEN })
            }
            // Whatever is in a frame, reading it is work.
            message => match self.rate.take(Instant::now()) {
                Taken::Allowed => self.read(message, waiting).await,
                Taken::Refused => {
                    self.porch.metrics.refused("flood");
                    let Message::Binary(bytes) = message else { return None };
                    let SocketMessage { event, id, .. } = decode(bytes)?;
                    self.fail(event, id, "too many messages; try again in a moment".to_string()).await
                }
                Taken::TooOften => Some(End::because(close_code::POLICY, "too many messages")),
            },
        }
    }

    async fn read(&mut self, message: Message, waiting: &mut mpsc::Receiver<Push>) -> Option<End> {
        match message {
            Message::Binary(bytes) => match decode(bytes) {
                Some(message) => self.obey(message, waiting).await,
                None => {
                    self.porch.metrics.refused("envelope");
                    self.fail(0, None, "the frame is not a socket message".to_string()).await
                }
            },
            Message::Text(text) if text.as_str() == "2" => self.send(Message::Text("3".into())).await,
            Message::Text(text) if text.as_str() == "3" => None,
            Message::Text(_) => {
                self.porch.metrics.refused("text");
                None
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => None,
        }
    }

    async fn obey(&mut self, message: SocketMessage, waiting: &mut mpsc::Receiver<Push>) -> Option<End> {
        let SocketMessage { event, id, payload, .. } = message;
        self.porch.metrics.message(event_id::name(event).unwrap_or("unknown"));
        let answer = dispatch(self.caller, event, payload.unwrap_or_default()).await;
        // What happened before this request was handled reaches the client before its answer.
        while let Ok(push) = waiting.try_recv() {
            if let Some(end) = self.pass_on(push).await {
                return Some(end);
            }
        }
        if answer.is_ok() && matches!(event, event_id::media::SELF_JOIN_COMPLETE | event_id::media::CREATE_WEBRTC_TRANSPORT) {
            self.joined |= event == event_id::media::SELF_JOIN_COMPLETE;
            self.look_at = self.joined.then(tokio::time::Instant::now);
        }
        let end = self.answer(event, id, answer).await;
        self.answered.send_replace(tokio::time::Instant::now());
        end
    }

    /// The end of a socket that would cost its client its media for good.
    async fn look_after_media(&mut self) -> Option<End> {
        let outlook = self.caller.media.outlook(&self.caller.meeting, &self.caller.peer).await;
        self.look_at = (outlook == Outlook::Narrow).then(|| tokio::time::Instant::now() + LOOK_EVERY);
        if outlook != Outlook::Lost {
            return None;
        }
        tracing::debug!(peer.id = %self.caller.peer, "a socket ends because its client would lose its media for good");
        Some(End::because(close_code::AGAIN, "no media come through; connect anew"))
    }

    async fn say_first_held_back(&mut self) -> Option<End> {
        let (first, _) = self.held_back.iter().enumerate().min_by_key(|(_, (at, _))| *at.borrow())?;
        let (_, frame) = self.held_back.swap_remove(first);
        self.send(Message::Binary(frame)).await
    }

    async fn answer(&mut self, event: u32, id: Option<String>, answer: Result<Answer, Trouble>) -> Option<End> {
        match answer {
            Ok(Answer::None) => None,
            Ok(Answer::Payload(payload)) => self.send(Message::Binary(frame::envelope(event, id, payload))).await,
            Ok(Answer::Later(at, payload)) => {
                self.held_back.push((at, frame::envelope(event, id, payload)));
                if self.held_back.len() > HELD_BACK { self.say_first_held_back().await } else { None }
            }
            Ok(Answer::Then { payload, after, act }) => {
                let end = self.send(Message::Binary(frame::envelope(event, id, payload))).await;
                let (handle, answered) = (self.caller.handle.clone(), self.answered.subscribe());
                // A handover waits for it.
                let guest = self.porch.passage.enter(Part::Door);
                tokio::spawn(async move {
                    let _guest = guest;
                    quiet_for(after, answered).await;
                    // If the session is gone by now, so is what was to happen in it.
                    let _ = handle.call(act).await;
                });
                end
            }
            Ok(Answer::Under(event, payload)) => self.send(Message::Binary(frame::envelope(event, id, payload))).await,
            Err(trouble) => {
                self.porch.metrics.refused(trouble.reason());
                tracing::debug!(peer.id = %self.caller.peer, event = event_id::name(event), %trouble, "refused");
                self.fail(event, id, trouble.message(event)).await
            }
        }
    }

    /// Tells the client what its session has for it.
    async fn pass_on(&mut self, push: Push) -> Option<End> {
        match push {
            Push::Frame(frame) => self.send(Message::Binary(frame)).await,
            Push::Hangup => {
                self.hangup = Some(tokio::time::Instant::now() + HANGUP_AFTER);
                None
            }
            Push::Replaced => Some(End::because(close_code::NORMAL, "another connection of this peer took over")),
        }
    }

    /// Tells the client that its request failed.
    async fn fail(&mut self, event: u32, id: Option<String>, why: String) -> Option<End> {
        self.send(Message::Binary(frame::error(event, id, why))).await
    }

    /// The end if the client did not take it.
    async fn send(&mut self, message: Message) -> Option<End> {
        match tokio::time::timeout(SEND_WITHIN, self.socket.send(message)).await {
            Ok(Ok(())) => None,
            _ => Some(End::BROKEN),
        }
    }
}

/// Messages a socket may send: so many a second, with a reserve for the burst of joining.
struct Rate {
    per_second: f64,
    burst: f64,
    left: f64,
    refused: f64,
    at: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Taken {
    Allowed,
    Refused,
    /// Refused, and so often that the socket has to go.
    TooOften,
}

impl Rate {
    fn new(settings: &Settings) -> Self {
        let per_second: f64 = settings.messages_per_second.into();
        let burst: f64 = settings.message_burst.into();
        Self { per_second, burst, left: burst, refused: 0.0, at: Instant::now() }
    }

    fn take(&mut self, now: Instant) -> Taken {
        let earned = now.duration_since(self.at).as_secs_f64() * self.per_second;
        self.at = now;
        self.left = (self.left + earned).min(self.burst);
        self.refused = (self.refused - earned).max(0.0);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Taken::Allowed;
        }
        self.refused += 1.0;
        if self.refused > MAX_REFUSED { Taken::TooOften } else { Taken::Refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(every_ms: f64, messages: u32) -> Taken {
        let start = Instant::now();
        let mut rate = Rate { per_second: 100.0, burst: 400.0, left: 400.0, refused: 0.0, at: start };
        let mut last = Taken::Allowed;
        for message in 0..messages {
            last = rate.take(start + Duration::from_secs_f64(f64::from(message) * every_ms / 1_000.0));
            if last == Taken::TooOften {
                break;
            }
        }
        last
    }

    #[test]
    fn a_flood_is_refused_and_then_ended() {
        assert_eq!(sent(0.0, 400), Taken::Allowed, "the reserve");
        assert_eq!(sent(0.0, 401), Taken::Refused);
        assert_eq!(sent(0.0, 1_401), Taken::TooOften);
        assert_eq!(sent(1.0, 10_000), Taken::TooOften, "ten times the rate");
    }

    #[test]
    fn a_client_within_the_rate_or_a_little_over_it_stays() {
        assert_eq!(sent(10.0, 10_000), Taken::Allowed);
        assert_ne!(sent(8.0, 10_000), Taken::TooOften);
    }

    #[test]
    fn what_waits_for_a_quiet_client_waits_while_it_asks_but_not_for_ever() {
        let began = tokio::time::Instant::now();
        let after = |ms| began + Duration::from_millis(ms);
        let due = |answered_ms| quiet_at(after(answered_ms), began, Duration::from_secs(1));
        assert_eq!((due(0), due(900), due(3_999)), (after(1_000), after(1_900), after(4_999)));
        assert_eq!((due(4_500), due(60_000)), (after(5_000), after(5_000)));
    }
}
