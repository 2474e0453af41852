//! What settings demand of each other.

use super::mistakes::{ConfigError, Origins};
use super::settings::{Config, Mode};
use super::value::TranscriptionEngine;

impl Config {
    /// What is allowed, and a mistake in many places: for the log of a server that starts, and `salon check-config`.
    pub fn advice(&self) -> Vec<&'static str> {
        let mut advice = Vec::new();
        if self.mode == Mode::Serve && self.http.public_url.is_empty() {
            advice.push(
                "http.public_url is not set, so links begin as X-Forwarded-Proto says: if the proxy with TLS does not send that \
                 header, they begin with http://, and nobody can send files in chat. Set http.public_url, as in \
                 \"https://api.meet.example.org\", or have the proxy send it",
            );
        }
        if self.database_url().starts_with("postgres") && self.cluster.listen.is_empty() {
            advice.push(
                "cluster.listen is not set, so other nodes on the same Postgres cannot pass on what came to them and is this \
                 node's: set it if there are others",
            );
        }
        if !self.cluster.nats_url.is_empty() && !self.database_url().starts_with("postgres") {
            advice
                .push("cluster.nats_url is set, but the database is SQLite, which no other node shares: nobody is told anything");
        }
        if self.summary.url.is_empty() || self.transcription.engine != TranscriptionEngine::None {
            return advice;
        }
        advice.push("summary.url is set, but transcription.engine is none: nothing is written down that could be summed up");
        advice
    }
}

