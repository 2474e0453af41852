//! One guest against a running server: it takes all it can, while people of another meeting join, talk and upload.
//! What these notice is measured undisturbed and under attack; `scripts/attack --help` says how to read it.
//! Invariant: the attacker has one token, of a `webinar_viewer`; what it does with it no client would.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use salon_peer::reception::Reception;
use salon_peer::rtp::{self, Outgoing};
use salon_peer::sdp::{Kind, PLACEHOLDERS};
use salon_peer::signaling::Signaling;
use salon_peer::wall_clock;
use salon_peer::{Arrived, Connection, Identity, Invite, Line, Media, Peer, Role, Way};
use salon_wire::event_id::{media, room};
use salon_wire::signaling::media::{CreateTransportRequest, SessionDescription, edge};
use salon_wire::signaling::socket::room as wire;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than anything should take, attack or not.
const PATIENCE: Duration = Duration::from_secs(20);

/// A voice: a packet each 20 ms.
const PACKET_EVERY: Duration = Duration::from_millis(20);

/// What people of the other meeting upload, in bytes.
const UPLOAD: usize = 1 << 20;

#[derive(Parser, Clone)]
#[command(about = "One guest's token against a running server, and what another meeting notices of it")]
struct Args {
    /// The server, as HOST:PORT.
    #[arg(default_value = "127.0.0.1:8787")]
    server: String,
    #[arg(long, default_value = "dev")]
    account: String,
    #[arg(long, default_value = "dev")]
    app: String,
    /// The API token that makes meetings.
    #[arg(long, default_value = "dev-token")]
    token: String,
    /// How long to measure, each time.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many times as long things may take under attack.
    #[arg(long, default_value_t = 1.2)]
    margin: f64,
    /// Differences of so many milliseconds do not count, whatever their ratio: that is how exact this is.
    #[arg(long, default_value_t = 2.0)]
    noise_ms: f64,
    /// Attack in these ways only, with commas between: transports, joins, loops, sockets, requests, heads, uploads. None: all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let quiet = measured(&args).await.context("undisturbed")?;
    let mallory = guest(&args).await?;
    let done = Arc::new(Done::default());
    let (over, is_over) = oneshot::channel::<()>();
    // On a thread of its own, which leaves a shared processor to the others: who measures does not wait for who attacks.
    let attacker = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let attacker = std::thread::Builder::new().name("attacker".to_owned()).spawn({
        let (args, done) = (args.clone(), done.clone());
        move || {
            // SAFETY: a plain call; on Linux it is about the calling thread alone (setpriority(2)).
            unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 19) };
            attacker.block_on(async {
                tokio::select! {
                    _ = is_over => Ok(()),
                    ended = attack(&args, &mallory, &done) => ended,
                }
            })
        }
    })?;
    let attacked = measured(&args).await.context("under attack")?;
    let _ = over.send(());
    attacker.join().ok().context("the attacker panicked")?.context("the attack ended")?;
    println!("what was done with one token, and how often the server took it:");
    for (what, (tried, taken)) in done.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).iter() {
        println!("  {what:<12} {tried:>8} tried {taken:>8} taken");
    }
    println!("{:<22} {:>12} {:>12} {:>7}", "median of", "undisturbed", "attacked", "ratio");
    let mut held = true;
    for ((what, before), (_, under)) in quiet.rows().into_iter().zip(attacked.rows()) {
        let ratio = under / before.max(0.001);
        let fine = ratio <= args.margin || under - before <= args.noise_ms;
        held &= fine;
        println!("{what:<22} {before:>9.1} ms {under:>9.1} ms {ratio:>6.2}x{}", if fine { "" } else { "  too much" });
    }
    for (figures, when) in [(&quiet, "undisturbed"), (&attacked, "attacked")] {
        let Figures { failed, sent, heard, .. } = figures;
        println!("{when}: {failed} failed, {heard} of {sent} packets heard");
        // What was under way when a round ended is not heard.
        held &= *failed == 0 && *heard as f64 >= 0.98 * *sent as f64;
    }
    if !held {
        println!("one guest took more of the server than another meeting can spare");
        std::process::exit(1);
    }
    Ok(())
}

