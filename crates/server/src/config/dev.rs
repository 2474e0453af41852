//! What `salon dev` promises.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// Where `salon dev` is streamed to, unless it is taken: what encoders suppose.
pub const DEV_INGEST: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1_935));

/// The account that `salon dev` makes.
pub const DEV_ACCOUNT: &str = "dev";
/// The app that `salon dev` makes.
pub const DEV_APP: &str = "dev";
/// The API token that `salon dev` accepts. Everybody knows it, which is why `salon dev` listens on this computer only.
pub const DEV_TOKEN: &str = "dev-token";
