//! An engine, some str0m clients and the line between them. The line delays by `DELAY` and may lose.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use str0m::bwe::BweKind;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, ExtensionValues, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event as ClientEvent, Input, Output as ClientOutput, Rtc, RtcConfig};

use crate::engine::address::Address;
use crate::engine::payload::dependency::Carried;
use crate::engine::saved::Saved;
use crate::engine::{Engine, Output};
use crate::limits::Limits;
use crate::{Certificate, Consume, Error, Event, Kind, Produce, Role, Secret, TransportId};

pub(super) const DELAY: Duration = Duration::from_millis(10);
pub(super) const SERVER: &str = "192.0.2.1:5000";

/// Which way a datagram goes on a client's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

type Loses = Box<dyn FnMut(Instant, usize, Way, &[u8]) -> bool>;
type HoldsUp = Box<dyn FnMut(usize) -> Duration>;

pub(super) struct Bench {
    pub start: Instant,
    pub now: Instant,
    pub engine: Engine,
    /// Further threads; `engine` is number 0.
    pub others: Vec<Engine>,
    /// A thread that takes nothing from others.
    pub stuck: Option<usize>,
    /// The thread that the kernel gives all datagrams to; none: each client's own.
    pub arrive_at: Option<usize>,
    pub clients: Vec<Client>,
    pub events: Vec<Event>,
    pub loses: Loses,
    /// For how long a datagram of a client is held up on its way to the server. None overtakes another.
    pub holds_up: HoldsUp,
    /// The server looks at what came only so often, while the kernel knows when it came.
    pub looks_every: Option<Duration>,
    came_up: HashMap<usize, Instant>,
    /// How many bit/s go down to a client; packets wait for each other, up to 300 ms.
    pub rates: HashMap<usize, f64>,
    /// What the key frames of a layer say about their size.
    pub sizes: HashMap<&'static str, (u16, u16)>,
    /// What the next published track may be.
    pub cap: crate::Cap,
    /// Bytes that went where no client is.
    pub astray: HashMap<Address, usize>,
    busy_until: HashMap<usize, Instant>,
    /// Whose UDP the network swallows.
    pub without_udp: HashSet<usize>,
    line: VecDeque<OnItsWay>,
    /// What outlives the engine, on benches that are `lasting`.
    memory: &'static [AtomicU64],
    saved: BTreeMap<TransportId, String>,
    /// Nobody is there to get what clients send.
    is_down: bool,
}

/// When a datagram arrives, at or from which client, which way, and where that client is.
type OnItsWay = (Instant, usize, Way, Address, Vec<u8>);

/// The front of the line is what arrives next.
fn put(line: &mut VecDeque<OnItsWay>, what: OnItsWay) {
    let place = line.iter().rposition(|(before, ..)| *before <= what.0).map_or(0, |before| before + 1);
    line.insert(place, what);
}

pub(super) struct Client {
    pub rtc: Rtc,
    pub name: String,
    pub thread: usize,
    /// Where it is seen. On other protocols it has the same port.
    pub address: Address,
    /// Where it is, behind its router.
    local: SocketAddr,
    /// What its last media came from.
    pub sends_from: Option<Address>,
    pub connected_at: Option<Instant>,
    pub closed: bool,
    pub received: Vec<Received>,
    pub key_frames_asked: Vec<(Instant, Mid, Option<Rid>)>,
    /// How many bit/s it was told to send at most.
    pub held_to: Vec<u64>,
    next: HashMap<(Mid, Option<Rid>), u64>,
    timeout: Instant,
}

/// A packet as a subscriber got it.
#[derive(Clone, Debug)]
pub(super) struct Received {
    pub at: Instant,
    pub mid: Mid,
    pub seq: u64,
    pub timestamp: u32,
    pub picture: Option<u16>,
    pub tl0: Option<u8>,
    /// What the publisher wrote into the payload: layer and count.
    pub layer: u8,
    pub count: u32,
    pub level: Option<i8>,
    /// The last sender report of its stream: the wall clock, and the timestamp that goes with it.
    pub report: Option<(SystemTime, u32)>,
    pub pt: u8,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    /// AV1's dependency descriptor.
    pub dependency: Option<Box<[u8]>>,
}

