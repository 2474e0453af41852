//! The one table from which the settings, their defaults, `salon.example.toml` and the reading of sources come.
//! Next: `table.rs`, what a row can say; `parts.rs`, which crate gets which settings.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use salon_edge::Network;

use super::check::{
    at_most_one, connectable, content_types, host, host_and_port, ice_url, log_levels, nats_url, node_name, reachable,
    service_url, store_url, stream_url, web_url, within,
};
use super::table;
use super::value::{LogFormat, LoginUrl, Secret, TranscriptionEngine};

/// How this process was started. Not a setting: no file can turn a server into a playground.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// `salon dev`: a ready-made account with a known token, no request limit, this computer only.
    Dev,
    /// `salon serve`.
    Serve,
    /// `salon recorder --worker`: a node that begins no sessions, and records those of others.
    Worker,
    /// A command beside a server, which reads its settings and serves nobody.
    #[default]
    Beside,
}

/// A row of the table.
pub type Setting = table::Setting<Config>;

impl Setting {
    /// The setting with this key.
    pub fn find(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }
}

table::settings! {
    root {
        /// Where REST, signaling and the page are served, as ADDRESS:PORT. Port 0 picks a free one.
        /// Put a proxy with TLS in front before listening beyond this computer.
        listen: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);
        /// The folder for everything this node keeps on disk, from where Salon is started. Made if it is missing.
        data: PathBuf = PathBuf::from("./salon-data");
        + {
            /// How this process was started.
            mode: Mode = Mode::default();
        }
    }

    /// This node among others.
    node: Node {
        /// The name of this node: lasting, and its own among all nodes that share a database.
        /// Empty: the name of the host.
        name: String = String::new(), node_name;
    }

    /// How this node and others that share a Postgres talk to each other (docs/nodes.md).
    cluster: Cluster {
        /// Where other nodes reach this one, as ADDRESS:PORT, with what came to them and is this one's. Empty: they do not, and
        /// whoever asks the wrong node is refused. For nodes only: keep it inside a private network, it is not encrypted.
        listen: Vec<SocketAddr> = Vec::new(), at_most_one;
        /// How other nodes reach that, as HOST:PORT. Empty: at the address of `listen`, which must not be 0.0.0.0 then.
        advertise: String = String::new(), host_and_port;
        /// Whether the media of somebody whose socket reached one node and whose meeting is on another may be at the one that the
        /// socket reached, so that a meeting may be larger than what one node carries. Media then go from node to node, sealed, as
        /// UDP to the port of `listen`. Both nodes must be set so. Off: everybody's media are at the node of their meeting.
        spread: bool = false;
        /// A NATS server over which nodes give each other hints, so that they look sooner at what the database says, as
        /// `nats://USER:PASSWORD@HOST:4222`. Without TLS: keep it inside a private network. Empty, or while it is away: all is as
        /// true, and some things are found out seconds later.
        nats_url: LoginUrl = LoginUrl::default(), nats_url;
    }

    /// Where meetings are remembered.
    database: Database {
        /// `postgres://USER:PASSWORD@HOST/NAME`, or `sqlite:PATH`. Empty: the SQLite file `salon.db` in `data`.
        url: LoginUrl = LoginUrl::default(), store_url;
        /// SQLite only: wait for the disk on every commit. Slower, but a power cut then loses nothing; without it,
        /// the last moments before one may be lost. A crash of Salon alone loses nothing either way.
        durable: bool = false;
        /// Connections held to Postgres, or readers of SQLite. More help only while requests wait for the database.
        max_connections: u32 = 8, within(1, 1_000);
    }

    /// Audio and video, over UDP; over TCP for people whose network lets no UDP out.
    media: Media {
        /// The address the UDP ports are bound to. 0.0.0.0 is all of IPv4, :: all of IPv6 as well.
        ip: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        /// The first UDP port for media. Each thread has one: with 4 threads 40000 to 40003 must be reachable, unless
        /// `single_port` is set. 0 picks free ones.
        port: u16 = 40_000;
        /// Threads that media is spread over. 0: one for each core.
        threads: usize = 0, within(0, 64);
        /// All threads share the one port. Linux only. Costs a little more for each packet that comes in, as the kernel
        /// knows no meetings and gives most to another thread than the one it is for.
        single_port: bool = false;
        /// Calls go on when the process dies and is started again within 20 seconds: what media connections are, with their
        /// keys, is kept in memory that outlives it, which only its own user can open: the RUNTIME_DIRECTORY that systemd
        /// gives, else a folder of /dev/shm. Not with port 0. Not yet tried with every browser.
        resume: bool = false;
        /// Media connections of one meeting that stay together on a thread; a person has two. Larger meetings spread
        /// over several threads, which costs a little for each track and thread.
        room_per_thread: usize = 400, within(1, 100_000);
        /// The addresses clients are told to send media to, such as the public one of a host behind NAT.
        /// Empty: those of this host's network interfaces.
        announce: Vec<IpAddr> = Vec::new(), reachable;
        /// Take media over TCP as well. Clients use it where UDP does not get through.
        tcp: bool = true;
        /// Ports of their own for media over TCP, each as ADDRESS:PORT. Empty: the port of `listen` takes it beside HTTP,
        /// which clients can use only if no proxy stands before it.
        tcp_listen: Vec<SocketAddr> = Vec::new();
        /// What clients are told to connect to for media over TCP, each as ADDRESS:PORT. Empty: the ports above on the
        /// addresses of `announce`, but nothing while the port is for this computer only and clients are not. Browsers
        /// take ports from 1024 on, and 80 and 443 on public addresses.
        tcp_announce: Vec<SocketAddr> = Vec::new(), connectable;
        /// Connections for media over TCP at once. A person who needs TCP has two. Each takes an open file of the system's limit.
        tcp_connections: usize = 10_000, within(1, 1_000_000);
        + {
            /// Nobody chose the port, so `salon dev` may take another if it is in use.
            port_is_default: bool = true;
        }
    }

    /// Live sessions.
    session: Session {
        /// How long someone whose connection broke may come back as the same peer, in seconds. Longer keeps ghosts
        /// in the picture, shorter makes people fall out of calls on bad lines. Clients take up to 35 s to notice that
        /// a line has fallen silent and to come back; Salon notices 15 to 20 s after it did.
        grace_secs: u64 = 25, within(0, 3_600);
    }

    /// What is refused, so that no one can use up the node.
    limits: Limits {
        /// The shortest `session_keep_alive_time_in_secs` that a meeting may ask for.
        session_keep_alive_min_secs: u32 = 60, within(0, 86_400);
        /// The longest `session_keep_alive_time_in_secs` that a meeting may ask for.
        session_keep_alive_max_secs: u32 = 600, within(0, 86_400);
        /// How long a session outlives its last peer when the meeting does not say, in seconds.
        session_keep_alive_default_secs: u32 = 60, within(0, 86_400);
        /// Peers connected to one session at once, waiting ones included. Each costs every other a message on joining. One in
        /// ten, 16 at most, is kept for people who may admit or remove others.
        peers_per_session: usize = 2_000, within(1, 100_000);
        /// People one session may remember, gone ones included; somebody who comes again is nobody new. The session's record is
        /// held in memory.
        peers_per_session_ever: usize = 50_000, within(1, 10_000_000);
        /// Websockets open on this node at once. Further ones are refused.
        sockets: usize = 20_000, within(1, 1_000_000);
        /// Websockets of one meeting at once, those of people who have not joined included, so that one token cannot
        /// take all of the node's.
        sockets_per_meeting: usize = 4_000, within(1, 1_000_000);
        /// Streams open on this node at once, by which servers watch meetings and lists. Further ones get 429. Each is one of
        /// `http.connections`.
        watchers: usize = 2_000, within(0, 1_000_000);
        /// Streams of one meeting, or of one app's list of live sessions.
        watchers_per_meeting: usize = 1_000, within(0, 1_000_000);
        /// Streams of one account.
        watchers_per_account: usize = 1_000, within(0, 1_000_000);
        /// Streams that one API key opened, so that one program cannot take all of its account's.
        watchers_per_key: usize = 500, within(0, 1_000_000);
        /// Media connections on this node at once. Each person has two, and for a while four when theirs broke; one costs
        /// about 100 KB. Must be at least twice `peers_per_session`.
        media_transports: usize = 6_000, within(2, 1_000_000);
        /// Tracks that may come in on one media connection at once. The web SDK publishes up to four, on one.
        media_tracks_sent: usize = 16, within(1, 64);
        /// Tracks that may go out on one media connection at once. The web SDK asks for about 70 at most, on one.
        media_tracks_received: usize = 200, within(1, 500);
        /// Packets a second that are taken on one media connection in the long run; as many may come at once. What is
        /// beyond is dropped and counted (`salon_media_drops_total{reason="over_rate"}`), before it costs anything.
        media_packets_per_second: u32 = 10_000, within(100, 1_000_000);
        /// Kilobits a second that are taken on one media connection, likewise. A screen in 4K may take 30,000.
        media_kilobits_per_second: u32 = 100_000, within(100, 10_000_000);
        /// REST requests of one account in 5 minutes, then 429. 0: no limit, as in `salon dev` unless set.
        api_requests_per_5_minutes: u64 = 3_500, within(0, 1_000_000_000);
        /// The largest signaling message, in bytes. It must hold an SDP with every track of a large meeting.
        message_bytes: usize = 256 * 1024, within(16 * 1024, 16 * 1024 * 1024);
        /// Signaling messages one websocket may send in a second, in the long run.
        messages_per_second: u32 = 100, within(1, 100_000);
        /// Signaling messages one websocket may send at once before the rate applies.
        message_burst: u32 = 400, within(1, 1_000_000);
        /// The largest body of a REST request, in bytes.
        body_bytes: usize = 1024 * 1024, within(1024, 256 * 1024 * 1024);
        /// Days for which a participant's token is valid.
        token_days: u32 = 100, within(1, 3_650);
        /// The largest `per_page` of a REST list. More is answered with this many.
        per_page_max: u32 = salon_store::MAX_PAGE, within(25, salon_store::MAX_PAGE);
    }

    /// One STUN or TURN service, told to every client.
    ice: Ice {
        /// Its addresses, such as `turns:turn.example.org?transport=tcp`. Salon itself needs none; TURN helps people whose
        /// network lets out neither UDP nor TCP to the port for media.
        urls: Vec<String> = Vec::new(), ice_url;
        /// The secret that Salon shares with the TURN server (`static-auth-secret` of coturn). Each participant is told a
        /// password of their own, good for a day, and never the secret.
        secret: Secret = Secret::default();
        /// The user name for a TURN server without such a secret.
        username: String = String::new();
        /// The password that belongs to it. Whoever was once in a meeting knows it for good: `secret` is better.
        credential: Secret = Secret::default();
    }

    /// What the HTTP door accepts.
    http: Http {
        /// Host names by which Salon may be called; each stands for its subdomains too, because clients call
        /// `api.NAME` and the like. Others are refused. Empty: any name; `salon dev`: those of this computer.
        hosts: Vec<String> = Vec::new(), host;
        /// The address by which clients reach the API, such as `https://api.meet.example.org`, for the links it hands
        /// out. Empty: the one that each request came to, by its `Host` and `X-Forwarded-Proto`. `salon serve` needs this
        /// or `hosts`, or else whoever calls would decide where links lead.
        public_url: String = String::new(), web_url;
        /// Connections on the port of `listen` at once, websockets among them. When there are so many, those go that are in no
        /// request, of whoever has most. 0: 4,000 more than `limits.sockets`. Each takes an open file of the system's limit.
        connections: usize = 0, within(0, 10_000_000);
        /// The same from one address, which may be a school's; an IPv6 network of 64 bits is an address.
        connections_per_address: usize = 4_000, within(1, 10_000_000);
        /// Addresses and networks of proxies, such as `10.0.0.0/8`: what comes from there may be anybody's, and is not bounded
        /// by its address. Empty: this computer and all private networks.
        proxies: Vec<Network> = Vec::new();
        /// How long the head of a request may take to arrive, in seconds.
        head_secs: u64 = 10, within(1, 600);
        /// How long a connection may be idle between requests, in seconds. Keep it above what a proxy in front has for its own,
        /// or that sends requests on connections that have just been closed.
        idle_secs: u64 = 75, within(1, 3_600);
    }

    /// Files that people upload to the chat.
    files: Files {
        /// The folder they lie in, unless they go to S3. Empty: `files` in `data`. Nodes that share a database must
        /// share this folder too, or use S3.
        folder: String = String::new();
        /// The S3 bucket they lie in. Empty: the folder. Let the bucket drop unfinished multipart uploads after a day.
        s3_bucket: String = String::new();
        /// Where S3 is, if it is not Amazon's, such as `https://s3.example.org`.
        s3_endpoint: String = String::new(), web_url;
        /// The region of the bucket.
        s3_region: String = "us-east-1".to_owned();
        /// Who asks S3. Empty: as the environment says (`AWS_ACCESS_KEY_ID` and the like, or the role of the machine).
        s3_access_key: String = String::new();
        /// The secret that belongs to the access key.
        s3_secret_key: Secret = Secret::default();
        /// The largest file, in bytes. The web SDK gives an upload 8 seconds.
        file_bytes: u64 = 50 * 1024 * 1024, within(1, 5 * 1024 * 1024 * 1024);
        /// All files of one meeting, in bytes; further ones are refused.
        meeting_bytes: u64 = 2 * 1024 * 1024 * 1024, within(1, 1 << 50);
        /// Content types that are taken, such as `image/*` or `application/pdf`. Empty: any. What a browser could run is
        /// handed out as a download of no known type, whatever is set here.
        types: Vec<String> = Vec::new(), content_types;
        /// Uploads received at once on this node. Each may hold 15 MiB in memory on its way to S3.
        uploads_at_once: usize = 32, within(1, 10_000);
        /// Days after which a file is deleted, if its meeting does not have `persist_chat`. 0: never, as the record of
        /// the chat that names it is kept for good too.
        keep_days: u32 = 0, within(0, 36_500);
    }

    /// Recordings: a process for each, and its files (docs/recording.md).
    recording: Recording {
        /// The folder in which recordings lie until they are stored with the files. Empty: `recordings` in `data`. Not one that
        /// other nodes have too.
        folder: String = String::new();
        /// The program that encodes pictures: a name, or a path. Tracks need none.
        ffmpeg: String = "ffmpeg".to_owned();
        /// Recordings of this node at once; others wait for up to 30 seconds. 0: two for each core.
        max_jobs: usize = 0, within(0, 1_000);
        /// Whether this node records and streams nothing itself: workers do (`salon recorder --worker`). What it cannot do itself it
        /// leaves to them in any case.
        workers_only: bool = false;
        /// Hosts of the S3 kind, such as `s3.example.org`, that API callers may have recordings stored on, besides those of
        /// known providers.
        storage_hosts: Vec<String> = Vec::new(), host;
        + {
            /// What is started for each recording; this program if empty.
            program: Vec<OsString> = Vec::new();
            /// How long one that was told to stop may do nothing for its files, in milliseconds. An encoder has half a minute.
            stops_within_ms: u64 = 40_000;
        }
    }

    /// Who writes down what people say (docs/transcripts.md).
    transcription: Transcription {
        /// Who does it: `none`, `command` (a program that is started for each piece of speech) or `http` (a service that answers
        /// as OpenAI's does).
        engine: TranscriptionEngine = TranscriptionEngine::None;
        /// The program and its arguments. It is given a WAV and says lines of JSON.
        command: Vec<String> = Vec::new();
        /// Where the service is, such as `http://127.0.0.1:8000/v1/audio/transcriptions`. It may be in a private network.
        url: String = String::new(), service_url;
        /// What the service wants as `Authorization: Bearer KEY`. Empty: nothing.
        key: Secret = Secret::default();
        /// The model that the service is asked for. Empty: its own choice.
        model: String = "whisper-1".to_owned();
        /// Sessions of this node that are listened to at once, a process each. Further ones are not written down, unless somebody
        /// comes into them when there is room again.
        max_sessions: usize = 100, within(1, 10_000);
        /// Pieces of speech written down at once on this node; others wait for their turn.
        at_once: usize = 2, within(1, 1_000);
    }

    /// Who sums up transcripts (docs/transcripts.md).
    summary: Summary {
        /// A service that answers as OpenAI's chat completions do, such as `http://127.0.0.1:11434/v1/chat/completions`. It may
        /// be in a private network. Empty: there are no summaries.
        url: String = String::new(), service_url;
        /// What it wants as `Authorization: Bearer KEY`. Empty: nothing.
        key: Secret = Secret::default();
        /// The model that it is asked for. Empty: its own choice.
        model: String = String::new();
    }

    /// Livestreams: meetings that are watched by many (docs/livestreams.md).
    livestreams: Livestreams {
        /// Minutes that can be watched back while one goes on. Each takes some 20 MB of `recording.folder`, and a few hundred
        /// bytes each time that somebody's player looks what is new.
        dvr_minutes: u32 = 30, within(1, 1_440);
        /// Minutes for which the same can be watched after its end.
        kept_minutes: u32 = 30, within(1, 10_080);
        /// Where others stream to this node by RTMP, as ADDRESS:PORT: for livestreams with `manual_ingest`, and those of no meeting.
        /// Empty: nobody does. `salon dev` takes 127.0.0.1:1935, or another port if that is taken. It is not encrypted: have a
        /// proxy for TLS in front of it where encoders come over the internet.
        ingest_listen: Vec<SocketAddr> = Vec::new(), at_most_one;
        /// What those who stream are told to stream to, such as `rtmps://live.example.org:443/live`. Empty: `rtmp`, the name of this
        /// server as others reach it, and the port of `ingest_listen`.
        ingest_url: String = String::new(), stream_url;
        /// How many may stream to this node at once, a process each.
        ingest_streams: usize = 32, within(1, 10_000);
        /// Kilobits a second that each may send, in the mean of ten seconds. Who sends more is ended. The most that viewers get.
        ingest_kilobits: u32 = 12_000, within(100, 200_000);
    }

    /// Who is told over HTTP what happens in an app (docs/webhooks.md).
    webhooks: Webhooks {
        /// Private networks that webhooks, watermarks and RTMP addresses may lead into, such as `10.1.0.0/16` or `127.0.0.1`.
        /// Whoever holds an API key, or may record, can have connections made there. `salon dev` opens this computer as well.
        allow: Vec<Network> = Vec::new();
        /// Days after which it is forgotten what webhooks were told.
        keep_days: u32 = 30, within(1, 3_650);
    }

    /// For how long what is kept (docs/data.md). Files and what webhooks were told have settings of their own.
    retention: Retention {
        /// Days after its end when a session goes, with its record, its chat and what was measured in it. The last one of a
        /// meeting with `persist_chat` stays. 0: never.
        sessions_days: u32 = 0, within(0, 36_500);
        /// Days after its end when what was said in a session goes: its messages, not its people, polls and shared stores. The last
        /// one of a meeting with `persist_chat` keeps it. Files go by `files.keep_days`. 0: with the session.
        chat_days: u32 = 0, within(0, 36_500);
        /// Days after which what was measured in calls goes; the sessions themselves stay. 0: never.
        quality_days: u32 = 0, within(0, 36_500);
        /// Days after which it is forgotten who came to a meeting and was not let straight in, and why. 0: never.
        entrance_days: u32 = 30, within(0, 36_500);
        /// Days after which the files of a recording go, and the links to them.
        recordings_days: u32 = 7, within(1, 36_500);
        /// Days after which a transcript goes, with its summary and the links to both.
        transcript_days: u32 = 7, within(1, 36_500);
    }

    /// What is kept of how calls were (docs/quality.md).
    quality: Quality {
        /// Keep a few events that clients tell of themselves, such as that a browser refused the microphone, to explain with
        /// why somebody could not be heard. Never figures, addresses, or names of devices.
        client_reports: bool = true;
    }

    /// What is logged, to standard error.
    log: Log {
        /// A level of Salon (error, warn, info, debug, trace or off), or levels by its modules, as in
        /// `info,salon_doors::rest=debug`. Libraries tell warnings and errors only.
        level: String = "info".to_owned(), log_levels;
        /// `text` for people, `json` for machines: an object a line.
        format: LogFormat = LogFormat::Text;
    }

    /// What Prometheus reads at `/metrics`: counts and times of the whole node, no names.
    metrics: Metrics {
        /// Where it reads, each as ADDRESS:PORT, instead of on the port of `listen`. Empty: there.
        listen: Vec<SocketAddr> = Vec::new();
        /// What it must send as `Authorization: Bearer TOKEN`. Empty: nothing.
        token: Secret = Secret::default();
    }

    /// The meeting page.
    page: Page {
        /// Serve the page. Without it, REST and signaling remain.
        enabled: bool = true;
    }
}

impl Config {
    /// Fills in what is worked out from other things.
    pub(super) fn resolve(&mut self) {
        if self.node.name.is_empty() {
            self.node.name = host_name().unwrap_or_else(|| "salon".to_owned());
        }
    }
}

/// The name of this computer, if it can be a node's.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::env::var("HOSTNAME")).ok()?;
    let name = name.trim().to_owned();
    (!name.is_empty() && node_name(&name).is_ok()).then_some(name)
}