// --- what people notice ---

#[derive(Default)]
struct Figures {
    joins: Vec<f64>,
    voices: Vec<f64>,
    uploads: Vec<f64>,
    requests: Vec<f64>,
    failed: u64,
    sent: u64,
    heard: u64,
}

impl Figures {
    fn rows(&self) -> [(&'static str, f64); 5] {
        [
            ("a join with media", quantile(&self.joins, 0.5)),
            ("a voice on its way", quantile(&self.voices, 0.5)),
            ("the same, 95 of 100", quantile(&self.voices, 0.95)),
            ("an upload of 1 MiB", quantile(&self.uploads, 0.5)),
            ("a REST request", quantile(&self.requests, 0.5)),
        ]
    }
}

fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len().saturating_sub(1) as f64 * share) as usize).copied().unwrap_or(f64::INFINITY)
}

/// Has people meet, talk and upload, round after round.
async fn measured(args: &Args) -> anyhow::Result<Figures> {
    let until = Instant::now() + Duration::from_secs(args.seconds);
    let mut figures = Figures::default();
    while Instant::now() < until {
        match timeout(PATIENCE, meet(args, &mut figures)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                eprintln!("somebody could not: {error:#}");
                figures.failed += 1;
            }
            Err(_) => {
                eprintln!("somebody waited for {} s", PATIENCE.as_secs());
                figures.failed += 1;
            }
        }
    }
    Ok(figures)
}

/// Two people join a meeting of their own, hear each other for two seconds, and upload a file.
async fn meet(args: &Args, figures: &mut Figures) -> anyhow::Result<()> {
    let began = Instant::now();
    let meeting = made(args, "/meetings", json!({ "title": "Other people" })).await?;
    let meeting = text(&meeting, "id")?;
    figures.requests.push(ms(began));
    let (ada, bob) =
        (person(args, &meeting, "ada", "group_call_host").await?, person(args, &meeting, "bob", "group_call_host").await?);
    let identity = Identity::new()?;
    let media: Media<Voice> = Media::start("people", Line::default())?;

    let began = Instant::now();
    let speaker = Peer::open(&args.server, ada.clone()).await?;
    let (sending, connection) = speaker.connect(&identity, Way::Sending).await?;
    let (start, starts) = oneshot::channel();
    let connected = media.carry(connection, Voice::Speaks(Speaker::new(starts)))?;
    speaker.enter().await?;
    let tracks = speaker.publish(&sending, &[Kind::Audio]).await?;
    connected.await?;
    let listener = Peer::open(&args.server, bob).await?;
    let (receiving, connection) = listener.connect(&identity, Way::Receiving).await?;
    let connected = media.carry(connection, Voice::Hears(Reception::new(Instant::now(), 7)))?;
    listener.enter().await?;
    listener.take(&receiving, &tracks).await?;
    connected.await?;
    figures.joins.push(ms(began));

    // What comes before both are ready is not counted.
    let _ = start.send(());
    tokio::time::sleep(Duration::from_millis(300)).await;
    media.take().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let tally = media.take().await?.tally;
    figures.sent += tally.sent;
    figures.heard += tally.late_ms.len() as u64;
    figures.voices.extend(tally.late_ms);

    let began = Instant::now();
    let allowed = ask_upload(args, &ada).await?;
    upload(args, &allowed, &vec![7; UPLOAD]).await?;
    figures.uploads.push(ms(began));
    Ok(())
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1_000.0
}

/// Somebody who speaks, or hears.
enum Voice {
    Speaks(Speaker),
    Hears(Reception),
}

struct Speaker {
    starts: Option<oneshot::Receiver<()>>,
    next: Option<Instant>,
    count: u64,
}

