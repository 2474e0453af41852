//! What each crate goes by, from the settings.
//! Invariant: nobody behind this sees the whole `Config`.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use salon_files as files;
use salon_recordings as recordings;
use salon_transcripts as transcripts;

use super::dev::{DEV_ACCOUNT, DEV_APP, DEV_TOKEN};
use super::settings::{Config, Mode};
use super::value::{Secret, TranscriptionEngine};
use salon_doors::host_names::HostNames;
use salon_doors::{page, rest, signaling};
use salon_edge::Network;

/// Connections for requests, beside those that are websockets, unless it is set how many there may be.
const BESIDE_SOCKETS: usize = 4_000;

/// Connections that have sent no whole request, or are idle after one; in all, and of one address. Each may hold 64 KB. Half
/// of all connections and a quarter of them, where these are fewer. More lets more clients keep theirs for the next request.
const WAITING: usize = 2_048;
const WAITING_PER_ADDRESS: usize = 512;

/// How long a client may take nothing of an answer that is there for it.
const STALLED_FOR: Duration = Duration::from_secs(30);

impl Config {
    /// The settings of one session, as core wants them.
    pub fn limits(&self) -> salon_core::limits::Limits {
        salon_core::limits::Limits {
            grace_ms: i64::try_from(self.session.grace_secs.saturating_mul(1_000)).unwrap_or(i64::MAX),
            max_peers: self.limits.peers_per_session,
            max_peers_ever: self.limits.peers_per_session_ever,
            ..salon_core::limits::Limits::default()
        }
    }

    /// Where media of other nodes come in, if any are to.
    pub fn relay(&self) -> Option<SocketAddr> {
        self.cluster.listen.first().copied().filter(|_| self.cluster.spread)
    }

    /// The bounds of the media server.
    pub fn media_limits(&self) -> salon_sfu::Limits {
        let limits = &self.limits;
        salon_sfu::Limits {
            transports: limits.media_transports,
            // Two for each, and two new ones for each whose connections broke.
            transports_per_room: limits.peers_per_session.saturating_mul(4).min(limits.media_transports),
            producers_per_transport: limits.media_tracks_sent,
            consumers_per_transport: limits.media_tracks_received,
            packets_per_second: limits.media_packets_per_second,
            bits_per_second: u64::from(limits.media_kilobits_per_second) * 1_000,
            tcp_connections: self.media.tcp_connections,
            ..salon_sfu::Limits::default()
        }
    }

    /// Connections on the port for HTTP.
    pub fn connections(&self) -> usize {
        match self.http.connections {
            0 => self.limits.sockets + BESIDE_SOCKETS,
            set => set,
        }
    }

    /// How many may be connected to the port for HTTP, and from where.
    pub fn bounds(&self) -> salon_edge::Bounds {
        let (connections, http) = (self.connections(), &self.http);
        salon_edge::Bounds {
            connections,
            per_address: http.connections_per_address,
            waiting: WAITING.min(connections / 2).max(1),
            waiting_per_address: WAITING_PER_ADDRESS.min(connections / 4).max(1),
            proxies: if http.proxies.is_empty() { Network::private() } else { http.proxies.clone() },
        }
    }

    /// How many connections of other nodes there may be: each of their sockets may lead here.
    pub fn bounds_of_nodes(&self) -> salon_edge::Bounds {
        let everywhere = ["0.0.0.0/0", "::/0"].map(|network| network.parse().expect("a network"));
        salon_edge::Bounds { proxies: everywhere.to_vec(), ..self.bounds() }
    }

    /// How long those who are connected may take.
    pub fn patience(&self) -> salon_edge::Patience {
        let secs = Duration::from_secs;
        salon_edge::Patience { head: secs(self.http.head_secs), idle: secs(self.http.idle_secs), stalled: STALLED_FOR }
    }