/// What no setting can be judged on alone. `origins` tells whom to blame.
pub(super) fn together(config: &Config, origins: &Origins) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    let mut order = |low_key: &'static str, low: u64, high_key: &'static str, high: u64| {
        if low > high {
            errors.push(ConfigError(format!(
                "{low_key} is {low} ({}), but {high_key} is {high} ({}): raise {high_key} or lower {low_key}",
                origins.of(low_key),
                origins.of(high_key),
            )));
        }
    };
    let limits = &config.limits;
    let (least, usual, most) = (
        limits.session_keep_alive_min_secs.into(),
        limits.session_keep_alive_default_secs.into(),
        limits.session_keep_alive_max_secs.into(),
    );
    order("limits.session_keep_alive_min_secs", least, "limits.session_keep_alive_default_secs", usual);
    order("limits.session_keep_alive_default_secs", usual, "limits.session_keep_alive_max_secs", most);
    if least <= usual || usual <= most {
        // Otherwise said already, in two steps.
        order("limits.session_keep_alive_min_secs", least, "limits.session_keep_alive_max_secs", most);
    }
    order(
        "limits.peers_per_session",
        limits.peers_per_session as u64,
        "limits.peers_per_session_ever",
        limits.peers_per_session_ever as u64,
    );
    order("limits.messages_per_second", limits.messages_per_second.into(), "limits.message_burst", limits.message_burst.into());
    let files = &config.files;
    order("files.file_bytes", files.file_bytes, "files.meeting_bytes", files.meeting_bytes);

    if config.cluster.advertise.is_empty()
        && let Some(listen) = config.cluster.listen.iter().find(|listen| listen.ip().is_unspecified())
    {
        errors.push(ConfigError(format!(
            "cluster.listen is {listen} ({}), which is no address that other nodes can connect to: set cluster.advertise",
            origins.of("cluster.listen"),
        )));
    }
    let needed = limits.peers_per_session.saturating_mul(2);
    if limits.media_transports < needed {
        errors.push(ConfigError(format!(
            "limits.media_transports is {} ({}), but each of limits.peers_per_session, {} ({}), needs two: raise \
             limits.media_transports to {needed} or lower limits.peers_per_session",
            limits.media_transports,
            origins.of("limits.media_transports"),
            limits.peers_per_session,
            origins.of("limits.peers_per_session"),
        )));
    }

    let connections = config.connections();
    if connections <= limits.sockets {
        errors.push(ConfigError(format!(
            "http.connections is {connections} ({}), but limits.sockets is {} ({}), and requests need connections too: raise \
             http.connections or lower limits.sockets",
            origins.of("http.connections"),
            limits.sockets,
            origins.of("limits.sockets"),
        )));
    }

    if files.s3_access_key.is_empty() != files.s3_secret_key.is_empty() {
        errors.push(ConfigError("files.s3_access_key and files.s3_secret_key must be set together, or neither".to_owned()));
    }
    if files.s3_bucket.is_empty() && !(files.s3_endpoint.is_empty() && files.s3_access_key.is_empty()) {
        errors.push(ConfigError("files.s3_bucket must be set too: without it, files go to a folder and not to S3".to_owned()));
    }

    let transcription = &config.transcription;
    let missing = match transcription.engine {
        TranscriptionEngine::Command => Some(("transcription.command", transcription.command.is_empty())),
        TranscriptionEngine::Http => Some(("transcription.url", transcription.url.is_empty())),
        TranscriptionEngine::None => None,
    };
    if let Some((key, true)) = missing {
        errors.push(ConfigError(format!(
            "transcription.engine is {:?} ({}), so {key} must be set",
            format!("{:?}", transcription.engine).to_lowercase(),
            origins.of("transcription.engine"),
        )));
    }

    let media = &config.media;
    for (key, is_empty) in
        [("media.tcp_listen", media.tcp_listen.is_empty()), ("media.tcp_announce", media.tcp_announce.is_empty())]
    {
        if !media.tcp && !is_empty {
            errors.push(ConfigError(format!(
                "media.tcp is false ({}), but {key} is set ({}): set one of them only",
                origins.of("media.tcp"),
                origins.of(key),
            )));
        }
    }

    let ice = &config.ice;
    let fixed = !(ice.username.is_empty() || ice.credential.is_empty());
    if ice.urls.iter().any(|url| url.starts_with("turn")) && ice.secret.is_empty() && !fixed {
        errors.push(ConfigError(format!(
            "ice.urls names a TURN server ({}), so ice.secret, or ice.username and ice.credential, must be set: clients refuse \
             one without",
            origins.of("ice.urls"),
        )));
    }
    let has_login = !ice.username.is_empty() || !ice.credential.is_empty();
    if has_login && !ice.secret.is_empty() {
        errors.push(ConfigError(format!(
            "ice.secret is set ({}), and so is ice.username or ice.credential: set one or the other, as the TURN server has it",
            origins.of("ice.secret"),
        )));
    }
    if config.mode == Mode::Serve && config.http.hosts.is_empty() && config.http.public_url.is_empty() {
        errors.push(ConfigError(
            "http.hosts or http.public_url must be set, as in `--set http.hosts=meet.example.org`: without, whoever calls \
             `salon serve` by some name would decide where the links lead that it hands out"
                .to_owned(),
        ));
    }
    let is_shared = config.database_url().starts_with("postgres");
    if config.mode == Mode::Worker && !is_shared {
        errors.push(ConfigError(format!(
            "database.url is {} ({}), but a worker shares the PostgreSQL of the nodes whose meetings it records: set it as theirs is",
            config.database_shown(),
            origins.of("database.url"),
        )));
    }
    if config.mode == Mode::Worker && config.cluster.listen.is_empty() {
        errors.push(ConfigError(
            "cluster.listen must be set, as in `--set cluster.listen=10.0.0.5:8790`: there a worker is asked by nodes for what \
             is watched"
                .to_owned(),
        ));
    }
    if config.mode == Mode::Serve && config.recording.workers_only && !is_shared {
        errors.push(ConfigError(format!(
            "recording.workers_only is true ({}), but the database is SQLite, which no worker shares: nothing would ever be recorded",
            origins.of("recording.workers_only"),
        )));
    }
    if config.mode == Mode::Dev && !config.listen.ip().is_loopback() {
        errors.push(ConfigError(format!(
            "listen is {} ({}), but `salon dev` serves this computer only, because everybody knows its token: use \
             127.0.0.1:{}, or `salon serve` for others",
            config.listen,
            origins.of("listen"),
            config.listen.port(),
        )));
    }
    errors
}
