//! An engine, some str0m clients and the line between them. The line delays by `DELAY` and may lose.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::media::{Direction, ExtensionValues, MediaKind, Mid, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event as ClientEvent, Input, Output as ClientOutput, Rtc};

use crate::engine::address::Address;
use crate::engine::{Engine, Output};
use crate::limits::Limits;
use crate::{Consume, Event, Kind, Produce, Role, Secret};

pub(super) const DELAY: Duration = Duration::from_millis(10);
pub(super) const SERVER: &str = "192.0.2.1:5000";

/// Which way a datagram goes on a client's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Up,
    Down,
}

type Loses = Box<dyn FnMut(Instant, usize, Way, &[u8]) -> bool>;

pub(super) struct Bench {
    pub start: Instant,
    pub now: Instant,
    pub engine: Engine,
    pub clients: Vec<Client>,
    pub events: Vec<Event>,
    pub loses: Loses,
    /// How many bit/s go down to a client; packets wait for each other, up to 300 ms.
    pub rates: HashMap<usize, f64>,
    busy_until: HashMap<usize, Instant>,
    /// Whose UDP the network swallows.
    pub without_udp: HashSet<usize>,
    /// When what arrives at or from which client, which way, and where that client is.
    line: VecDeque<(Instant, usize, Way, Address, Vec<u8>)>,
}

pub(super) struct Client {
    pub rtc: Rtc,
    pub name: String,
    /// Where it is. On other protocols it has the same port.
    pub address: Address,
    /// What its last media came from.
    pub sends_from: Option<Address>,
    pub connected_at: Option<Instant>,
    pub closed: bool,
    pub received: Vec<Received>,
    pub key_frames_asked: Vec<(Instant, Mid, Option<Rid>)>,
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
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub(super) fn with_limits(limits: Limits) -> Self {
        let start = Instant::now();
        let candidates = vec![Address::Udp(server()), Address::Tcp(server())];
        let engine =
            Engine::new(start, SystemTime::UNIX_EPOCH, candidates, limits, Some(Secret([7; 32]))).expect("a certificate");
        Self {
            start,
            now: start,
            engine,
            clients: vec![],
            events: vec![],
            loses: Box::new(|_, _, _, _| false),
            rates: HashMap::new(),
            busy_until: HashMap::new(),
            without_udp: HashSet::new(),
            line: VecDeque::new(),
        }
    }

    /// A client with the two placeholders of the web SDK, its transport opened in `room`.
    pub(super) fn join(&mut self, room: &str, role: Role) -> usize {
        self.join_over(room, role, &[Protocol::Udp])
    }

