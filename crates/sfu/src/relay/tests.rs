//! Two nodes with a media thread each, and what becomes of a producer of one at the other.

use std::collections::BTreeSet;

use super::keys::tests::pair;
use super::*;
use crate::sdp::Format;

const HOME: u32 = 1;
const THERE: u32 = 2;
/// The media thread of each; the relay is the other one.
const MEDIA: usize = 0;
const KEY: ProducerKey = ProducerKey(5);
const LAYERS: [&str; 2] = ["f", "q"];

struct Nodes {
    now: Instant,
    home: Relay,
    there: Relay,
    /// Whether this datagram is lost.
    loses: Box<dyn FnMut(u64) -> bool>,
    datagrams: u64,
    /// What the media threads were told.
    at_home: Vec<Crossing>,
    at_there: Vec<Crossing>,
    watched: Vec<bool>,
    lost: Vec<u32>,
    /// Whether there is no path at all.
    cut: bool,
}

impl Nodes {
    fn new() -> Self {
        let now = Instant::now();
        let (asks, asked) = pair([b"s", b"s"]);
        let (mut home, mut there) = (Relay::new(now, 2), Relay::new(now, 2));
        home.join(now, Terms { ours: HOME, theirs: THERE, keys: asked, to: None, asked: false, instead_of: None });
        let to = Some("192.0.2.1:1".parse().unwrap());
        there.join(now, Terms { ours: THERE, theirs: HOME, keys: asks, to, asked: true, instead_of: None });
        let (at_home, at_there, watched, lost) = Default::default();
        let (loses, datagrams, cut) = (Box::new(|_| false), 0, false);
        let mut nodes = Self { now, home, there, loses, datagrams, at_home, at_there, watched, lost, cut };
        nodes.run_ms(0);
        nodes
    }

    /// Alice has a camera at home, with these layers, which Bob's node watches.
    fn watching(layers: &[&str]) -> Self {
        let mut nodes = Self::new();
        nodes.there.watch(nodes.now, THERE, "camera".into(), "r".into());
        nodes.run_ms(0);
        assert!(matches!(nodes.at_home.pop(), Some(Crossing::Share { .. })));
        let layers = layers.iter().map(|rid| Some(Rid::from(*rid))).collect();
        nodes.home.cross(nodes.now, MEDIA, Crossing::Begin(Box::new(begin(Format::Vp8, layers))));
        nodes.run_ms(0);
        assert_eq!(std::mem::take(&mut nodes.watched), [true]);
        nodes.there.share(nodes.now, &["camera".into()], MEDIA);
        nodes.run_ms(0);
        assert!(matches!(nodes.at_there[..], [Crossing::Begin(_), Crossing::Alive { .. }]), "{:?}", nodes.at_there);
        nodes
    }

    /// What Bob's node calls the camera.
    fn mirror(&self) -> ProducerKey {
        *self.there.watched.keys().next().expect("it is watched")
    }

    fn key_frame_wanted(&mut self, rid: &str) {
        let (key, rid) = (self.mirror(), Some(Rid::from(rid)));
        self.there.cross(self.now, MEDIA, Crossing::KeyFrameWanted { key, rid });
        self.run_ms(0);
    }

    fn wants(&mut self, layers: &[&str]) {
        let (key, layers) = (self.mirror(), layers.iter().map(|rid| Some(Rid::from(*rid))).collect());
        self.there.cross(self.now, MEDIA, Crossing::Wants { key, layers });
        self.run_ms(0);
    }

    fn send(&mut self, rid: Option<&str>, index: u64) {
        let rid = rid.map(Rid::from);
        self.home.cross(self.now, MEDIA, Crossing::Packet { key: KEY, rid, packet: packet(self.now, index) });
        self.run_ms(1);
    }

    /// Carries everything, and lets time pass.
    fn run_ms(&mut self, ms: u64) {
        for step in 0..=ms {
            self.now += Duration::from_millis(u64::from(step > 0));
            self.home.handle_timeout(self.now);
            self.there.handle_timeout(self.now);
            while self.carry(true) | self.carry(false) {}
        }
    }

