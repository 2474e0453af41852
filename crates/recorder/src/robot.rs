//! The robot: a hidden peer that is told who is in the meeting and takes the tracks that are recorded.
//! Whatever breaks (socket, media, server), it comes back as the same peer, and what it takes goes on.
//! Invariant: a stream's news come before its first packet, and `Gone` after its last.
//! Next: `receiver.rs`, where packets come in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use prost::Message as _;
use salon_peer::rtp::Codec;
use salon_peer::sdp::Kind;
use salon_peer::{Entered, Identity, Invite, Line, Media, Offered, Peer, Track, Transport, Way};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::{ProducerKind, ProducerState, edge};
use salon_wire::signaling::message::v1::SocketMessage;
use salon_wire::signaling::socket::room as wire;
use tokio::sync::{mpsc, oneshot};

use crate::news::{Key, News, Over, Person, Source};
use crate::receiver::{Receiver, Shared};
use crate::wishes::{Size, Wishes};

/// A robot that was in gives up after so long outside.
const AWAY: Duration = Duration::from_secs(60);
/// One that was never in gives up after so long.
const OUTSIDE: Duration = Duration::from_secs(10);
/// Between two tries.
const PAUSE: Duration = Duration::from_secs(1);
/// Coming in takes no longer than this.
const COME_IN: Duration = Duration::from_secs(20);
/// How often it looks whether media still come.
const LOOK: Duration = Duration::from_secs(1);

/// People and tracks that are known at most; a server that tells of more is not believed.
const PEOPLE: usize = 10_000;
const TRACKS_OF_ONE: usize = 16;
/// Tracks asked for in one message.
const AT_ONCE: usize = 32;
/// Tracks taken at most.
const TAKEN: usize = 500;

pub struct Robot {
    /// HOST:PORT.
    host: String,
    invite: Invite,
    /// Its peer id, the same whenever it comes back.
    id: String,
    /// Pictures are recorded too.
    pictures: bool,
    wishes: Wishes,
    queue: SyncSender<News>,
    identity: Identity,
    /// The session it was in first; no other is recorded.
    session: Option<String>,
    people: BTreeMap<String, Somebody>,
    /// By producer.
    taken: BTreeMap<String, Taken>,
    /// Tracks that this connection cannot have.
    refused: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Somebody {
    person: Person,
    is_robot: bool,
    tracks: BTreeMap<String, Published>,
}

#[derive(Clone, Debug)]
struct Published {
    source: Source,
    paused: bool,
}

struct Taken {
    key: Key,
    mid: String,
    /// What was asked for.
    size: Option<Size>,
}

/// The robot's connection, as long as it lasts.
struct Connected {
    number: u32,
    peer: Peer,
    transport: Transport,
    streams: Shared,
    last: Option<Offered>,
    /// Mids of streams that ended since the last offer, and whether the server knows.
    ended: BTreeSet<String>,
    untold: bool,
}

/// What it has of a meeting that it just came into.
struct Coming {
    connected: Connected,
    /// None if it is another session than before.
    entered: Option<Entered>,
    pushes: mpsc::Receiver<SocketMessage>,
    media: Media<Receiver>,
    ready: oneshot::Receiver<()>,
}

/// Says that the recording ends if the robot dies of a fault of ours: else it would seem to go on, with nobody in it.
struct LastWord(SyncSender<News>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.0.send(News::Over(Over::Lost("the robot has died of a fault".to_owned())));
        }
    }
}

impl Robot {
    /// # Errors
    /// If there is no certificate to be had.
    pub fn new(host: String, invite: Invite, pictures: bool, wishes: Wishes, queue: SyncSender<News>) -> anyhow::Result<Self> {
        Ok(Self {
            host,
            invite,
            id: uuid::Uuid::new_v4().to_string(),
            pictures,
            wishes,
            queue,
            identity: Identity::new()?,
            session: None,
            people: BTreeMap::new(),
            taken: BTreeMap::new(),
            refused: BTreeSet::new(),
        })
    }