    /// What the REST door goes by.
    pub fn rest_settings(&self) -> rest::Settings {
        let (limits, files, ice) = (&self.limits, &self.files, &self.ice);
        rest::Settings {
            keep_alive: rest::KeepAlive {
                min_secs: limits.session_keep_alive_min_secs,
                max_secs: limits.session_keep_alive_max_secs,
                default_secs: limits.session_keep_alive_default_secs,
            },
            per_page_max: limits.per_page_max,
            body_bytes: limits.body_bytes,
            requests_per_5_minutes: limits.api_requests_per_5_minutes,
            watchers: rest::Watchers {
                of_node: limits.watchers,
                of_one: limits.watchers_per_meeting,
                of_account: limits.watchers_per_account,
                of_key: limits.watchers_per_key,
            },
            client_reports: self.quality.client_reports,
            files: rest::FileRules {
                file_bytes: files.file_bytes,
                meeting_bytes: files.meeting_bytes,
                types: files.types.clone(),
            },
            ice: rest::Ice {
                urls: ice.urls.clone(),
                login: match (ice.secret.expose(), ice.username.as_str()) {
                    ("", "") => rest::IceLogin::None,
                    ("", username) => {
                        rest::IceLogin::Fixed { username: username.to_owned(), credential: ice.credential.expose().to_owned() }
                    }
                    (secret, _) => rest::IceLogin::Shared(secret.to_owned()),
                },
            },
            scraping: rest::Scraping {
                here: self.metrics.listen.is_empty(),
                token: Some(self.metrics.token.expose().to_owned()).filter(|token| !token.is_empty()),
            },
            hosts: HostNames { names: self.http.hosts.clone(), of_this_machine: self.mode == Mode::Dev },
            public_url: self.http.public_url.clone(),
            dev_token: (self.mode == Mode::Dev).then_some(DEV_TOKEN),
        }
    }

    /// What the websocket door goes by.
    pub fn signaling_settings(&self) -> signaling::Settings {
        let limits = &self.limits;
        signaling::Settings {
            sockets: limits.sockets as u64,
            message_bytes: limits.message_bytes,
            messages_per_second: limits.messages_per_second,
            message_burst: limits.message_burst,
        }
    }

    /// What the page goes by.
    pub fn page_settings(&self) -> page::Settings {
        let dev = page::Dev { account: DEV_ACCOUNT, app: DEV_APP, token: DEV_TOKEN };
        page::Settings { enabled: self.page.enabled, dev: (self.mode == Mode::Dev).then_some(dev) }
    }

    /// Where uploaded files lie, and how long.
    pub fn files_settings(&self) -> files::Settings {
        let settings = &self.files;
        let place = if settings.s3_bucket.is_empty() {
            let folder = &settings.folder;
            files::Place::Folder(if folder.is_empty() { self.data.join("files") } else { PathBuf::from(folder) })
        } else {
            files::Place::S3(files::Bucket {
                name: settings.s3_bucket.clone(),
                endpoint: settings.s3_endpoint.clone(),
                region: settings.s3_region.clone(),
                access_key: settings.s3_access_key.clone(),
                secret_key: settings.s3_secret_key.expose().to_owned(),
            })
        };
        files::Settings { place, uploads_at_once: settings.uploads_at_once, keep_days: settings.keep_days }
    }

    /// How and where recordings are made, by a node that is reached there.
    pub fn recordings_settings(&self, addr: SocketAddr, ingest: Option<SocketAddr>) -> recordings::Settings {
        let settings = &self.recording;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        recordings::Settings {
            folder: self.recordings_folder(),
            program: self.recorder(),
            ffmpeg: recordings::find_program(settings.ffmpeg.as_ref()),
            has_vpx: recordings::has_library("libvpx.so."),
            workers_only: settings.workers_only && self.mode != Mode::Worker,
            max_jobs: if settings.max_jobs == 0 { cores * 2 } else { settings.max_jobs },
            keep_days: self.retention.recordings_days,
            storage_hosts: settings.storage_hosts.clone(),
            dvr_ms: u64::from(self.livestreams.dvr_minutes) * 60_000,
            kept_ms: i64::from(self.livestreams.kept_minutes) * 60_000,
            public: self.public_address(addr),
            stops_within: Duration::from_millis(settings.stops_within_ms),
            server: local_address(addr),
            open_networks: self.open_networks().iter().map(ToString::to_string).collect(),
            ingest_server: ingest.map(|at| self.ingest_server(addr, at)),
            ingest_streams: self.livestreams.ingest_streams,
            ingest_kilobits: self.livestreams.ingest_kilobits,
        }
    }

