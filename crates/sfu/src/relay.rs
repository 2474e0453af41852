//! Media between nodes (sans-IO): of producers of this node, each layer that another node wants goes there once; what comes
//! from other nodes becomes mirrors on the media threads here, as if it came from one more of them.
//! Owns the connections with other nodes. Invariants: a mirror is never mirrored on, so nothing goes in circles; what is told
//! of producers arrives in order, packets may be lost and are asked for again.
//! Next: `relay/path.rs` for one connection, `engine/mirrors.rs` for mirrors, `driver/relay.rs` for the thread.

pub(crate) mod keys;
pub(crate) mod news;
mod parcel;
mod path;
mod repair;
mod sent;
#[cfg(test)]
mod tests;
mod window;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::media::Rid;

use self::keys::{Keys, Sealed};
use self::news::{Layers, Name, News, Told, Word};
use self::parcel::Parcel;
use self::path::{Came, Path};
use crate::engine::crossing::{Begin, Crossing, Crossings};
use crate::engine::key::ProducerKey;
use crate::engine::packet::Packet;
use crate::engine::payload::{Structures, read_parts};
use crate::limits::{
    AWAITED_FOR, LAYER_DEAD_AFTER, LAYERS_PER_PRODUCER, RELAY_ALIVE_EVERY, RELAY_BEGINS_WITHIN, RELAY_STREAMS, RELAY_UNUSED_FOR,
};
use crate::sdp::Kind;
use crate::{ProducerId, RoomId};

/// What the driver does for the relay.
#[derive(Debug)]
pub(crate) enum Output {
    Send(SocketAddr, Vec<u8>),
    Tell(u32, News),
    Proven(u32),
    /// The path of a connection is broken.
    Lost(u32),
    /// A producer that was asked for is here, or will not come.
    Watched(ProducerId, bool),
    /// Its name is free again.
    Gone(ProducerId),
}

/// How a connection begins.
#[derive(Debug)]
pub(crate) struct Terms {
    /// What each side calls it.
    pub ours: u32,
    pub theirs: u32,
    pub keys: Keys,
    /// None on the side that was asked: it finds out.
    pub to: Option<SocketAddr>,
    pub asked: bool,
    /// The one before it with the same node: what was watched over that is watched over this.
    pub instead_of: Option<u32>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    pub links: usize,
    pub watched: usize,
    pub shown: usize,
    pub packets_out: u64,
    pub packets_in: u64,
    pub resent: u64,
    pub repaired: u64,
    pub lost: u64,
}

pub(crate) struct Relay {
    began: Instant,
    me: usize,
    pub(crate) crossings: Crossings,
    paths: HashMap<u32, Path>,
    /// Producers of this node that others watch, and those who wait for one.
    shown: HashMap<ProducerKey, Shown>,
    shown_as: HashMap<ProducerId, ProducerKey>,
    asked: HashMap<ProducerId, Vec<Asked>>,
    /// Producers of other nodes, which call them by our keys.
    watched: HashMap<ProducerKey, Watched>,
    watched_as: HashMap<ProducerId, ProducerKey>,
    next_key: u64,
    house_at: Instant,
    outputs: VecDeque<Output>,
    /// Those of connections that are no more are in it.
    figures: Figures,
}

struct Asked {
    link: u32,
    stream: u64,
    room: RoomId,
    since: Instant,
    wants: Vec<Option<Rid>>,
}

/// A producer of this node.
struct Shown {
    home: usize,
    begin: Begin,
    layers: Vec<Layer>,
    watchers: Vec<Watcher>,
}

struct Layer {
    rid: Option<Rid>,
    heard_at: Instant,
    bytes: usize,
    rate: u64,
}

struct Watcher {
    link: u32,
    stream: u64,
    wants: Vec<Option<Rid>>,
}

/// A producer of another node.
struct Watched {
    link: u32,
    id: ProducerId,
    room: RoomId,
    since: Instant,
    told: Option<Told>,
    /// The other node shows it over this very connection.
    begun: bool,
    alive: Vec<(Option<Rid>, u64)>,
    structures: Structures,
    threads: HashMap<usize, Takes>,
    /// As the other node was told.
    wanted: Vec<Option<Rid>>,
    /// Of these something is missing, and nothing has come since.
    stale: Vec<Option<Rid>>,
    /// The highest number that came of each stream, and those that had come when it was watched again.
    came: HashMap<u32, u64>,
    known: HashMap<u32, u64>,
}