impl Speaker {
    fn new(starts: oneshot::Receiver<()>) -> Self {
        Self { starts: Some(starts), next: None, count: 1 }
    }
}

#[derive(Default)]
struct Tally {
    sent: u64,
    late_ms: Vec<f64>,
}

impl Role for Voice {
    type Tally = Tally;

    fn due(&self) -> Option<Instant> {
        match self {
            Self::Speaks(speaker) => speaker.next,
            Self::Hears(reception) => Some(reception.due()),
        }
    }

    fn act(&mut self, now: Instant, connection: &mut Connection, tally: &mut Tally) {
        let speaker = match self {
            Self::Hears(reception) => return reception.report(now, connection),
            Self::Speaks(speaker) => speaker,
        };
        if speaker.starts.as_mut().is_some_and(|starts| starts.try_recv().is_ok()) {
            (speaker.starts, speaker.next) = (None, Some(now));
        }
        while let Some(next) = speaker.next.filter(|next| *next <= now) {
            let (count, mut packet) = (speaker.count, Vec::with_capacity(200));
            let sequence = count as u16;
            let timestamp = (count * 960) as u32;
            let mid = PLACEHOLDERS.to_string();
            let of =
                Outgoing { video: false, marker: false, sequence, timestamp, ssrc: 77, mid: &mid, transport_sequence: sequence };
            rtp::write_header(&mut packet, of);
            let header = packet.len();
            packet.extend_from_slice(&wall_clock().to_be_bytes());
            packet.resize(header + 80, 0);
            connection.send_rtp(&mut packet, header, 77, count);
            tally.sent += 1;
            speaker.count += 1;
            speaker.next = Some(next + PACKET_EVERY);
        }
    }

    fn take(&mut self, arrived: &Arrived, connection: &Connection, packet: &mut [u8], tally: &mut Tally) {
        let Self::Hears(reception) = self else { return };
        let Some(header) = rtp::read(packet) else { return };
        let (index, _) = reception.note(&header, arrived.felt);
        let payload = connection.open_rtp(packet, header.length, header.ssrc, index);
        let sent_at = payload.and_then(|payload| payload.first_chunk().copied()).map(u64::from_be_bytes);
        tally.late_ms.extend(sent_at.map(|at| arrived.at.saturating_sub(at) as f64 / 1e6));
    }

    fn hear(&mut self, now: Instant, report: &[u8], _: &mut Tally) {
        if let Self::Hears(reception) = self {
            reception.hear(now, report);
        }
    }
}

// --- what the guest does ---

