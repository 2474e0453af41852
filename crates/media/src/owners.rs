//! Introduces people's tracks (core) to producers and consumers (sfu): who owns which media connection.
//! Owns the list of each peer's transports; the media server itself knows rooms and packets only.
//! Invariant: a transport is used only by the peer that opened it, and is closed when that peer is out.

pub(crate) mod reunion;
mod wherever;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use salon_core::{MeetingId, ParticipantId, PeerId, TrackId};
use salon_sfu::{Guest, Kind, LineQuality, OwnerId, Produce, ProducerId, Resumed, Role, RoomId, Sfu, Tag, TransportId};
use tokio::sync::{mpsc, watch};

use crate::awaited::{Awaited, Wanting};
use crate::away::Away;
use crate::cut_off::CutOff;
use crate::news::News;
use crate::spread::{Answer, Ask, Find, Link, Lodging, Refusal, Spread, note_of, who};
use crate::tries::{Outlook, Tries};

/// Transports one peer may have at once: the SDK makes one each way, and new ones when they break.
const MAX_TRANSPORTS_PER_PEER: usize = 8;

/// News that may wait to be told. When there are more whoever has to tell of a lost track waits.
const NEWS: usize = 1_024;

/// The media side of a node.
pub struct Owners {
    pub sfu: Sfu,
    news: mpsc::Sender<News>,
    peers: Mutex<Peers>,
    tracks: Mutex<HashMap<ProducerId, Source>>,
    cut_off: Mutex<CutOff>,
    tries: Mutex<Tries>,
    /// Who is in the session of a meeting.
    inside: Mutex<HashMap<MeetingId, HashSet<OwnerId>>>,
    /// The connections that are on other nodes, if any may be.
    pub(crate) away: Option<Away>,
    /// The connections here whose sessions are on other nodes, or nowhere at this moment.
    pub(crate) lodging: Arc<Lodging>,
    /// Sessions that are gone on with, and what connections that were gone on with consumed from elsewhere.
    awaited: Mutex<HashMap<MeetingId, Awaited>>,
    wanting: Mutex<HashMap<ProducerId, Wanting>>,
}

/// A connection that a peer has.
#[derive(Clone)]
struct Own {
    transport: TransportId,
    role: Role,
    /// Whom it counts against.
    owner: OwnerId,
}

/// Where a track comes from.
#[derive(Clone)]
struct Source {
    meeting: MeetingId,
    peer: PeerId,
    transport: TransportId,
    /// A microphone, whose owner may be the one who speaks.
    voice: bool,
}

/// Who wants a transport.
pub struct Wanted<'a> {
    pub meeting: &'a MeetingId,
    pub peer: &'a PeerId,
    /// Whom it counts against, whatever peer it says it is.
    pub participant: &'a ParticipantId,
    /// Whether that person is in the session.
    pub inside: bool,
    /// The port for nodes of the node that their socket reached, if that is another and may have their media.
    pub reached: Option<&'a str>,
}

/// A transport that was opened.
pub struct Opened {
    pub transport: TransportId,
    /// The server's SDP answer.
    pub answer: String,
}

/// By meeting first: what is asked of one meeting walks through no other.
type Peers = HashMap<MeetingId, HashMap<PeerId, Vec<Own>>>;

impl Owners {
    /// And where to hear what sessions have to know.
    pub fn new(sfu: Sfu) -> (Self, mpsc::Receiver<News>) {
        Self::resume(sfu, Vec::new(), None)
    }

    /// The same where a run goes on with transports of another. They end when no session wants them: see `keep`.
    /// `spread` are the ways to other nodes' media.
    pub fn resume(sfu: Sfu, resumed: Vec<Resumed>, spread: Option<Arc<Spread>>) -> (Self, mpsc::Receiver<News>) {
        let (news, told) = mpsc::channel(NEWS);
        let (peers, tracks, cut_off, tries, inside, awaited, wanting) = Default::default();
        let away = spread.map(Away::new);
        let lodging = away.as_ref().map(|away| away.spread.lodging.clone()).unwrap_or_default();
        let owners = Self { sfu, news, peers, tracks, cut_off, tries, inside, away, lodging, awaited, wanting };
        for mut what in resumed {
            if let Some(note) = who(&what.note) {
                what.note = note.to_owned();
                owners.lodging.again(what);
                continue;
            }
            let Resumed { transport, room, role, owner, note, producers, consumed } = what;
            let (Ok(meeting), Ok(peer)) = (MeetingId::parse(room.as_str()), PeerId::parse(&note)) else {
                owners.sfu.close_transport(transport);
                continue;
            };
            let tracks = producers.into_iter().map(|(producer, kind, screen_share)| (producer, is_voice(kind, screen_share)));
            owners.own_again(&meeting, &peer, Own { transport: transport.clone(), role, owner }, tracks);
            if owners.away.is_some() {
                owners.wants(&transport, consumed);
            }
        }
        (owners, told)
    }