/// What a media thread wants of it. What it does not want any more goes when it has said so twice: it may want it just now.
#[derive(Default)]
struct Takes {
    serial: u64,
    wants: Vec<Option<Rid>>,
    going: Vec<Option<Rid>>,
}

impl Relay {
    /// As the last of so many threads.
    pub(crate) fn new(now: Instant, of: usize) -> Self {
        let me = of - 1;
        Self {
            began: now,
            me,
            crossings: Crossings::new(me, of, false),
            paths: HashMap::new(),
            shown: HashMap::new(),
            shown_as: HashMap::new(),
            asked: HashMap::new(),
            watched: HashMap::new(),
            watched_as: HashMap::new(),
            next_key: (me as u64) << 48 | 1,
            house_at: now + RELAY_ALIVE_EVERY,
            outputs: VecDeque::new(),
            figures: Figures::default(),
        }
    }

    pub(crate) fn join(&mut self, now: Instant, terms: Terms) {
        let Terms { ours, theirs, keys, to, asked, instead_of } = terms;
        self.paths.insert(ours, Path::new(now, Sealed::new(keys, theirs), to, asked));
        let before = |watched: &Watched| Some(watched.link) == instead_of;
        for key in self.watched.iter().filter(|(_, watched)| before(watched)).map(|(key, _)| *key).collect::<Vec<_>>() {
            self.watch_again(now, key, ours);
        }
        self.tend(now, ours);
    }

    /// A connection is over, and may be followed by another with the same node: what was watched over it stays until then, or
    /// until it has left.
    pub(crate) fn part(&mut self, now: Instant, link: u32) {
        self.forget(link);
        for watched in self.watched.values_mut().filter(|watched| watched.link == link) {
            (watched.begun, watched.since) = (false, now);
        }
    }

