//! The loop between one client and its session: pings, the envelope, answers and pushes.
//! Invariant: one message at a time; its answer leaves after every push that was due before it.
//! A client that floods, stalls or falls silent is let go; its peer then has the grace time to come back.
//! Next: `dispatch.rs`.

use std::time::{Duration, Instant};

use axum::extract::ws::close_code;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use prost::bytes::Bytes;
use salon_handover::{Descriptor, Guest, Parcel, Part, Phase};
use salon_live::Push;
use salon_media::Outlook;
use salon_wire::event_id;
use salon_wire::signaling::message::v1::SocketMessage;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::Message;

use crate::signaling::caller::{Answer, Caller};
use crate::signaling::dispatch::dispatch;
use crate::signaling::socket::goodbye::End;
use crate::signaling::socket::note::{Note, SOCKET};
use crate::signaling::socket::porch::Porch;
use crate::signaling::socket::quiet::{due, quiet_for};
use crate::signaling::socket::rate::{Rate, Taken};
use crate::signaling::to_wire::frame;
use crate::signaling::trouble::Trouble;
use crate::signaling::wire::Socket;

/// How often the server pings. The client closes after 30 s without a word (seen in web SDK 2.0.2); lower finds dead
/// clients sooner.
const PING_EVERY: Duration = Duration::from_secs(5);

/// A client that has not said anything, not even a pong, for this long is gone.
const SILENT_AFTER: Duration = Duration::from_secs(15);

/// A client that does not take a frame within this time is gone.
const SEND_WITHIN: Duration = Duration::from_secs(10);

/// A kicked client closes its socket itself; one that does not is closed after this.
const HANGUP_AFTER: Duration = Duration::from_secs(3);

/// Answers that may wait at a time; of more the first goes out early.
const HELD_BACK: usize = 8;

/// How often it is looked at whether a client whose media may be lost has lost them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Longest message id echoed; the SDK's have about 50 characters.
const MAX_MESSAGE_ID: usize = 256;

/// One client's line.
pub struct Line<'a> {
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

impl<'a> Line<'a> {
    /// Of a client that may have joined already, and may have been removed, if it came from another process.
    pub fn new(
        (porch, caller, socket): (&'a Porch, &'a Caller, &'a mut Socket),
        (guest, descriptor): (Guest, Option<Descriptor>),
        (joined, hangup_in): (bool, Option<Duration>),
    ) -> Self {
        let now = tokio::time::Instant::now();
        Self {
            socket,
            caller,
            porch,
            rate: Rate::new(&porch.settings),
            heard: Instant::now(),
            hangup: hangup_in.map(|after| now + after),
            held_back: Vec::new(),
            answered: watch::Sender::new(now),
            joined,
            look_at: joined.then_some(now),
            guest,
            descriptor,
        }
    }

    pub async fn serve(mut self, waiting: &mut mpsc::Receiver<Push>) -> End {
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
            reached: self.caller.reached.clone(),
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

/// A message of the client's, without its id if that is too long to be echoed.
fn decode(frame: Bytes) -> Option<SocketMessage> {
    let message = SocketMessage::decode(frame).ok()?;
    Some(SocketMessage { id: message.id.filter(|id| id.len() <= MAX_MESSAGE_ID), ..message })
}