    fn carry(&mut self, from_home: bool) -> bool {
        let (from, to) = match from_home {
            true => (&mut self.home, &mut self.there),
            false => (&mut self.there, &mut self.home),
        };
        let threads = if from_home { &mut self.at_home } else { &mut self.at_there };
        from.crossings.waiting().for_each(|(_, waiting)| threads.append(waiting));
        let mut some = false;
        while let Some(output) = from.poll_output() {
            some = true;
            match output {
                Output::Send(_, mut bytes) => {
                    self.datagrams += 1;
                    if !self.cut && !(self.loses)(self.datagrams) {
                        assert!(to.receive(self.now, "192.0.2.9:9".parse().unwrap(), &mut bytes));
                    }
                }
                Output::Tell(_, news) => {
                    let news = serde_json::from_str(&serde_json::to_string(&news).unwrap()).unwrap();
                    to.hear(self.now, if from_home { THERE } else { HOME }, news, |id| {
                        (id.as_str() == "camera").then_some(MEDIA)
                    });
                }
                Output::Watched(_, came) => self.watched.push(came),
                Output::Lost(link) => self.lost.push(link),
                Output::Proven(_) | Output::Gone(_) => {}
            }
        }
        some
    }

    /// The packets that Bob's media thread got, by layer and number.
    fn got(&mut self) -> Vec<(String, u64)> {
        let all = std::mem::take(&mut self.at_there).into_iter();
        let packets = all.filter_map(|crossing| match crossing {
            Crossing::Packet { rid, packet, .. } => Some((rid.map_or_else(String::new, |rid| rid.to_string()), packet.index)),
            _ => None,
        });
        packets.collect()
    }
}

fn begin(format: Format, layers: Vec<Option<Rid>>) -> Begin {
    Begin {
        key: KEY,
        serial: 1,
        id: "camera".into(),
        room: "r".into(),
        format,
        stream: "s".into(),
        screen_share: false,
        paused: false,
        layers,
    }
}

fn packet(now: Instant, index: u64) -> Packet {
    Packet {
        at: now,
        moment: now - Duration::from_millis(3),
        layer: 0,
        stream: 0,
        scalable: false,
        ssrc: 7,
        index,
        timestamp: index as u32 * 3_000,
        marker: true,
        payload: Arc::from(vec![0x90; 1_000]),
        level: None,
        orientation: None,
        report: None,
        descriptor: None,
    }
}

#[test]
fn each_layer_that_somebody_wants_goes_over_once_and_no_other() {
    let mut nodes = Nodes::watching(&LAYERS);
    nodes.send(Some("f"), 1);
    assert_eq!(nodes.got(), [], "nobody wants it yet");
    nodes.key_frame_wanted("q");
    assert!(matches!(nodes.at_home[..], [Crossing::KeyFrameWanted { key: KEY, rid: Some(_) }]), "{:?}", nodes.at_home);
    for index in 2..5 {
        LAYERS.iter().for_each(|rid| nodes.send(Some(rid), index));
    }
    assert_eq!(nodes.got(), [("q".into(), 2), ("q".into(), 3), ("q".into(), 4)]);
    assert_eq!((nodes.home.figures().packets_out, nodes.there.figures().packets_in), (3, 3));
    // Somebody goes to the other layer; the first one goes when it was unwanted twice.
    nodes.key_frame_wanted("f");
    nodes.wants(&["f"]);
    LAYERS.iter().for_each(|rid| nodes.send(Some(rid), 5));
    assert_eq!(nodes.got().len(), 2);
    nodes.wants(&["f"]);
    LAYERS.iter().for_each(|rid| nodes.send(Some(rid), 6));
    assert_eq!(nodes.got(), [("f".into(), 6)]);
}

#[test]
fn a_layer_that_does_not_go_over_is_known_to_be_there() {
    let mut nodes = Nodes::watching(&[]);
    nodes.send(Some("f"), 1);
    let alive = |crossing: &Crossing| match crossing {
        Crossing::Alive { layers, .. } => layers.iter().map(|(rid, _)| rid.unwrap().to_string()).collect(),
        _ => vec![],
    };
    assert_eq!(nodes.at_there.last().map(alive), Some(vec!["f".to_owned()]), "told at once");
    nodes.send(Some("q"), 1);
    assert_eq!(nodes.at_there.last().map(alive), Some(vec!["f".to_owned(), "q".to_owned()]));
    nodes.run_ms(2_500);
    nodes.at_there.clear();
    nodes.run_ms(1_000);
    assert!(nodes.at_there.is_empty(), "both are dead");
}