    /// Nothing is left of a connection.
    pub(crate) fn leave(&mut self, link: u32) {
        self.forget(link);
        let of_link = self.watched.iter().filter(|(_, watched)| watched.link == link);
        for key in of_link.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.end_watched(key);
        }
    }

    fn forget(&mut self, link: u32) {
        let Some(path) = self.paths.remove(&link) else { return };
        self.figures.add(&path);
        self.asked.values_mut().for_each(|asked| asked.retain(|asked| asked.link != link));
        self.asked.retain(|_, asked| !asked.is_empty());
        self.shown.values_mut().for_each(|shown| shown.watchers.retain(|watcher| watcher.link != link));
        self.stop_showing();
    }

    /// A producer of the node behind a connection is wanted here: `Output::Watched` says what came of it.
    pub(crate) fn watch(&mut self, now: Instant, link: u32, id: ProducerId, room: RoomId) {
        if let Some(key) = self.watched_as.get(&id).copied()
            && let Some(watched) = self.watched.get_mut(&key)
        {
            if watched.link != link && !self.paths.contains_key(&watched.link) {
                self.watch_again(now, key, link);
            } else {
                watched.since = now;
                if watched.begun {
                    self.outputs.push_back(Output::Watched(id, true));
                }
            }
            return;
        }
        if !self.paths.contains_key(&link) || self.watched.len() >= RELAY_STREAMS {
            self.outputs.push_back(Output::Watched(id, false));
            return;
        }
        let key = ProducerKey(self.next_key);
        self.next_key += 1;
        self.tell(link, Word::Watch { stream: key.0, producer: id.clone(), room: room.clone(), layers: Vec::new() });
        self.watched_as.insert(id.clone(), key);
        let (threads, alive, wanted, stale, came, known) = Default::default();
        let structures = Structures::default();
        let (told, begun, since) = (None, false, now);
        let watched = Watched { link, id, room, since, told, begun, alive, structures, threads, wanted, stale, came, known };
        self.watched.insert(key, watched);
    }

    /// Asks for what is watched once more, over another connection with its node.
    fn watch_again(&mut self, now: Instant, key: ProducerKey, link: u32) {
        let Some(watched) = self.watched.get_mut(&key) else { return };
        (watched.link, watched.since, watched.begun) = (link, now, false);
        watched.wanted = watched.wanted_here();
        // Numbers that came must not come again.
        watched.known.clone_from(&watched.came);
        let (producer, room) = (watched.id.clone(), watched.room.clone());
        let layers = watched.wanted.iter().copied().map(name).collect();
        self.tell(link, Word::Watch { stream: key.0, producer, room, layers });
    }

    /// What was watched before comes again: mirrors here hear how it is by now, and go on at a key frame.
    fn goes_on(&mut self, key: ProducerKey) {
        let Some(watched) = self.watched.get(&key) else { return };
        let (paused, link) = (watched.told.as_ref().is_some_and(|told| told.paused), watched.link);
        let layers = watched.alive.clone();
        self.cross_to_mirrors(key, || Crossing::Paused { key, paused });
        self.cross_to_mirrors(key, || Crossing::Alive { key, layers: layers.clone() });
        self.want(key);
        let Some(watched) = self.watched.get_mut(&key) else { return };
        watched.stale.clone_from(&watched.wanted);
        for rid in watched.wanted.clone() {
            self.tell(link, Word::KeyFrame { stream: key.0, layer: name(rid) });
        }
    }

    /// Lets a media thread have mirrors of what is watched.
    pub(crate) fn share(&mut self, now: Instant, ids: &[ProducerId], with: usize) {
        for id in ids {
            let Some(key) = self.watched_as.get(id).copied() else { continue };
            let serial = self.crossings.next_serial();
            let Some(watched) = self.watched.get_mut(&key) else { continue };
            let Some(told) = &watched.told else { continue };
            watched.since = now;
            watched.threads.entry(with).or_default().serial = serial;
            let begin = Begin {
                key,
                serial,
                id: watched.id.clone(),
                room: watched.room.clone(),
                format: told.format,
                stream: told.of.clone(),
                screen_share: told.screen_share,
                paused: told.paused,
                layers: watched.alive.iter().map(|(rid, _)| *rid).collect(),
            };
            let alive = Crossing::Alive { key, layers: watched.alive.clone() };
            self.crossings.push(with, Crossing::Begin(Box::new(begin)));
            self.crossings.push(with, alive);
        }
    }

    /// Something came from a media thread.
    pub(crate) fn cross(&mut self, now: Instant, from: usize, crossing: Crossing) {
        match crossing {
            Crossing::Begin(begin) => self.show(now, from, *begin),
            Crossing::Packet { key, rid, packet } => self.pass_on(now, key, rid, &packet),
            Crossing::Paused { key, paused } => {
                self.tell_watchers(key, |stream| Word::Paused { stream, paused });
                if let Some(shown) = self.shown.get_mut(&key) {
                    shown.begin.paused = paused;
                }
            }
            Crossing::Anew { key } => {
                self.tell_watchers(key, |stream| Word::Anew { stream });
                if let Some(shown) = self.shown.get_mut(&key) {
                    shown.layers.clear();
                    shown.watchers.iter_mut().for_each(|watcher| watcher.wants.clear());
                }
            }
            Crossing::Ended { key } => self.end_shown(key),
            Crossing::Restarted => {
                let of_it = self.shown.iter().filter(|(_, shown)| shown.home == from);
                for key in of_it.map(|(key, _)| *key).collect::<Vec<_>>() {
                    self.end_shown(key);
                }
                self.watched.values_mut().for_each(|watched| drop(watched.threads.remove(&from)));
            }
            Crossing::KeyFrameWanted { key, rid } => {
                let Some(watched) = self.watched.get_mut(&key) else { return };
                let (link, stream) = (watched.link, key.0);
                if let Some(takes) = watched.threads.get_mut(&from) {
                    takes.going.retain(|going| *going != rid);
                    if !takes.wants.contains(&rid) {
                        takes.wants.push(rid);
                    }
                }
                self.want(key);
                self.tell(link, Word::KeyFrame { stream, layer: name(rid) });
            }
            Crossing::Wants { key, layers } => {
                let Some(takes) = self.watched.get_mut(&key).and_then(|watched| watched.threads.get_mut(&from)) else { return };
                let unwanted: Vec<_> = takes.wants.iter().filter(|rid| !layers.contains(rid)).copied().collect();
                let gone = std::mem::replace(&mut takes.going, unwanted);
                let stay = |rid: &Option<Rid>| layers.contains(rid) || !gone.contains(rid);
                takes.wants.retain(stay);
                takes.going.retain(stay);
                takes.wants.extend(layers.iter().filter(|rid| !takes.wants.contains(rid)).collect::<Vec<_>>());
                self.want(key);
            }
            Crossing::Unwatch { key, serial } => {
                let Some(watched) = self.watched.get_mut(&key) else { return };
                if watched.threads.get(&from).is_some_and(|takes| takes.serial == serial) {
                    watched.threads.remove(&from);
                }
                match watched.threads.is_empty() {
                    true => self.stop_watching(key),
                    false => self.want(key),
                }
            }
            // Between media threads, or for them.
            Crossing::Share { .. }
            | Crossing::Alive { .. }
            | Crossing::Datagram { .. }
            | Crossing::Learned { .. }
            | Crossing::Forgotten { .. } => {}
        }
    }

    /// Another node told something. `home` knows which thread has a producer of this node.
    pub(crate) fn hear(&mut self, now: Instant, link: u32, news: News, home: impl FnOnce(&ProducerId) -> Option<usize>) {
        let watched = |relay: &Self, stream: u64| {
            let key = ProducerKey(stream);
            relay.watched.get(&key).filter(|watched| watched.link == link).map(|_| key)
        };
        match news.0 {
            Word::Watch { stream, producer, room, layers } => {
                let wants = layers.into_iter().take(LAYERS_PER_PRODUCER).filter_map(rid).collect();
                self.show_to(now, Asked { link, stream, room, since: now, wants }, producer, home);
            }
            Word::Want { stream, layers } => {
                if let Some((_, watcher)) = self.watcher(link, stream) {
                    watcher.wants = layers.into_iter().take(LAYERS_PER_PRODUCER).filter_map(rid).collect();
                }
            }
            Word::KeyFrame { stream, layer } => {
                let Some((key, _)) = self.watcher(link, stream) else { return };
                if let (Some(shown), Some(rid)) = (self.shown.get(&key), rid(layer)) {
                    self.crossings.push(shown.home, Crossing::KeyFrameWanted { key, rid });
                }
            }
            Word::Unwatch { stream } => {
                self.asked.values_mut().for_each(|asked| asked.retain(|a| (a.link, a.stream) != (link, stream)));
                let of = |watcher: &Watcher| (watcher.link, watcher.stream) == (link, stream);
                self.shown.values_mut().for_each(|shown| shown.watchers.retain(|watcher| !of(watcher)));
                self.stop_showing();
            }
            Word::Begin { stream, told } => {
                let Some(key) = watched(self, stream) else { return };
                let Some(watched) = self.watched.get_mut(&key).filter(|watched| !watched.begun) else { return };
                watched.alive =
                    told.layers.iter().take(LAYERS_PER_PRODUCER).cloned().filter_map(rid).map(|rid| (rid, 0)).collect();
                watched.told = Some(told);
                watched.begun = true;
                self.outputs.push_back(Output::Watched(watched.id.clone(), true));
                self.goes_on(key);
            }
            Word::Alive { streams } => {
                for (stream, layers) in streams {
                    let Some(key) = watched(self, stream) else { continue };
                    let Some(watched) = self.watched.get_mut(&key) else { continue };
                    let layers = layers.into_iter().take(LAYERS_PER_PRODUCER);
                    watched.alive = layers.filter_map(|(layer, rate)| Some((rid(layer)?, rate))).collect();
                    for thread in watched.threads.keys() {
                        self.crossings.push(*thread, Crossing::Alive { key, layers: watched.alive.clone() });
                    }
                }
            }
            Word::Paused { stream, paused } => {
                let Some(key) = watched(self, stream) else { return };
                if let Some(told) = self.watched.get_mut(&key).and_then(|watched| watched.told.as_mut()) {
                    told.paused = paused;
                }
                self.cross_to_mirrors(key, || Crossing::Paused { key, paused });
            }
            Word::Anew { stream } => {
                let Some(key) = watched(self, stream) else { return };
                if let Some(watched) = self.watched.get_mut(&key) {
                    watched.structures.clear();
                    (watched.alive, watched.wanted) = Default::default();
                    (watched.came, watched.known) = Default::default();
                    watched.threads.values_mut().for_each(|takes| *takes = Takes { serial: takes.serial, ..Takes::default() });
                }
                self.cross_to_mirrors(key, || Crossing::Anew { key });
            }
            Word::Ended { stream } => {
                if let Some(key) = watched(self, stream) {
                    self.end_watched(key);
                }
            }
        }
    }

    /// A datagram came in. It is opened where it lies. False if it is nobody's.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, datagram: &mut [u8]) -> bool {
        let Some(link) = keys::addressee(datagram) else { return false };
        let micros = self.micros(now);
        let Some(path) = self.paths.get_mut(&link) else { return false };
        let Some(plain) = path.sealed.open(datagram) else { return false };
        path.to = Some(from);
        match path.hear(now, micros as u64, plain) {
            Came::Nothing => {}
            Came::Proven => self.outputs.push_back(Output::Proven(link)),
            Came::Send(datagrams) => {
                self.outputs.extend(datagrams.into_iter().map(|datagram| Output::Send(from, datagram)));
            }
            Came::Media(length) => {
                self.figures.packets_in += 1;
                if let Some(parcel) = Parcel::read(&plain[plain.len() - length..]) {
                    let sent = path.moments.of(now, parcel.sent);
                    self.take(now, link, sent, &parcel);
                }
            }
        }
        true
    }

    /// Time has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for link in self.paths.keys().copied().collect::<Vec<_>>() {
            self.tend(now, link);
        }
        if now >= self.house_at {
            let passed = RELAY_ALIVE_EVERY + now.saturating_duration_since(self.house_at);
            self.house_at = now + RELAY_ALIVE_EVERY;
            self.shown.values_mut().flat_map(|shown| &mut shown.layers).for_each(|layer| layer.measure(passed));
            self.tell_alive(now, |_| true);
            self.tidy(now);
        }
    }

    pub(crate) fn next_timeout(&self) -> Instant {
        self.paths.values().filter_map(Path::wakes_at).fold(self.house_at, Instant::min)
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn figures(&self) -> Figures {
        let mut figures = self.figures;
        self.paths.values().for_each(|path| figures.add(path));
        figures.links = self.paths.values().filter(|path| path.proven || path.to.is_some()).count();
        figures.watched = self.watched.len();
        figures.shown = self.shown.values().map(|shown| shown.watchers.len()).sum();
        figures
    }

    /// The name of a producer cannot be had here: it is another's.
    pub(crate) fn refuse(&mut self, id: &ProducerId) {
        if let Some(key) = self.watched_as.get(id).copied() {
            self.stop_watching(key);
        }
    }

    fn tell(&mut self, link: u32, word: Word) {
        self.outputs.push_back(Output::Tell(link, News(word)));
    }

    /// Does what is due on a connection.
    fn tend(&mut self, now: Instant, link: u32) {
        let micros = self.micros(now) as u64;
        let Some(path) = self.paths.get_mut(&link) else { return };
        let Some(due) = path.due(now, micros) else {
            self.part(now, link);
            self.outputs.push_back(Output::Lost(link));
            return;
        };
        if let Some(to) = path.to {
            self.outputs.extend(due.into_iter().map(|datagram| Output::Send(to, datagram)));
        }
    }

    fn micros(&self, at: Instant) -> i64 {
        let micros = |time: Duration| time.as_micros() as i64;
        micros(at.saturating_duration_since(self.began)) - micros(self.began.saturating_duration_since(at))
    }

    // What others watch.

    fn watcher(&mut self, link: u32, stream: u64) -> Option<(ProducerKey, &mut Watcher)> {
        self.shown.iter_mut().find_map(|(key, shown)| {
            let watcher = shown.watchers.iter_mut().find(|watcher| (watcher.link, watcher.stream) == (link, stream));
            watcher.map(|watcher| (*key, watcher))
        })
    }

    fn show_to(&mut self, now: Instant, asked: Asked, id: ProducerId, home: impl FnOnce(&ProducerId) -> Option<usize>) {
        let refusal = (asked.link, Word::Ended { stream: asked.stream });
        let waiting = self.asked.values().map(Vec::len).sum::<usize>();
        let shown = self.shown.values().map(|shown| shown.watchers.len()).sum::<usize>();
        // What is not of a client of ours is a mirror, which is not mirrored on.
        let home = home(&id).filter(|home| *home != self.me && waiting + shown < RELAY_STREAMS);
        let Some(home) = home else { return self.tell(refusal.0, refusal.1) };
        let known = self.shown_as.get(&id).copied();
        let room = asked.room.clone();
        self.asked.entry(id.clone()).or_default().push(asked);
        match known {
            Some(key) => self.begin_watchers(now, key),
            None => drop(self.crossings.push(home, Crossing::Share { id, room })),
        }
    }

    /// A thread lets others have a producer.
    fn show(&mut self, now: Instant, home: usize, begin: Begin) {
        let key = begin.key;
        self.shown_as.insert(begin.id.clone(), key);
        match self.shown.get_mut(&key) {
            Some(shown) => (shown.home, shown.begin) = (home, begin),
            None => drop(self.shown.insert(key, Shown { home, begin, layers: Vec::new(), watchers: Vec::new() })),
        }
        self.begin_watchers(now, key);
        self.stop_showing();
    }

    /// Those who waited for a producer have it from now on.
    fn begin_watchers(&mut self, now: Instant, key: ProducerKey) {
        let Some(shown) = self.shown.get_mut(&key) else { return };
        let begin = &shown.begin;
        let alive = shown.layers.iter().filter(|layer| layer.is_alive(now)).map(|layer| layer.rid);
        let mut layers: Vec<Name> = alive.map(name).collect();
        if layers.is_empty() {
            layers = begin.layers.iter().copied().map(name).collect();
        }
        let told = Told {
            format: begin.format,
            of: begin.stream.clone(),
            screen_share: begin.screen_share,
            paused: begin.paused,
            layers,
        };
        let mut words = Vec::new();
        for Asked { link, stream, room, wants, .. } in self.asked.remove(&begin.id).unwrap_or_default() {
            if room == begin.room {
                shown.watchers.push(Watcher { link, stream, wants });
                words.push((link, Word::Begin { stream, told: told.clone() }));
            } else {
                words.push((link, Word::Ended { stream }));
            }
        }
        words.into_iter().for_each(|(link, word)| self.tell(link, word));
    }

    /// The hot path: a packet to each node that wants its layer.
    fn pass_on(&mut self, now: Instant, key: ProducerKey, rid: Option<Rid>, packet: &Packet) {
        let (sent, moment) = (self.micros(now), self.micros(packet.moment));
        let Some(shown) = self.shown.get_mut(&key) else { return };
        let came_to_life = shown.hear(now, rid, packet.payload.len());
        let audio = shown.begin.format.kind() == Kind::Audio;
        for watcher in shown.watchers.iter().filter(|watcher| audio || watcher.wants.contains(&rid)) {
            let Some(path) = self.paths.get_mut(&watcher.link) else { continue };
            let Some(to) = path.to else { continue };
            let parcel = Parcel {
                stream: watcher.stream,
                rid,
                ssrc: packet.ssrc,
                index: packet.index,
                timestamp: packet.timestamp,
                marker: packet.marker,
                level: packet.level,
                orientation: packet.orientation,
                report: packet.report,
                sent,
                moment,
                carried: packet.descriptor.as_ref().and_then(|d| d.frame.as_ref()).map_or(&[], |frame| frame.bytes()),
                payload: &packet.payload,
            };
            if let Some(datagram) = path.media(now, |out| parcel.write(out)) {
                self.figures.packets_out += 1;
                self.outputs.push_back(Output::Send(to, datagram));
            }
        }
        if came_to_life && !audio {
            self.tell_alive(now, |of| of == key);
        }
    }

    fn tell_watchers(&mut self, key: ProducerKey, word: impl Fn(u64) -> Word) {
        let watchers = self.shown.get(&key).into_iter().flat_map(|shown| &shown.watchers);
        let words: Vec<_> = watchers.map(|watcher| (watcher.link, word(watcher.stream))).collect();
        words.into_iter().for_each(|(link, word)| self.tell(link, word));
    }

    fn end_shown(&mut self, key: ProducerKey) {
        self.tell_watchers(key, |stream| Word::Ended { stream });
        if let Some(shown) = self.shown.remove(&key) {
            self.shown_as.remove(&shown.begin.id);
        }
    }

    /// Gives up what nobody watches.
    fn stop_showing(&mut self) {
        for (key, shown) in self.shown.extract_if(|_, shown| shown.watchers.is_empty()) {
            self.shown_as.remove(&shown.begin.id);
            self.crossings.push(shown.home, Crossing::Unwatch { key, serial: shown.begin.serial });
        }
    }

    /// Tells who watches which layers come in, whether or not they go there.
    fn tell_alive(&mut self, now: Instant, of: impl Fn(ProducerKey) -> bool) {
        let mut all: HashMap<u32, Vec<(u64, Layers)>> = HashMap::new();
        let pictures = self.shown.iter().filter(|(key, shown)| of(**key) && shown.begin.format.kind() == Kind::Video);
        for (_, shown) in pictures {
            let alive = shown.layers.iter().filter(|layer| layer.is_alive(now));
            let layers: Layers = alive.map(|layer| (name(layer.rid), layer.rate)).collect();
            if layers.is_empty() {
                continue;
            }
            for Watcher { link, stream, .. } in &shown.watchers {
                all.entry(*link).or_default().push((*stream, layers.clone()));
            }
        }
        all.into_iter().for_each(|(link, streams)| self.tell(link, Word::Alive { streams }));
    }

    // What is watched here.

    /// A packet from another node.
    fn take(&mut self, now: Instant, link: u32, sent: Instant, parcel: &Parcel<'_>) {
        let key = ProducerKey(parcel.stream);
        let Some(watched) = self.watched.get_mut(&key).filter(|watched| watched.link == link) else { return };
        if !watched.is_new(parcel.ssrc, parcel.index) {
            return;
        }
        let Some(told) = &watched.told else { return };
        let held = parcel.moment.saturating_sub(parcel.sent);
        let apart = Duration::from_micros(held.unsigned_abs());
        let moment = if held > 0 { sent.checked_add(apart) } else { sent.checked_sub(apart) };
        let carried = Some(parcel.carried).filter(|carried| !carried.is_empty());
        let read = |structure: Option<&_>| read_parts(told.format, parcel.payload, carried, structure);
        let packet = Packet {
            at: now,
            moment: moment.unwrap_or(now),
            layer: 0,
            stream: 0,
            scalable: false,
            ssrc: parcel.ssrc,
            index: parcel.index,
            timestamp: parcel.timestamp,
            marker: parcel.marker,
            payload: Arc::from(parcel.payload),
            level: parcel.level,
            orientation: parcel.orientation,
            report: parcel.report,
            descriptor: watched.structures.read(parcel.rid, read),
        };
        for thread in watched.threads.keys() {
            let crossing = Crossing::Packet { key, rid: parcel.rid, packet: packet.clone() };
            self.figures.lost += u64::from(!self.crossings.push(*thread, crossing));
        }
        // The other node may have heard nothing of the layer yet when it was asked.
        if let Some(at) = watched.stale.iter().position(|stale| *stale == parcel.rid) {
            watched.stale.swap_remove(at);
            if !packet.starts_key_frame() {
                self.tell(link, Word::KeyFrame { stream: key.0, layer: name(parcel.rid) });
            }
        }
    }

    fn cross_to_mirrors(&mut self, key: ProducerKey, crossing: impl Fn() -> Crossing) {
        for thread in self.watched.get(&key).into_iter().flat_map(|watched| watched.threads.keys()) {
            self.crossings.push(*thread, crossing());
        }
    }

    /// Tells the other node which layers are wanted here, if that is new.
    fn want(&mut self, key: ProducerKey) {
        // Before it begins the other node does not know of it: it is told then.
        let Some(watched) = self.watched.get_mut(&key).filter(|watched| watched.begun) else { return };
        let wanted = watched.wanted_here();
        if wanted.len() == watched.wanted.len() && wanted.iter().all(|rid| watched.wanted.contains(rid)) {
            return;
        }
        watched.wanted.clone_from(&wanted);
        let link = watched.link;
        self.tell(link, Word::Want { stream: key.0, layers: wanted.into_iter().map(name).collect() });
    }

    fn stop_watching(&mut self, key: ProducerKey) {
        if let Some(watched) = self.watched.get(&key) {
            self.tell(watched.link, Word::Unwatch { stream: key.0 });
        }
        self.end_watched(key);
    }

    fn end_watched(&mut self, key: ProducerKey) {
        self.cross_to_mirrors(key, || Crossing::Ended { key });
        let Some(watched) = self.watched.remove(&key) else { return };
        self.watched_as.remove(&watched.id);
        self.outputs.push_back(Output::Watched(watched.id.clone(), false));
        if watched.told.is_some() {
            self.outputs.push_back(Output::Gone(watched.id));
        }
    }

    /// Gives up what did not come, and what nobody uses.
    fn tidy(&mut self, now: Instant) {
        let is_over = |watched: &Watched| {
            let most = match (watched.threads.is_empty(), watched.begun) {
                (true, true) => RELAY_UNUSED_FOR,
                (true, false) => RELAY_BEGINS_WITHIN,
                (false, true) => return false,
                (false, false) => AWAITED_FOR,
            };
            now.saturating_duration_since(watched.since) > most
        };
        let over = self.watched.iter().filter(|(_, watched)| is_over(watched));
        for key in over.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.stop_watching(key);
        }
        let mut late = Vec::new();
        for asked in self.asked.values_mut() {
            let is_late = |asked: &mut Asked| now.saturating_duration_since(asked.since) > RELAY_BEGINS_WITHIN;
            late.extend(asked.extract_if(.., is_late).map(|asked| (asked.link, asked.stream)));
        }
        self.asked.retain(|_, asked| !asked.is_empty());
        late.into_iter().for_each(|(link, stream)| self.tell(link, Word::Ended { stream }));
    }
}