    pub(super) fn join_over(&mut self, room: &str, role: Role, protocols: &[Protocol]) -> usize {
        let index = self.clients.len();
        let name = format!("t{index}");
        let mut client = Client::new(self.now, index, name.clone(), protocols);
        let mut api = client.rtc.sdp_api();
        api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        let (offer, pending) = api.apply().expect("an offer");
        let offer = offer.to_sdp_string();
        let answer = self.engine.open_transport(self.now, room.into(), name.as_str().into(), role, &offer).expect("an answer");
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
            kind,
            screen_share: false,
            paused: false,
            msid: format!("stream {producer}"),
            mid: None,
            offer: offer.to_sdp_string(),
        };
        let answer = self.engine.produce(self.now, request).expect("an answer");
        who.answered(pending, &answer);
        self.pump();
        mid
    }

    /// Subscribes and answers the offer. Returns the mids and the length of the offer.
    pub(super) fn subscribe(&mut self, client: usize, wanted: &[(&str, Option<&str>)]) -> (Vec<Mid>, usize) {
        let name = self.clients[client].name.clone();
        let wanted = wanted.iter().map(|(p, rid)| Consume { producer: (*p).into(), preferred_rid: rid.map(str::to_owned) });
        let consumed = self.engine.consume(self.now, name.as_str().into(), wanted.collect()).expect("consumed");
        let mids = consumed.consumers.iter().map(|(_, mid)| Mid::from(mid.as_deref().expect("a mid"))).collect();
        let offer = consumed.offer.expect("an offer");
        self.take_offer(client, &offer);
        (mids, offer.len())
    }

    pub(super) fn take_offer(&mut self, client: usize, offer: &str) {
        let who = &mut self.clients[client];
        let answer = who.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer).expect("good SDP")).expect("acceptable");
        let name = who.name.clone();
        self.engine.accept_answer(self.now, name.as_str().into(), &answer.to_sdp_string()).expect("answer taken");
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
        let answer =
            self.engine.close_consumers(self.now, name.as_str().into(), mids, &offer.to_sdp_string()).expect("an answer");
        self.clients[client].answered(pending, &answer);
        self.pump();
        answer
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
            let next =
                [client, line, Some(self.engine.next_timeout())].into_iter().flatten().min().expect("the engine has a timeout");
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
            if self.engine.next_timeout() <= self.now {
                self.engine.handle_timeout(self.now);
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
        if swallowed || (self.loses)(self.now, client, way, bytes) {
            return;
        }
        match way {
            Way::Up => self.engine.handle_datagram(self.now, at, bytes),
            Way::Down => {
                if let Ok(receive) = Receive::new(at.protocol(), server(), at.socket(), bytes) {
                    let _ = self.clients[client].rtc.handle_input(Input::Receive(self.now, receive));
                }
            }
        }
    }

    pub(super) fn pump(&mut self) {
        for (index, client) in self.clients.iter_mut().enumerate() {
            client.poll(self.now, |from, bytes| self.line.push_back((self.now + DELAY, index, Way::Up, from, bytes)));
        }
        let mut down = vec![];
        self.engine.flush(self.now, &mut |datagrams| {
            down.extend(datagrams.iter().map(|bytes| (datagrams.to, bytes.to_vec())));
        });
        for (to, bytes) in down {
            self.send_down(to, bytes);
        }
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Event(event) => self.events.push(event),
                Output::Send { to, bytes } => self.send_down(to, bytes.to_vec()),
            }
        }
    }

    fn send_down(&mut self, to: Address, bytes: Vec<u8>) {
        let Some(index) = self.clients.iter().position(|c| c.address.socket() == to.socket()) else { return };
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
        // The front of the line is what arrives next.
        let place = self.line.iter().rposition(|(before, ..)| *before <= at).map_or(0, |before| before + 1);
        self.line.insert(place, (at, index, Way::Down, to, bytes));
    }
}

impl Client {
    fn new(now: Instant, index: usize, name: String, protocols: &[Protocol]) -> Self {
        let socket = SocketAddr::from(([10, 0, 0, 1 + index as u8], 6_000));
        let mut rtc = Rtc::builder().set_rtp_mode(true).clear_codecs().enable_opus(true, false).enable_vp8(true).build(now);
        for protocol in protocols {
            rtc.add_local_candidate(Candidate::host(socket, *protocol).expect("a candidate"));
        }
        Self {
            rtc,
            name,
            address: Address::new(protocols[0], socket),
            sends_from: None,
            connected_at: None,
            closed: false,
            received: vec![],
            key_frames_asked: vec![],
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
            ClientEvent::KeyframeRequest(r) => self.key_frames_asked.push((now, r.mid, r.rid)),
            ClientEvent::RtpPacket(packet) => {
                let ssrc = packet.header.ssrc;
                let mid = self.rtc.direct_api().stream_rx(&ssrc).expect("a stream").mid();
                let bytes = &packet.payload;
                let video = bytes[0] == 0x90;
                self.received.push(Received {
                    at: now,
                    mid,
                    seq: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    picture: video.then(|| u16::from_be_bytes([bytes[2] & 0x7f, bytes[3]])),
                    tl0: video.then(|| bytes[4]),
                    layer: bytes[7],
                    count: u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
                    level: packet.header.ext_vals.audio_level,
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