    /// By which sessions are found.
    pub fn finds_by(&self, find: Find) {
        self.lodging.finds_by(find);
    }

    /// The ways to other nodes' media, if any may be there.
    pub fn spread(&self) -> Option<&Arc<Spread>> {
        self.away.as_ref().map(|away| &away.spread)
    }

    /// Takes down everything of meetings without a session.
    pub fn keep(&self, has_session: impl Fn(&MeetingId) -> bool) {
        self.meetings().iter().filter(|meeting| !has_session(meeting)).for_each(|meeting| self.take_down(meeting));
    }

    /// The tracks that come in of a meeting.
    pub fn tracks_in(&self, meeting: &MeetingId) -> Vec<TrackId> {
        let tracks = self.tracks();
        let of_it = tracks.iter().filter(|(_, source)| source.meeting == *meeting);
        of_it.filter_map(|(producer, _)| TrackId::parse(producer.as_str()).ok()).collect()
    }

    /// These peers published on connections that died so long ago with the server that had them.
    pub fn cut_off(&self, meeting: &MeetingId, peers: impl IntoIterator<Item = PeerId>, ago: Duration) {
        // Whoever has its connections still was not cut off.
        let peers = peers.into_iter().filter(|peer| self.own(meeting, peer, Role::Send, None).is_none());
        let peers: Vec<PeerId> = peers.collect();
        let now = Instant::now();
        let mut clients = self.clients();
        for peer in peers {
            clients.died(now, tag(meeting, &peer), now.checked_sub(ago).unwrap_or(now));
        }
    }

    /// Until when the client of this peer may take dead connections for alive, or be busy with replacing them, as far as is
    /// known: a client that is let back in before that goes wrong. None if it may come in.
    pub fn cut_off_until(&self, meeting: &MeetingId, peer: &PeerId) -> Option<watch::Receiver<Instant>> {
        self.clients().until(Instant::now(), tag(meeting, peer))
    }

    /// Whether the client of this peer may have replaced its connections before it was let back in.
    pub fn was_cut_off(&self, meeting: &MeetingId, peer: &PeerId) -> bool {
        self.clients().is_recent(Instant::now(), tag(meeting, peer))
    }

    /// A client of an earlier run gives a connection up.
    pub(crate) fn refused(&self, tag: Tag, role: Role) {
        self.clients().refused(Instant::now(), tag, role);
    }

    /// Those who are back by now need no more be known.
    pub(crate) fn forget_cut_off(&self) {
        self.clients().forget_old(Instant::now());
    }