impl Watched {
    fn wanted_here(&self) -> Vec<Option<Rid>> {
        let mut wanted: Vec<Option<Rid>> = Vec::new();
        for rid in self.threads.values().flat_map(|takes| &takes.wants) {
            if !wanted.contains(rid) {
                wanted.push(*rid);
            }
        }
        wanted
    }

    /// Whether a packet is one that had not come over an earlier connection.
    fn is_new(&mut self, ssrc: u32, index: u64) -> bool {
        let fits = self.came.len() < 2 * LAYERS_PER_PRODUCER || self.came.contains_key(&ssrc);
        if fits {
            let highest = self.came.entry(ssrc).or_default();
            *highest = (*highest).max(index);
        }
        self.known.get(&ssrc).is_none_or(|known| index > *known)
    }
}

impl Shown {
    /// True if a layer came to life.
    fn hear(&mut self, now: Instant, rid: Option<Rid>, bytes: usize) -> bool {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.rid == rid) {
            let was_dead = !layer.is_alive(now);
            layer.heard_at = now;
            layer.bytes += bytes;
            return was_dead;
        }
        let fits = self.layers.len() < LAYERS_PER_PRODUCER;
        if fits {
            self.layers.push(Layer { rid, heard_at: now, bytes, rate: 0 });
        }
        fits
    }
}

impl Layer {
    /// Half of the past evens out key frames.
    fn measure(&mut self, passed: Duration) {
        let rate = (std::mem::take(&mut self.bytes) as f64 * 8.0 / passed.as_secs_f64()) as u64;
        self.rate = if self.rate == 0 { rate } else { u64::midpoint(self.rate, rate) };
    }

    fn is_alive(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard_at) <= LAYER_DEAD_AFTER
    }
}

impl Figures {
    /// Adds what a connection counted.
    fn add(&mut self, path: &Path) {
        self.resent += path.resent;
        self.repaired += path.arrivals.repaired;
        self.lost += path.arrivals.lost;
    }
}

fn name(rid: Option<Rid>) -> Name {
    rid.map(|rid| rid.to_string())
}

/// None of a name that nobody gives a layer.
fn rid(name: Name) -> Option<Option<Rid>> {
    match name {
        None => Some(None),
        Some(name) => (name.len() <= 8 && name.is_ascii()).then(|| Some(Rid::from(name.as_str()))),
    }
}