#[test]
fn what_is_lost_between_nodes_is_repaired() {
    let mut nodes = Nodes::watching(&LAYERS);
    nodes.key_frame_wanted("f");
    nodes.at_there.clear();
    let mut dice = 12_345_u64;
    // One in a hundred, either way.
    nodes.loses = Box::new(move |_| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33).is_multiple_of(100)
    });
    (1..=5_000).for_each(|index| nodes.send(Some("f"), index));
    nodes.run_ms(300);
    let got = nodes.got();
    let numbers: BTreeSet<u64> = got.iter().map(|(_, index)| *index).collect();
    assert_eq!((got.len(), numbers.len()), (5_000, 5_000), "each once");
    let (home, there) = (nodes.home.figures(), nodes.there.figures());
    assert_eq!((home.packets_out, there.lost), (5_000, 0));
    assert!((30..80).contains(&there.repaired) && home.resent < 100, "{home:?} {there:?}");
}

#[test]
fn sound_goes_over_without_being_asked_for_and_keeps_its_moment() {
    let mut nodes = Nodes::new();
    nodes.there.watch(nodes.now, THERE, "camera".into(), "r".into());
    nodes.run_ms(0);
    nodes.home.cross(nodes.now, MEDIA, Crossing::Begin(Box::new(begin(Format::Opus, vec![None]))));
    nodes.run_ms(0);
    nodes.there.share(nodes.now, &["camera".into()], MEDIA);
    nodes.run_ms(0);
    nodes.at_there.clear();
    nodes.send(None, 1);
    let Some(Crossing::Packet { packet, .. }) = nodes.at_there.first() else { panic!("{:?}", nodes.at_there) };
    assert_eq!(packet.at - packet.moment, Duration::from_millis(3));
}

#[test]
fn pauses_and_ends_arrive_and_what_nobody_uses_is_given_up() {
    let mut nodes = Nodes::watching(&LAYERS);
    nodes.at_there.clear();
    nodes.home.cross(nodes.now, MEDIA, Crossing::Paused { key: KEY, paused: true });
    nodes.home.cross(nodes.now, MEDIA, Crossing::Anew { key: KEY });
    nodes.run_ms(0);
    assert!(matches!(nodes.at_there[..], [Crossing::Paused { paused: true, .. }, Crossing::Anew { .. }]));
    let key = nodes.mirror();
    nodes.there.cross(nodes.now, MEDIA, Crossing::Unwatch { key, serial: 0 });
    assert_eq!(nodes.there.figures().watched, 1, "it was wanted again meanwhile");
    nodes.there.cross(nodes.now, MEDIA, Crossing::Unwatch { key, serial: 1 });
    nodes.at_home.clear();
    nodes.run_ms(0);
    assert!(matches!(nodes.at_home[..], [Crossing::Unwatch { key: KEY, .. }]), "{:?}", nodes.at_home);
    assert_eq!((nodes.there.figures().watched, nodes.home.figures().shown), (0, 0));
    let mut nodes = Nodes::watching(&LAYERS);
    nodes.at_there.clear();
    nodes.home.cross(nodes.now, MEDIA, Crossing::Ended { key: KEY });
    nodes.run_ms(0);
    assert!(matches!(nodes.at_there[..], [Crossing::Ended { .. }]));
    assert_eq!((nodes.there.figures().watched, nodes.home.figures().shown), (0, 0));
}

#[test]
fn a_mirror_is_not_mirrored_on_and_nobody_sees_into_another_room() {
    let mut nodes = Nodes::watching(&LAYERS);
    // The relay itself has it there.
    let me = nodes.there.me;
    let asked = News(Word::Watch { stream: 9, producer: "camera".into(), room: "r".into(), layers: Vec::new() });
    nodes.there.hear(nodes.now, THERE, asked, |_| Some(me));
    assert!(matches!(nodes.there.poll_output(), Some(Output::Tell(_, News(Word::Ended { stream: 9 })))));
    let mut nodes = Nodes::new();
    nodes.there.watch(nodes.now, THERE, "camera".into(), "other".into());
    nodes.run_ms(0);
    nodes.home.cross(nodes.now, MEDIA, Crossing::Begin(Box::new(begin(Format::Vp8, vec![]))));
    nodes.run_ms(0);
    assert_eq!(nodes.watched, [false]);
    assert_eq!(nodes.home.figures().shown, 0);
    // Nor does anybody wait for what does not come.
    nodes.there.watch(nodes.now, THERE, "nobody's".into(), "r".into());
    nodes.run_ms(0);
    nodes.there.watch(nodes.now, THERE, "camera".into(), "r".into());
    nodes.run_ms(3_000);
    assert_eq!(nodes.watched, [false, false, false]);
}

