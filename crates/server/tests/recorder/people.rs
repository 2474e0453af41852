//! People with a microphone that plays a tone, and a camera that shows a colour, published as browsers do: Opus and VP8 over
//! SRTP, with sender reports of one clock.

use std::f32::consts::TAU;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use salon_peer::sdp::{Kind, PLACEHOLDERS};
use salon_peer::{Arrived, Connection, Identity, Invite, Line, Media, Peer, Role, Stream, Track, Way};

use serde_json::Value;

use crate::process::run;
use crate::support::{TestApp, Text, preset_body};

/// A microphone's switch, and whether it does by now as it is told.
#[derive(Default)]
struct Switch {
    on: AtomicBool,
    done: AtomicBool,
}

/// Somebody who is in and publishes a tone.
pub struct Person {
    peer: Peer,
    pub track: Track,
    on: Arc<Switch>,
    _media: Media<Device>,
}

impl Person {
    /// Comes in with the microphone on.
    pub async fn speaks(app: &TestApp, meeting: &str, name: &str, hertz: f32) -> Self {
        Self::comes(app, meeting, name, Device::new(hertz, |_| true)).await
    }

    /// Comes in with these.
    pub async fn comes(app: &TestApp, meeting: &str, name: &str, device: Device) -> Self {
        let participant = app.participant(meeting, "group_call_host", name).await;
        Self::comes_with(app.running.addr, meeting, &participant, device).await
    }

    /// The same at a server's address, as a participant who was added there.
    pub async fn comes_with(address: SocketAddr, meeting: &str, participant: &Value, device: Device) -> Self {
        let invite =
            Invite { meeting: meeting.to_owned(), participant: participant["id"].text(), token: participant["token"].text() };
        let identity = Identity::new().unwrap();
        let peer = Peer::open(&address.to_string(), invite).await.unwrap();
        let (transport, connection) = peer.connect(&identity, Way::Sending).await.unwrap();
        let media = Media::start("person", Line::default()).unwrap();
        let (on, known) = (Arc::new(Switch::default()), Arc::new(AtomicBool::new(false)));
        on.on.store(true, Ordering::Relaxed);
        let kinds = if device.pictures.is_empty() { &[Kind::Audio][..] } else { &[Kind::Audio, Kind::Video] };
        let ready = media.carry(connection, Device { on: on.clone(), known: known.clone(), ..device }).unwrap();
        peer.enter().await.unwrap();
        let track = peer.publish(&transport, kinds).await.unwrap().remove(0);
        known.store(true, Ordering::Relaxed);
        ready.await.unwrap();
        Self { peer, track, on, _media: media }
    }

    pub fn id(&self) -> &str {
        self.peer.id()
    }

    /// Switches the microphone off or on, as the web SDK does: nothing is sent, and the clock of the stream stands still.
    pub async fn mute(&self, mute: bool) {
        self.on.on.store(!mute, Ordering::Relaxed);
        self.on.done.store(false, Ordering::Relaxed);
        while !self.on.done.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.peer.pause(&self.track, mute).await.unwrap();
    }
}

/// A hidden robot's token.
pub async fn robot(app: &TestApp, meeting: &str) -> String {
    let mut preset = preset_body("robot");
    preset["permissions"]["recorder_type"] = "RECORDER".into();
    preset["permissions"]["hidden_participant"] = true.into();
    app.post("/presets", preset).await;
    app.participant(meeting, "robot", "robot").await["token"].text()
}

/// So many frames of VP8 of what ffmpeg makes so; a key frame each half second.
fn pictures(source: &str, count: usize) -> Vec<Vec<u8>> {
    let how = format!("-frames:v {count} -c:v libvpx -b:v 800k -deadline realtime -cpu-used 8 -g 15 -f ivf -");
    let made = run("ffmpeg", &["-f", "lavfi", "-i", source].into_iter().chain(how.split(' ')).collect::<Vec<_>>());
    let (mut rest, mut frames) = (&made[32..], Vec::new());
    while rest.len() > 12 {
        let length = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        frames.push(rest[12..12 + length].to_vec());
        rest = &rest[12 + length..];
    }
    assert_eq!(frames.len(), count);
    frames
}