    /// What those are told who stream to a node that is reached there, and takes streams there.
    fn ingest_server(&self, addr: SocketAddr, at: SocketAddr) -> String {
        let set = &self.livestreams.ingest_url;
        if !set.is_empty() {
            return set.clone();
        }
        let is_public = !self.http.public_url.is_empty() || !self.http.hosts.is_empty();
        if !is_public && !at.ip().is_unspecified() {
            return format!("rtmp://{at}/live");
        }
        let public = self.public_address(addr);
        let place = public.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
        // Without its port; addresses of IPv6 are in brackets.
        let host = match place.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => place,
        };
        format!("rtmp://{host}:{}/live", at.port())
    }

    /// How what people say is written down, by a node that is reached there.
    ///
    /// # Errors
    /// If the system has no certificates to trust, or the like.
    pub fn transcripts_settings(&self, addr: SocketAddr) -> anyhow::Result<transcripts::Settings> {
        let (settings, summary) = (&self.transcription, &self.summary);
        let service = |url: &str, key: &Secret, model: &str| transcripts::Service::new(url, key.expose(), model);
        let engine = match settings.engine {
            TranscriptionEngine::None => None,
            TranscriptionEngine::Command => Some(transcripts::Engine::Command(settings.command.clone())),
            TranscriptionEngine::Http => Some(transcripts::Engine::Http(service(&settings.url, &settings.key, &settings.model)?)),
        };
        let summaries = (!summary.url.is_empty()).then(|| service(&summary.url, &summary.key, &summary.model));
        Ok(transcripts::Settings {
            engine,
            summaries: summaries.transpose()?,
            max_sessions: settings.max_sessions,
            at_once: settings.at_once,
            // Beside those of recordings, whose names are ids.
            folder: self.recordings_folder().join("transcripts"),
            program: self.recorder(),
            keep_days: self.retention.transcript_days,
            server: local_address(addr),
        })
    }

    /// What is wrong with who writes, as far as can be seen.
    pub fn missing_engine(&self) -> Option<String> {
        let engine = transcripts::Engine::Command(self.transcription.command.clone());
        let missing = transcripts::is_missing(&engine).filter(|_| self.transcription.engine == TranscriptionEngine::Command)?;
        Some(format!(
            "the program of transcription.command is not there: {missing}. Nothing is written down until it is; what is said \
             meanwhile is kept and tried again for some minutes"
        ))
    }

    /// Where recordings, livestreams and what is yet to be written down lie.
    pub fn recordings_folder(&self) -> PathBuf {
        let folder = &self.recording.folder;
        if folder.is_empty() { self.data.join("recordings") } else { PathBuf::from(folder) }
    }

    /// What is started to hear and see what goes on in a session.
    fn recorder(&self) -> Vec<OsString> {
        if !self.recording.program.is_empty() {
            return self.recording.program.clone();
        }
        // One that came back after a failed upgrade has no path any more.
        let path = std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or_else(|| "/proc/self/exe".into());
        vec![path.into(), "recorder".into()]
    }

    /// Where those who are told of it find what this node hands out, by default.
    pub fn public_address(&self, addr: SocketAddr) -> String {
        match (self.http.public_url.as_str(), self.http.hosts.first()) {
            ("", None) => format!("http://{addr}"),
            ("", Some(host)) => format!("https://{host}"),
            (url, _) => url.to_owned(),
        }
    }

    /// Private networks that webhooks and receivers of streams may be in: those of the settings, and this computer while developing.
    pub fn open_networks(&self) -> Vec<Network> {
        let here = if self.mode == Mode::Dev { Network::loopback().to_vec() } else { Vec::new() };
        here.into_iter().chain(self.webhooks.allow.iter().copied()).collect()
    }

    /// The database meant, for people: without the password.
    pub fn database_shown(&self) -> String {
        if self.database.url.is_empty() { self.database_url() } else { self.database.url.masked() }
    }

    /// The database meant: `database.url`, or the SQLite file in `data`. Holds the password; not for logs.
    pub fn database_url(&self) -> String {
        if self.database.url.is_empty() {
            format!("sqlite:{}", self.data.join("salon.db").display())
        } else {
            self.database.url.as_str().to_owned()
        }
    }
}

/// Where programs of this computer reach a node that listens there.
fn local_address(addr: SocketAddr) -> String {
    // A node that listens everywhere listens here too.
    let here = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(here, addr.port()))
}