/// What the first offer of most clients has.
const BOTH: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        Self::with_threads(limits, 1, false)
    }

    pub(super) fn with_threads(limits: Limits, of: usize, one_port: bool) -> Self {
        let start = Instant::now();
        let candidates = [Address::Udp(server()), Address::Tcp(server())];
        let engine = || {
            let (limits, secret) = (limits.clone(), Some(Secret([7; 32])));
            Engine::new(start, SystemTime::UNIX_EPOCH, candidates.into(), limits, secret, None).expect("a certificate")
        };
        Self {
            start,
            now: start,
            engine: engine().among(0, of, one_port),
            others: (1..of).map(|me| engine().among(me, of, one_port)).collect(),
            stuck: None,
            arrive_at: None,
            clients: vec![],
            events: vec![],
            loses: Box::new(|_, _, _, _| false),
            holds_up: Box::new(|_| Duration::ZERO),
            looks_every: None,
            came_up: HashMap::new(),
            rates: HashMap::new(),
            sizes: HashMap::new(),
            cap: crate::Cap::default(),
            astray: HashMap::new(),
            busy_until: HashMap::new(),
            without_udp: HashSet::new(),
            line: VecDeque::new(),
            memory: &[],
            saved: BTreeMap::new(),
            is_down: false,
        }
    }

    /// Whose engine can be killed, see `crash`.
    pub(super) fn lasting() -> Self {
        let mut bench = Self::new();
        bench.memory = Box::leak((0..1_000).map(|_| AtomicU64::new(0)).collect());
        bench.engine = bench.another_engine(&HashSet::new());
        bench
    }

    fn another_engine(&self, left: &HashSet<u32>) -> Engine {
        let candidates = vec![Address::Udp(server()), Address::Tcp(server())];
        let (limits, secret, certificate) = (Limits::default(), Some(Secret([7; 32])), Certificate::fresh());
        let wall = SystemTime::UNIX_EPOCH + (self.now - self.start);
        let engine = Engine::new(self.now, wall, candidates, limits, secret, certificate).expect("a certificate");
        engine.among(0, 1, false).lasting(self.memory, self.memory.len(), left)
    }

    /// The engine is killed, and another goes on after so many milliseconds. Returns how many connections it goes on with.
    pub(super) fn crash(&mut self, away_ms: u64) -> usize {
        self.engine = self.another_engine(&HashSet::new());
        let saved = std::mem::take(&mut self.saved);
        self.is_down = true;
        self.run_ms(away_ms);
        self.is_down = false;
        let read = |text: &String| serde_json::from_str(text).expect("what was saved can be read");
        let mut saved: Vec<Saved> = saved.values().map(read).collect();
        saved.iter_mut().for_each(Saved::lose_tcp);
        self.engine = self.another_engine(&saved.iter().flat_map(Saved::all_words).collect());
        let now = self.now;
        let resumed: Vec<_> = saved.iter().filter(|saved| self.engine.resume_transport(now, saved)).collect();
        resumed.iter().for_each(|saved| self.engine.resume_consumers(now, saved));
        let count = resumed.len();
        self.pump();
        count
    }

    /// As the driver does before anything leaves.
    fn save(&mut self) {
        for save in self.engine.take_saves(self.now) {
            match save.what {
                Some(what) => {
                    self.saved.insert(save.transport, serde_json::to_string(&what).expect("it can be written"));
                }
                None => {
                    self.saved.remove(&save.transport);
                }
            }
        }
    }

    /// A client with the two placeholders of the web SDK, its transport opened in `room`.
    pub(super) fn join(&mut self, room: &str, role: Role) -> usize {
        self.join_with(room, role, |config| config.enable_vp8(true))
    }

    pub(super) fn join_on(&mut self, thread: usize, room: &str, role: Role) -> usize {
        self.join_as(thread, room, role, &[Protocol::Udp], &BOTH, |config| config.enable_vp8(true))
    }

    pub(super) fn join_over(&mut self, room: &str, role: Role, protocols: &[Protocol]) -> usize {
        self.join_as(0, room, role, protocols, &BOTH, |config| config.enable_vp8(true))
    }

    /// A client whose first offer has only these kinds.
    pub(super) fn join_offering(&mut self, room: &str, role: Role, kinds: &[MediaKind]) -> usize {
        self.join_as(0, room, role, &[Protocol::Udp], kinds, |config| config.enable_vp8(true))
    }

    /// The same with codecs for pictures, and all else, of one's own.
    pub(super) fn join_with(&mut self, room: &str, role: Role, configure: impl FnOnce(RtcConfig) -> RtcConfig) -> usize {
        self.join_as(0, room, role, &[Protocol::Udp], &BOTH, configure)
    }

    fn join_as(
        &mut self,
        thread: usize,
        room: &str,
        role: Role,
        protocols: &[Protocol],
        kinds: &[MediaKind],
        configure: impl FnOnce(RtcConfig) -> RtcConfig,
    ) -> usize {
        let index = self.clients.len();
        let name = format!("t{index}");
        let mut client = Client::new(self.now, index, name.clone(), protocols, configure);
        client.thread = thread;
        let now = self.now;
        let mut api = client.rtc.sdp_api();
        for kind in kinds {
            api.add_media(*kind, Direction::SendOnly, None, None, None);
        }
        let (offer, pending) = api.apply().expect("an offer");
        let offer = offer.to_sdp_string();
        let engine = self.thread(thread);
        let answer = engine.open_transport(now, room.into(), name.as_str().into(), role, &offer).expect("an answer");
        client.answered(pending, &answer);
        self.clients.push(client);
        self.pump();
        index
    }

    pub(super) fn connect(&mut self) {
        self.run_ms(500);
        for client in &self.clients {
            assert!(client.connected_at.is_some() || client.closed, "{} is not connected", client.name);
        }
    }

    /// Publishes a track; with rids it is simulcast. Returns its mid.
    pub(super) fn publish(&mut self, client: usize, producer: &str, kind: Kind, rids: &[&str]) -> Mid {
        self.try_to_publish(client, producer, kind, rids, false).expect("an answer")
    }

    /// The same for a track that is known already, as clients do whose socket broke: on a line of its own.
    pub(super) fn publish_anew(&mut self, client: usize, producer: &str, kind: Kind, rids: &[&str]) -> Result<Mid, Error> {
        self.try_to_publish(client, producer, kind, rids, true)
    }

    fn try_to_publish(&mut self, client: usize, producer: &str, kind: Kind, rids: &[&str], goes_on: bool) -> Result<Mid, Error> {
        let who = &mut self.clients[client];
        let simulcast =
            (!rids.is_empty()).then(|| Simulcast { send: rids.iter().map(|r| SimulcastLayer::new(r)).collect(), recv: vec![] });
        let mut api = who.rtc.sdp_api();
        let kind_of = match kind {
            Kind::Audio => MediaKind::Audio,
            Kind::Video => MediaKind::Video,
        };
        let mid = api.add_media(kind_of, Direction::SendOnly, Some("stream".into()), Some(producer.into()), simulcast);
        let (offer, pending) = api.apply().expect("an offer");
        let request = Produce {
            transport: who.name.as_str().into(),
            producer: producer.into(),
            goes_on,
            kind,
            screen_share: false,
            cap: self.cap,
            paused: false,
            msid: format!("stream {producer}"),
            mid: None,
            offer: offer.to_sdp_string(),
        };
        let (now, thread) = (self.now, who.thread);
        let answer = self.thread(thread).produce(now, request)?;
        self.clients[client].answered(pending, &answer);
        self.pump();
        Ok(mid)
    }

    /// Subscribes and answers the offer. Returns the mids and the length of the offer.
    pub(super) fn subscribe(&mut self, client: usize, wanted: &[(&str, Option<&str>)]) -> (Vec<Mid>, usize) {
        let name = self.clients[client].name.clone();
        let wanted = wanted.iter().map(|(p, rid)| Consume { producer: (*p).into(), preferred_rid: rid.map(str::to_owned) });
        let (now, thread, wanted) = (self.now, self.clients[client].thread, wanted.collect());
        let consumed = self.thread(thread).consume(now, name.as_str().into(), wanted).expect("consumed");
        let mids = consumed.consumers.iter().map(|(_, mid)| Mid::from(mid.as_deref().expect("a mid"))).collect();
        let offer = consumed.offer.expect("an offer");
        self.take_offer(client, &offer);
        (mids, offer.len())
    }

    pub(super) fn take_offer(&mut self, client: usize, offer: &str) {
        let who = &mut self.clients[client];
        let answer = who.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer).expect("good SDP")).expect("acceptable");
        let name = who.name.clone();
        let (now, thread) = (self.now, who.thread);
        self.thread(thread).accept_answer(now, name.as_str().into(), &answer.to_sdp_string()).expect("answer taken");
        self.pump();
    }

    /// Stops tracks the way the web SDK does: the client offers them with port 0.
    pub(super) fn unsubscribe(&mut self, client: usize, mids: &[Mid]) -> String {
        let who = &mut self.clients[client];
        let mut api = who.rtc.sdp_api();
        for mid in mids {
            api.stop_media(*mid);
        }
        let (offer, pending) = api.apply().expect("an offer");
        let name = who.name.clone();
        let mids = mids.iter().map(|m| m.to_string()).collect();
        let (now, thread) = (self.now, who.thread);
        let offer = offer.to_sdp_string();
        let answer = self.thread(thread).close_consumers(now, name.as_str().into(), mids, &offer).expect("an answer");
        self.clients[client].answered(pending, &answer);
        self.pump();
        answer
    }

    /// Sends a packet of any content on a video line.
    pub(super) fn send_payload(&mut self, client: usize, mid: Mid, rid: Option<&str>, payload: Vec<u8>) {
        let now = self.now;
        let since = (now - self.start).as_millis() as u32;
        let who = &mut self.clients[client];
        let rid = rid.map(Rid::from);
        let next = who.next.entry((mid, rid)).or_insert(0);
        let base = u64::from(rid.map_or(b'-', |r| r.as_bytes()[0])) * 300;
        let number = base + *next;
        *next += 1;
        let mut direct = who.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, rid).expect("a stream");
        stream.write_rtp(RtpWrite::new(96.into(), number.into(), since * 90, now, payload).nackable(true));
        who.rtc.handle_input(Input::Timeout(now)).expect("time");
        self.pump();
    }

    /// The next picture on a line goes out under about this number.
    pub(super) fn begin_numbers_at(&mut self, client: usize, mid: Mid, number: u64) {
        self.clients[client].next.insert((mid, None), number - u64::from(b'-') * 300);
    }

    /// Sends one VP8 packet of one picture.
    pub(super) fn send_video(&mut self, client: usize, mid: Mid, rid: Option<&str>, key: bool) {
        let now = self.now;
        let since = (now - self.start).as_millis() as u32;
        let who = &mut self.clients[client];
        let rid = rid.map(Rid::from);
        let next = who.next.entry((mid, rid)).or_insert(0);
        let count = *next as u32;
        *next += 1;
        // Each layer has numbers of its own, far apart.
        let layer = rid.map_or(b'-', |r| r.as_bytes()[0]);
        let base = u32::from(layer) * 300;
        let picture = (base + count) & 0x7fff;
        let mut payload =
            vec![0x90, 0xe0, 0x80 | (picture >> 8) as u8, picture as u8, (base + count) as u8, 0x20, u8::from(!key), layer];
        payload.extend(count.to_be_bytes());
        payload.extend([0; 200]);
        if let Some((width, height)) = self.sizes.get(rid.as_deref().unwrap_or("-")).filter(|_| key) {
            // RFC 6386 section 9.1, over the upper part of the count.
            payload[9..12].copy_from_slice(&[0x9d, 0x01, 0x2a]);
            payload[12..14].copy_from_slice(&width.to_le_bytes());
            payload[14..16].copy_from_slice(&height.to_le_bytes());
        }
        let timestamp = base.wrapping_mul(1_000_003).wrapping_add(since * 90);
        let mut direct = who.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, rid).expect("a stream");
        let write = RtpWrite::new(96.into(), (u64::from(base) + u64::from(count)).into(), timestamp, now, payload)
            .marker(true)
            .nackable(true);
        stream.write_rtp(write);
        who.rtc.handle_input(Input::Timeout(now)).expect("time");
        self.pump();
    }

    pub(super) fn send_audio(&mut self, client: usize, mid: Mid, level: i8) {
        let now = self.now;
        let since = (now - self.start).as_millis() as u32;
        let who = &mut self.clients[client];
        let next = who.next.entry((mid, None)).or_insert(0);
        let count = *next as u32;
        *next += 1;
        let mut payload = vec![0, 0, 0, 0, 0, 0, 0, b'a'];
        payload.extend(count.to_be_bytes());
        let mut direct = who.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(mid, None).expect("a stream");
        let ext_vals = ExtensionValues { audio_level: Some(level), voice_activity: Some(level > -50), ..Default::default() };
        stream.write_rtp(RtpWrite::new(111.into(), (10 + u64::from(count)).into(), since * 48, now, payload).ext_vals(ext_vals));
        who.rtc.handle_input(Input::Timeout(now)).expect("time");
        self.pump();
    }

    pub(super) fn run_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        loop {
            self.pump();
            let client = self.clients.iter().filter(|c| !c.closed).map(|c| c.timeout).min();
            let line = self.line.front().map(|(at, ..)| *at);
            let engines = std::iter::once(&self.engine).chain(&self.others).map(Engine::next_timeout);
            let next = client.into_iter().chain(line).chain(engines).min().expect("the engine has a timeout");
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            while self.line.front().is_some_and(|(at, ..)| *at <= self.now) {
                let (_, client, way, at, bytes) = self.line.pop_front().expect("just seen");
                self.deliver(client, way, at, &bytes);
                self.pump();
            }
            for engine in std::iter::once(&mut self.engine).chain(&mut self.others) {
                if engine.next_timeout() <= self.now {
                    engine.handle_timeout(self.now);
                }
            }
            for client in &mut self.clients {
                if client.timeout <= self.now && !client.closed {
                    let _ = client.rtc.handle_input(Input::Timeout(self.now));
                }
            }
        }
    }

    fn deliver(&mut self, client: usize, way: Way, at: Address, bytes: &[u8]) {
        let swallowed = at.protocol() == Protocol::Udp && self.without_udp.contains(&client);
        if swallowed || (self.is_down && way == Way::Up) || (self.loses)(self.now, client, way, bytes) {
            return;
        }
        match way {
            Way::Up => {
                let (now, thread) = (self.now, self.arrive_at.unwrap_or(self.clients[client].thread));
                let passed = (now - self.start).as_nanos();
                let late = self.looks_every.map_or(0, |every| every.as_nanos() - passed % every.as_nanos());
                self.thread(thread).handle_arrival(now + Duration::from_nanos(late as u64), now, at, bytes);
            }
            Way::Down => {
                if let Ok(receive) = Receive::new(at.protocol(), server(), self.clients[client].local, bytes) {
                    let _ = self.clients[client].rtc.handle_input(Input::Receive(self.now, receive));
                }
            }
        }
    }

    pub(super) fn pump(&mut self) {
        for (index, client) in self.clients.iter_mut().enumerate() {
            let socket = client.address.socket();
            client.poll(self.now, |from, bytes| {
                let from = Address::new(from.protocol(), socket);
                let at = self.now + DELAY + (self.holds_up)(index);
                let at = self.came_up.get(&index).map_or(at, |before| at.max(*before));
                self.came_up.insert(index, at);
                put(&mut self.line, (at, index, Way::Up, from, bytes));
            });
        }
        self.cross();
        self.save();
        for thread in 0..=self.others.len() {
            let now = self.now;
            let mut down = vec![];
            self.thread(thread).flush(now, &mut |outbox| {
                down.extend(outbox.iter().flat_map(|run| run.iter().map(move |bytes| (run.to, bytes.to_vec()))));
            });
            for (to, bytes) in down {
                self.send_down(to, bytes);
            }
            while let Some(output) = self.thread(thread).poll_output() {
                match output {
                    Output::Event(event) => self.events.push(event),
                    Output::Gone(_) => {}
                    Output::Send { to, bytes } => self.send_down(to, bytes.to_vec()),
                }
            }
        }
        self.cross();
    }

    pub(super) fn thread(&mut self, thread: usize) -> &mut Engine {
        match thread {
            0 => &mut self.engine,
            other => &mut self.others[other - 1],
        }
    }

    /// Carries over what waits to go from thread to thread, and what comes of it.
    pub(super) fn cross(&mut self) {
        let now = self.now;
        let mut some = true;
        while some {
            some = false;
            for from in 0..=self.others.len() {
                let stuck = self.stuck;
                let waiting = self.thread(from).crossings.waiting().filter(|(to, _)| Some(*to) != stuck);
                let batches: Vec<_> = waiting.map(|(to, batch)| (to, std::mem::take(batch))).collect();
                for (to, batch) in batches {
                    some = true;
                    for crossing in batch {
                        self.thread(to).handle_crossing(now, from, crossing);
                    }
                }
            }
        }
    }

    fn send_down(&mut self, to: Address, bytes: Vec<u8>) {
        let Some(index) = self.clients.iter().position(|c| c.address.socket() == to.socket()) else {
            *self.astray.entry(to).or_default() += bytes.len();
            return;
        };
        let mut at = self.now;
        if let Some(rate) = self.rates.get(&index) {
            let begins = self.busy_until.get(&index).map_or(at, |busy| at.max(*busy));
            if begins - at > Duration::from_millis(300) {
                return;
            }
            at = begins + Duration::from_secs_f64((bytes.len() + 28) as f64 * 8.0 / rate);
            self.busy_until.insert(index, at);
        }
        let at = at + DELAY;
        put(&mut self.line, (at, index, Way::Down, to, bytes));
    }
}