/// A microphone, and maybe a camera. What is counted begins when the server knows of both.
pub struct Device {
    sounds: Vec<Vec<u8>>,
    pictures: Vec<Vec<u8>>,
    on: Arc<Switch>,
    /// The server knows of the tracks.
    known: Arc<AtomicBool>,
    began: Option<(Instant, Duration)>,
    sound: Playing,
    picture: Playing,
    report_at: Instant,
    transport_sequence: u16,
}

/// A stream, and how far it is.
struct Playing {
    stream: Stream,
    made: u64,
    next: Instant,
}

impl Playing {
    fn new(kind: Kind, at: usize) -> Self {
        Self { stream: Stream::new(kind, 7 + at as u32, PLACEHOLDERS + at), made: 0, next: Instant::now() }
    }
}

impl Device {
    /// A camera of this colour. For 200 ms of each two seconds it is white, and the microphone beeps.
    pub fn flashing(hertz: f32, colour: &str) -> Self {
        let source = format!("color=c={colour}:s=320x180:r=30,drawbox=c=white:t=fill:enable='lt(mod(t+0.01,2),0.2)'");
        Self { pictures: pictures(&source, 120), ..Self::new(hertz, |n| n % 100 < 10) }
    }

    /// A camera whose pictures are as large as any are shown, and move; nothing is said.
    pub fn huge() -> Self {
        Self { pictures: pictures("testsrc2=s=4096x2304:r=30", 30), ..Self::new(440.0, |_| false) }
    }

    /// A microphone that plays a tone in those packets of 20 ms that are named, by their number of four seconds.
    pub fn new(hertz: f32, sounds: impl Fn(usize) -> bool) -> Self {
        let mut encoder = ruopus::OpusEncoder::new(1);
        let mut frame = |n: usize| {
            let loud = if sounds(n % 200) { 0.3 } else { 0.0 };
            let wave: Vec<f32> = (n * 960..(n + 1) * 960).map(|at| loud * (TAU * hertz * at as f32 / 48_000.0).sin()).collect();
            encoder.encode(&wave, 160).unwrap()
        };
        // The second round: an encoder takes a while to begin.
        let sounds = (0..400).map(&mut frame).skip(200).collect();
        let (sound, picture) = (Playing::new(Kind::Audio, 0), Playing::new(Kind::Video, 1));
        let report_at = Instant::now();
        let (on, known) = Default::default();
        Self { sounds, pictures: Vec::new(), on, known, began: None, sound, picture, report_at, transport_sequence: 0 }
    }
}

impl Role for Device {
    type Tally = ();

    fn due(&self) -> Option<Instant> {
        Some(if self.pictures.is_empty() { self.sound.next } else { self.sound.next.min(self.picture.next) })
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, (): &mut ()) {
        if !self.known.load(Ordering::Relaxed) {
            (self.sound.next, self.picture.next) = (now + Duration::from_millis(5), now + Duration::from_millis(5));
            return;
        }
        let (began, wall) = *self.began.get_or_insert_with(|| {
            (self.sound.next, self.picture.next) = (now, now);
            (now, SystemTime::now().duration_since(UNIX_EPOCH).unwrap())
        });
        let Self { sounds, pictures, on: switch, sound, picture, transport_sequence, .. } = self;
        let on = switch.on.load(Ordering::Relaxed);
        if now >= self.report_at {
            self.report_at = now + Duration::from_millis(500);
            if on {
                sound.stream.report(connection, wall + (sound.next - began), sound.made as u32 * 960);
            }
            picture.stream.report(connection, wall + (picture.next - began), picture.made as u32 * 3_000);
        }
        while sound.next <= now {
            if on {
                let packet = &sounds[sound.made as usize % sounds.len()];
                sound.stream.send(connection, sound.made as u32 * 960, packet, transport_sequence);
                sound.made += 1;
            }
            sound.next += Duration::from_millis(20);
        }
        while !pictures.is_empty() && picture.next <= now {
            let frame = &pictures[picture.made as usize % pictures.len()];
            picture.stream.send(connection, picture.made as u32 * 3_000, frame, transport_sequence);
            picture.made += 1;
            picture.next = began + Duration::from_micros(picture.made * 1_000_000 / 30);
        }
        switch.done.store(on == switch.on.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    fn take(&mut self, _: &Arrived, _: &Connection, _: &mut [u8], (): &mut ()) {}

    fn hear(&mut self, _: Instant, _: &[u8], (): &mut ()) {}
}
