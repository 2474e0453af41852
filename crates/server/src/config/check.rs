//! What a value must be beyond its type.
//! Invariant: a message says what is expected; which setting and source it speaks of is added by `load.rs`.

use std::fmt::{Debug, Display};
use std::net::{IpAddr, SocketAddr};

use salon_edge::browsers_take;

use super::levels::levels;
use super::value::Expected;
use super::value::LoginUrl;
use salon_doors::content_type::{is_content_type, is_token};

/// Both ends included.
pub(super) fn within<T: PartialOrd + Copy + Display>(least: T, most: T) -> impl Fn(&T) -> Result<(), Expected> {
    move |value| expect((least..=most).contains(value), || format!("a whole number from {least} to {most}"))
}

pub(super) fn node_name(name: &str) -> Result<(), Expected> {
    let fits = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    expect(fits, || "at most 64 letters, digits, '-', '_' or '.'".to_owned())
}

pub(super) fn store_url(url: &LoginUrl) -> Result<(), Expected> {
    let known = ["postgres://", "postgresql://", "sqlite:"].iter().any(|scheme| url.as_str().starts_with(scheme));
    expect(known || url.is_empty(), || {
        "empty, postgres://USER:PASSWORD@HOST/NAME or sqlite:PATH (what was given is not repeated here: it may hold a \
         password)"
            .to_owned()
    })
}

pub(super) fn nats_url(url: &LoginUrl) -> Result<(), Expected> {
    expect(url.is_empty() || salon_cluster::is_nats(url.as_str()), || {
        "empty, nats://HOST:PORT, nats://USER:PASSWORD@HOST:PORT or nats://:TOKEN@HOST:PORT (what was given is not repeated \
         here: it may hold a password)"
            .to_owned()
    })
}

pub(super) fn reachable(addresses: &[IpAddr]) -> Result<(), Expected> {
    each(addresses, |address| !address.is_unspecified() && !address.is_multicast(), "addresses that clients can send to")
}

pub(super) fn at_most_one(addresses: &[SocketAddr]) -> Result<(), Expected> {
    expect(addresses.len() <= 1, || "one address, or none".to_owned())
}

pub(super) fn host_and_port(address: &str) -> Result<(), Expected> {
    let fits = |(host, port): (&str, &str)| {
        port.parse::<u16>().is_ok_and(|port| port > 0)
            && !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
    };
    expect(address.is_empty() || address.rsplit_once(':').is_some_and(fits), || {
        "empty, or HOST:PORT as in 10.0.0.4:8790".to_owned()
    })
}

pub(super) fn connectable(addresses: &[SocketAddr]) -> Result<(), Expected> {
    each(
        addresses,
        |address| reachable(&[address.ip()]).is_ok() && browsers_take(*address),
        "addresses that browsers connect to, on ports from 1024 on, or 80 or 443 if the address is a public one",
    )
}

pub(super) fn ice_url(urls: &[String]) -> Result<(), Expected> {
    let schemes = ["stun:", "stuns:", "turn:", "turns:"];
    each(
        urls,
        |url| schemes.iter().any(|scheme| url.len() > scheme.len() && url.starts_with(scheme)),
        "a list of addresses that begin with stun:, stuns:, turn: or turns:",
    )
}

pub(super) fn host(hosts: &[String]) -> Result<(), Expected> {
    let plain = |name: &String| {
        let dotted = name.split('.').all(|part| !part.is_empty());
        dotted && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b))
    };
    each(hosts, plain, "a list of host names such as meet.example.org, without port or path")
}

/// Where something is on the web, without path; or nothing.
pub(super) fn web_url(url: &str) -> Result<(), Expected> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |host: &str| !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    expect(url.is_empty() || host.is_some_and(plain), || {
        "empty, or an address such as https://api.meet.example.org, without path".to_owned()
    })
}

/// Where a service answers, with its path; or nothing.
pub(super) fn stream_url(url: &str) -> Result<(), Expected> {
    // Encoders put the key behind it.
    let fits = url.is_empty() || salon_recorder::Address::read(&format!("{url}/key")).is_ok() && !url.ends_with('/');
    expect(fits, || "empty, or an address such as rtmps://live.example.org/live".to_owned())
}

pub(super) fn service_url(url: &str) -> Result<(), Expected> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let plain = |rest: &str| rest.bytes().all(|b| b.is_ascii_graphic()) && !rest.starts_with('/') && !rest.contains('@');
    expect(url.is_empty() || rest.is_some_and(|rest| !rest.is_empty() && plain(rest)), || {
        "empty, or an address such as http://127.0.0.1:8000/v1/audio/transcriptions, without a login".to_owned()
    })
}

pub(super) fn content_types(types: &[String]) -> Result<(), Expected> {
    let known = |kind: &String| kind.strip_suffix("/*").map_or_else(|| is_content_type(kind), is_token);
    each(types, known, "a list of content types such as image/* or application/pdf")
}

pub(super) fn log_levels(level: &str) -> Result<(), Expected> {
    expect(levels(level).is_some(), || {
        "error, warn, info, debug, trace or off, also by module of Salon, as in info,salon_doors::rest=debug".to_owned()
    })
}

/// Names the first item that is none of those.
fn each<T: Debug>(items: &[T], fits: impl Fn(&T) -> bool, expected: &str) -> Result<(), Expected> {
    match items.iter().find(|item| !fits(item)) {
        None => Ok(()),
        Some(item) => Err(format!("{expected}; {item:?} is none")),
    }
}

fn expect(holds: bool, expected: impl FnOnce() -> Expected) -> Result<(), Expected> {
    if holds { Ok(()) } else { Err(expected()) }
}