impl Client {
    fn new(
        now: Instant,
        index: usize,
        name: String,
        protocols: &[Protocol],
        configure: impl FnOnce(RtcConfig) -> RtcConfig,
    ) -> Self {
        let socket = SocketAddr::from(([10, 0, 0, 1 + index as u8], 6_000));
        let mut rtc = configure(Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false)).build(now);
        for protocol in protocols {
            rtc.add_local_candidate(Candidate::host(socket, *protocol).expect("a candidate"));
        }
        Self {
            rtc,
            name,
            thread: 0,
            address: Address::new(protocols[0], socket),
            local: socket,
            sends_from: None,
            connected_at: None,
            closed: false,
            received: vec![],
            key_frames_asked: vec![],
            held_to: vec![],
            next: HashMap::new(),
            timeout: now,
        }
    }

    pub(super) fn answered(&mut self, pending: SdpPendingOffer, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).expect("good SDP");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("acceptable");
    }

    /// What came on a mid, in the order of its numbers.
    pub(super) fn on(&self, mid: Mid) -> Vec<Received> {
        let mut on: Vec<Received> = self.received.iter().filter(|r| r.mid == mid).cloned().collect();
        on.sort_by_key(|r| r.seq);
        on
    }

    fn poll(&mut self, now: Instant, mut send: impl FnMut(Address, Vec<u8>)) {
        while !self.closed {
            match self.rtc.poll_output() {
                Ok(ClientOutput::Timeout(at)) => {
                    self.timeout = at;
                    self.closed = !self.rtc.is_alive();
                    return;
                }
                Ok(ClientOutput::Transmit(transmit)) => {
                    let from = Address::new(transmit.proto, transmit.source);
                    if transmit.contents[0] >= 128 {
                        self.sends_from = Some(from);
                    }
                    send(from, transmit.contents.to_vec());
                }
                Ok(ClientOutput::Event(event)) => self.hear(now, event),
                Err(_) => self.closed = true,
            }
        }
    }

    fn hear(&mut self, now: Instant, event: ClientEvent) {
        match event {
            ClientEvent::Connected => self.connected_at = Some(now),
            ClientEvent::EgressBitrateEstimate(BweKind::Remb { estimate, .. }) => self.held_to.push(estimate.as_u64()),
            ClientEvent::KeyframeRequest(r) => self.key_frames_asked.push((now, r.mid, r.rid)),
            ClientEvent::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let mid = self.rtc.direct_api().stream_rx(&ssrc).expect("a stream").mid();
                let bytes = &packet.payload;
                let video = bytes.first() == Some(&0x90);
                let number = |at: usize| bytes.get(at..at + 4).map_or(0, |b| u32::from_be_bytes(b.try_into().expect("four")));
                self.received.push(Received {
                    at: now,
                    mid,
                    seq: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    picture: video.then(|| u16::from_be_bytes([bytes[2] & 0x7f, bytes[3]])),
                    tl0: video.then(|| bytes[4]),
                    layer: bytes.get(7).copied().unwrap_or(0),
                    count: number(8),
                    level: packet.header.ext_vals.audio_level,
                    report: packet.last_sender_info.as_ref().map(|info| (info.ntp_time, info.rtp_time.numer() as u32)),
                    pt: *packet.header.payload_type,
                    marker: packet.header.marker,
                    payload: Arc::clone(bytes),
                    dependency: packet.header.ext_vals.user_values.get::<Carried>().map(|carried| carried.0.clone()),
                });
            }
            _ => {}
        }
    }
}

pub(super) fn server() -> SocketAddr {
    SERVER.parse().expect("an address")
}

/// Asserts that numbers, pictures and time run on without a gap or a step back.
pub(super) fn assert_continuous(packets: &[Received]) {
    for pair in packets.windows(2) {
        let (a, b) = (&pair[0], &pair[1]);
        assert_eq!(b.seq, a.seq + 1, "sequence number after {a:?}");
        if let (Some(a_picture), Some(b_picture)) = (a.picture, b.picture) {
            assert_eq!(b_picture, (a_picture + 1) & 0x7fff, "picture after {a:?}: {b:?}");
            assert_eq!(b.tl0, a.tl0.map(|t| t.wrapping_add(1)), "TL0PICIDX after {a:?}: {b:?}");
        }
        let ahead = b.timestamp.wrapping_sub(a.timestamp) as i32;
        assert!(ahead > 0 && ahead < 90_000 * 20, "timestamp {ahead} ahead after {a:?}: {b:?}");
    }
}