    fn clients(&self) -> MutexGuard<'_, CutOff> {
        self.cut_off.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn peers(&self) -> MutexGuard<'_, Peers> {
        self.peers.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<ProducerId, Source>> {
        self.tracks.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Whether a peer's client can still find another way for its media when it loses this one. If it is lost, its socket must
    /// end now.
    pub async fn outlook(&self, meeting: &MeetingId, peer: &PeerId) -> Outlook {
        let own: Vec<_> = self.peers().get(meeting).and_then(|of| of.get(peer)).into_iter().flatten().cloned().collect();
        let mut quiet = None::<Duration>;
        for Own { transport, .. } in own {
            // Of one that is gone or too busy to say nothing is known.
            let of_this = self.quiet_for(&transport).await.unwrap_or(Duration::ZERO);
            quiet = Some(quiet.map_or(of_this, |least| least.min(of_this)));
        }
        self.tries().outlook(Instant::now(), meeting, peer, quiet.unwrap_or_default())
    }

    /// When the client of this peer, whose socket was ended for its media's sake, may have the next one.
    pub fn back_at(&self, meeting: &MeetingId, peer: &PeerId) -> Option<Instant> {
        self.tries().back_at(meeting, peer)
    }

    /// Opens a transport for a peer; answers with its id and the server's SDP answer. Past the limit the oldest makes
    /// room, because a client that opens a new one has given its old one up; the tracks it brought are lost. It is at the node
    /// that the peer's socket reached, if that may be and can be, else here.
    ///
    /// # Errors
    /// Those of [`Sfu::open_transport`]; `UnknownTransport` if it had to go, or its peer did, before it was open.
    pub async fn open(&self, wanted: Wanted<'_>, role: Role, offer: String) -> Result<Opened, salon_sfu::Error> {
        let Wanted { meeting, peer, participant, inside, reached } = wanted;
        let owner = OwnerId::from(participant.as_str());
        let inside = inside || self.is_inside(meeting, &owner);
        let guest = Guest { owner: owner.clone(), inside, note: peer.to_string(), tag: tag(meeting, peer) };
        let room = RoomId::from(meeting.as_str());
        // Noted before it is there: it may be gone before its answer is here.
        let note = |transport: &TransportId| {
            let own = Own { transport: transport.clone(), role, owner: owner.clone() };
            self.peers().entry(meeting.clone()).or_default().entry(peer.clone()).or_default().push(own);
        };
        let mut opened = None;
        if let (Some(away), Some(reached)) = (&self.away, reached)
            && let Some(link) = away.place(reached).await
        {
            let transport = new_name();
            note(&transport);
            away.begin(&transport, &link);
            let (guest, room, offer) = (guest.clone(), room.clone(), offer.clone());
            match link.ask(Ask::Open { guest, room, transport: transport.clone(), role, offer }).await.and_then(Refusal::sdp) {
                Ok(answer) => opened = Some((transport, answer)),
                Err(refusal) => {
                    away.end(&transport);
                    self.forget_transport(&transport);
                    match refusal {
                        Refusal::Media(error) if !matches!(error, salon_sfu::Error::Busy | salon_sfu::Error::Stopped) => {
                            return Err(error);
                        }
                        _ => away.is_unfit(&link),
                    }
                }
            }
        }
        let (transport, answer) = match opened {
            Some(opened) => opened,
            None => {
                let transport = new_name();
                note(&transport);
                match self.sfu.open_transport(&guest, room, transport.clone(), role, offer).await {
                    Ok(answer) => (transport, answer),
                    Err(error) => {
                        self.forget_transport(&transport);
                        return Err(error);
                    }
                }
            }
        };
        self.tries().opened(Instant::now(), meeting, peer, role, &transport);
        if !inside && self.is_inside(meeting, &owner) {
            // They came in meanwhile.
            self.tell_inside((&owner, &RoomId::from(meeting.as_str())), &transport);
        }
        let oldest = {
            let mut peers = self.peers();
            let own = peers.get_mut(meeting).and_then(|of_meeting| of_meeting.get_mut(peer));
            match own.filter(|own| own.iter().any(|own| own.transport == transport)) {
                Some(own) => (own.len() > MAX_TRANSPORTS_PER_PEER).then(|| own.remove(0).transport),
                None => {
                    drop(peers);
                    self.tries().over(&transport);
                    self.close(transport);
                    return Err(salon_sfu::Error::UnknownTransport);
                }
            }
        };
        if let Some(oldest) = oldest {
            self.tries().over(&oldest);
            self.tell_lost(&oldest).await;
            self.close(oldest);
        }
        Ok(Opened { transport, answer })
    }

    /// Somebody came into the session of a meeting, or is not in it any more.
    pub fn set_inside(&self, meeting: &MeetingId, participant: &ParticipantId, inside: bool) {
        let (owner, room) = (OwnerId::from(participant.as_str()), RoomId::from(meeting.as_str()));
        {
            let mut all = self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let here = all.entry(meeting.clone()).or_default();
            if inside {
                here.insert(owner.clone())
            } else {
                here.remove(&owner)
            };
            if here.is_empty() {
                all.remove(meeting);
            }
        }
        self.sfu.set_inside(&owner, &room, inside);
        for link in self.links_of(meeting) {
            link.tell(Ask::Inside { owner: owner.clone(), room: room.clone(), inside });
        }
    }

    fn is_inside(&self, meeting: &MeetingId, owner: &OwnerId) -> bool {
        let all = self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        all.get(meeting).is_some_and(|inside| inside.contains(owner))
    }

    /// Has the media server that has a connection know that its owner is in the session.
    fn tell_inside(&self, (owner, room): (&OwnerId, &RoomId), transport: &TransportId) {
        match self.is_away(transport) {
            Some(link) => link.tell(Ask::Inside { owner: owner.clone(), room: room.clone(), inside: true }),
            None => self.sfu.set_inside(owner, room, true),
        }
    }

    /// The peer's own transport of that name and direction; without a name, its latest.
    pub fn own(&self, meeting: &MeetingId, peer: &PeerId, role: Role, name: Option<&str>) -> Option<TransportId> {
        let peers = self.peers();
        let own = peers.get(meeting)?.get(peer)?;
        let mut matching = own.iter().rev().filter(|own| own.role == role).map(|own| &own.transport);
        match name.filter(|name| !name.is_empty()) {
            Some(name) => matching.find(|id| id.as_str() == name).cloned(),
            None => matching.next().cloned(),
        }
    }

    /// The meetings whose people have media connections here.
    pub fn meetings(&self) -> Vec<MeetingId> {
        self.peers().keys().cloned().collect()
    }

    /// The connections of each peer of a meeting and what goes over them.
    ///
    /// # Errors
    /// The media server has too much to do, or has stopped.
    pub async fn lines(&self, meeting: &MeetingId) -> Result<HashMap<PeerId, Vec<LineQuality>>, salon_sfu::Error> {
        let room = RoomId::from(meeting.as_str());
        let mut lines = self.sfu.quality(room.clone()).await?;
        for link in self.links_of(meeting) {
            lines.extend(link.ask(Ask::Quality { room: room.clone() }).await.map_or_else(|_| Vec::new(), Answer::lines));
        }
        let peers = self.peers();
        let own = peers.get(meeting).into_iter().flatten();
        let owners: HashMap<&TransportId, &PeerId> =
            own.flat_map(|(peer, own)| own.iter().map(move |own| (&own.transport, peer))).collect();
        let mut found: HashMap<PeerId, Vec<LineQuality>> = HashMap::new();
        for line in lines {
            if let Some(peer) = owners.get(&line.transport) {
                found.entry((*peer).clone()).or_default().push(line);
            }
        }
        Ok(found)
    }

    /// Whose track this is.
    pub fn publisher(&self, track: &str) -> Option<PeerId> {
        self.tracks().get(&ProducerId::from(track)).map(|source| source.peer.clone())
    }

    /// Whether a track comes in.
    pub fn has(&self, track: &TrackId) -> bool {
        self.tracks().contains_key(&ProducerId::from(track.as_str()))
    }

    /// Takes down everything a peer has.
    pub fn close_peer(&self, meeting: &MeetingId, peer: &PeerId) {
        let own = {
            let mut peers = self.peers();
            let own = peers.get_mut(meeting).and_then(|of_meeting| of_meeting.remove(peer));
            if peers.get(meeting).is_some_and(HashMap::is_empty) {
                peers.remove(meeting);
            }
            own
        };
        self.tracks().retain(|_, source| source.peer != *peer || source.meeting != *meeting);
        if let Some(awaited) = self.awaited().get_mut(meeting) {
            awaited.forget(peer);
        }
        for Own { transport, .. } in own.into_iter().flatten() {
            self.tries().over(&transport);
            self.close(transport);
        }
    }

    /// Takes down everything of a meeting, whose session is another's from now on, or nobody's.
    /// What is at other nodes stays until it is known which, and what is here until it is known whether it is this one.
    pub fn take_down(&self, meeting: &MeetingId) {
        let links = self.links_of(meeting);
        links.iter().for_each(|link| link.tell(Ask::Release { room: RoomId::from(meeting.as_str()) }));
        let elsewhere: HashSet<String> = links.iter().map(|link| link.address().to_owned()).collect();
        let closed = {
            // Held until those that stay wait where they stay: what ends meanwhile is told afterwards.
            let mut peers = self.peers();
            let tracks: Vec<_> = self.tracks().extract_if(|_, source| source.meeting == *meeting).collect();
            let all = peers
                .remove(meeting)
                .into_iter()
                .flatten()
                .flat_map(|(peer, all)| all.into_iter().map(move |own| (peer.clone(), own)));
            let mut closed = Vec::new();
            for (peer, own) in all {
                let is_up = self.tries().over(&own.transport).is_none();
                if self.away.as_ref().is_some_and(|away| away.end(&own.transport).is_some()) {
                    continue;
                }
                match is_up {
                    true => self.leave_behind((meeting, &peer), own, &tracks, &elsewhere),
                    false => closed.push(own.transport),
                }
            }
            closed
        };
        self.awaited().remove(meeting);
        self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(meeting);
        closed.into_iter().for_each(|transport| self.sfu.close_transport(transport));
    }

    /// A connection waits for whoever goes on with its session.
    fn leave_behind(
        &self,
        (meeting, peer): (&MeetingId, &PeerId),
        Own { transport, role, owner }: Own,
        tracks: &[(ProducerId, Source)],
        elsewhere: &HashSet<String>,
    ) {
        // Whoever goes on with it asks only whether they are voices.
        let of_it = tracks.iter().filter(|(_, source)| source.transport == transport);
        let kind = |voice| if voice { Kind::Audio } else { Kind::Video };
        let producers = of_it.map(|(producer, source)| (producer.clone(), kind(source.voice), false)).collect();
        self.sfu.note_guest(transport.clone(), owner.clone(), note_of(peer.as_str()));
        let (room, note) = (RoomId::from(meeting.as_str()), peer.to_string());
        // What it consumes it goes on to get, wherever that comes in.
        let needs = if role == Role::Receive { elsewhere.clone() } else { HashSet::new() };
        self.lodging.left_behind(Resumed { transport, room, role, owner, note, producers, consumed: Vec::new() }, needs);
    }

    /// A transport came up.
    pub(crate) fn transport_connected(&self, transport: &TransportId) {
        let tried = self.tries().over(transport);
        if let Some((meeting, peer, role)) = tried {
            self.clients().replaced(Instant::now(), tag(&meeting, &peer), role);
        }
    }

    /// The media server gave this transport up by itself.
    pub(crate) async fn transport_closed(&self, transport: &TransportId) {
        self.tries().over(transport);
        if let Some(away) = &self.away {
            away.end(transport);
        }
        self.forget_transport(transport);
        // Its session may have been given up in this moment.
        self.lodging.over(transport);
        self.tell_lost(transport).await;
    }

    /// The nodes that have connections of people of a meeting, beside this one.
    fn links_of(&self, meeting: &MeetingId) -> Vec<Link> {
        let Some(away) = &self.away else { return Vec::new() };
        let peers = self.peers();
        let own = peers.get(meeting).into_iter().flatten().flat_map(|(_, own)| own.iter().map(|own| &own.transport));
        away.links(own)
    }

    /// The peers that publish on these, by their meetings.
    fn publish_on(&self, transports: &[TransportId]) -> HashMap<MeetingId, Vec<PeerId>> {
        let peers = self.peers();
        let mut found: HashMap<MeetingId, Vec<PeerId>> = HashMap::new();
        for (meeting, of_meeting) in peers.iter() {
            let publishes = |own: &[Own]| own.iter().any(|own| own.role == Role::Send && transports.contains(&own.transport));
            let on = of_meeting.iter().filter(|(_, own)| publishes(own)).map(|(peer, _)| peer.clone());
            let on: Vec<PeerId> = on.collect();
            if !on.is_empty() {
                found.insert(meeting.clone(), on);
            }
        }
        found
    }

    /// The transport that a track comes in on.
    pub(crate) fn transport_of(&self, producer: &ProducerId) -> Option<TransportId> {
        self.tracks().get(producer).map(|source| source.transport.clone())
    }

    fn forget_transport(&self, transport: &TransportId) {
        self.peers().retain(|_, of_meeting| {
            of_meeting.retain(|_, own| {
                own.retain(|own| own.transport != *transport);
                !own.is_empty()
            });
            !of_meeting.is_empty()
        });
    }

    /// Tells of the tracks that came on a transport that is gone.
    async fn tell_lost(&self, transport: &TransportId) {
        let lost: Vec<News> = {
            let mut tracks = self.tracks();
            let on = tracks.extract_if(|_, source| source.transport == *transport);
            on.filter_map(|(producer, source)| {
                let track = TrackId::parse(producer.as_str()).ok()?;
                Some(News::Lost { meeting: source.meeting, peer: source.peer, track })
            })
            .collect()
        };
        for news in lost {
            // Nobody listens any more when the node stops.
            let _ = self.news.send(news).await;
        }
    }

    /// Something is heard of a track.
    pub(crate) fn speaks(&self, producer: &ProducerId) {
        let source = self.tracks().get(producer).cloned();
        if let Some(Source { meeting, peer, voice: true, .. }) = source {
            let _ = self.news.try_send(News::Speaks { meeting, peer });
        }
    }

    /// Takes a track in; answers with the server's SDP answer.
    pub async fn produce(&self, meeting: &MeetingId, peer: &PeerId, produce: Produce) -> Result<String, salon_sfu::Error> {
        let producer = produce.producer.clone();
        let source = Source {
            meeting: meeting.clone(),
            peer: peer.clone(),
            transport: produce.transport.clone(),
            voice: is_voice(produce.kind, produce.screen_share),
        };
        let sdp = self.take_in(produce).await?;
        self.tracks().insert(producer, source);
        Ok(sdp)
    }

    /// Stops taking a track in.
    pub fn drop_producer(&self, producer: &ProducerId) {
        let source = self.tracks().remove(producer);
        if let Some(source) = source {
            self.end(source.transport, producer.clone());
        }
        self.awaited().values_mut().for_each(|awaited| awaited.end(producer));
    }

    /// Takes a track in without passing it on, or passes it on again.
    pub fn pause(&self, track: &TrackId, paused: bool) {
        let producer = ProducerId::from(track.as_str());
        self.awaited().values_mut().for_each(|awaited| awaited.pause(&producer, paused));
        self.pause_producer(&producer, paused);
    }

    fn pause_producer(&self, producer: &ProducerId, paused: bool) {
        match self.transport_of(producer).and_then(|transport| self.is_away(&transport)) {
            Some(link) => link.tell(Ask::Pause { producer: producer.clone(), paused }),
            None => self.sfu.pause_producer(producer.clone(), paused),
        }
    }
}

/// Whether a track is a microphone.
fn is_voice(kind: Kind, screen_share: bool) -> bool {
    kind == Kind::Audio && !screen_share
}

fn new_name() -> TransportId {
    TransportId::from(uuid::Uuid::new_v4().to_string().as_str())
}

/// What connections of this peer are known by in a later run.
fn tag(meeting: &MeetingId, peer: &PeerId) -> Tag {
    Tag::of(&[meeting.as_str(), peer.as_str()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_in_while_a_connection_is_opened_counts_as_inside() {
        let limits = salon_sfu::Limits { outside_for: Duration::ZERO, ..salon_sfu::Limits::default() };
        let bind = "127.0.0.1:0".parse().unwrap();
        let (sfu, _events) = salon_sfu::start(salon_sfu::Config { bind, limits, ..salon_sfu::Config::default() }).unwrap();
        let (media, _news) = Owners::new(sfu);
        let (meeting, peer) = (MeetingId::parse("m").unwrap(), PeerId::parse("ada").unwrap());
        let offer = include_str!("../../sfu/src/sdp/samples/chromium-send.sdp");
        for (name, comes_in) in [("ada", true), ("bob", false)] {
            let participant = ParticipantId::parse(name).unwrap();
            // It was asked whether they are in; then they came.
            let wanted = Wanted { meeting: &meeting, peer: &peer, participant: &participant, inside: false, reached: None };
            media.set_inside(&meeting, &participant, comes_in);
            let opened = media.open(wanted, Role::Send, offer.to_owned()).await.unwrap();
            media.sfu.evict_overdue();
            assert_eq!(media.sfu.quiet_for(&opened.transport).await.is_ok(), comes_in, "{name}");
        }
        media.set_inside(&meeting, &ParticipantId::parse("ada").unwrap(), false);
        assert!(media.inside.lock().unwrap().is_empty());
        media.sfu.stop().await;
    }

    #[tokio::test]
    async fn of_a_meeting_nothing_is_left_when_its_people_are_gone() {
        let (sfu, _events) =
            salon_sfu::start(salon_sfu::Config { bind: "127.0.0.1:0".parse().unwrap(), ..salon_sfu::Config::default() }).unwrap();
        let (media, _news) = Owners::new(sfu);
        let (one, other) = (MeetingId::parse("one").unwrap(), MeetingId::parse("other").unwrap());
        let peers: Vec<PeerId> = ["ada", "bob", "cy"].map(|peer| PeerId::parse(peer).unwrap()).into();
        let transport = |name: &str| TransportId::from(name);
        for (meeting, peer, name) in [(&one, &peers[0], "a"), (&one, &peers[1], "b"), (&other, &peers[2], "c")] {
            let own = Own { transport: transport(name), role: Role::Send, owner: OwnerId::from(name) };
            media.peers().entry(meeting.clone()).or_default().insert(peer.clone(), vec![own]);
        }
        assert_eq!(media.own(&one, &peers[0], Role::Send, None), Some(transport("a")));
        assert_eq!(media.own(&other, &peers[0], Role::Send, None), None);
        media.close_peer(&one, &peers[0]);
        media.transport_closed(&transport("b")).await;
        assert_eq!(media.meetings(), std::slice::from_ref(&other));
        media.take_down(&other);
        assert!(media.meetings().is_empty());
        media.sfu.stop().await;
    }
}
