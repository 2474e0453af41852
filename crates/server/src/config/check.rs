//! What a value must be beyond its type, and what settings demand of each other.
//! Invariant: a message says what is expected; which setting and source it speaks of is added by `load.rs`.

use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};

use tracing_subscriber::EnvFilter;

use super::table::Expected;
use super::value::DatabaseUrl;
use super::{Config, ConfigError, Mode, Origins};
use crate::listener::browsers_take;

/// Both ends included.
pub(super) fn within<T: PartialOrd + Copy + Display>(least: T, most: T) -> impl Fn(&T) -> Result<(), Expected> {
    move |value| expect((least..=most).contains(value), || format!("a whole number from {least} to {most}"))
}

pub(super) fn node_name(name: &str) -> Result<(), Expected> {
    let fits = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    expect(fits, || "at most 64 letters, digits, '-', '_' or '.'".to_owned())
}

pub(super) fn store_url(url: &DatabaseUrl) -> Result<(), Expected> {
    let known = ["postgres://", "postgresql://", "sqlite:"].iter().any(|scheme| url.as_str().starts_with(scheme));
    expect(known || url.is_empty(), || {
        "empty, postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH (what was given is not repeated here: it may hold a \
         password)"
            .to_owned()
    })
}

pub(super) fn reachable(addresses: &[IpAddr]) -> Result<(), Expected> {
    let all = addresses.iter().all(|address| !address.is_unspecified() && !address.is_multicast());
    expect(all, || "addresses that clients can send to; 0.0.0.0 and :: are none".to_owned())
}

pub(super) fn connectable(addresses: &[SocketAddr]) -> Result<(), Expected> {
    let ips: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    let all = reachable(&ips).is_ok() && addresses.iter().all(|address| browsers_take(*address));
    expect(all, || {
        "addresses that browsers connect to, on ports from 1024 on, or 80 or 443 if the address is a public one".to_owned()
    })
}

pub(super) fn ice_url(urls: &[String]) -> Result<(), Expected> {
    let schemes = ["stun:", "stuns:", "turn:", "turns:"];
    let all = urls.iter().all(|url| schemes.iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)));
    expect(all, || "a list in which each item begins with stun:, stuns:, turn: or turns:".to_owned())
}

pub(super) fn host(hosts: &[String]) -> Result<(), Expected> {
    let plain = |name: &String| {
        let dotted = name.split('.').all(|part| !part.is_empty());
        dotted && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    expect(hosts.iter().all(plain), || "a list of host names such as meet.example.org, without port or path".to_owned())
}

/// Where something is on the web, without path; or nothing.
pub(super) fn web_url(url: &str) -> Result<(), Expected> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    expect(url.is_empty() || host.is_some_and(plain), || {
        "empty, or an address such as https://api.meet.example.org, without path".to_owned()
    })
}

pub(super) fn content_types(types: &[String]) -> Result<(), Expected> {
    let known = |kind: &String| kind.strip_suffix("/*").map_or_else(|| is_content_type(kind), is_token);
    expect(types.iter().all(known), || "a list of content types such as image/* or application/pdf".to_owned())
}

/// Whether this is a content type, without parameters.
pub(crate) fn is_content_type(kind: &str) -> bool {
    kind.split_once('/').is_some_and(|(top, sub)| is_token(top) && is_token(sub))
}

/// RFC 6838.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
}

pub(super) fn filter(level: &str) -> Result<(), Expected> {
    let known = !level.trim().is_empty() && EnvFilter::builder().parse(level).is_ok();
    expect(known, || "error, warn, info, debug, trace or off, also by module, as in info,salon_server::rest=debug".to_owned())
}

fn expect(holds: bool, expected: impl FnOnce() -> Expected) -> Result<(), Expected> {
    if holds { Ok(()) } else { Err(expected()) }
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

    if files.s3_access_key.is_empty() != files.s3_secret_key.is_empty() {
        errors.push(ConfigError("files.s3_access_key and files.s3_secret_key must be set together, or neither".to_owned()));
    }
    if files.s3_bucket.is_empty() && !(files.s3_endpoint.is_empty() && files.s3_access_key.is_empty()) {
        errors.push(ConfigError("files.s3_bucket must be set too: without it, files go to a folder and not to S3".to_owned()));
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

    let turn = config.ice.urls.iter().any(|url| url.starts_with("turn"));
    if turn && (config.ice.username.is_empty() || config.ice.credential.is_empty()) {
        errors.push(ConfigError(format!(
            "ice.urls names a TURN server ({}), so ice.username and ice.credential must be set: clients refuse one without",
            origins.of("ice.urls"),
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