/// How often something was tried, and how often it was taken.
#[derive(Default)]
struct Done(Mutex<BTreeMap<&'static str, (u64, u64)>>);

impl Done {
    fn note(&self, what: &'static str, taken: bool) {
        let mut all = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (tried, took) = all.entry(what).or_default();
        *tried += 1;
        *took += u64::from(taken);
    }
}

async fn guest(args: &Args) -> anyhow::Result<Invite> {
    let meeting = text(&made(args, "/meetings", json!({ "title": "A webinar" })).await?, "id")?;
    person(args, &meeting, "mallory", "webinar_viewer").await
}

/// All ways at once, until dropped.
async fn attack(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    let wanted = |way: &str| args.only.is_empty() || args.only.iter().any(|only| only == way);
    let never = std::future::pending::<anyhow::Result<()>>;
    tokio::try_join!(
        async { if wanted("transports") { transports(args, mallory, done).await } else { never().await } },
        async { if wanted("joins") { joins(args, mallory, done).await } else { never().await } },
        async { if wanted("loops") { loops(args, mallory, done).await } else { never().await } },
        async { if wanted("sockets") { sockets(args, mallory, done).await } else { never().await } },
        async { if wanted("requests") { requests(args, mallory, done).await } else { never().await } },
        async { if wanted("heads") { heads(args, done).await } else { never().await } },
        async { if wanted("uploads") { uploads(args, mallory, done).await } else { never().await } },
    )
    .map(drop)
}

/// Something is refused: the next try may come soon, as an attacker's would.
async fn breathe() {
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// Media connections of peers that it makes up.
async fn transports(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
        c=IN IP4 0.0.0.0\r\na=ice-ufrag:mall\r\na=ice-pwd:mallorymallorymallorymal\r\na=fingerprint:sha-256 \
        00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00\r\na=setup:actpass\r\n\
        a=mid:0\r\na=sendonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\n";
    loop {
        let Ok(socket) = Signaling::open(&args.server, mallory).await else {
            breathe().await;
            continue;
        };
        for _ in 0..8 {
            let description = Some(SessionDescription { target: 0, r#type: "offer".to_owned(), sdp: OFFER.to_owned() });
            let request = CreateTransportRequest { description, ..CreateTransportRequest::default() };
            done.note("transports", socket.ask::<()>(media::CREATE_WEBRTC_TRANSPORT, &request).await.is_ok());
        }
    }
}

async fn enter(socket: &Signaling, mallory: &Invite) -> bool {
    let peer = wire::Peer { peer_id: socket.peer.clone(), user_id: mallory.participant.clone(), ..wire::Peer::default() };
    let request = wire::JoinRoomRequest { peer: Some(peer), ..wire::JoinRoomRequest::default() };
    socket.ask::<wire::PeerInfoResponse>(room::JOIN_ROOM, &request).await.is_ok()
}

/// Two hundred peers of one person.
async fn joins(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    let mut inside = Vec::new();
    loop {
        let Ok(socket) = Signaling::open(&args.server, mallory).await else {
            breathe().await;
            continue;
        };
        let joined = enter(&socket, mallory).await;
        done.note("joins", joined);
        if joined {
            inside.push(socket);
        }
        if inside.len() >= 200 {
            inside.clear();
        }
        breathe().await;
    }
}

/// In and out, each time as somebody new.
async fn loops(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    loop {
        if let Ok(socket) = Signaling::open(&args.server, mallory).await {
            done.note("in and out", enter(&socket, mallory).await);
        }
        breathe().await;
    }
}

/// Hundreds of websockets that do nothing.
async fn sockets(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    let mut open = Vec::new();
    loop {
        let socket = Signaling::open(&args.server, mallory).await;
        done.note("sockets", socket.is_ok());
        open.extend(socket);
        if open.len() >= 500 {
            open.clear();
        }
        breathe().await;
    }
}

/// Whatever a viewer may ask for, as often as it can.
async fn requests(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    loop {
        let Ok(socket) = Signaling::open(&args.server, mallory).await else {
            breathe().await;
            continue;
        };
        enter(&socket, mallory).await;
        for n in 0..200 {
            let name =
                edge::PeerDisplayNameEditRequest { participant_id: socket.peer.clone(), display_name: format!("Mallory {n}") };
            let asked = tokio::join!(
                timeout(PATIENCE, socket.ask::<()>(media::CHANGE_DISPLAY_NAME, &name)),
                timeout(PATIENCE, socket.ask::<()>(media::SELF_JOIN_COMPLETE, &edge::PeerJoinCompleteRequest {})),
                timeout(Duration::from_millis(20), socket.ask::<()>(room::REQUEST_STAGE_ACCESS, &())),
                timeout(Duration::from_millis(20), socket.ask::<()>(room::CANCEL_STAGE_REQUEST, &())),
            );
            done.note("renames", matches!(asked.0, Ok(Ok(()))));
            done.note("completions", matches!(asked.1, Ok(Ok(()))));
            done.note("the stage", !matches!(asked.2, Ok(Err(_))));
        }
    }
}

/// Requests with long heads that never end, as many as this process may have.
async fn heads(args: &Args, done: &Done) -> anyhow::Result<()> {
    let head = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(30_000));
    let mut open = Vec::new();
    loop {
        let Ok(Ok(mut stream)) = timeout(PATIENCE, TcpStream::connect(&args.server)).await else {
            open.clear();
            continue;
        };
        done.note("half heads", stream.write_all(head.as_bytes()).await.is_ok());
        open.push(stream);
        if open.len() >= 6_000 {
            open.clear();
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// One link thirty-two times at once, a byte each 15 s; without leave to upload, links that it makes up.
async fn uploads(args: &Args, mallory: &Invite, done: &Done) -> anyhow::Result<()> {
    let socket = Signaling::open(&args.server, mallory).await;
    if let Ok(socket) = &socket {
        enter(socket, mallory).await;
    }
    let made_up = "/files/chat/00000000-0000-4000-8000-000000000000/x?expires=1&signature=x".to_owned();
    let link = ask_upload(args, mallory).await.unwrap_or(made_up);
    let mut senders = JoinSet::new();
    loop {
        while senders.len() < 32 {
            let (server, link) = (args.server.clone(), link.clone());
            senders.spawn(async move {
                let mut stream = TcpStream::connect(&server).await?;
                let head = format!("PUT {link} HTTP/1.1\r\nhost: {server}\r\ncontent-length: 1000000\r\n\r\n");
                stream.write_all(head.as_bytes()).await?;
                loop {
                    stream.write_all(b"x").await?;
                    let mut answer = [0; 1];
                    if let Ok(read) = timeout(Duration::from_secs(15), stream.read(&mut answer)).await {
                        read?;
                        return anyhow::Ok(());
                    }
                }
            });
            done.note("slow uploads", true);
        }
        senders.join_next().await;
    }
}

// --- REST ---

async fn made(args: &Args, path: &str, body: Value) -> anyhow::Result<Value> {
    let Args { account, app, token, .. } = args;
    let path = format!("/client/v4/accounts/{account}/realtime/kit/{app}{path}");
    let answer = ask(args, "POST", &path, &format!("authorization: Bearer {token}\r\n"), body.to_string().as_bytes()).await?;
    let answer: Value = serde_json::from_slice(&answer).context("the answer is not JSON")?;
    Ok(answer["data"].clone())
}

async fn person(args: &Args, meeting: &str, name: &str, preset: &str) -> anyhow::Result<Invite> {
    let body = json!({ "name": name, "preset_name": preset, "custom_participant_id": name });
    let made = made(args, &format!("/meetings/{meeting}/participants"), body).await?;
    Ok(Invite { meeting: meeting.to_owned(), participant: text(&made, "id")?, token: text(&made, "token")? })
}

/// The path of a link to upload one file to.
async fn ask_upload(args: &Args, invite: &Invite) -> anyhow::Result<String> {
    let body = json!({ "roomUUID": invite.meeting, "filename": "a.bin" }).to_string();
    let who = format!("authorization: Bearer {}\r\n", invite.token);
    let answer = ask(args, "POST", "/v2/meetings/chat-upload", &who, body.as_bytes()).await?;
    let answer: Value = serde_json::from_slice(&answer).context("the answer is not JSON")?;
    let link = text(&answer["data"], "put_location")?;
    let path = link.split_once("://").and_then(|(_, rest)| Some(rest.split_once('/')?.1)).context("a link is an address")?;
    Ok(format!("/{path}"))
}

async fn upload(args: &Args, link: &str, bytes: &[u8]) -> anyhow::Result<()> {
    ask(args, "PUT", link, "", bytes).await.map(drop)
}

/// The body of the answer to a request.
async fn ask(args: &Args, method: &str, path: &str, headers: &str, body: &[u8]) -> anyhow::Result<Vec<u8>> {
    let server = &args.server;
    let mut stream = TcpStream::connect(server).await.with_context(|| format!("cannot reach {server}"))?;
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n{headers}content-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("the answer is not HTTP")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let body = answer.split_off(end + 4);
    let status = head.split_ascii_whitespace().nth(1).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("{method} is answered {status}: {}", String::from_utf8_lossy(&body).trim());
    }
    Ok(body)
}

fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    Ok(value[name].as_str().with_context(|| format!("the answer has no {name}"))?.to_owned())
}