#[test]
fn a_path_that_is_cut_is_found_out_and_what_came_over_it_stands_still_until_it_is_given_up() {
    let mut nodes = Nodes::watching(&LAYERS);
    nodes.run_ms(5_000);
    assert_eq!(nodes.lost, [] as [u32; 0]);
    nodes.cut = true;
    nodes.at_there.clear();
    nodes.run_ms(3_300);
    assert_eq!(nodes.lost, [THERE]);
    assert!(nodes.at_there.is_empty(), "{:?}", nodes.at_there);
    nodes.there.leave(THERE);
    nodes.run_ms(0);
    assert!(matches!(nodes.at_there[..], [Crossing::Ended { .. }]));
    assert_eq!(nodes.there.figures().watched, 0);
    nodes.home.leave(HOME);
    assert_eq!(nodes.home.figures(), Figures { packets_out: nodes.home.figures().packets_out, ..Figures::default() });
}

#[test]
fn what_was_watched_goes_on_over_the_next_connection_at_a_key_frame() {
    let mut nodes = Nodes::watching(&LAYERS);
    nodes.key_frame_wanted("f");
    nodes.send(Some("f"), 1);
    nodes.at_there.clear();
    let mirror = nodes.mirror();
    // The other node becomes another process, which pauses it meanwhile.
    nodes.cut = true;
    nodes.home = Relay::new(nodes.now, 2);
    nodes.there.part(nodes.now, THERE);
    nodes.wants(&["f"]);
    nodes.cut = false;
    let (asks, asked) = pair([b"s", b"s"]);
    let [ours, theirs] = [HOME, THERE];
    let to = Some("192.0.2.1:1".parse().unwrap());
    nodes.home.join(nodes.now, Terms { ours, theirs, keys: asked, to: None, asked: false, instead_of: None });
    let (ours, theirs) = (theirs, ours);
    // It has a name of its own; this test has one for each side.
    nodes.there.join(nodes.now, Terms { ours, theirs, keys: asks, to, asked: true, instead_of: Some(THERE) });
    nodes.at_home.clear();
    nodes.run_ms(0);
    assert!(matches!(nodes.at_home[..], [Crossing::Share { .. }]), "{:?}", nodes.at_home);
    nodes.at_home.clear();
    let layers = LAYERS.iter().map(|rid| Some(Rid::from(*rid))).collect();
    let again = Begin { paused: true, ..begin(Format::Vp8, layers) };
    nodes.home.cross(nodes.now, MEDIA, Crossing::Begin(Box::new(again)));
    // What it has of the last picture goes over at once, but for what came before.
    for index in [1, 890] {
        let packet = packet(nodes.now, index);
        nodes.home.cross(nodes.now, MEDIA, Crossing::Packet { key: KEY, rid: Some(Rid::from("f")), packet });
    }
    nodes.run_ms(0);
    let (told, came): (Vec<_>, Vec<_>) =
        std::mem::take(&mut nodes.at_there).into_iter().partition(|crossing| !matches!(crossing, Crossing::Packet { .. }));
    assert!(matches!(told[..], [Crossing::Paused { paused: true, .. }, Crossing::Alive { .. }, ..]), "{told:?}");
    assert!(matches!(&came[..], [Crossing::Packet { packet, .. }] if packet.index == 890), "{came:?}");
    assert!(matches!(nodes.at_home[..], [Crossing::KeyFrameWanted { key: KEY, .. }]), "{:?}", nodes.at_home);
    nodes.at_home.clear();
    nodes.there.watched.values_mut().for_each(|watched| watched.stale = vec![Some(Rid::from("f"))]);
    let rest_of_a_picture = Packet { payload: Arc::from(vec![0x10, 0x01]), ..packet(nodes.now, 900) };
    nodes.home.cross(nodes.now, MEDIA, Crossing::Packet { key: KEY, rid: Some(Rid::from("f")), packet: rest_of_a_picture });
    nodes.run_ms(1);
    assert_eq!((nodes.got(), nodes.mirror()), (vec![("f".into(), 900)], mirror));
    assert!(matches!(nodes.at_home[..], [Crossing::KeyFrameWanted { key: KEY, .. }]), "it may not have been known before");
    // One that does not come again is waited for, but not for ever.
    nodes.cut = true;
    nodes.there.part(nodes.now, THERE);
    nodes.run_ms(10_000);
    assert_eq!(nodes.there.figures().watched, 1);
    nodes.run_ms(12_000);
    assert_eq!(nodes.there.figures().watched, 0);
}