    /// Is in the meeting until that is over or `stop` comes; says why last.
    pub async fn run(mut self, mut stop: oneshot::Receiver<()>) {
        let _last = LastWord(self.queue.clone());
        let mut was_in = None;
        let (mut since, mut number) = (Instant::now(), 0);
        let over = loop {
            number += 1;
            let attended = tokio::select! {
                attended = self.attend(number, &mut was_in) => attended,
                _ = &mut stop => return,
            };
            let error = match attended {
                Ok(over) => break over,
                Err(error) => error,
            };
            for producer in self.taken.keys().cloned().collect::<Vec<_>>() {
                self.gone(&producer, None);
            }
            since = was_in.take().unwrap_or(since);
            let patience = if self.session.is_some() { AWAY } else { OUTSIDE };
            if since.elapsed() > patience {
                break Over::Lost(format!("{error:#}"));
            }
            complain!("salon recorder: {error:#}; trying again");
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = &mut stop => return,
            }
        };
        self.tell(News::Over(over));
    }

    fn tell(&self, news: News) {
        // Nobody takes them any more once the recording ends.
        let _ = self.queue.send(news);
    }

    /// One stay: from coming in until it is over, which is told, or something breaks, which is an error. `was_in` is when it
    /// was last known to be in.
    async fn attend(&mut self, number: u32, was_in: &mut Option<Instant>) -> anyhow::Result<Over> {
        let coming = tokio::time::timeout(COME_IN, self.come_in(number));
        let coming = coming.await.context("the server does not let it in in time")??;
        let Coming { mut connected, entered, mut pushes, media, mut ready } = coming;
        let connected = &mut connected;
        let Some(entered) = entered else { return Ok(Over::Ended) };
        self.meet(entered);
        self.tell(News::In);
        self.catch_up(connected).await?;
        let mut look = tokio::time::interval(LOOK);
        let began = Instant::now();
        loop {
            *was_in = Some(Instant::now());
            tokio::select! {
                push = pushes.recv() => {
                    let Some(push) = push else { bail!("the server has closed the socket") };
                    let mut next = Some(push);
                    while let Some(push) = next {
                        if self.hear(push, connected) {
                            return Ok(Over::Ended);
                        }
                        next = pushes.try_recv().ok();
                    }
                    self.catch_up(connected).await?;
                }
                _ = look.tick() => {
                    let counts = media.take().await?;
                    if counts.tally.dropped + counts.tally.bad > 0 {
                        complain!("salon recorder: packets lost in the queue {}, not genuine {}", counts.tally.dropped, counts.tally.bad);
                    }
                    let is_ready = ready.try_recv() != Err(oneshot::error::TryRecvError::Empty);
                    if counts.ended > 0 || (!is_ready && !self.taken.is_empty() && began.elapsed() > COME_IN) {
                        bail!("the media connection is lost");
                    }
                    self.catch_up(connected).await?;
                    self.resize(connected).await?;
                }
            }
        }
    }

    /// Opens everything anew.
    async fn come_in(&mut self, number: u32) -> anyhow::Result<Coming> {
        self.refused.clear();
        let (peer, pushes) = Peer::open_as(&self.host, self.invite.clone(), self.id.clone()).await?;
        let (transport, connection) = peer.connect(&self.identity, Way::Receiving).await?;
        let (media, streams) = (Media::start("media", Line::default())?, Shared::default());
        let ready = media.carry(connection, Receiver::new(number, streams.clone(), self.wishes.clone(), self.queue.clone()))?;
        let entered = peer.enter().await?;
        let session = self.session.get_or_insert_with(|| entered.session.clone());
        let entered = (*session == entered.session).then_some(entered);
        let ended = BTreeSet::new();
        let connected = Connected { number, peer, transport, streams, last: None, ended, untold: false };
        Ok(Coming { connected, entered, pushes, media, ready })
    }

    /// Takes in who is there now, and who is there no more.
    fn meet(&mut self, entered: Entered) {
        let here: BTreeSet<&String> =
            entered.people.iter().map(|peer| &peer.peer_id).chain(entered.publishing.iter().map(|peer| &peer.peer_id)).collect();
        for peer in self.people.keys().filter(|peer| !here.contains(peer)).cloned().collect::<Vec<_>>() {
            self.left(&peer, None);
        }
        for somebody in self.people.values_mut() {
            somebody.tracks.clear();
        }
        for peer in entered.people {
            self.came(peer);
        }
        for participant in entered.publishing {
            self.publishes(participant);
        }
    }

    /// Takes in what the server says. True if that was the end.
    fn hear(&mut self, push: SocketMessage, connected: &mut Connected) -> bool {
        let payload = push.payload.unwrap_or_default();
        // What cannot be read says nothing.
        match push.event {
            room::KICK | room::KICK_ALL => return true,
            room::JOIN_ROOM => {
                if let Ok(wire::PeerInfoResponse { peer: Some(peer) }) = wire::PeerInfoResponse::decode(payload) {
                    self.came(peer);
                }
            }
            room::LEAVE_ROOM => {
                if let Ok(wire::PeerInfoResponse { peer: Some(peer) }) = wire::PeerInfoResponse::decode(payload) {
                    self.left(&peer.peer_id, Some(connected));
                }
            }
            media::PEER_JOINED_BROADCAST => {
                if let Ok(edge::PeerJoinBroadcastResponse { participant: Some(participant) }) =
                    edge::PeerJoinBroadcastResponse::decode(payload)
                {
                    self.publishes(participant);
                }
            }
            media::PEER_LEAVE_BROADCAST => {
                if let Ok(left) = edge::PeerLeaveBroadcastResponse::decode(payload) {
                    self.unpublish_all(&left.participant_id, Some(connected));
                }
            }
            media::PEER_PRODUCER_CREATE_BROADCAST => {
                if let Ok(created) = edge::PeerProducerCreateBroadcastResponse::decode(payload)
                    && let Some(state) = created.producer_state
                {
                    self.published(&created.participant_id, &state);
                }
            }
            media::PEER_PRODUCER_TOGGLE_BROADCAST => {
                if let Ok(toggled) = edge::PeerProducerToggleBroadcastResponse::decode(payload)
                    && let Some(state) = toggled.producer_state
                {
                    self.published(&toggled.participant_id, &state);
                }
            }
            media::PEER_PRODUCER_CLOSE_BROADCAST => {
                if let Ok(closed) = edge::PeerProducerCloseBroadcastResponse::decode(payload)
                    && let Some(state) = closed.producer_state
                {
                    if let Some(somebody) = self.people.get_mut(&closed.participant_id) {
                        somebody.tracks.remove(&state.producer_id);
                    }
                    self.gone(&state.producer_id, Some(connected));
                }
            }
            media::PEER_DISPLAY_NAME_EDIT_BROADCAST => {
                if let Ok(renamed) = edge::PeerDisplayNameEditBroadcastResponse::decode(payload)
                    && let Some(somebody) = self.people.get_mut(&renamed.participant_id)
                {
                    somebody.person.name = renamed.display_name;
                    let person = somebody.person.clone();
                    self.tell(News::Person { peer: renamed.participant_id, person });
                }
            }
            room::PEER_STAGE_STATUS_UPDATE => {
                if let Ok(update) = wire::PeerStatusUpdate::decode(payload)
                    && let Some(somebody) = self.people.get_mut(&update.peer_id)
                {
                    somebody.person.on_stage = is_on_stage(update.stage_type);
                    let person = somebody.person.clone();
                    self.tell(News::Person { peer: update.peer_id, person });
                }
            }
            _ => {}
        }
        false
    }

    fn came(&mut self, peer: wire::Peer) {
        if self.people.len() >= PEOPLE || peer.peer_id == self.id || peer.waitlisted {
            return;
        }
        let somebody = self.people.entry(peer.peer_id.clone()).or_default();
        somebody.is_robot = peer.flags.is_some_and(|flags| !matches!(flags.recorder_type.as_str(), "" | "NONE"));
        let custom_id = peer.custom_participant_id.unwrap_or_default();
        let on_stage = is_on_stage(peer.stage_type);
        somebody.person = Person { user: peer.user_id, custom_id, name: peer.display_name, on_stage };
        let (person, peer) = (somebody.person.clone(), peer.peer_id);
        if !somebody.is_robot {
            self.tell(News::Person { peer, person });
        }
    }

    fn publishes(&mut self, participant: edge::RoomParticipants) {
        let peer = participant.peer_id;
        if peer == self.id {
            return;
        }
        if !self.people.contains_key(&peer) && self.people.len() < PEOPLE {
            // Hidden people are told of by what they publish alone.
            let person = Person {
                user: participant.user_id.unwrap_or_default(),
                custom_id: String::new(),
                name: participant.display_name,
                on_stage: false,
            };
            self.people.insert(peer.clone(), Somebody { person: person.clone(), ..Somebody::default() });
            self.tell(News::Person { peer: peer.clone(), person });
        }
        for state in participant.producer_states {
            self.published(&peer, &state);
        }
    }

    fn published(&mut self, peer: &str, state: &ProducerState) {
        let Some(somebody) = self.people.get_mut(peer) else { return };
        if somebody.tracks.len() >= TRACKS_OF_ONE && !somebody.tracks.contains_key(&state.producer_id) {
            return;
        }
        let sound = state.kind == ProducerKind::Audio as i32;
        let source = match (sound, state.screen_share) {
            (true, false) => Source::Microphone,
            (true, true) => Source::ScreenSound,
            (false, false) => Source::Camera,
            (false, true) => Source::Screen,
        };
        let published = Published { source, paused: state.pause };
        somebody.tracks.insert(state.producer_id.clone(), published);
        if let Some(taken) = self.taken.get(&state.producer_id) {
            self.tell(News::Paused { key: taken.key, paused: state.pause });
        }
    }

    fn unpublish_all(&mut self, peer: &str, mut connected: Option<&mut Connected>) {
        let tracks = self.people.get_mut(peer).map(|somebody| std::mem::take(&mut somebody.tracks)).unwrap_or_default();
        for producer in tracks.keys() {
            self.gone(producer, connected.as_deref_mut());
        }
    }

    fn left(&mut self, peer: &str, connected: Option<&mut Connected>) {
        self.unpublish_all(peer, connected);
        if self.people.remove(peer).is_some() {
            self.tell(News::Left { peer: peer.to_owned() });
        }
    }

    /// A track comes no more; without a connection, because that is gone.
    fn gone(&mut self, producer: &str, connected: Option<&mut Connected>) {
        let Some(Taken { key, mid, .. }) = self.taken.remove(producer) else { return };
        if let Some(connected) = connected {
            connected.streams.with(|streams| {
                streams.known.remove(&key.ssrc);
                streams.repairs.retain(|_, of| *of != key.ssrc);
                streams.ended.push(key.ssrc);
            });
            connected.ended.insert(mid);
            connected.untold = true;
        }
        self.tell(News::Gone { key });
    }

    /// Takes what is wanted and not taken yet, and gives up what has ended.
    async fn catch_up(&mut self, connected: &mut Connected) -> anyhow::Result<()> {
        let (mut missing, mut unwanted) = (Vec::new(), Vec::new());
        let of = self.wishes.of();
        for (peer, somebody) in self.people.iter().filter(|(_, somebody)| !somebody.is_robot) {
            let is_listed = of.as_ref().is_none_or(|ids| somebody.person.is_among(ids));
            for (producer, published) in &somebody.tracks {
                let is_wanted = is_listed && (published.source.is_sound() || self.pictures);
                if !is_wanted && self.taken.contains_key(producer) {
                    unwanted.push(producer.clone());
                }
                if is_wanted && !self.taken.contains_key(producer) && !self.refused.contains(producer) {
                    let kind = if published.source.is_sound() { Kind::Audio } else { Kind::Video };
                    let track = Track { peer: peer.clone(), producer: producer.clone(), kind };
                    missing.push((track, published.clone()));
                }
            }
        }
        for producer in unwanted {
            self.gone(&producer, Some(connected));
        }
        if connected.untold
            && let Some(last) = &connected.last
        {
            connected.peer.give_up(&connected.transport, last, &connected.ended).await?;
            connected.untold = false;
        }
        missing.truncate(TAKEN.saturating_sub(self.taken.len()));
        for some in missing.chunks(AT_ONCE) {
            self.ask_for(connected, some).await?;
        }
        Ok(())
    }

    async fn ask_for(&mut self, connected: &mut Connected, some: &[(Track, Published)]) -> anyhow::Result<()> {
        // Cameras are small beside others; it is known how large only once they are seen.
        let size = |published: &Published| (published.source == Source::Camera).then_some(Size::Half);
        let wishes: Vec<(&Track, Option<&str>)> =
            some.iter().map(|(track, published)| (track, size(published).map(Size::name))).collect();
        let offered = connected.peer.ask_for(&connected.transport, &wishes).await?;
        for (producer, why) in &offered.refused {
            complain!("salon recorder: a track is refused: {why}");
            self.refused.insert(producer.clone());
        }
        for (producer, stream) in &offered.streams {
            let Some((track, published)) = some.iter().find(|(track, _)| track.producer == *producer) else { continue };
            let key = Key { connection: connected.number, ssrc: stream.ssrc };
            connected.streams.with(|streams| {
                streams.known.insert(stream.ssrc, ());
                streams.repairs.extend(stream.rtx.map(|rtx| (rtx, stream.ssrc)));
            });
            let size = size(published);
            size.into_iter().for_each(|size| self.wishes.size(key, size));
            self.taken.insert(producer.clone(), Taken { key, mid: stream.mid.clone(), size });
            let (peer, source, paused) = (track.peer.clone(), published.source, published.paused);
            let codec = Codec::of(stream.payload_type);
            self.tell(News::Stream { key, peer, source, codec, paused });
        }
        if !offered.streams.is_empty() {
            connected.peer.accept(&connected.transport, &offered).await?;
            connected.ended.clear();
            connected.last = Some(offered);
        }
        Ok(())
    }

    /// Asks for the sizes that are wished for by now.
    async fn resize(&mut self, connected: &Connected) -> anyhow::Result<()> {
        let mut changed = Vec::new();
        for (producer, taken) in &mut self.taken {
            let wished = self.wishes.size_of(taken.key);
            if let Some(size) = wished.filter(|_| wished != taken.size) {
                taken.size = wished;
                changed.push((producer.clone(), taken.mid.clone(), size.name()));
            }
        }
        for some in changed.chunks(AT_ONCE) {
            connected.peer.prefer(&connected.transport, some).await?;
        }
        Ok(())
    }
}

fn is_on_stage(stage: Option<i32>) -> bool {
    stage == Some(wire::StageType::OnStage as i32)
}
